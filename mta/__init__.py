"""mta, a mail transfer agent that reads Exim's configuration language."""

__version__ = "0.1.0"
# What $version_number, the log and the banner say: the Exim whose language and formats these are.
EXIM_VERSION = "4.99"
