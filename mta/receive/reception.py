"""The command loop of a session: lines in, replies out, with the counts and the synchronization check around them.

``run(session)`` returns when the session is over; PeerGone is the caller's.
"""

from __future__ import annotations

from collections.abc import Callable

from mta.receive import envelope, greeting, queries, security, transaction, xclient
from mta.receive.session import Session
from mta.smtp.commands import WITHOUT_ARGUMENT, Command, parse_command
from mta.smtp.server import NO_HELO, NO_SENDER, ONLY_BDAT, ONLY_RSET
from mta.smtp.states import Phase
from mta.wire import lines as wire

COMMANDS: dict[str, Callable[[Session, Command], None]] = {
    "HELO": greeting.helo,
    "EHLO": greeting.helo,
    "MAIL": envelope.mail,
    "RCPT": envelope.rcpt,
    "DATA": transaction.data,
    "BDAT": transaction.bdat,
    "RSET": transaction.rset,
    "QUIT": greeting.quit_,
    "NOOP": queries.noop,
    "HELP": queries.help_,
    "VRFY": queries.vrfy,
    "EXPN": queries.expn,
    "ETRN": queries.etrn,
    "STARTTLS": security.starttls,
    "AUTH": security.auth,
    "XCLIENT": xclient.xclient,
}
UNCOUNTED = frozenset({"MAIL", "RCPT", "DATA", "BDAT", "QUIT"})  # towards smtp_accept_max_nonmail
SYNC_ERROR = "SMTP synchronization error"


def run(session: Session) -> None:
    """Read and obey commands until the session is done."""
    reader, link = session.reader, session.link
    while not session.done:
        line = reader.next()
        if line is None:
            session.flush()
            reader.feed(link.recv())
            continue
        obey(session, line)
        if session.pretend:
            session.flush()
    session.flush()


def obey(session: Session, line: bytes) -> None:
    """One command line."""
    text = line.decode("latin-1").rstrip(" \t")
    session.commands_seen = True
    if session.reader.flaw:
        return _flawed(session, text)
    command = parse_command(text)
    verb = command.verb
    session.peer.smtp_command = text
    session.peer.smtp_command_argument = command.argument
    protocol = session.protocol
    if protocol.must_be_last(verb) and not _early(session, verb) and not _synchronized(session, text):
        return None
    if not verb:
        session.last_was_rcpt = False
        return _unknown(session, text)
    if verb not in UNCOUNTED and not _count_nonmail(session, command):
        return None
    if command.argument and verb in WITHOUT_ARGUMENT:
        return session.say(501, "unexpected argument data")
    refusal = protocol.refusal(command)
    if refusal is not None:
        return _refused(session, command, refusal.code, refusal.text)
    session.remember(verb)
    COMMANDS[verb](session, command)
    session.last_was_rcpt = verb == "RCPT"
    session.last_was_refused_mail = verb == "MAIL" and not protocol.in_transaction
    return None


def _refused(session: Session, command: Command, code: int, text: str) -> None:
    """A command out of its place."""
    verb = command.verb
    if text not in (ONLY_BDAT.text, ONLY_RSET.text):
        session.remember(verb)
    if text is NO_HELO.text:
        if not session.host_in("hosts_require_helo"):
            session.protocol.require_helo = False
            return COMMANDS[verb](session, command)
        session.log_refusal(f"rejected MAIL from {session.who()}: no HELO/EHLO given")
        return session.say(code, text)
    if verb == "RCPT" and text is NO_SENDER.text:
        session.protocol.rcpt_refused(f"{code} {text}")
        session.last_was_rcpt = session.last_was_refused_mail and session.protocol.pipelining
        if session.last_was_rcpt:
            return session.say(code, text)
        return session.syntax_error(code, text, command.line)
    session.last_was_refused_mail = False
    if verb == "BDAT":
        # its data comes all the same, and must not be taken for commands
        transaction.swallow_chunk(session, command)
    if verb == "DATA" and session.last_was_rcpt and session.protocol.pipelining:
        # the client could not know when it sent DATA: no error of its own
        session.last_was_rcpt = False
        return session.say(code, text.replace("valid RCPT", "Valid RCPT"))
    session.last_was_rcpt = False
    return session.syntax_error(code, text, command.line)


