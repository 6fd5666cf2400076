"""TLS towards servers: the smtp transport's tls_ options acted on for one connection (manual section 43.10).

``client_handshake`` raises TlsFailed; the socket stays the caller's to close.
"""

from __future__ import annotations

import socket
import time
from dataclasses import dataclass
from typing import Any

from OpenSSL import SSL

from mta.errors import Deferred, ExpansionFailed, ForcedFail
from mta.mail.host import Host
from mta.mail.peer import TlsInfo
from mta.scope.expansion import Expansion, HostList
from mta.scope.scope import Scope
from mta.text.lists import split_list
from mta.tls.assurance import Assurance
from mta.tls.contexts import DEFAULT_OPTIONS, Spec, context, file_option
from mta.tls.errors import TlsFailed, reason
from mta.tls.facts import names_host, tls_info
from mta.tls.stapled import Wish, capture, judge
from mta.tls.stream import TlsSocket

HANDSHAKE_TIMEOUT = 300.0


@dataclass(slots=True)
class _Session:
    """What the callbacks of one handshake share; hung on the connection."""

    required: bool
    failure: str = ""
    staple: bytes | None = None  # what the server stapled, b"" for nothing; None: it was not asked


@dataclass(frozen=True, slots=True)
class _Plan:
    """What this handshake is to verify. ``names``: one of them, none for any; "" anchors: nothing is verified."""

    required: bool
    anchors: str
    crl: str
    names: tuple[str, ...]
    sni: str
    common_name: bool = True  # counts where the certificate has no other names; RFC 8461 4.1 wants those


def client_handshake(
    sock: socket.socket, options: Any, scope: Scope, host: Host, assurance: Assurance | None = None
) -> tuple[TlsSocket, TlsInfo]:
    """A TLS session over ``sock``. ``options`` has the transport's ``tls_...`` options as attributes.

    A server that matches tls_verify_hosts must have a certificate that holds, for its name where
    tls_verify_cert_hostnames says so; of others ``certificate_verified`` tells. With an ``assurance`` that counts
    alone; for DANE it stands in place of those options (manual section 43.18).
    """
    plan = _plan(options, scope, host, assurance)
    session = _Session(plan.required)
    dane = assurance if assurance is not None and assurance.kind == "dane" else None
    wish = _wish(options, scope, host, dane)
    connection = SSL.Connection(context(scope.services.state, _spec(options, scope, plan, dane), capture), sock)
    connection.set_app_data(session)
    connection.set_verify(SSL.VERIFY_PEER if plan.anchors else SSL.VERIFY_NONE, _check_server)
    if plan.sni:
        connection.set_tlsext_host_name(plan.sni.encode("latin-1"))
    protocols = [name.encode("latin-1") for name in split_list(_expanded(options.tls_alpn, scope, "tls_alpn"))]
    if protocols:
        connection.set_alpn_protos(protocols)
    if wish.request:
        session.staple = b""
        connection.request_ocsp()
    connection.set_connect_state()
    stream = _shake(sock, connection, session, getattr(options, "command_timeout", 0.0) or HANDSHAKE_TIMEOUT)
    if dane is not None:
        _by_dane(connection, dane)
        verified = True
    else:
        verified = _verified(connection, session, plan) if plan.anchors else False
    if assurance is not None and not verified:
        raise TlsFailed(f"(certificate verification failed): {session.failure or 'no anchors'}", "validation-failure")
    info = tls_info(connection, verified=verified, sni=plan.sni)
    info.ocsp = judge(connection, session.staple, wish, scope, verified=verified)
    if dane is not None:
        info.dane, info.tlsa_usage = "yes", _usages(dane)
    info.sts = assurance is not None and assurance.kind == "sts"
    return stream, info


def _plan(options: Any, scope: Scope, host: Host, assurance: Assurance | None) -> _Plan:
    if assurance is not None and assurance.kind == "dane":
        return _Plan(False, "", "", (), assurance.names[0])
    required = assurance is not None or _matches(options.tls_verify_hosts, scope, host)
    verify = required or _matches(options.tls_try_verify_hosts, scope, host)
    anchors = file_option(options.tls_verify_certificates, scope, "tls_verify_certificates") if verify else ""
    crl = file_option(options.tls_crl, scope, "tls_crl") if verify else ""
    if assurance is not None:
        return _Plan(True, anchors, crl, assurance.names, assurance.names[0], common_name=False)
    by_name = _matches(options.tls_verify_cert_hostnames, scope, host)
    names = (host.certname or host.name,) if by_name else ()
    return _Plan(required, anchors, crl, names, _expanded(options.tls_sni, scope, "tls_sni"))


def _spec(options: Any, scope: Scope, plan: _Plan, dane: Assurance | None) -> Spec:
    ciphers = ""
    if dane is not None:
        own = getattr(options, "dane_require_tls_ciphers", None)
        ciphers = _expanded(own, scope, "dane_require_tls_ciphers")
    return Spec(
        False,
        tuple(split_list(file_option(options.tls_certificate, scope, "tls_certificate"))),
        tuple(split_list(file_option(options.tls_privatekey, scope, "tls_privatekey"))),
        ciphers=ciphers or _expanded(options.tls_require_ciphers, scope, "tls_require_ciphers"),
        options=getattr(scope.site.options, "openssl_options", None) or DEFAULT_OPTIONS,
        anchors=plan.anchors,
        crl=plan.crl,
    )


def _wish(options: Any, scope: Scope, host: Host, dane: Assurance | None) -> Wish:
    """hosts_require_ocsp and hosts_request_ocsp, whose default is narrower under DANE (manual section 43.18)."""
    usage = _usages(dane) if dane is not None else 0
    # a list that mentions the variable is expanded when it is asked, which is now
    scope.tls_out = TlsInfo(tlsa_usage=usage)
    required = _matches(getattr(options, "hosts_require_ocsp", None), scope, host)
    request: HostList | None = getattr(options, "hosts_request_ocsp", None)
    if required:
        return Wish(True, True)
    if dane is not None and request is not None and request.source == "*":
        return Wish(usage == 4, False)
    return Wish(_matches(request, scope, host), False)


def _usages(dane: Assurance) -> int:
    from mta.tls.dane import usages

    return usages(dane.records)


def _by_dane(connection: SSL.Connection, assurance: Assurance) -> None:
    """Raises TlsFailed when the chain that the server sent is not what the TLSA records say."""
    from cryptography.hazmat.primitives.serialization import Encoding

    from mta.tls.dane import verify_chain

    chain = connection.get_peer_cert_chain(as_cryptography=True) or []
    der = [certificate.public_bytes(Encoding.DER) for certificate in chain]
    verdict = verify_chain(assurance.records, der, assurance.names, time.time())
    if not verdict.ok:
        raise TlsFailed(f"(certificate verification failed): DANE: {verdict.reason}", verdict.result)


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


def _verified(connection: SSL.Connection, session: _Session, plan: _Plan) -> bool:
    certificate = connection.get_peer_certificate(as_cryptography=True)
    result = ""
    if certificate is None:
        session.failure = session.failure or "no certificate"
    elif (
        plan.names
        and not session.failure
        and not any(names_host(certificate, name, common_name=plan.common_name) for name in plan.names)
    ):
        session.failure = f"certificate verification failed: hostname mismatch, wanted {plan.names[0]}"
        result = "certificate-host-mismatch"
    if session.failure and session.required:
        raise TlsFailed(f"(certificate verification failed): {session.failure}", result or "validation-failure")
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
