"""What goes between a delivery and the process that runs its local part: JSON records with a length in front.

Message and peer travel in the spool's own format, recipients and outcomes field by field; no pickles, since one end
may be root.
"""

from __future__ import annotations

import dataclasses
import json
import socket
import struct
from dataclasses import dataclass, field
from typing import Any

from mta.errors import SpoolError
from mta.mail.host import Host
from mta.mail.message import Message
from mta.mail.outcome import Outcome, RetryFact, Status
from mta.mail.peer import Peer
from mta.mail.recipient import Recipient, Reply
from mta.spool import codec
from mta.text.taint import Tainted

MAX_RECORD = 1 << 28
MAX_PARENTS = 1000
_LENGTH = struct.Struct("!I")
_CARRIED = ("body_size", "message_size", "message_linecount", "queue_name", "raw_recipients_count", "rcpt_count")


class WireError(Exception):
    """The other end broke off, or what it said makes no sense."""


@dataclass(slots=True)
class LocalRequest:
    """One local delivery. ``uid``, ``gid``, ``groups``: who it runs as; the body's handle travels beside it."""

    transport: str
    message: Message
    peer: Peer
    recipients: list[Recipient]
    return_path: str
    uid: int
    gid: int
    groups: tuple[int, ...]
    home: str = ""
    current_directory: str = ""
    intents: tuple[str, ...] = ()
    variables: dict[str, str] = field(default_factory=dict)


def send_record(sock: socket.socket, record: dict[str, Any]) -> None:
    """One record."""
    data = json.dumps(record, ensure_ascii=True).encode("ascii")
    sock.sendall(_LENGTH.pack(len(data)) + data)


def receive_record(sock: socket.socket) -> dict[str, Any]:
    """The next record; WireError when there is none."""
    (size,) = _LENGTH.unpack(_exactly(sock, _LENGTH.size))
    if size > MAX_RECORD:
        raise WireError("record too long")
    try:
        record = json.loads(_exactly(sock, size))
    except ValueError as error:
        raise WireError(f"bad record: {error}") from None
    if not isinstance(record, dict):
        raise WireError("bad record")
    return record


def _exactly(sock: socket.socket, size: int) -> bytes:
    pieces: list[bytes] = []
    while size:
        piece = sock.recv(min(size, 1 << 20))
        if not piece:
            raise WireError("the other process ended")
        pieces.append(piece)
        size -= len(piece)
    return b"".join(pieces)


def request_record(request: LocalRequest) -> dict[str, Any]:
    """A request as a record."""
    record = {
        f.name: getattr(request, f.name)
        for f in dataclasses.fields(request)
        if f.name not in ("message", "peer", "recipients")
    }
    record["id"] = request.message.id
    record["header"] = codec.encode(request.message, request.peer).decode("latin-1")
    record["facts"] = {name: getattr(request.message, name) for name in _CARRIED}
    record["recipients"] = [_recipient_chain(recipient) for recipient in request.recipients]
    return record


def request_of(record: dict[str, Any]) -> LocalRequest:
    """The request of a record."""
    try:
        message, peer = codec.decode(record["header"].encode("latin-1"), record["id"])
        for name in _CARRIED:
            setattr(message, name, record["facts"][name])
        return LocalRequest(
            transport=record["transport"],
            message=message,
            peer=peer,
            recipients=[_recipient_of(chain) for chain in record["recipients"]],
            return_path=_text(record["return_path"]),
            uid=int(record["uid"]),
            gid=int(record["gid"]),
            groups=tuple(int(one) for one in record["groups"]),
            home=_text(record["home"]),
            current_directory=_text(record["current_directory"]),
            intents=tuple(record["intents"]),
            variables=dict(record["variables"]),
        )
    except (KeyError, TypeError, ValueError, SpoolError) as error:
        raise WireError(f"bad request: {error!r}") from None


def _text(value: Any) -> str:
    return str(value)


def _recipient_chain(recipient: Recipient) -> list[dict[str, Any]]:
    """The recipient and its ancestors, itself first."""
    found: list[dict[str, Any]] = []
    one: Recipient | None = recipient
    while one is not None and len(found) < MAX_PARENTS:
        found.append(_plain(one))
        one = one.parent
    return found


def _plain(recipient: Recipient) -> dict[str, Any]:
    record: dict[str, Any] = {"peers_text": []}
    for item in dataclasses.fields(recipient):
        value = getattr(recipient, item.name)
        if item.name == "parent":
            continue
        if item.name in ("hosts", "fallback_hosts"):
            value = [dataclasses.asdict(host) for host in value]
        elif item.name == "reply":
            value = dataclasses.asdict(value) if value is not None else None
        elif isinstance(value, frozenset):
            value = sorted(value)
        elif isinstance(value, Tainted):
            record["peers_text"].append(item.name)
        elif isinstance(value, dict):
            record["peers_text"] += [f"{item.name}.{name}" for name, text in value.items() if isinstance(text, Tainted)]
        record[item.name] = value
    return record


def _recipient_of(chain: list[dict[str, Any]]) -> Recipient:
    parent: Recipient | None = None
    for record in reversed(chain):
        values = {f.name: record[f.name] for f in dataclasses.fields(Recipient) if f.name != "parent"}
        for name in record["peers_text"]:
            holder, _, key = name.partition(".")
            if key:
                values[holder][key] = Tainted(values[holder][key])
            else:
                values[holder] = Tainted(values[holder])
        values["hosts"] = [Host(**host) for host in values["hosts"]]
        values["fallback_hosts"] = [Host(**host) for host in values["fallback_hosts"]]
        values["reply"] = Reply(**values["reply"]) if values["reply"] is not None else None
        values["routed_by"] = frozenset(values["routed_by"])
        parent = Recipient(**values, parent=parent)
    assert parent is not None
    return parent


_OUTCOME_TEXT = (
    "message",
    "errno",
    "more_errno",
    "error",
    "response",
    "shadow",
    "transport_file",
    "freeze",
    "special",
    "bytes_sent",
    "transport_time",
    "basic_local",
    "log_extra",
    "return_file",
)


def outcome_record(outcome: Outcome) -> dict[str, Any]:
    """What a local transport said of one recipient, without the recipient."""
    record: dict[str, Any] = {name: getattr(outcome, name) for name in _OUTCOME_TEXT}
    record["status"] = int(outcome.status)
    record["retry"] = [dataclasses.asdict(fact) for fact in outcome.retry]
    return record


def outcome_of(record: dict[str, Any], recipient: Recipient) -> Outcome:
    """The outcome of a record; WireError when it makes no sense."""
    try:
        outcome = Outcome(recipient, Status(record["status"]))
        for name in _OUTCOME_TEXT:
            setattr(outcome, name, record[name])
        outcome.retry = [RetryFact(**fact) for fact in record["retry"]]
    except (KeyError, TypeError, ValueError) as error:
        raise WireError(f"bad outcome: {error!r}") from None
    return outcome
