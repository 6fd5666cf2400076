"""TLS of the smtp transport against a scripted server with a certificate of its own."""

from __future__ import annotations

import datetime
import ssl
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from mta.mail.host import Host
from mta.mail.outcome import Outcome, Status
from mta.scope.scope import Scope
from tests.fakes.smtp_server import Script, ScriptedServer
from tests.transport.building import make_batch, make_transport

D, W = Status.DELIVERED, Status.DEFERRED


@pytest.fixture(scope="module")
def tls(tmp_path_factory: pytest.TempPathFactory) -> ssl.SSLContext:
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "sink.test")])
    now = datetime.datetime.now(datetime.UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now - datetime.timedelta(days=1))
        .not_valid_after(now + datetime.timedelta(days=1))
        .sign(key, hashes.SHA256())
    )
    path: Path = tmp_path_factory.mktemp("tls") / "pem"
    pem = serialization.Encoding.PEM
    private = key.private_bytes(pem, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    path.write_bytes(private + certificate.public_bytes(pem))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(path)
    return context


def send(server: ScriptedServer, scope: Scope, **options: str) -> Outcome:
    transport = make_transport("smtp", port=str(server.port), command_timeout="5s", **options)
    return transport.driver.deliver(transport, make_batch("a@r.ex", hosts=[Host("sink.test", "127.0.0.1")]), scope)[0]


def test_starttls_and_reuse(scope: Scope, tls: ssl.SSLContext) -> None:
    with ScriptedServer(Script(extensions=("STARTTLS", "PIPELINING"), tls=tls)) as server:
        first = send(server, scope, hosts_require_tls="*")
        second = send(server, scope, hosts_require_tls="*")
        assert (first.status, second.status, server.sessions, second.continued) == (D, D, 1, True)
        assert first.tls is not None
        assert first.tls.cipher.startswith("TLS1.")
        assert not first.tls.certificate_verified
        words = [command.split(" ")[0] for command in server.commands]
        assert words == ["EHLO", "STARTTLS", "EHLO", "MAIL", "RCPT", "DATA", "MAIL", "RCPT", "DATA"]


def test_dead_idle_session_is_replaced(scope: Scope, tls: ssl.SSLContext) -> None:
    with ScriptedServer(Script(extensions=("STARTTLS",), tls=tls)) as server:
        send(server, scope)
        server.drop_connections()
        assert send(server, scope).status == D
        assert server.sessions == 2


def test_smtps(scope: Scope, tls: ssl.SSLContext) -> None:
    with ScriptedServer(Script(tls=tls, tls_on_connect=True)) as server:
        outcome = send(server, scope, protocol="smtps")
        assert outcome.status == D
        assert outcome.tls is not None
        assert outcome.tls.on_connect


def test_avoided(scope: Scope, tls: ssl.SSLContext) -> None:
    with ScriptedServer(Script(extensions=("STARTTLS",), tls=tls)) as server:
        assert send(server, scope, hosts_avoid_tls="*").tls is None


@pytest.mark.parametrize(
    ("options", "status", "sessions"),
    [
        ({"tls_verify_hosts": "*"}, D, 2),
        ({"tls_verify_hosts": "*", "hosts_require_tls": "*"}, W, 1),
        ({"tls_verify_hosts": "*", "tls_tempfail_tryclear": "false"}, W, 1),
    ],
)
def test_failed_handshake(
    scope: Scope, tls: ssl.SSLContext, options: dict[str, str], status: Status, sessions: int
) -> None:
    logged: list[str] = []
    scope.services.log_main = logged.append
    with ScriptedServer(Script(extensions=("STARTTLS",), tls=tls)) as server:
        outcome = send(server, scope, **options)
        assert (outcome.status, server.sessions) == (status, sessions)
        assert len(server.messages) == sessions - 1
    if status == D:
        assert outcome.tls is None
        assert "delivering unencrypted to H=sink.test [127.0.0.1]" in logged[0]
    else:
        assert outcome.errno == -37
        assert outcome.message.startswith("TLS session failure: ")


def test_injected_answers_are_not_believed(scope: Scope, tls: ssl.SSLContext) -> None:
    script = Script(extensions=("STARTTLS",), answers={"STARTTLS": "220 go\n250 injected"})
    with ScriptedServer(script) as server:
        outcome = send(server, scope)
    assert (outcome.status, server.messages) == (W, [])
