"""TLS towards servers: the smtp transport's tls_ options acted on for one connection (manual section 43.10).

``client_handshake`` raises TlsFailed; the socket stays the caller's to close.
"""

from __future__ import annotations

import socket
from dataclasses import dataclass
from typing import Any

from OpenSSL import SSL

from mta.errors import Deferred, ExpansionFailed, ForcedFail
from mta.mail.host import Host
from mta.mail.peer import TlsInfo
from mta.scope.expansion import Expansion, HostList
from mta.scope.scope import Scope
from mta.text.lists import split_list
from mta.tls.contexts import DEFAULT_OPTIONS, Spec, context, file_option
from mta.tls.errors import TlsFailed, reason
from mta.tls.facts import names_host, tls_info
from mta.tls.stream import TlsSocket

HANDSHAKE_TIMEOUT = 300.0


@dataclass(slots=True)
class _Session:
    """What the callback of one handshake shares; hung on the connection."""

    required: bool
    failure: str = ""


def client_handshake(sock: socket.socket, options: Any, scope: Scope, host: Host) -> tuple[TlsSocket, TlsInfo]:
    """A TLS session over ``sock``. ``options`` has the transport's ``tls_...`` options as attributes.

    A server that matches tls_verify_hosts must have a certificate that holds, for its name where
    tls_verify_cert_hostnames says so; of others ``certificate_verified`` tells.
    """
    required = _matches(options.tls_verify_hosts, scope, host)
    verify = required or _matches(options.tls_try_verify_hosts, scope, host)
    anchors = file_option(options.tls_verify_certificates, scope, "tls_verify_certificates") if verify else ""
    spec = Spec(
        False,
        tuple(split_list(file_option(options.tls_certificate, scope, "tls_certificate"))),
        tuple(split_list(file_option(options.tls_privatekey, scope, "tls_privatekey"))),
        ciphers=_expanded(options.tls_require_ciphers, scope, "tls_require_ciphers"),
        options=getattr(scope.site.options, "openssl_options", None) or DEFAULT_OPTIONS,
        anchors=anchors,
        crl=file_option(options.tls_crl, scope, "tls_crl") if verify else "",
    )
    session = _Session(required)
    connection = SSL.Connection(context(scope.services.state, spec), sock)
    connection.set_app_data(session)
    connection.set_verify(SSL.VERIFY_PEER if anchors else SSL.VERIFY_NONE, _check_server)
    sni = _expanded(options.tls_sni, scope, "tls_sni")
    if sni:
        connection.set_tlsext_host_name(sni.encode("latin-1"))
    protocols = [name.encode("latin-1") for name in split_list(_expanded(options.tls_alpn, scope, "tls_alpn"))]
    if protocols:
        connection.set_alpn_protos(protocols)
    connection.set_connect_state()
    stream = _shake(sock, connection, session, getattr(options, "command_timeout", 0.0) or HANDSHAKE_TIMEOUT)
    names = _matches(options.tls_verify_cert_hostnames, scope, host)
    verified = _verified(connection, session, host, names) if anchors else False
    return stream, tls_info(connection, verified=verified, sni=sni)


def _shake(sock: socket.socket, connection: SSL.Connection, session: _Session, timeout: float) -> TlsSocket:
    sock.setblocking(False)
    stream = TlsSocket(sock, connection)
    try:
        stream.handshake(timeout)
    except TimeoutError:
        raise TlsFailed("(SSL_connect): timed out") from None
    except SSL.SysCallError as error:
        raise TlsFailed(f"(SSL_connect): {error.args[-1] if error.args else 'connection lost'}") from None
    except (SSL.Error, OSError) as error:
        shown = session.failure or reason(error)
        raise TlsFailed(f"(SSL_connect): {shown}") from None
    return stream


def _verified(connection: SSL.Connection, session: _Session, host: Host, names: bool) -> bool:
    certificate = connection.get_peer_certificate(as_cryptography=True)
    if certificate is None:
        session.failure = session.failure or "no certificate"
    elif names and not session.failure:
        wanted = host.certname or host.name
        if not names_host(certificate, wanted):
            session.failure = f"certificate verification failed: hostname mismatch, wanted {wanted}"
    if session.failure and session.required:
        raise TlsFailed(f"(certificate verification failed): {session.failure}")
    return not session.failure


def _check_server(connection: SSL.Connection, _certificate: Any, number: int, depth: int, ok: int) -> bool:
    session: Any = connection.get_app_data()
    if not ok and session is not None and not session.failure:
        session.failure = f"certificate verification failed: error {number} at depth {depth}"
    return bool(ok) or (session is not None and not session.required)


def _matches(hosts: HostList | None, scope: Scope, host: Host) -> bool:
    if hosts is None:
        return False
    try:
        return hosts.match(scope, host.address, host.name) is not None
    except (Deferred, ExpansionFailed) as error:
        raise TlsFailed(f"(verify hosts): {error.message}") from None


def _expanded(text: Expansion | None, scope: Scope, name: str) -> str:
    if text is None:
        return ""
    try:
        return text(scope)
    except ForcedFail:
        return ""
    except (ExpansionFailed, Deferred) as error:
        raise TlsFailed(f"expansion of {name} failed: {error.message}") from None