def _flawed(session: Session, text: str) -> None:
    flaw = session.reader.flaw
    if flaw & wire.NUL:
        return session.syntax_error(501, "NUL characters are not allowed in SMTP commands", text)
    if flaw & wire.OVERLONG:
        return session.syntax_error(500, "command line too long", text[:64])
    if flaw & (wire.BARE_LF | wire.BARE_CR):
        return session.syntax_error(501, "lines must end with CRLF", text)
    raise AssertionError(flaw)


def _early(session: Session, verb: str) -> bool:
    """Whether this EHLO may have been sent before its time, with more behind it (PIPECONNECT)."""
    return (
        verb == "EHLO"
        and session.protocol.phase == Phase.START
        and "no_pipelining" not in session.peer.controls
        and session.plan.lists["pipelining_connect_advertise_hosts"] is not False
        and session.host_in("pipelining_connect_advertise_hosts")
    )


def _synchronized(session: Session, text: str) -> bool:
    """Whether nothing came behind a command that a client must wait after (RFC 2920 3.1, smtp_enforce_sync)."""
    held = session.reader.pending()
    if not held and not session.link.readable():
        return True
    peer = session.peer
    enforced = session.plan.options.smtp_enforce_sync if peer.enforce_sync is None else peer.enforce_sync
    if not enforced or not peer.address or peer.is_local:
        return True
    if not held:
        # the end of the connection is no talk: it is found at the next read
        session.flush()
        session.reader.feed(session.link.recv())
    following = session.reader.take()[:150].decode("latin-1")
    advertised = "" if session.protocol.pipelining else "not "
    session.log_refusal(
        f"SMTP protocol synchronization error (next input sent too soon: pipelining was {advertised}advertised):"
        f' rejected "{text}" {session.id_fields()} next input="{_escaped(following)}"'
    )
    session.say(554, SYNC_ERROR)
    session.end("synchronization-error")
    return False


def _escaped(text: str) -> str:
    return text.replace("\\", "\\\\").replace("\r", "\\r").replace("\n", "\\n")


def _unknown(session: Session, text: str) -> None:
    session.unknown_commands += 1
    limit = session.plan.options.smtp_max_unknown_commands
    if session.unknown_commands > limit:
        if "smtp_syntax_error" in session.plan.selectors:
            session.log(f'SMTP syntax error in "{text}" {session.id_fields()} unrecognized command')
        session.say(500, "Too many unrecognized commands")
        session.log_refusal(
            f'SMTP call from {session.who()} dropped: too many unrecognized commands (last was "{text}")'
        )
        session.end("bad-commands")
        return None
    return session.syntax_error(500, "unrecognized command", text)


def _count_nonmail(session: Session, command: Command) -> bool:
    """Count a command that is none of mail's (smtp_accept_max_nonmail); False when there were too many."""
    verb = command.verb
    if verb in ("HELO", "EHLO") and session.free_helo:
        session.free_helo = False
    elif verb == "RSET" and session.free_rset:
        session.free_rset = False
    elif verb == "STARTTLS" and session.free_starttls:
        session.free_starttls = False
    elif verb == "AUTH" and session.free_auth:
        session.free_auth = False
    else:
        session.nonmail += 1
        if session.nonmail == 1 and session.scope.trace is not None:
            session.host_in("smtp_accept_max_nonmail_hosts")
        limit = session.plan.options.smtp_accept_max_nonmail
        if session.nonmail > limit and session.host_in("smtp_accept_max_nonmail_hosts"):
            session.say(554, "Too many nonmail commands")
            word = command.line.partition(" ")[0]
            session.log_refusal(
                f'SMTP call from {session.who()} dropped: too many nonmail commands (last was "{word}")'
            )
            session.end("bad-commands")
            return False
    return True
