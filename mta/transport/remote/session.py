"""Opening a session: connect, banner, EHLO or its like, STARTTLS, AUTH. What comes out is ready for MAIL.

Raises HostTrouble. TLS and AUTH are behind ``secure`` and ``login``, which know those rooms.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Literal

from mta.errors import ExpansionFailed, ForcedFail
from mta.mail.host import Host
from mta.mail.peer import TlsInfo
from mta.net import sockets
from mta.scope.events import NO_CONNECTION, transport_event
from mta.scope.expansion import HostList
from mta.scope.scope import Scope
from mta.smtp.extensions import Extensions, parse_ehlo
from mta.text.lists import split_list
from mta.tls.assurance import Assurance
from mta.transport.bsmtp import one_line
from mta.transport.outcomes import AUTH_FAILED, HELO_FAILED, TLS_REQUIRED, UNKNOWN
from mta.transport.remote import login, secure
from mta.transport.remote.assurance import assurance_for
from mta.transport.remote.connection import Connection, Lost, reply_text
from mta.transport.remote.failures import HostTrouble, Reach, Trouble, from_lost, from_os_error, from_reply
from mta.transport.remote.hosts import is_ip

if TYPE_CHECKING:
    from mta.transport.drivers.smtp import Smtp


def matches(hosts: HostList | None, scope: Scope, host: Host) -> bool:
    """Whether a host list of the transport holds a host that we deliver to."""
    if hosts is None:
        return False
    return hosts.match(scope, host.address, host.name) is not None


def open_session(
    driver: Smtp,
    name: str,
    host: Host,
    port: int,
    interface: str,
    scope: Scope,
    assurance: Assurance | Literal["ask"] | None = "ask",
) -> Connection:
    """A connection to the host, greeted, secured and logged in as the options want it.

    ``assurance`` is what assurance_for said; "ask" asks it, unless hosts_avoid_tls has the host (as for callouts).
    """
    if assurance == "ask":
        domain = scope.recipient.domain if scope.recipient is not None else ""
        avoided = matches(driver.hosts_avoid_tls, scope, host)
        assurance = None if avoided else assurance_for(driver, host, port, scope, domain)
    try:
        return _open(driver, name, host, port, interface, scope, assurance, clear=False)
    except secure.TlsFailed as failure:
        # The stream is in no known state after a failed handshake: a new connection, in clear.
        scope.services.log_main(
            f"TLS session failure: delivering unencrypted to H={host.name} [{host.address}] "
            f"(not in hosts_require_tls): {failure}"
        )
        return _open(driver, name, host, port, interface, scope, None, clear=True)


def _open(
    driver: Smtp,
    name: str,
    host: Host,
    port: int,
    interface: str,
    scope: Scope,
    assurance: Assurance | None,
    *,
    clear: bool,
) -> Connection:
    scope.host = host
    scope.vars["host_port"] = str(port)
    if transport_event(scope, name, "tcp:connect"):
        raise HostTrouble(Trouble("", NO_CONNECTION, connecting=True, shows_host=False))
    try:
        sock = sockets.connect(
            host.address, port, driver.connect_timeout, interface=interface, keepalive=driver.keepalive
        )
    except OSError as error:
        raise HostTrouble(from_os_error(error)) from None
    sock.settimeout(None)
    connection = Connection(host, port, sock, name)
    try:
        connection.local_address, connection.local_port = sock.getsockname()[:2]
        scope.vars["sending_ip_address"] = connection.local_address
        scope.vars["sending_port"] = str(connection.local_port)
        scope.tls_out = TlsInfo()
        connection.on_close = partial(transport_event, scope, name, "tcp:close")
        _negotiate(connection, driver, name, scope, assurance, clear=clear)
    except Lost as lost:
        connection.close()
        raise HostTrouble(from_lost(lost)) from None
    except HostTrouble:
        connection.quit()
        raise
    except BaseException:
        connection.close()
        raise
    return connection


def _negotiate(
    connection: Connection, driver: Smtp, name: str, scope: Scope, assurance: Assurance | None, *, clear: bool
) -> None:
    host = connection.host
    timeout = driver.command_timeout
    on_connect = driver.protocol == "smtps"
    if on_connect:
        secure.start(connection, driver, scope, assurance, may_fall_back=False)
    banner = connection.reply(timeout, "initial connection")
    if banner.code // 100 != 2:
        raise HostTrouble(from_reply(banner, "initial connection"))
    forced = transport_event(scope, name, "smtp:connect", reply_text(banner))
    if forced:
        why = f"deferred by smtp:connect event expansion: {forced}"
        raise HostTrouble(Trouble(why, HELO_FAILED, shows_host=False, logs_host=True))
    helo = _helo_data(driver, scope)
    _say_hello(connection, driver, name, helo, scope)
    required = assurance is not None or matches(driver.hosts_require_tls, scope, host)
    if not on_connect and not clear and "STARTTLS" in connection.extensions:
        if required or not matches(driver.hosts_avoid_tls, scope, host):
            _start_tls(connection, driver, scope, assurance, required=required)
            if connection.tls is not None:
                _say_hello(connection, driver, name, helo, scope)
        offered = True
    else:
        offered = clear
    if required and connection.tls is None:
        why = "an attempt to start TLS failed" if offered else "the server did not offer TLS support"
        trouble = Trouble(f"a TLS session is required, but {why}", TLS_REQUIRED, error="tls_required")
        trouble.tls_result = "starttls-not-supported" if assurance is not None else ""
        raise HostTrouble(trouble)
    host_facts = connection.extensions
    connection.pipelining = "PIPELINING" in host_facts and not matches(driver.hosts_avoid_pipelining, scope, host)
    connection.chunking = "CHUNKING" in host_facts and matches(driver.hosts_try_chunking, scope, host)
    _log_in(connection, driver, scope)


def _helo_data(driver: Smtp, scope: Scope) -> str:
    if driver.helo_data is None:
        return scope.site.options.primary_hostname
    try:
        return one_line(driver.helo_data(scope))
    except ExpansionFailed as error:
        raise HostTrouble(
            Trouble(f"failed to expand helo_data: {error.message}", HELO_FAILED, shows_host=False)
        ) from None


def _say_hello(connection: Connection, driver: Smtp, name: str, helo: str, scope: Scope) -> None:
    timeout = driver.command_timeout
    lmtp = driver.protocol == "lmtp"
    if lmtp or not matches(driver.hosts_avoid_esmtp, scope, connection.host):
        word = f"{'LHLO' if lmtp else 'EHLO'} {helo}"
        reply = connection.command(word, timeout)
        transport_event(scope, name, "smtp:ehlo", reply_text(reply))
        if reply.code // 100 == 2:
            connection.esmtp = True
            connection.extensions = parse_ehlo(reply)
            return
        if lmtp:
            raise HostTrouble(from_reply(reply, word))
    connection.esmtp = False
    connection.extensions = Extensions()
    word = f"HELO {helo}"
    reply = connection.command(word, timeout)
    if reply.code // 100 != 2:
        raise HostTrouble(from_reply(reply, word))


def _start_tls(
    connection: Connection, driver: Smtp, scope: Scope, assurance: Assurance | None, *, required: bool
) -> None:
    reply = connection.command("STARTTLS", driver.command_timeout)
    if reply.code // 100 != 2:
        if reply.code // 100 == 4 and not driver.tls_tempfail_tryclear:
            raise HostTrouble(from_reply(reply, "STARTTLS"))
        return
    if connection.reader.pending or connection.replies:
        # Answers that came with the 220 were put there by somebody in between.
        raise HostTrouble(Trouble("response to STARTTLS was followed by more data in clear text", TLS_REQUIRED))
    may_fall_back = driver.tls_tempfail_tryclear and not required
    secure.start(connection, driver, scope, assurance, may_fall_back=may_fall_back)


def _log_in(connection: Connection, driver: Smtp, scope: Scope) -> None:
    host = connection.host
    required = matches(driver.hosts_require_auth, scope, host)
    if not required and not matches(driver.hosts_try_auth, scope, host):
        return
    if "AUTH" not in connection.extensions:
        why = "authentication required but authentication support was not offered by the server"
    else:
        why = login.authenticate(connection, driver, scope)
        if not connection.authenticator:
            why = transport_event(scope, connection.transport, "auth:fail", why) or why
        if connection.authenticator:
            return
    if required:
        raise HostTrouble(Trouble(why, AUTH_FAILED, error="auth_failed", shows_host=False))


def interface_for(driver: Smtp, transport: str, host: Host, scope: Scope) -> str:
    """The local address to connect from; "" leaves it to the system."""
    if driver.interface is None:
        return ""
    try:
        text = driver.interface(scope)
    except ForcedFail:
        return ""
    except ExpansionFailed as error:
        raise _our_fault(f'failed to expand "interface" option for {transport} transport: {error.message}') from None
    found = ""
    for item in split_list(text):
        if not is_ip(item):
            raise _our_fault(f'"{item}" is not a valid IP address for the "interface" option for {transport} transport')
        if not found and (":" in item) == (":" in host.address):
            found = item
    return found


def _our_fault(message: str) -> HostTrouble:
    return HostTrouble(Trouble(message, UNKNOWN, reach=Reach.NOTHING, shows_host=False))
