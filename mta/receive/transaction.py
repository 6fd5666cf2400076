"""DATA, BDAT and RSET: the bytes of a message from the peer into an Intake (RFC 5321 4.1.1.4, RFC 3030)."""

from __future__ import annotations

from dataclasses import dataclass

from mta.errors import PeerGone, SpoolError
from mta.receive.accept import settle
from mta.receive.envelope import enough_space, size_limit
from mta.receive.header_lines import without_from_line
from mta.receive.intake import NOT_CRLF, Fault, Intake
from mta.receive.plan import Incoming
from mta.receive.session import Session
from mta.receive.verdicts import TRY_LATER, ask, refuse
from mta.smtp.commands import Command, parse_bdat
from mta.wire import lines as wire

GO_AHEAD = 'Enter message, ending with "." on a line by itself'
RESTART_FACTOR = 2  # a message this many times over its limit ends the session: its sender does not listen


@dataclass(slots=True)
class Chunks:
    """A message under way by BDAT."""

    incoming: Incoming
    intake: Intake
    scanner: wire.DataScanner
    total: int = 0


def rset(session: Session, _command: Command) -> None:
    _drop_chunks(session)
    session.new_message()
    session.protocol.reset()
    session.say(250, "Reset OK")


def _drop_chunks(session: Session) -> None:
    if isinstance(session.chunks, Chunks):
        session.chunks.incoming.abandon()
        session.chunks = None


def abandon(session: Session) -> None:
    """The session ends: nothing half received stays."""
    _drop_chunks(session)


def data(session: Session, _command: Command) -> None:
    """DATA."""
    if not _predata(session):
        return
    incoming = _begin(session)
    if incoming is None:
        return
    intake = _intake(session, incoming)
    scanner = wire.DataScanner()
    try:
        session.say(354, GO_AHEAD)
        session.flush()
        _read_data(session, scanner, intake)
        session.reader.feed(scanner.rest)
        session.data_lines = scanner.lines + 1
        _finish(session, incoming, intake, scanner.max_line, chunking=False)
    except BaseException:
        incoming.abandon()
        raise


def _predata(session: Session) -> bool:
    options = session.plan.options
    if session.too_many and options.recipients_max_reject:
        session.say(554, "Too many recipients")
        return False
    if not enough_space(session, session.scope.message.message_size):
        session.say(452, "Space shortage, please try later")
        return False
    if options.acl_smtp_predata is None:
        return True
    verdict = ask(session, "predata")
    if verdict.accepted:
        return True
    session.reply(refuse(session, "predata", verdict, "DATA"))
    return False


def _begin(session: Session) -> Incoming | None:
    try:
        incoming: Incoming = session.runtime.spool.begin()
    except (SpoolError, OSError) as error:
        session.runtime.log.panic(f"{error}")
        session.say(451, TRY_LATER)
        return None
    session.scope.message.id = incoming.id
    return incoming


def _intake(session: Session, incoming: Incoming) -> Intake:
    options = session.plan.options
    drops = session.host_in("ignore_fromline_hosts") if session.peer.address else options.ignore_fromline_local
    strip = (lambda text: without_from_line(options.uucp_from_pattern, text)) if drops else None
    return Intake(incoming, size_limit(session), options.header_maxsize, options.header_line_maxsize, strip)


def _read_data(session: Session, scanner: wire.DataScanner, intake: Intake) -> None:
    """Everything up to the dot. A SpoolError of the disk is answered after the dot, as the protocol asks."""
    piece = session.reader.take()
    failed: SpoolError | None = None
    limit = size_limit(session)
    while True:
        if piece:
            text = scanner.feed(piece)
            if failed is None and text:
                try:
                    intake.add(text)
                except SpoolError as error:
                    failed = error
            if scanner.done:
                break
            if limit > 0 and scanner.size > limit * RESTART_FACTOR + (1 << 20):
                _too_much(session, intake)
        piece = _receive(session, intake)
    if failed is None:
        try:
            intake.finish()
        except SpoolError as error:
            failed = error
    if failed is not None:
        raise failed


def _receive(session: Session, intake: Intake) -> bytes:
    try:
        return session.link.recv()
    except PeerGone as gone:
        reason = "data-timeout" if gone.reason == "command-timeout" else "connection-lost"
        where = "" if intake.headers_done else " (after header)" if intake.size else " (header)"
        raise PeerGone(reason, f"while reading message data{where}") from None


def _too_much(session: Session, intake: Intake) -> None:
    """Far over the limit and still sending: the connection is closed."""
    _log_fault(session, intake, intake.fault)
    session.say(552, "Message size exceeds maximum permitted")
    session.flush()
    raise PeerGone("connection-lost", "while reading message data: message too big")


