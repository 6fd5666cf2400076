"""One SMTP session: its objects, replies waiting to be sent, error counts. Commands are in the files beside this one.

Nothing is sent before ``flush``: the replies to a pipelined group go out together.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field

from mta.errors import Deferred, ExpansionFailed
from mta.log.lines import connection_name
from mta.mail.endings import end
from mta.mail.message import Message
from mta.mail.peer import Peer
from mta.receive.link import Link
from mta.receive.plan import Plan, Runtime
from mta.scope.events import main_event
from mta.scope.scope import Scope
from mta.smtp.enhanced import enhanced
from mta.smtp.replies import Reply, render
from mta.smtp.server import ServerSession
from mta.text.ascii import upper
from mta.wire import lines as wire

HISTORY = 20
# host lists that are looked at once in a connection
ONCE = frozenset(
    [
        "hosts_connection_nolog",
        "host_lookup",
        "host_reject_connection",
        "sender_unqualified_hosts",
        "recipient_unqualified_hosts",
        "helo_verify_hosts",
        "helo_try_verify_hosts",
        "helo_accept_junk_hosts",
        "hosts_proxy",
        "pipelining_connect_advertise_hosts",
        "smtp_accept_max_nonmail_hosts",
    ]
)


@dataclass(slots=True)
class Session:
    """Everything that the commands of one session share. One thread's alone."""

    runtime: Runtime
    plan: Plan
    link: Link
    scope: Scope
    peer: Peer
    protocol: ServerSession
    reader: wire.LineReader
    on_accepted: Callable[[str], None]
    out: list[bytes] = field(default_factory=list)
    accepted: list[str] = field(default_factory=list)  # ids to tell of once their 250 is sent
    timeout: float = 300.0
    done: bool = False
    synprot_errors: int = 0
    unknown_commands: int = 0
    nonmail: int = 0
    free_helo: bool = True  # the next HELO or EHLO, RSET, STARTTLS does not count as nonmail
    free_rset: bool = True
    free_starttls: bool = True
    free_auth: bool = True
    xclient: bool | None = None  # may the host that connected say XCLIENT; None: not asked yet
    per_connection: int = 0
    mail_commands: int = 0  # MAIL commands so far
    discard: str = ""  # "MAIL", "RCPT", "DATA": the ACL that discards the message under way
    too_many: bool = False  # recipients_max was passed
    discard_why: str = ""  # its log_message
    last_was_rcpt: bool = False
    last_was_refused_mail: bool = False  # the RCPTs that were sent behind it could not know
    starttls: bool = False  # offered
    chunks: object = None  # data.Intake of a message under way by BDAT
    chunk_note: str = ""  # what the reply to the last chunk of a message begins with
    doing: Callable[[str], None] = lambda _text: None  # scoreboard
    count_received: Callable[[], None] = lambda: None
    pretend: bool = False  # -bh
    fixed_protocol: bool = False  # -oMr, -bS: $received_protocol is not ours to set
    no_delivery: bool = False  # -N
    queue_only: bool = False  # -odq: accept, deliver later
    data_lines: int = 0  # of the last message, for -bS
    commands_seen: bool = False
    answers: dict[str, bool] = field(default_factory=dict)  # of host lists, kept when each is to be told of once

    @property
    def hostname(self) -> str:
        return self.peer.active_hostname or self.plan.options.primary_hostname

    def say(self, code: int, text: str) -> None:
        """Queue a reply."""
        extended = self._enhanced(code, text) if self.protocol.offer.enhanced else ""
        self.out.append(render(code, text, extended))

    def _enhanced(self, code: int, text: str) -> str:
        return enhanced(code, upper(self.peer.smtp_command[:4]), text)

    def reply(self, reply: Reply) -> None:
        if not reply.extended and self.protocol.offer.enhanced:
            reply = reply._replace(extended=self._enhanced(reply.code, reply.text))
        self.out.append(reply.render())
        if reply.close:
            self.done = True

    def flush(self) -> None:
        """Send all queued replies, then tell of the messages that they acknowledge."""
        if self.out:
            data = self.out[0] if len(self.out) == 1 else b"".join(self.out)
            self.out.clear()
            self.link.send(data)
        if self.accepted:
            for message_id in self.accepted:
                self.on_accepted(message_id)
            self.accepted.clear()

    def who(self) -> str:
        """The peer as log lines name it, without ``H=``."""
        return connection_name(self.peer, self.plan.selectors)

    def log(self, line: str, message_id: str = "") -> None:
        self.runtime.log.main(line, message_id)

    def log_refusal(self, line: str, message_id: str = "") -> None:
        """Main and reject log."""
        self.runtime.log.main(line, message_id)
        self.runtime.log.reject(line, message_id)

    def host_in(self, name: str) -> bool:
        """Whether the peer is in the host list of this option; no answer (Deferred) counts as no."""
        entry = self.plan.lists[name]
        if self.scope.trace is not None:
            known = self.answers.get(name)
            if known is None:
                known = self._host_in_traced(name)
                if name in ONCE:
                    self.answers[name] = known
            return known
        if entry is True or entry is False:
            return entry
        try:
            return entry.match(self.scope, self.peer.address) is not None
        except (Deferred, ExpansionFailed) as error:
            self.runtime.log.panic(f"{name}: {error.message}")
            return False

    def _host_in_traced(self, name: str) -> bool:
        entry = self.plan.lists[name]
        value = getattr(self.plan.options, name, None)
        tell = self.scope.trace
        assert tell is not None
        if entry is True or entry is False:
            answer, why = entry, 'matched "*"' if entry else "option unset" if value is None else "end of list"
        else:
            with self.scope.saved("trace"):
                self.scope.trace = None  # the option's name is told instead of its list
                answer = entry.match(self.scope, self.peer.address) is not None
            why = f'matched "{value.source}"' if answer and value is not None else "end of list"
        tell("host", f"host in {name}? {'yes' if answer else 'no'} ({why})")
        return answer

    def remember(self, word: str) -> None:
        """A command word for ``$smtp_command_history`` and the log."""
        history = self.peer.smtp_history
        history.append(word)
        if len(history) > HISTORY + 1:
            del history[0]

    def syntax_error(self, code: int, text: str, line: str, *, why: str = "", last_words: bool = True) -> None:
        """A protocol or syntax error: replied to, counted, and the session ended when there are too many.

        ``why``: the text for the log where it is not the reply's; ``last_words`` false: the end is not told of.
        """
        self.synprot_errors += 1
        main_event(self.scope, "smtp:fail:protocol" if code == 503 else "smtp:fail:syntax", text)
        if "smtp_syntax_error" in self.plan.selectors and code in (500, 501):
            self.log(f'SMTP syntax error in "{line}" {self.id_fields()} {why or text}')
        elif "smtp_protocol_error" in self.plan.selectors and code == 503:
            self.log(f'SMTP protocol error in "{line}" {self.id_fields()} {text}')
        limit = self.plan.options.smtp_max_synprot_errors
        if limit > 0 and self.synprot_errors > limit:
            self.say(code, f"{text}\nToo many syntax or protocol errors" if last_words else text)
            history = self.peer.smtp_history
            shown = ",".join(history[-HISTORY:])
            shown = f"C={'...' if len(history) > HISTORY else ''}{shown}" if shown else "NULL"
            self.log_refusal(
                f"SMTP call from {self.who()} dropped: too many syntax or protocol errors"
                f' (last command was "{line}",  {shown})'
            )
            self.end("synprot-error")
            return
        self.say(code, text)

    def id_fields(self) -> str:
        """``H=... U=...``."""
        from mta.log.lines import peer_id

        return peer_id(self.peer, self.plan.selectors).lstrip(" ")

    def end(self, reason: str) -> None:
        """The session is over after the replies so far; ``reason`` is $smtp_notquit_reason."""
        self.peer.notquit_reason = reason
        self.done = True

    def new_message(self) -> Message:
        """Forget the transaction; an empty message takes its place."""
        end(self.scope.message)
        message = Message(received_time=time.time())
        message.dont_deliver, message.no_deliver = self.no_delivery, self.queue_only
        peer, plan = self.peer, self.plan
        if peer.is_local:
            message.originator_login, message.originator_uid = peer.caller_login, peer.caller_uid
            message.originator_gid = peer.caller_gid
        else:
            message.originator_login, message.originator_uid, message.originator_gid = plan.login, plan.uid, plan.gid
        self.scope.message = message
        self.scope.body = None
        self.scope.recipient = None
        self.discard = self.discard_why = ""
        self.too_many = False
        self.chunks = None
        return message
