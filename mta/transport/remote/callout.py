"""Callouts (manual sections 44.46 to 44.48): ask an address's own hosts whether they would take mail for it.

``callout(scope, recipient, wanted, is_sender=..., is_header=...)`` is ``services.callout``: a Verified with Exim's
texts for the peer and the log. Every wait has its deadline, all hosts together ``maxwait``.
"""

from __future__ import annotations

import io
import os
import time
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, Protocol

from mta.errors import Deferred, ExpansionFailed, MtaError
from mta.hints.callouts import REFUSES_ALL, REFUSES_BOUNCES, DomainFacts, Memory
from mta.mail.endings import at_end
from mta.mail.host import Host
from mta.mail.recipient import Recipient
from mta.scope.expansion import Expansion, HostList, Matched
from mta.scope.scope import Scope
from mta.scope.services import Verified
from mta.smtp.client import mail_command, rcpt_command
from mta.smtp.replies import Reply
from mta.transport.base import Batch, Transport, TransportOptions
from mta.transport.bsmtp import one_line
from mta.transport.remote.connection import Connection, Lost, reply_text
from mta.transport.remote.failures import HostTrouble, Trouble
from mta.transport.remote.hosts import HostsFailed
from mta.transport.remote.session import interface_for, open_session

if TYPE_CHECKING:
    from mta.transport.drivers.smtp import Smtp

MAXWAIT_FACTOR = 4  # of the time-out of one command, when maxwait is not given
MAX_HOSTS = 50
CACHED = "Previous (cached) callout verification failure"
CACHED_DOMAIN = "(result of an earlier callout reused)."
CACHED_POSTMASTER = "(result of earlier verification reused)."
# what smtp_return_error_details adds
_UNREACHABLE = (
    "The mail server(s) for the domain may be temporarily unreachable, or\n"
    "they may be permanently unreachable from this server. In the latter case,"
)
_SENDERS_END = (
    "you need to change the address or create an MX record for its domain\n"
    "if it is supposed to be generally accessible from the Internet.\n"
    "Talk to your mail administrator for details."
)
NO_HOSTS = "Cannot do callout: neither router nor transport provided a host list, or transport is not smtp"


class Wanted(Protocol):
    """What the condition asks for; times in seconds, -1 for not given (acl.verify_options.Callout)."""

    timeout: float
    connect: float
    maxwait: float
    no_cache: bool
    postmaster: bool
    full_postmaster: bool
    postmaster_mailfrom: str
    mailfrom: str
    random: bool
    use_sender: bool
    use_postmaster: bool
    hold: bool


@dataclass(slots=True)
class Refusal(MtaError):
    """A host's answer that settles or ends the call. ``failure`` as in $recipient_verify_failure."""

    sent: str
    response: str  # the reply whole, "" when none came
    log: str
    permanent: bool
    failure: str


@dataclass(slots=True)
class _Constant:
    """A text that is the same for every scope."""

    source: str
    constant: str | None

    def __call__(self, scope: Scope) -> str:
        return self.source


@dataclass(slots=True)
class _Either:
    """A host list that is two."""

    first: HostList
    second: HostList
    source: str = ""

    def match(self, scope: Scope, address: str, name: str | None = None) -> Matched | None:
        found = self.first.match(scope, address, name)
        return found if found is not None else self.second.match(scope, address, name)


@dataclass(slots=True)
class Call:
    """One callout under way."""

    scope: Scope
    wanted: Wanted
    recipient: Recipient
    address: str
    mail_from: str
    word: str  # "sender" or "recipient", in the texts
    memory: Memory | None
    driver: Smtp | None = None
    transport: str = ""
    facts: DomainFacts = field(default_factory=DomainFacts)
    learnt_domain: bool = False

    @property
    def domain(self) -> str:
        return self.address.rpartition("@")[2]


