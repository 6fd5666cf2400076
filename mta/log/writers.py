"""The logs of a process: ``Log.main``, ``reject``, ``panic``, ``process``, ``msglog`` (manual sections 53.1 to 53.4).

A line is one write to a file opened for appending, so threads and processes share files without locks.
No method raises: a log that cannot be written goes to the panic log, then to standard error.
"""

from __future__ import annotations

import os
import re
import stat
import sys
import syslog
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field

from mta.log.selectors import DEFAULT, Selectors

_PRIORITIES = {"main": syslog.LOG_INFO, "reject": syslog.LOG_NOTICE, "panic": syslog.LOG_ALERT}
_CONTROL = re.compile(r"[\x00-\x08\x0a-\x1f\x7f]")
_SYSLOG_LINE = 870
MAX_LINE = 8192  # of a main log line, as Exim's buffer has it


def one_line(text: str) -> str:
    """Control characters as escapes, so that nothing a peer said starts a line of its own."""
    return _CONTROL.sub(_escape, text)


def _escape(found: re.Match[str]) -> str:
    char = found.group()
    return {"\n": "\\n", "\r": "\\r", "\t": "\\t"}.get(char) or f"\\{ord(char):03o}"


@dataclass(frozen=True, slots=True)
class LogOptions:
    """``path`` is log_file_path, expanded; ``spool`` the spool directory for its default and for message logs."""

    path: str = ""
    spool: str = "."
    selectors: Selectors = DEFAULT
    timezone: bool = False  # log_timezone
    utc: bool = False
    write_rejectlog: bool = True
    message_logs: bool = True
    message_log_path: Callable[[str], str] | None = None  # id -> file; the spool's layout knows
    syslog_duplication: bool = True
    syslog_facility: str = "mail"
    syslog_pid: bool = True
    syslog_processname: str = "exim"
    syslog_timestamp: bool = True
    owner: tuple[int, int] | None = None  # uid, gid of new files when we are root
    stderr: bool = False  # every main log line also goes to standard error (-v, foreground)


@dataclass(slots=True)
class _File:
    """One open log; ``checked``: when we last looked whether its name still means it."""

    path: str
    fd: int = -1
    checked: float = 0.0
    lock: threading.Lock = field(default_factory=threading.Lock)