def _finish(session: Session, incoming: Incoming, intake: Intake, max_line: int, *, chunking: bool) -> None:
    try:
        if intake.fault is not None:
            _log_fault(session, intake, intake.fault)
            session.say(intake.fault.code, intake.fault.text)
        else:
            settle(session, incoming, intake, max_line, chunking=chunking)
    finally:
        incoming.abandon()
        session.chunks = None
        session.chunk_note = ""
        session.protocol.reset()
        session.new_message()
        session.free_rset = session.free_helo = session.free_starttls = True


def _log_fault(session: Session, intake: Intake, fault: Fault | None) -> None:
    options, message = session.plan.options, session.scope.message
    if fault is NOT_CRLF:
        session.log_refusal(
            f"rejected from <{message.sender}> {session.id_fields()}:"
            " Non-CRLF-terminated header, under CHUNKING: message abandoned"
        )
    elif fault is None or fault.kind == "size":
        if "size_reject" in session.plan.selectors:
            session.log_refusal(
                f"rejected from <{message.sender}> {session.id_fields()}: message too big:"
                f" read={intake.size} max={size_limit(session)}",
                message.id,
            )
    elif fault.kind == "header":
        session.log_refusal(
            f"ridiculously long message header received from {session.who()}"
            f" (more than {options.header_maxsize} characters): message abandoned"
        )
    else:
        session.log_refusal(
            f"overlong message header line received from {session.who()}"
            f" (more than {options.header_line_maxsize} characters): message abandoned"
        )


def bdat(session: Session, command: Command) -> None:
    """BDAT: exactly as many bytes as it says are data, whatever they are."""
    chunk = parse_bdat(command.argument)
    if not session.protocol.offer.chunking:
        _discard(session, 0 if isinstance(chunk, str) else chunk.size)
        text = "BDAT command used when CHUNKING not advertised"
        return session.syntax_error(503, text, command.line)
    if isinstance(chunk, str):
        # where the next command begins cannot be known
        session.syntax_error(501, chunk, command.line)
        session.end("protocol-error")
        return None
    if session.chunks is None:
        incoming = _begin(session)
        if incoming is None:
            session.protocol.spoil()
            return _discard(session, chunk.size)
        session.chunks = Chunks(incoming, _intake(session, incoming), wire.DataScanner(dots=False))
    elif chunk.size == 0 and not chunk.last:
        _drop_chunks(session)
        session.protocol.spoil()
        return session.say(504, "zero size for BDAT command")
    chunks = session.chunks
    assert isinstance(chunks, Chunks)
    try:
        _read_chunk(session, chunks, chunk.size)
    except SpoolError as error:
        session.runtime.log.panic(f"{error}")
        session.say(451, TRY_LATER)
        session.chunks = None
        session.protocol.spoil()
        return None
    return _chunk_done(session, chunks, chunk.size, chunk.last)


def _chunk_done(session: Session, chunks: Chunks, size: int, last: bool) -> None:
    chunks.total += size
    if not last:
        if chunks.intake.fault is not None:
            _log_fault(session, chunks.intake, chunks.intake.fault)
            session.say(chunks.intake.fault.code, chunks.intake.fault.text)
            _drop_chunks(session)
            session.protocol.spoil()
            return None
        session.protocol.chunk(last=False)
        return session.say(250, f"{size} byte chunk received")
    tail = chunks.scanner.finish()
    if tail:
        chunks.intake.add(tail)
    if chunks.scanner.bare_lf and not chunks.intake.headers_done:
        chunks.intake.fault = NOT_CRLF
    # a line end is added to a last line without one
    session.chunk_note = f" {size} byte chunk, total {chunks.total + (0 if chunks.intake.whole_line else 2)}\n"
    chunks.intake.finish()
    return _finish(session, chunks.incoming, chunks.intake, chunks.scanner.max_line, chunking=True)


def _read_chunk(session: Session, chunks: Chunks, size: int) -> None:
    held = session.reader.take()
    piece, rest = held[:size], held[size:]
    left = size - len(piece)
    failed: SpoolError | None = None
    while True:
        if piece and failed is None:
            try:
                chunks.intake.add(chunks.scanner.feed(piece))
            except SpoolError as error:
                failed = error
        if left <= 0:
            break
        piece = _receive(session, chunks.intake)
        piece, rest = piece[:left], piece[left:]
        left -= len(piece)
    session.reader.feed(rest)
    if failed is not None:
        raise failed


def swallow_chunk(session: Session, command: Command) -> None:
    """A BDAT that is refused: its bytes are read and forgotten (RFC 3030 section 2)."""
    chunk = parse_bdat(command.argument)
    if isinstance(chunk, str):
        session.end("protocol-error")
        return
    session.flush()
    _discard(session, chunk.size)


def _discard(session: Session, size: int) -> None:
    session.flush()
    held = session.reader.take()
    rest, left = held[size:], size - len(held)
    while left > 0:
        piece = session.link.recv()
        rest = piece[left:] if left < len(piece) else b""
        left -= len(piece)
    session.reader.feed(rest)