def callout(
    scope: Scope, recipient: Recipient, wanted: Wanted, *, is_sender: bool, is_header: bool = False
) -> Verified:
    """Ask the cache, then the hosts of a routed address. ``ok`` None: nobody gave an answer."""
    trace = scope.trace or _silent
    if scope.host_checking and "callouts" not in scope.services.state:
        trace("verify", "Attempting full verification using callout")
        trace("verify", "... callout omitted by default when host testing")
        trace("verify", "(Use -bhc if you want the callouts to happen.)")
        return Verified(True, recipient)
    call = Call(scope, wanted, recipient, one_line(recipient.address), "", "sender" if is_sender else "recipient", None)
    call.mail_from = one_line(_mail_from(scope, wanted, is_sender, is_header))
    with scope.saved("recipient", "host", "tls_out", "transport", "tainted", "verify_mode"):
        scope.recipient = recipient
        scope.verify_mode = "S" if is_sender else "R"
        try:
            hosts, port = _targets(call)
        except (HostsFailed, ExpansionFailed, Deferred) as error:
            return _undecided(call, error.message)
        if not hosts:
            trace("verify", NO_HOSTS)
            return Verified(True, recipient)
        if not wanted.no_cache:
            call.memory = _memory(scope)
        found = _from_cache(call)
        if found is None:
            found = _from_hosts(call, hosts, port)
    if found.ok and not is_sender:
        # the host knows the address: no longer a peer's invention
        for name, value in (("domain_data", recipient.domain), ("local_part_data", recipient.local_part)):
            scope.vars[name] = "".join([*value])
    return found


def _silent(_selector: str, _line: str) -> None:
    """Nobody is debugging."""


def _mail_from(scope: Scope, wanted: Wanted, is_sender: bool, is_header: bool) -> str:
    if is_header:
        return wanted.mailfrom
    if is_sender:
        return ""
    if wanted.use_sender:
        return scope.message.sender
    options = scope.site.options
    return f"postmaster@{options.qualify_domain or options.primary_hostname}" if wanted.use_postmaster else ""


def _memory(scope: Scope) -> Memory | None:
    options, store = scope.site.options, scope.services.hints
    if store is None:
        return None
    return Memory(
        store,
        time.time(),
        options.callout_domain_positive_expire,
        options.callout_domain_negative_expire,
        options.callout_positive_expire,
        options.callout_negative_expire,
    )


def _targets(call: Call) -> tuple[list[Host], int]:
    """Hosts with addresses and the transport's port; no hosts where no callout can be made."""
    from mta.transport.drivers.smtp import Smtp
    from mta.transport.remote.delivery import targets

    scope, recipient = call.scope, call.recipient
    made: Transport | None = scope.services.state.get("transports", {}).get(recipient.transport)
    if made is not None and not isinstance(made.driver, Smtp):
        if recipient.hosts:
            scope.services.log_panic(
                f"Exim configuration error for callout transport '{made.name}': {made.driver_name} is non-smtp"
            )
            raise HostsFailed("", 0)
        return [], 0
    if made is None:
        name = scope.peer.active_hostname or scope.site.options.primary_hostname
        helo: Expansion = _Constant(name, name)
        driver = Smtp(helo_data=helo)
        made = Transport("", "smtp", TransportOptions(), driver)
    else:
        assert isinstance(made.driver, Smtp)
        driver = made.driver
    call.driver, call.transport = _for_callout(driver, call.wanted), made.name
    scope.transport = made.name
    if not recipient.hosts and driver.hosts is None:
        return [], 0
    return targets(driver, made, Batch(scope.message, [recipient], call.mail_from, io.BytesIO), scope)


def _for_callout(driver: Smtp, wanted: Wanted) -> Smtp:
    """The transport's options with the condition's times, and TLS only where hosts_verify_avoid_tls lets it be."""
    avoid = driver.hosts_verify_avoid_tls
    if avoid is None:
        avoid = driver.hosts_avoid_tls
    elif driver.hosts_avoid_tls is not None:
        avoid = _Either(avoid, driver.hosts_avoid_tls)
    return replace(
        driver,
        connect_timeout=wanted.connect if wanted.connect >= 0 else wanted.timeout,
        command_timeout=wanted.timeout,
        hosts_avoid_tls=avoid,
    )


def _from_cache(call: Call) -> Verified | None:
    """The answer that the records give; None when a host must be asked."""
    memory, wanted = call.memory, call.wanted
    if memory is None:
        return None
    facts = call.facts = memory.domain(call.domain)
    if facts.result == REFUSES_ALL or (facts.result == REFUSES_BOUNCES and not call.mail_from):
        return Verified(False, call.recipient, CACHED_DOMAIN, "", "mail")
    asked_all = True
    if wanted.random:
        if facts.random == "yes":
            return Verified(True, call.recipient, failure="random")
        asked_all = facts.random == "no"
    if wanted.postmaster:
        if facts.postmaster == "no":
            return Verified(False, call.recipient, CACHED_POSTMASTER, "", "postmaster")
        asked_all = asked_all and facts.postmaster == "yes"
    if not asked_all:
        return None
    known = memory.address(call.address, call.mail_from)
    if known == "yes":
        return Verified(True, call.recipient)
    if known == "no":
        return Verified(False, call.recipient, CACHED, "", "recipient")
    return None