class Log:
    """The logs of one process."""

    def __init__(self, options: LogOptions, clock: Callable[[], float] = time.time) -> None:
        self.options = options
        self.selectors = options.selectors
        self._clock = clock
        self._templates, self._syslog, self._terminal = _destinations(options)
        self._files: dict[str, _File] = {}
        self._lock = threading.Lock()
        if self._syslog:
            facility = getattr(syslog, "LOG_" + options.syslog_facility.upper(), syslog.LOG_MAIL)
            syslog.openlog(options.syslog_processname, syslog.LOG_PID if options.syslog_pid else 0, facility)

    def wants(self, selector: str) -> bool:
        return selector in self.selectors

    @property
    def folder(self) -> str:
        """Where the log files are, "" when the log goes elsewhere."""
        return os.path.dirname(self._templates[0]) if self._templates else ""

    def stamp(self, now: float | None = None, *, pid: bool = True) -> str:
        """``2001-09-16 16:09:47 `` and what selectors add, with the space after it."""
        moment = self._clock() if now is None else now
        parts = time.gmtime(moment) if self.options.utc else time.localtime(moment)
        text = time.strftime("%Y-%m-%d %H:%M:%S", parts)
        if "millisec" in self.selectors:
            text += f".{int(moment * 1000) % 1000:03d}"
        if self.options.timezone:
            text += time.strftime(" %z", parts)
        if pid and "pid" in self.selectors:
            text += f" [{os.getpid()}]"
        return text + " "

    def main(self, line: str, message_id: str = "") -> None:
        """One line in the main log; a message's lines start with its id."""
        text = one_line(_with_id(line, message_id))
        if len(text) > MAX_LINE:
            text = text[:MAX_LINE] + "<...>"
        self._write("main", text)
        if self.options.stderr:
            print(f"{os.getpid()} LOG: MAIN\n  {text}", file=sys.stderr)

    def reject(self, line: str, message_id: str = "", headers: str = "") -> None:
        """The reject log; ``headers`` (lines as received) follow when rejected_header is on."""
        if not self.options.write_rejectlog:
            return
        text = one_line(_with_id(line, message_id))
        if headers and "rejected_header" in self.selectors:
            body = "\n".join(_CONTROL.sub(_escape, part) for part in headers.rstrip("\n").split("\n"))
            text = f"{text}\n{body}\n{'-' * 75}"
        self._write("reject", text)

    def panic(self, line: str, message_id: str = "", *, main: bool = True) -> None:
        """The panic log, which may take several lines, and (``main``) the main log, which gets them as one."""
        if main:
            self.main(line, message_id)
        text = "\n".join(one_line(part) for part in _with_id(line, message_id).split("\n"))
        self._write("panic", text)

    def process(self, line: str) -> None:
        """The process log, ``exim-process.info`` in the spool directory: what this process is doing."""
        path = os.path.join(self.options.spool, "exim-process.info")
        self._append(path, f"{os.getpid():5d} {one_line(line)}\n", "process")

    def msglog(self, message_id: str, line: str) -> None:
        """A line in the message's own log; opened each time, since most messages get two lines."""
        if not self.options.message_logs or self.options.message_log_path is None:
            return
        try:
            path = self.options.message_log_path(message_id)
            data = (self.stamp(pid=False) + one_line(line) + "\n").encode("latin-1", "replace")
            self._append_once(path, data)
        except (OSError, ValueError) as error:
            self.main(f"Couldn't open message log for {message_id}: {error}", message_id)

    def _append_once(self, path: str, data: bytes) -> None:
        flags = os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW
        try:
            fd = os.open(path, flags, 0o640)
        except FileNotFoundError:
            self._make_folder(os.path.dirname(path))
            fd = os.open(path, flags, 0o640)
        try:
            self._own(fd)
            os.write(fd, data)
        finally:
            os.close(fd)

    def _own(self, fd: int) -> None:
        if self.options.owner and os.geteuid() == 0:
            os.fchown(fd, *self.options.owner)

    def _make_folder(self, path: str) -> None:
        os.makedirs(path, 0o750, exist_ok=True)
        if self.options.owner and os.geteuid() == 0:
            os.chown(path, *self.options.owner)

    def _write(self, kind: str, text: str) -> None:
        stamp = self.stamp()
        if self._terminal and kind == "main":
            _to_terminal(stamp + text)
        if self._syslog and (kind == "main" or self.options.syslog_duplication or not self._templates):
            send_to_syslog(kind, (stamp if self.options.syslog_timestamp else "") + text)
        for template in self._templates:
            self._append(self._path(template, kind), stamp + text + "\n", kind)

    def _path(self, template: str, kind: str) -> str:
        if "%D" not in template and "%M" not in template:
            return template.replace("%s", kind)
        if kind == "panic":
            return _without_date(template).replace("%s", kind)
        parts = time.gmtime(self._clock()) if self.options.utc else time.localtime(self._clock())
        dated = template.replace("%D", time.strftime("%Y%m%d", parts)).replace("%M", time.strftime("%Y%m", parts))
        return dated.replace("%s", kind)

    def _append(self, path: str, text: str, kind: str) -> None:
        data = text.encode("latin-1", "replace")
        try:
            os.write(self._opened(path, kind), data)
        except OSError as error:
            self._last_resort(kind, text, error)

    def _opened(self, path: str, key: str) -> int:
        """The handle of a log, opened again when the file was renamed away or the date changed."""
        with self._lock:
            held = self._files.setdefault(key + path, _File(path))
        now = self._clock()
        if held.fd >= 0 and now - held.checked < 1.0 and now >= held.checked:
            return held.fd
        with held.lock:
            if held.fd >= 0 and not _same_file(held.fd, path):
                # Another thread may be about to write to the old handle: give its number a new file instead.
                fresh = self._open(path)
                os.dup2(fresh, held.fd, inheritable=False)
                os.close(fresh)
            elif held.fd < 0:
                held.fd = self._open(path)
            held.checked = now
            return held.fd

    def _open(self, path: str) -> int:
        flags = os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC
        try:
            fd = os.open(path, flags, 0o640)
        except FileNotFoundError:
            self._make_folder(os.path.dirname(path))
            fd = os.open(path, flags, 0o640)
        if os.fstat(fd).st_size == 0 and stat.S_ISREG(os.fstat(fd).st_mode):
            self._own(fd)
        return fd

    def _last_resort(self, kind: str, text: str, error: OSError) -> None:
        if kind != "panic" and self._templates:
            path = self._path(self._templates[0], "panic")
            try:
                complaint = f"{self.stamp()}Cannot open {kind} log file: {error.strerror}\n{text}"
                os.write(self._opened(path, "panic"), complaint.encode("latin-1", "replace"))
                return
            except OSError:
                pass
        sys.stderr.write(f"mta: could not write the {kind} log: {error.strerror}: {text}")

    def after_fork(self) -> None:
        """To be called in a new process: locks that other threads held are forgotten, handles stay."""
        self._lock = threading.Lock()
        for held in self._files.values():
            held.lock = threading.Lock()

    def close(self) -> None:
        """Close all files; they open again when needed."""
        with self._lock:
            for held in self._files.values():
                if held.fd >= 0:
                    os.close(held.fd)
            self._files = {}


