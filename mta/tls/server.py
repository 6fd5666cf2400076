"""TLS for clients of ours: the context that the main options ask for, SNI, client certificates (manual chapter 43).

``ServerTls.start`` makes a plain socket a TlsSocket and fills ``scope.peer.tls``; it raises TlsFailed, a PeerGone.
"""

from __future__ import annotations

import socket
from dataclasses import dataclass
from typing import Any, Protocol

from OpenSSL import SSL

from mta.errors import Deferred, ExpansionFailed
from mta.scope.expansion import HostList, Tainted
from mta.scope.options import MainOptions
from mta.scope.scope import Scope
from mta.text.lists import split_list
from mta.tls.contexts import Contexts, Spec, context, file_option
from mta.tls.errors import TlsFailed, reason
from mta.tls.facts import tls_info
from mta.tls.stream import TlsSocket

HANDSHAKE_TIMEOUT = 300.0


@dataclass(slots=True)
class _Session:
    """What the callbacks of one handshake share; hung on the connection."""

    server: ServerTls
    scope: Scope
    verify: str  # "", "try", "require"
    protocols: tuple[bytes, ...]
    failure: str = ""  # why the client's certificate is not believed
    error: str = ""  # why the handshake cannot go on
    sni: str = ""
    certificates: tuple[str, ...] = ()  # the files that are served now


class Configured(Protocol):
    """A loaded configuration, of which only the main options matter here."""

    @property
    def main(self) -> MainOptions: ...


class ServerTls:
    """One a configuration, cheap to make; contexts are kept in ``scope.services.state``."""

    __slots__ = ("options",)

    def __init__(self, config: Configured) -> None:
        self.options = config.main

    def start(self, sock: socket.socket, scope: Scope, timeout: float = HANDSHAKE_TIMEOUT) -> TlsSocket:
        """The handshake, all of it within ``timeout`` seconds; nobody here closes the socket.

        ``scope.peer.tls`` is a new TlsInfo then; whether the session was on_connect is kept.
        """
        on_connect = scope.peer.tls.on_connect
        scope.peer.tls.sni, scope.peer.tls.ocsp = "", 0
        session = _Session(self, scope, self._verification(scope), self._protocols(scope))
        connection = SSL.Connection(self._context(scope, session), sock)
        connection.set_app_data(session)
        if session.verify:
            mode = SSL.VERIFY_PEER | (SSL.VERIFY_FAIL_IF_NO_PEER_CERT if session.verify == "require" else 0)
            connection.set_verify(mode, _check_client)
        connection.set_accept_state()
        sock.setblocking(False)
        stream = TlsSocket(sock, connection)
        try:
            stream.handshake(timeout)
        except TimeoutError:
            raise TlsFailed("(SSL_accept): timed out") from None
        except (SSL.Error, OSError) as error:
            raise TlsFailed(_why(session, error)) from None
        verified = (
            session.verify != ""
            and not session.failure
            and (connection.get_peer_certificate(as_cryptography=True) is not None)
        )
        if not connection.get_alpn_proto_negotiated() and _matches(self.options.hosts_require_alpn, scope):
            stream.close()
            raise TlsFailed("(SSL_accept): required ALPN not negotiated")
        info = tls_info(connection, verified=verified, sni=session.sni)
        info.on_connect, info.ocsp = on_connect, scope.peer.tls.ocsp
        if session.sni:
            info.sni = Tainted(session.sni)
        scope.peer.tls = info
        return stream

    def prepare(self, scope: Scope) -> Contexts | None:
        """Contexts to make before workers are forked: with session resumption all must know the same ticket keys."""
        if self.options.tls_resumption_hosts is None:
            return None
        for verify in ("", "try"):
            try:
                self._context(scope, _Session(self, scope, verify, ()))
            except TlsFailed:
                break  # told of when a client comes
        found: Contexts | None = scope.services.state.get("tls.contexts")
        return found

    def check(self, scope: Scope) -> str:
        """Why no TLS can be offered now ("" for none): certificates that cannot be read."""
        try:
            self._context(scope, _Session(self, scope, "", ()))
        except TlsFailed as error:
            return error.message
        return ""

    def _verification(self, scope: Scope) -> str:
        if _matches(self.options.tls_verify_hosts, scope):
            return "require"
        return "try" if _matches(self.options.tls_try_verify_hosts, scope) else ""

    def _protocols(self, scope: Scope) -> tuple[bytes, ...]:
        text = _expanded(self.options.tls_alpn, scope, "tls_alpn")
        return tuple(name.encode("latin-1") for name in split_list(text))

    def _context(self, scope: Scope, session: _Session) -> SSL.Context:
        options = self.options
        certificates = tuple(split_list(file_option(options.tls_certificate, scope, "tls_certificate")))
        session.certificates = certificates
        keys = tuple(split_list(file_option(options.tls_privatekey, scope, "tls_privatekey")))
        anchors = crl = ""
        if session.verify:
            anchors = file_option(options.tls_verify_certificates, scope, "tls_verify_certificates")
            crl = file_option(options.tls_crl, scope, "tls_crl")
        spec = Spec(
            True,
            certificates,
            keys,
            ciphers=_expanded(options.tls_require_ciphers, scope, "tls_require_ciphers"),
            options=options.openssl_options,
            anchors=anchors,
            crl=crl,
            dhparam=file_option(options.tls_dhparam, scope, "tls_dhparam"),
            hostname=scope.peer.active_hostname or options.primary_hostname,
            eccurve=_expanded(options.tls_eccurve, scope, "tls_eccurve"),
            dh_max_bits=options.tls_dh_max_bits,
            resumption=_matches(options.tls_resumption_hosts, scope),
        )
        return context(scope.services.state, spec, _prepare)

    def served(self, scope: Scope, session: _Session) -> SSL.Context:
        """The context again once the client has said which name it wants."""
        return self._context(scope, session)