def _from_hosts(call: Call, hosts: list[Host], port: int) -> Verified:
    """The first host that says yes or no decides."""
    scope, wanted = call.scope, call.wanted
    if scope.flush is not None and "no_callout_flush" not in scope.peer.controls:
        scope.flush()
    limit = wanted.maxwait if wanted.maxwait >= 0 else wanted.timeout * MAXWAIT_FACTOR
    deadline = time.monotonic() + limit
    why = ""
    for number, host in enumerate(hosts[:MAX_HOSTS]):
        if number and time.monotonic() > deadline:
            break
        scope.host = host
        try:
            found = _ask(call, host, host.port or port)
        except Refusal as refusal:
            if refusal.permanent:
                _learn(call)
                return _refused(call, host, refusal)
            why = _one_log_line(f"{host.name} [{host.address}] : {refusal.log}")
        else:
            _learn(call)
            return found
    return _undecided(call, why if len(hosts) == 1 else "")


def _learn(call: Call) -> None:
    if call.memory is not None and call.learnt_domain:
        call.memory.learn_domain(call.domain, call.facts)


def _refused(call: Call, host: Host, refusal: Refusal) -> Verified:
    log = _one_log_line(f"{host.name} [{host.address}] : {refusal.log}")
    if call.word == "sender":
        user = f"Called:   {host.address}\nSent:     {refusal.sent}\nResponse: {refusal.response}"
    else:
        user = f"Callout verification failed:\n{refusal.response}"
    return Verified(False, call.recipient, user, log, refusal.failure)


def _one_log_line(text: str) -> str:
    return text.replace("\r", "\\r").replace("\n", "\\n")


def _undecided(call: Call, why: str) -> Verified:
    text = user = f"Could not complete {call.word} verify callout"
    if call.scope.site.options.smtp_return_error_details:
        end = _SENDERS_END if call.word == "sender" else "the address will never be accepted."
        user = f"{text} for <{call.address}>.\n{_UNREACHABLE}\n{end}"
    return Verified(None, call.recipient, user, f"{text}: {why}" if why else text)


def _ask(call: Call, host: Host, port: int) -> Verified:
    """One host. Raises Refusal."""
    held = _held(call, host, port)
    if held is not None:
        try:
            return _checks(call, held)
        except Refusal:
            if not held.closed:
                raise
    connection = _open(call, host, port)
    keep = False
    try:
        _say_mail(call, connection, call.mail_from)
        if call.wanted.random and call.facts.random != "no":
            accepted = _random(call, connection)
            if accepted:
                return Verified(True, call.recipient, failure="random")
            if connection.closed:
                connection = _open(call, host, port)
            _say_mail(call, connection, call.mail_from)
        found = _checks(call, connection)
        keep = call.wanted.hold and call.word == "recipient" and not call.wanted.postmaster
        return found
    except Lost as lost:
        connection.close()
        raise _lost(lost) from None
    finally:
        if keep:
            _hold(call, connection)
        elif not connection.closed:
            connection.quit()


def _open(call: Call, host: Host, port: int) -> Connection:
    scope, driver = call.scope, call.driver
    assert driver is not None
    scope.vars["callout_address"] = f"[{host.address}]:{port}"
    try:
        interface = interface_for(driver, call.transport, host, scope)
        return open_session(driver, call.transport, host, port, interface, scope)
    except HostTrouble as error:
        raise _trouble(call, error.trouble) from None


def _trouble(call: Call, trouble: Trouble) -> Refusal:
    """The connection, the banner or HELO went wrong."""
    log = trouble.message or (os.strerror(trouble.errno) if trouble.errno > 0 else "connection failed")
    refused = trouble.permanent and trouble.code != 0
    if refused:
        call.facts.result, call.learnt_domain = REFUSES_ALL, True
    sent = log.removeprefix("SMTP error from remote mail server after ").removesuffix(f": {trouble.response}")
    return Refusal(sent, trouble.response, log, refused, "mail")


def _lost(lost: Lost) -> Refusal:
    log = lost.message
    if not lost.timed_out and log.startswith("Remote host closed connection"):
        log = f'response to "{lost.what}" was: connection dropped'
    return Refusal(lost.what, "", log, False, "")


