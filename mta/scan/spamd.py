"""SpamAssassin's spamd and Rspamd as the spam condition asks them (manual sections 45.2 and 45.3).

``parse_servers(text, warn)`` reads spamd_address, ``ask(servers, job, warn)`` gives the Report of the first server
that can be reached. Raises ScanFailed.
"""

from __future__ import annotations

import random
import re
import time
from collections.abc import Callable
from dataclasses import dataclass, field

from mta.scan import checkv2
from mta.scan.copy import Copy, ScanFailed
from mta.scan.servers import Dialogue, NoConnection, connect_tcp, connect_unix, parse_ports
from mta.text.ascii import is_digits, lower, strict_int
from mta.text.lists import split_list
from mta.text.units import parse_time

MAX_SERVERS = 32
TIMEOUT = 120.0
MAX_BAR = 50
MAX_REPORT = 1 << 16
_NUMBER = r"(-?\d{1,9}(?:\.\d{1,9})?)"
_SPAMD = re.compile(rf"(?im)^spam:[ \t]*(\w+)[ \t]*;[ \t]*{_NUMBER}[ \t]*/[ \t]*{_NUMBER}[ \t\r]*$", re.ASCII)
_RSPAMD = re.compile(rf"(?im)^metric: \w+;[ \t]*(\w+);[ \t]*{_NUMBER}[ \t]*/[ \t]*{_NUMBER}", re.ASCII)
_ACTION = re.compile(r"(?im)^action: ([^\r\n]{0,100})", re.ASCII)
_CLOCK = re.compile(r"(\d{1,3})(?:\.(\d{1,3})(?:\.(\d{1,3}))?)?", re.ASCII)


@dataclass(slots=True)
class Server:
    """One server of the list. ``path`` or ``host`` and ``ports``; times of day in seconds since midnight."""

    source: str
    path: str = ""
    host: str = ""
    ports: range = range(0)
    variant: str = ""  # "rspamd" or "rspamd-http"
    priority: int = 1
    weight: int = 1
    start: int = 0
    end: int = 86400
    timeout: float = TIMEOUT
    retry: float = 0.0


@dataclass(slots=True)
class Job:
    """What is sent: the copy, and for Rspamd the envelope and the client."""

    copy: Copy
    user: str
    message_id: str = ""
    sender: str = ""
    recipients: list[str] = field(default_factory=list)
    helo: str = ""
    host_name: str = ""
    address: str = ""


@dataclass(slots=True)
class Report:
    """A verdict. ``variables``: the values of $spam_score and kin."""

    spam: bool
    variables: dict[str, str]
    server: str


Warn = Callable[[str], None]


def parse_servers(text: str, warn: Warn) -> list[Server]:
    """The servers of spamd_address; what cannot be used is left out with a warning."""
    found: list[Server] = []
    for item in split_list(text):
        words = [word for word in split_list(item, " ") if word]
        if not words:
            continue
        if len(found) == MAX_SERVERS:
            warn(f"warning - more than {MAX_SERVERS} spamd servers, the rest is ignored")
            break
        server = _server(item, words, warn)
        if server is not None:
            found.append(server)
    return found


def _server(item: str, words: list[str], warn: Warn) -> Server | None:
    made = Server(item)
    if words[0].startswith("/"):
        made.path, options = words[0], words[1:]
    elif len(words) < 2:
        warn(f"warning - invalid spamd address: '{item}'")
        return None
    else:
        ports = parse_ports(words[1])
        made.host, options = words[0].removeprefix("[").removesuffix("]"), words[2:]
        if ports is not None:
            made.ports = ports
    for option in options:
        _option(made, option, warn)
    return made


def _option(server: Server, option: str, warn: Warn) -> None:
    name, _, value = option.partition("=")
    number = strict_int(value, maximum=10**6) if is_digits(value) else None
    if name in ("tmo", "retry"):
        seconds = parse_time(value)
        if seconds is None:
            warn(f"warning - invalid spamd {'timeout' if name == 'tmo' else 'retry'} value: '{value}'")
        elif name == "tmo":
            server.timeout = seconds
        else:
            server.retry = seconds
    elif name == "pri" and number is not None:
        server.priority = number
    elif name == "weight" and number is not None:
        server.weight = number
    elif name == "time" and "-" in value:
        start, _, end = value.partition("-")
        for which, text in (("start", start), ("end", end)):
            second = _second_of_day(text)
            if second is None:
                warn(f"warning - invalid spamd {which} time: '{option}'")
            else:
                setattr(server, which, second)
    elif name == "variant" and value in PARSERS:
        server.variant = value
    else:
        warn(f"warning - invalid spamd parameter: '{option}'")


def _second_of_day(text: str) -> int | None:
    found = _CLOCK.fullmatch(text)
    if found is None:
        return None
    hours, minutes, seconds = (int(part or 0) for part in found.groups())
    return hours * 3600 + minutes * 60 + seconds


def in_order(servers: list[Server], now: time.struct_time) -> list[Server]:
    """Those that serve at this time of day, by priority, drawn by weight within one."""
    second = now.tm_hour * 3600 + now.tm_min * 60 + now.tm_sec
    left = [server for server in servers if server.start <= second < server.end]
    out = []
    while left:
        top = max(server.priority for server in left)
        group = [server for server in left if server.priority == top]
        weights = [server.weight for server in group]
        chosen = random.choices(group, weights)[0] if any(weights) else group[0]
        out.append(chosen)
        left.remove(chosen)
    return out