def _prepare(made: SSL.Context) -> None:
    made.set_tlsext_servername_callback(_server_name)
    made.set_alpn_select_callback(_choose_protocol)
    made.set_ocsp_server_callback(_proof)


def _server_name(connection: SSL.Connection) -> None:
    """The client named a host: ``$tls_in_sni`` may choose another certificate. Exceptions cannot leave a callback."""
    session: Any = connection.get_app_data()
    name = connection.get_servername()
    if session is None or not name:
        return
    session.sni = name.decode("latin-1")
    session.scope.peer.tls.sni = Tainted(session.sni)
    try:
        connection.set_context(session.server.served(session.scope, session))
    except TlsFailed as error:
        session.error = error.message
        session.scope.services.log_main(f"TLS error (SNI {session.sni[:255]}): {error.message}")


def _proof(connection: SSL.Connection, _data: Any) -> bytes:
    """The client asked for an OCSP proof: tls_ocsp_file is expanded now, so that the name it wanted is known."""
    session: Any = connection.get_app_data()
    leaf = connection.get_certificate(as_cryptography=True)
    if session is None or leaf is None:
        return b""
    from mta.tls.stapling import proof_files, staple

    scope: Scope = session.scope
    scope.peer.tls.ocsp = 1
    try:
        text = file_option(session.server.options.tls_ocsp_file, scope, "tls_ocsp_file")
    except TlsFailed as error:
        scope.services.log_main(f"TLS: no OCSP proof: {error.message}")
        return b""
    return staple(scope, session.certificates, proof_files(split_list(text)), leaf)


def _choose_protocol(connection: SSL.Connection, offered: list[bytes]) -> Any:
    """A client that offers application protocols must offer one of ours (tls_alpn)."""
    session: Any = connection.get_app_data()
    if session is None or not session.protocols:
        return SSL.NO_OVERLAPPING_PROTOCOLS
    for name in session.protocols:
        if name in offered:
            return name
    session.error = "(SSL_accept): TLS ALPN rejected"
    raise SSL.Error([("", "", "no acceptable application protocol")])


def _check_client(connection: SSL.Connection, _certificate: Any, number: int, depth: int, ok: int) -> bool:
    session: Any = connection.get_app_data()
    if not ok and session is not None and not session.failure:
        session.failure = f"certificate verification error {number} at depth {depth}"
    return bool(ok) or (session is not None and session.verify == "try")


def _why(session: _Session, error: Exception) -> str:
    if session.error:
        return session.error
    if session.failure and session.verify == "require":
        return f"(SSL_accept): {session.failure}: {reason(error)}"
    if isinstance(error, SSL.SysCallError):
        return f"(SSL_accept): {error.args[-1] if error.args else 'connection lost'}"
    return f"(SSL_accept): {reason(error)}"


def _matches(hosts: HostList | None, scope: Scope) -> bool:
    if hosts is None:
        return False
    try:
        return hosts.match(scope, scope.peer.address) is not None
    except Deferred as error:
        raise TlsFailed(f"(verify hosts): {error.message}") from None


def _expanded(text: Any, scope: Scope, name: str) -> str:
    if text is None:
        return ""
    try:
        return str(text(scope))
    except (ExpansionFailed, Deferred) as error:
        raise TlsFailed(f"expansion of {name} failed: {error.message}") from None
