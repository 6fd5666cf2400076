"""TLS sessions between our server and our client, and with openssl's, over real sockets."""

from __future__ import annotations

import shutil
import socket
import subprocess
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from mta.expand.compiler import compile_text
from mta.mail.host import Host
from mta.scope.expansion import MATCHED, Matched
from mta.scope.options import MainOptions
from mta.scope.scope import Scope
from mta.scope.services import Services
from mta.scope.site import Site
from mta.tls.client import client_handshake
from mta.tls.errors import TlsFailed
from mta.tls.server import ServerTls
from mta.tls.stream import TlsSocket
from tests.tls.certificates import Authority


class Everyone:
    source = "*"

    def match(self, scope: Scope, address: str, name: str | None = None) -> Matched | None:
        return MATCHED


@dataclass
class ClientOptions:
    tls_alpn: Any = None
    tls_certificate: Any = None
    tls_crl: Any = None
    tls_privatekey: Any = None
    tls_require_ciphers: Any = None
    tls_sni: Any = None
    tls_verify_certificates: Any = None
    tls_try_verify_hosts: Any = field(default_factory=Everyone)
    tls_verify_cert_hostnames: Any = field(default_factory=Everyone)
    tls_verify_hosts: Any = None
    command_timeout: float = 10.0


def text(value: object) -> Any:
    return compile_text(str(value))


def scope(**options: Any) -> Scope:
    made = Scope(Site(MainOptions()), Services())
    made.site.options.primary_hostname = "mx.test.ex"
    made.site.options.openssl_options = ""
    made.site.options.tls_alpn = text("smtp:esmtp")
    made.site.options.tls_eccurve = text("auto")
    made.peer.address = "192.0.2.1"
    for name, value in options.items():
        setattr(made.site.options, name, value)
    return made


@dataclass
class Config:
    main: MainOptions


def config(made: Scope) -> Config:
    return Config(made.site.options)


@dataclass
class Outcome:
    server: TlsSocket | TlsFailed | None = None
    client: Any = None
    failed: TlsFailed | None = None


def meet(
    server: Scope, options: ClientOptions, host: str = "mx.test.ex", then: Callable[..., None] | None = None
) -> Outcome:
    """Shake hands over a socket pair; then run ``then(client stream, server stream)``."""
    ours, theirs = socket.socketpair()
    out = Outcome()

    def serve() -> None:
        try:
            out.server = ServerTls(config(server)).start(ours, server, 10.0)
            out.server.settimeout(10.0)
        except TlsFailed as error:
            out.server = error
            ours.close()

    thread = threading.Thread(target=serve)
    thread.start()
    try:
        out.client = client_handshake(theirs, options, scope(), Host(host, "192.0.2.9"))
        out.client[0].settimeout(10.0)
        thread.join()
        if then is not None and isinstance(out.server, TlsSocket):
            then(out.client[0], out.server)
    except TlsFailed as error:
        out.failed = error
        theirs.close()
    thread.join()
    for end in (ours, theirs):
        end.close()
    return out


@pytest.fixture
def authority(tmp_path: Path) -> Authority:
    return Authority(tmp_path)


def served(authority: Authority, host: str = "mx.test.ex") -> dict[str, Any]:
    chain, key = authority.issue(host)
    return {"tls_certificate": text(chain), "tls_privatekey": text(key)}


def test_self_signed_session_carries_bytes_and_an_end() -> None:
    def talk(client: TlsSocket, server: TlsSocket) -> None:
        client.sendall(b"EHLO x\r\n")
        assert server.recv(100) == b"EHLO x\r\n"
        data = bytes(range(256)) * 8
        thread = threading.Thread(target=server.sendall, args=(data * 500,))
        thread.start()
        got = b""
        while len(got) < len(data) * 500:
            got += client.recv(65536)
        thread.join()
        assert got == data * 500
        client.shutdown()
        assert server.recv(10) == b""
        with pytest.raises(ConnectionResetError):
            client.send(b"x")

    server = scope()
    out = meet(server, ClientOptions(), then=talk)
    assert isinstance(out.server, TlsSocket)
    info = server.peer.tls
    assert (info.cipher, info.version, info.bits) == ("TLS1.3:TLS_AES_256_GCM_SHA384:256", "TLS1.3", 256)
    assert out.client[1].peer_dn == "/CN=mx.test.ex"
    assert not out.client[1].certificate_verified


