"""Main options about TLS that need a handshake to be seen: groups, ALPN, Diffie-Hellman sizes, resumption."""

from __future__ import annotations

import shutil
import socket
import subprocess
from pathlib import Path
from typing import Any

import pytest
from OpenSSL import SSL

from mta.tls.contexts import Spec, context
from mta.tls.errors import TlsFailed
from mta.tls.server import ServerTls
from mta.tls.stream import TlsSocket
from tests.tls.certificates import Authority
from tests.tls.test_handshake import ClientOptions, Everyone, config, meet, scope, served, text


@pytest.fixture
def authority(tmp_path: Path) -> Authority:
    return Authority(tmp_path)


def test_eccurve_names_the_groups(authority: Authority) -> None:
    server = scope(tls_eccurve=text("prime256v1"), **served(authority))
    assert isinstance(meet(server, ClientOptions()).server, TlsSocket)
    with pytest.raises(TlsFailed, match="unknown curve name 'nonsense'"):
        context({}, Spec(True, eccurve="nonsense", hostname="x"))


def test_hosts_require_alpn(authority: Authority) -> None:
    options = served(authority) | {"hosts_require_alpn": Everyone()}
    out = meet(scope(**options), ClientOptions())
    assert isinstance(out.server, TlsFailed)
    assert out.server.message == "(SSL_accept): required ALPN not negotiated"
    assert isinstance(meet(scope(**options), ClientOptions(tls_alpn=text("smtp"))).server, TlsSocket)


def test_dh_max_bits(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from mta.tls import contexts

    loaded: list[str] = []
    monkeypatch.setattr(SSL.Context, "load_tmp_dh", lambda _self, path: loaded.append(path))
    monkeypatch.setattr(contexts, "_dh_bits", lambda _path: 2048)
    for bits in (2048, 2047):
        context({}, Spec(True, hostname="x", dhparam="/dh", dh_max_bits=bits))
    assert loaded == ["/dh"]


@pytest.mark.skipif(shutil.which("openssl") is None, reason="needs openssl")
def test_dh_bits_are_read(tmp_path: Path) -> None:
    from mta.tls.contexts import _dh_bits

    path = tmp_path / "dh.pem"
    command = ["openssl", "genpkey", "-genparam", "-algorithm", "DH", "-pkeyopt", "group:ffdhe2048", "-out", str(path)]
    subprocess.run(command, check=True, capture_output=True)
    assert _dh_bits(str(path)) == 2048
    assert _dh_bits(str(tmp_path / "none")) == 0


@pytest.mark.parametrize("offered", [True, False])
def test_resumption(authority: Authority, offered: bool) -> None:
    """A ticket of one process's context is good for another session of it."""
    options: dict[str, Any] = served(authority)
    if offered:
        options |= {"tls_resumption_hosts": Everyone(), "tls_verify_certificates": text("")}
    server = scope(**options)
    shared = ServerTls(config(server)).prepare(server)
    assert (shared is not None) is offered
    client = SSL.Context(SSL.TLS_CLIENT_METHOD)
    session = None
    resumed = []
    for _ in range(2):
        ours, theirs = socket.socketpair()
        with ours, theirs:
            session = _one_session(server, client, ours, theirs, session)
        resumed.append(server.peer.tls.resumed)
    assert resumed == [False, offered]


def _one_session(server: Any, context_: SSL.Context, ours: socket.socket, theirs: socket.socket, session: Any) -> Any:
    import threading

    streams: list[Any] = []

    def serve() -> None:
        stream = ServerTls(config(server)).start(ours, server, 10.0)
        stream.sendall(b"x")
        streams.append(stream)

    thread = threading.Thread(target=serve)
    thread.start()
    connection = SSL.Connection(context_, theirs)
    if session is not None:
        connection.set_session(session)
    connection.set_connect_state()
    connection.do_handshake()
    connection.recv(1)
    connection.shutdown()  # OpenSSL takes a session that was not ended properly for unfit to be resumed
    thread.join()
    return connection.get_session()