def _command(call: Call, connection: Connection, line: bytes) -> tuple[str, Reply]:
    text = line.decode("latin-1").removesuffix("\r\n")
    return text, connection.command(text, call.wanted.timeout)


def _say_mail(call: Call, connection: Connection, mail_from: str) -> None:
    utf8 = not (call.address + mail_from).isascii()
    sent, reply = _command(call, connection, mail_command(mail_from, connection.extensions, smtputf8=utf8))
    facts = call.facts
    if reply.code // 100 == 2:
        if not (facts.result == REFUSES_BOUNCES and mail_from):
            facts.result = "accept"
        call.learnt_domain = True
        return
    text = reply_text(reply)
    permanent = reply.code // 100 == 5
    if permanent and not mail_from:
        facts.result, call.learnt_domain = REFUSES_BOUNCES, True
    raise Refusal(sent, text, f'response to "{sent}" was: {text}', permanent, "mail")


def _say_rcpt(call: Call, connection: Connection, address: str, failure: str) -> Refusal | None:
    """None when the host takes the address, the Refusal when it does not; raises it when that is not final."""
    sent, reply = _command(call, connection, rcpt_command(address, connection.extensions))
    if reply.code // 100 == 2:
        return None
    text = reply_text(reply)
    log = f"SMTP error from remote mail server after {sent}: {text}"
    refusal = Refusal(sent, text, log, reply.code // 100 == 5, failure)
    if not refusal.permanent:
        raise refusal
    return refusal


def _random(call: Call, connection: Connection) -> bool:
    """Whether the host takes a local part that cannot exist; the transaction is over after a no."""
    option = call.scope.site.options.callout_random_local_part
    try:
        local = one_line(option(call.scope))
    except ExpansionFailed as error:
        raise Refusal("", "", f"failed to expand callout_random_local_part: {error.message}", False, "") from None
    refusal = _say_rcpt(call, connection, f"{local}@{call.domain}", "random")
    call.facts.random, call.facts.random_time = "no" if refusal else "yes", time.time()
    call.learnt_domain = True
    if refusal is None:
        return True
    _reset(call, connection)
    return False


def _reset(call: Call, connection: Connection) -> None:
    """RSET; a host that does not like it is left."""
    try:
        if connection.command("RSET", call.wanted.timeout).code // 100 != 2:
            connection.quit()
    except Lost:
        connection.close()


def _checks(call: Call, connection: Connection) -> Verified:
    """The address itself, then the postmaster, in the transaction that is open."""
    try:
        refusal = _say_rcpt(call, connection, call.address, "recipient")
        if call.memory is not None:
            call.memory.learn_address(call.address, call.mail_from, refusal is None)
        if refusal is not None:
            raise refusal
        if call.wanted.postmaster and call.facts.postmaster != "yes":
            _postmaster(call, connection)
    except Lost as lost:
        connection.close()
        raise _lost(lost) from None
    return Verified(True, call.recipient)


def _postmaster(call: Call, connection: Connection) -> None:
    sender = one_line(call.wanted.postmaster_mailfrom)
    _reset(call, connection)
    if connection.closed:
        raise Refusal("RSET", "", 'response to "RSET" was: connection dropped', False, "")
    _say_mail(call, connection, sender)
    refusal = _say_rcpt(call, connection, f"postmaster@{call.domain}", "postmaster")
    if refusal is not None and call.wanted.full_postmaster and _say_rcpt(call, connection, "postmaster", "") is None:
        refusal = None
    call.facts.postmaster, call.facts.postmaster_time = "no" if refusal else "yes", time.time()
    call.learnt_domain = True
    if refusal is not None:
        raise refusal


def _hold(call: Call, connection: Connection) -> None:
    """Keep the open transaction for the message's next recipients; it ends with the message."""
    kept: dict[str, Any] = call.scope.message.acl_memory
    kept["callout.held"] = (connection, call.mail_from, call.transport)
    at_end(call.scope.message, connection.quit)


def _held(call: Call, host: Host, port: int) -> Connection | None:
    """The connection that an earlier recipient's callout left open, when it is to the same host for the same sender."""
    found = call.scope.message.acl_memory.get("callout.held")
    if found is None or not call.wanted.hold or call.wanted.random or call.wanted.postmaster:
        return None
    connection, mail_from, transport = found
    same = (connection.host.address, connection.port) == (host.address, port)
    if not same or (mail_from, transport) != (call.mail_from, call.transport) or connection.closed:
        return None
    return connection if connection.alive() else None