def test_time_out_and_loss() -> None:
    def talk(client: TlsSocket, server: TlsSocket) -> None:
        server.settimeout(0.01)
        with pytest.raises(TimeoutError):
            server.recv(10)
        client._socket.close()
        server.settimeout(5)
        with pytest.raises(OSError):
            server.recv(10)

    meet(scope(), ClientOptions(), then=talk)


def test_client_verifies_the_servers_certificate(authority: Authority) -> None:
    options = ClientOptions(tls_verify_certificates=text(authority.ca), tls_verify_hosts=Everyone())
    assert meet(scope(**served(authority)), options).client[1].certificate_verified
    wrong = meet(scope(**served(authority)), options, host="other.test.ex")
    assert wrong.failed is not None
    assert "hostname mismatch" in wrong.failed.message


def test_client_refuses_an_unknown_issuer_only_when_it_must(authority: Authority, tmp_path: Path) -> None:
    stranger = Authority(tmp_path, "Stranger")
    options = ClientOptions(tls_verify_certificates=text(stranger.ca))
    assert not meet(scope(**served(authority)), options).client[1].certificate_verified
    options.tls_verify_hosts = Everyone()
    failed = meet(scope(**served(authority)), options).failed
    assert failed is not None
    assert "certificate verification failed" in failed.message


def test_server_asks_for_a_certificate(authority: Authority) -> None:
    chain, key = authority.issue("client.test.ex")
    with_one = ClientOptions(tls_certificate=text(chain), tls_privatekey=text(key))
    verifying = {"tls_verify_certificates": text(authority.ca)}
    server = scope(**served(authority), **verifying, tls_verify_hosts=Everyone())
    meet(server, with_one)
    assert server.peer.tls.certificate_verified
    assert server.peer.tls.peer_dn == "/CN=client.test.ex"
    assert server.peer.tls.peer_certificate.startswith(b"\x30")
    refused = meet(scope(**served(authority), **verifying, tls_verify_hosts=Everyone()), ClientOptions())
    assert isinstance(refused.server, TlsFailed)
    server = scope(**served(authority), **verifying, tls_try_verify_hosts=Everyone())
    assert isinstance(meet(server, ClientOptions()).server, TlsSocket)
    assert not server.peer.tls.certificate_verified


def test_server_may_try_and_take_a_bad_certificate(authority: Authority, tmp_path: Path) -> None:
    chain, key = Authority(tmp_path, "Stranger").issue("evil.test.ex")
    server = scope(**served(authority), tls_verify_certificates=text(authority.ca), tls_try_verify_hosts=Everyone())
    meet(server, ClientOptions(tls_certificate=text(chain), tls_privatekey=text(key)))
    assert (server.peer.tls.certificate_verified, server.peer.tls.peer_dn) == (False, "/CN=evil.test.ex")


def test_sni_chooses_the_certificate(authority: Authority) -> None:
    for host in ("a.test.ex", "b.test.ex"):
        authority.issue(host)
    chosen = "${if eq{$tls_in_sni}{b.test.ex}{b.test.ex}{a.test.ex}}"
    server = scope(
        tls_certificate=text(f"{authority.folder}/{chosen}.pem"),
        tls_privatekey=text(f"{authority.folder}/{chosen}.key"),
    )
    out = meet(server, ClientOptions(tls_sni=text("b.test.ex")))
    assert out.client[1].peer_dn == "/CN=b.test.ex"
    assert server.peer.tls.sni == "b.test.ex"
    assert meet(server, ClientOptions()).client[1].peer_dn == "/CN=a.test.ex"


