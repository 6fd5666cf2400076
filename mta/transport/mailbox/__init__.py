"""Files and folders that messages are delivered into: locks, mbox files, Maildirs, quotas."""
