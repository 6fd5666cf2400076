"""Where appendfile may create things, and the folders that it makes on the way (create_file, create_directory)."""

from __future__ import annotations

import os

from mta.transport.mailbox.errors import MailboxError
from mta.transport.outcomes import BAD_CREATE


def check_creation(path: str, rule: str, home: str) -> None:
    """Raise MailboxError unless ``create_file`` lets ``path`` come into being.

    ``rule`` is anywhere, inhome, belowhome or an absolute path that takes the home directory's place.
    """
    if rule == "anywhere":
        return
    base = rule if rule.startswith("/") else home
    if not base:
        # As Exim does: without a home directory there is nothing to hold the file against.
        return
    inside = path.startswith(base.rstrip("/") + "/")
    if inside and rule != "inhome":
        inside = is_below(path, base)
    if inside and rule == "inhome":
        inside = os.path.dirname(path.rstrip("/")) == base.rstrip("/") or is_below(path, base)
    if not inside:
        raise MailboxError(
            f"mailbox {path} does not exist, but creation outside the home directory is not permitted", BAD_CREATE
        )


def is_below(path: str, base: str) -> bool:
    """Whether a path that may not exist yet lies under ``base``, by its text and by where its links lead."""
    if "/../" in path + "/":
        return False
    root = os.path.realpath(base)
    parent = os.path.realpath(os.path.dirname(path.rstrip("/")))
    return parent == root or parent.startswith(root.rstrip("/") + "/")


def make_directories(folder: str, mode: int, for_what: str) -> bool:
    """Make ``folder`` and what is missing above it, exactly with ``mode``. True when something was made."""
    missing = []
    current = folder.rstrip("/") or "/"
    while current != "/" and not os.path.isdir(current):
        missing.append(current)
        current = os.path.dirname(current)
    for name in reversed(missing):
        try:
            os.mkdir(name, mode)
            os.chmod(name, mode)  # the umask is the process's, not ours to set
        except FileExistsError:
            continue
        except OSError as error:
            raise MailboxError(
                f"failed to create directories for {for_what}: {os.strerror(error.errno or 0)}", error.errno or -1
            ) from None
    return bool(missing)


def sync_directory(folder: str) -> None:
    """Make the names in a folder durable; one that we may write to and not read is left to the system."""
    try:
        fd = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    except PermissionError:
        return
    try:
        os.fsync(fd)
    finally:
        os.close(fd)