def test_sni_names_no_file(authority: Authority) -> None:
    chain, key = authority.issue("mx.test.ex")
    named = "${if def:tls_in_sni{$tls_in_sni}{" + str(chain) + "}}"
    server = scope(tls_certificate=text(named), tls_privatekey=text(key))
    out = meet(server, ClientOptions(tls_sni=text("/etc/passwd")))
    assert isinstance(out.server, TlsSocket)  # with the certificate it had, as for an unknown name
    assert out.client[1].peer_dn == "/CN=mx.test.ex"


def test_ciphers() -> None:
    server = scope(openssl_options="+no_tlsv1_3", tls_require_ciphers=text("ECDHE-RSA-AES128-GCM-SHA256"))
    meet(server, ClientOptions())
    assert server.peer.tls.cipher == "TLS1.2:ECDHE-RSA-AES128-GCM-SHA256:128"
    assert server.peer.tls.cipher_std == "TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256"
    nothing = meet(server, ClientOptions(tls_require_ciphers=text("ECDHE-RSA-AES256-GCM-SHA384")))
    assert isinstance(nothing.server, TlsFailed)
    assert nothing.failed is not None


def test_alpn() -> None:
    assert isinstance(meet(scope(), ClientOptions(tls_alpn=text("smtp"))).server, TlsSocket)
    refused = meet(scope(), ClientOptions(tls_alpn=text("http/1.1")))
    assert isinstance(refused.server, TlsFailed)
    assert "ALPN" in refused.server.message


def test_bad_files_and_words_are_told() -> None:
    made = scope(tls_certificate=text("/no/such.pem"))
    assert "/no/such.pem" in ServerTls(config(made)).check(made)
    made = scope(openssl_options="+nonsense")
    assert "nonsense" in ServerTls(config(made)).check(made)
    made = scope()
    assert ServerTls(config(made)).check(made) == ""


def test_contexts_are_kept_and_renewed(authority: Authority) -> None:
    from mta.tls.contexts import Spec, context

    chain, key = authority.issue("mx.test.ex")
    state: dict[str, Any] = {}
    spec = Spec(True, (str(chain),), (str(key),))
    first = context(state, spec)
    assert context(state, spec) is first
    authority.issue("mx.test.ex")
    assert context(state, spec) is not first


def test_plain_text_is_no_handshake() -> None:
    ours, theirs = socket.socketpair()
    theirs.sendall(b"EHLO x\r\nMAIL FROM:<>\r\n")
    made = scope()
    with pytest.raises(TlsFailed, match="SSL_accept"):
        ServerTls(config(made)).start(ours, made, 5.0)
    theirs.close()
    ours.close()


def test_silence_and_hang_up() -> None:
    made = scope()
    ours, theirs = socket.socketpair()
    with pytest.raises(TlsFailed, match="timed out"):
        ServerTls(config(made)).start(ours, made, 0.05)
    theirs.close()
    ours.close()
    ours, theirs = socket.socketpair()
    theirs.close()
    with pytest.raises(TlsFailed):
        ServerTls(config(made)).start(ours, made, 5.0)
    ours.close()


@pytest.mark.skipif(shutil.which("openssl") is None, reason="needs openssl")
def test_openssl_as_client(authority: Authority) -> None:
    server = scope(**served(authority))
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
        client = subprocess.Popen(
            ["openssl", "s_client", "-quiet", "-connect", f"127.0.0.1:{port}", "-CAfile", str(authority.ca),
             "-verify_return_error", "-verify_hostname", "mx.test.ex", "-servername", "mx.test.ex"],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
        )  # fmt: skip
        sock, _ = listener.accept()
        stream = ServerTls(config(server)).start(sock, server, 10.0)
        stream.settimeout(10.0)
        stream.sendall(b"220 hello\r\n")
        assert client.stdin is not None
        assert client.stdout is not None
        assert client.stdout.readline() == b"220 hello\r\n"
        client.stdin.write(b"QUIT\r\n")
        client.stdin.flush()
        assert stream.recv(100) == b"QUIT\r\n"
        stream.close()
        client.communicate(timeout=10)
    assert server.peer.tls.sni == "mx.test.ex"