def ask(servers: list[Server], job: Job, warn: Warn, at: Callable[[str], None]) -> Report:
    """The verdict of the first server that can be reached; ``at`` is told where each attempt leads."""
    for server in in_order(servers, time.localtime()):
        try:
            dialogue = _connect(server, at)
        except NoConnection as error:
            warn(f"spamd: {error.message}")
            continue
        with dialogue:
            return _converse(server, dialogue, job)
    raise ScanFailed("all spamd servers failed")


def _connect(server: Server, at: Callable[[str], None]) -> Dialogue:
    if not server.path and not server.ports:
        raise NoConnection(f"invalid socket '{server.source}'")
    at(server.path or f"[{server.host}]:{server.ports[-1]}")
    for attempt in range(2):
        try:
            if server.path:
                return connect_unix(server.path, server.timeout)
            found = connect_tcp(server.host, server.ports, server.timeout)
            at(found.name)
            return found
        except NoConnection:
            if attempt or not server.retry:
                raise
            time.sleep(min(server.retry, server.timeout))
    raise AssertionError(server)


def _converse(server: Server, dialogue: Dialogue, job: Job) -> Report:
    head = {"": _spamd_head, "rspamd": _rspamd_head, "rspamd-http": _http_head}[server.variant](job)
    try:
        dialogue.send([head.encode("latin-1")])
        dialogue.send(job.copy.blocks())
        if server.variant != "rspamd-http":
            dialogue.done_sending()
    except OSError as error:
        raise ScanFailed(f"spamd {dialogue.name} send failed: {error.strerror or error}") from None
    try:
        answer = dialogue.read_all()
    except OSError as error:
        text = error.strerror or str(error)
        raise ScanFailed(f"error reading from spamd {dialogue.name}, socket: {text}") from None
    found = PARSERS[server.variant](answer)
    if found is None:
        raise ScanFailed(f"cannot parse spamd {dialogue.name} output")
    found.server = dialogue.name
    return found


def _spamd_head(job: Job) -> str:
    return f"REPORT SPAMC/1.2\r\nUser: {_clean(job.user)}\r\nContent-length: {job.copy.size}\r\n\r\n"


def _rspamd_head(job: Job) -> str:
    lines = ["CHECK RSPAMC/1.3", f"Content-length: {job.copy.size}"]
    lines += [f"{name}: {value}" for name, value in _envelope(job) if value]
    return "".join(f"{line}\r\n" for line in lines) + "\r\n"


def _http_head(job: Job) -> str:
    return checkv2.request(_envelope(job), "rspamd", job.copy.size)


def _envelope(job: Job) -> list[tuple[str, str]]:
    """The message's envelope and client, as both protocols of Rspamd have them."""
    fields = [("Queue-Id", job.message_id), ("From", f"<{_clean(job.sender)}>")]
    fields.append(("Recipient-Number", str(len(job.recipients))))
    fields += [("Rcpt", f"<{_clean(recipient)}>") for recipient in job.recipients]
    return [*fields, ("Helo", _clean(job.helo)), ("Hostname", _clean(job.host_name)), ("IP", _clean(job.address))]


def _clean(text: str) -> str:
    """What a peer chose cannot end the line that it stands in."""
    return text.replace("\r", "").replace("\n", "").replace("\0", "")


def parse_spamd(answer: bytes) -> Report | None:
    """The answer to REPORT; None when it is none."""
    head, body = _parts(answer)
    found = _SPAMD.search(head)
    if not head.startswith("SPAMD/") or found is None or not _succeeded(head):
        return None
    score, threshold = float(found[2]), float(found[3])
    spam = score >= threshold
    return _report(score, spam, "reject" if spam else "no action", body)


def parse_rspamd(answer: bytes) -> Report | None:
    """The answer to CHECK in spamc's manner; None when it is none."""
    head, body = _parts(answer)
    text = f"{head}\n{body}"
    found, action = _RSPAMD.search(text), _ACTION.search(text)
    if not head.startswith("RSPAMD/") or found is None or not _succeeded(head):
        return None
    score, threshold = float(found[2]), float(found[3])
    report = text[found.end() :].partition("\n")[2]
    return _report(score, score >= threshold, action[1] if action is not None else "", report)


def parse_http(answer: bytes) -> Report | None:
    """The answer to POST /checkv2; None when it is none."""
    found = checkv2.parse(answer)
    if found is None:
        return None
    lines = [f"Action: {found.action}", *(f"Symbol: {name}({score:.2f})" for name, score in found.symbols)]
    return _report(found.score, found.score >= found.threshold, found.action, "\n".join(lines))


def _parts(answer: bytes) -> tuple[str, str]:
    text = answer.decode("latin-1").replace("\r\n", "\n").replace("\0", "")
    head, _, body = text.partition("\n\n")
    return head, body


def _succeeded(head: str) -> bool:
    words = head.partition("\n")[0].split(" ")
    return len(words) > 1 and words[1] == "0"


def _report(score: float, spam: bool, action: str, text: str) -> Report:
    whole = int(score)
    bar = ("+" * whole if whole > 0 else "-" * -whole) or "/"
    variables = {
        "spam_score": f"{score:.1f}",
        "spam_score_int": str(int((score + 0.001) * 10)),  # so that 7.3, which binary numbers miss, is 73
        "spam_bar": bar[:MAX_BAR],
        "spam_action": lower(action),
        "spam_report": text[:MAX_REPORT].rstrip("\n").replace("\n", "\n "),
    }
    return Report(spam, variables, "")


PARSERS: dict[str, Callable[[bytes], Report | None]] = {
    "": parse_spamd,
    "rspamd": parse_rspamd,
    "rspamd-http": parse_http,
}