def _with_id(line: str, message_id: str) -> str:
    return f"{message_id} {line}" if message_id else line


def _destinations(options: LogOptions) -> tuple[list[str], bool, bool]:
    """File templates (at most one), whether syslog is used, and (ours) standard error, from log_file_path."""
    default = os.path.join(options.spool, "log", "%slog")
    items = [item.strip() for item in options.path.split(":")] if options.path.strip() else [""]
    use_syslog = "syslog" in items
    files = [item or default for item in items if item not in ("syslog", "stderr")]
    return files[:1], use_syslog, "stderr" in items


def _to_terminal(text: str) -> None:
    try:
        os.write(2, (text + "\n").encode("latin-1", "replace"))
    except OSError:
        return  # nobody is there to read it


def _without_date(template: str) -> str:
    """The panic log's name: the date and one punctuation character next to it go (manual section 53.3)."""
    at = max(template.find("%D"), template.find("%M"))
    before, after = template[:at], template[at + 2 :]
    if before.endswith("/"):
        return before + (after[1:] if after and not after[0].isalnum() else after)
    return (before[:-1] if before and not before[-1].isalnum() else before) + after


def _same_file(fd: int, path: str) -> bool:
    try:
        named = os.stat(path)
    except FileNotFoundError:
        return False
    held = os.fstat(fd)
    return (named.st_ino, named.st_dev) == (held.st_ino, held.st_dev)


def send_to_syslog(kind: str, text: str) -> None:
    """Lines of at most 870 characters, numbered when there are several (manual section 53.4)."""
    for part in syslog_parts(text):
        syslog.syslog(_PRIORITIES[kind], part.replace("\0", " "))


def syslog_parts(text: str) -> list[str]:
    """``[n/m]`` before a part that was cut for its length, ``[n\\m]`` for a part that ended at a newline."""
    parts: list[tuple[str, str]] = []
    lines = text.split("\n")
    for line in lines:
        pieces = [line[at : at + _SYSLOG_LINE] for at in range(0, len(line), _SYSLOG_LINE)] or [""]
        parts += [("/", piece) for piece in pieces[:-1]] + [("\\", pieces[-1])]
    if len(parts) == 1:
        return [parts[0][1]]
    return [
        f"[{number}{'/' if number == len(parts) else mark}{len(parts)}] {piece}"
        for number, (mark, piece) in enumerate(parts, 1)
    ]
