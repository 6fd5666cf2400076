"""Items that reach outside the text: sockets, ACLs, certificates, passwords, the environment, signed addresses."""

from __future__ import annotations

import datetime
import shutil
import socket
import ssl
import subprocess
import threading
import time
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from mta.errors import ExpansionFailed, ForcedFail
from mta.expand.compiler import compile_text
from mta.expand.items.readsocket import _ask
from mta.mail.verdict import Ruling, Verdict
from mta.scope.scope import Scope
from tests.expand.scopes import empty_scope


def value(text: str, scope: Scope | None = None) -> str:
    return compile_text(text)(scope or empty_scope())


def answering(path: Path, reply: bytes) -> list[bytes]:
    """Serve one connection on a Unix socket; the list gets the request."""
    server = socket.socket(socket.AF_UNIX)
    server.bind(str(path))
    server.listen()
    asked: list[bytes] = []

    def serve() -> None:
        connection, _ = server.accept()
        with connection, server:
            request = b""
            while piece := connection.recv(100):
                request += piece
            asked.append(request)
            connection.sendall(reply)

    threading.Thread(target=serve, daemon=True).start()
    return asked


def test_readsocket(tmp_path: Path) -> None:
    path = tmp_path / "s"
    asked = answering(path, b"one\ntwo\n")
    assert value(f"${{readsocket{{{path}}}{{request}}{{3s}}{{,}}}}") == "one,two,"
    assert asked == [b"request"]


def test_readsocket_gives_a_peers_text(tmp_path: Path) -> None:
    answering(tmp_path / "s", b"x")
    scope = empty_scope()
    value(f"${{readsocket{{{tmp_path}/s}}{{}}}}", scope)
    assert scope.tainted


def test_readsocket_keeps_answers_when_told(tmp_path: Path) -> None:
    scope, path = empty_scope(), tmp_path / "s"

    def ask(options: str) -> str:
        return value(f"${{readsocket{{{path}}}{{q}}{{3s{options}}}{{}}{{gone}}}}", scope)

    answering(path, b"first")
    assert (ask(":cache=yes"), ask(":cache=yes")) == ("first", "first")
    assert ask("") == "gone"  # asks again, and what was kept is forgotten
    assert ask(":cache=yes") == "gone"


def test_readsocket_over_tls(tmp_path: Path) -> None:
    openssl = shutil.which("openssl")
    if openssl is None:
        pytest.skip("openssl is not installed")
    made = ["req", "-x509", "-newkey", "rsa:2048", "-nodes", "-subj", "/CN=x", "-keyout", "key", "-out", "cert"]
    subprocess.run([openssl, *made], cwd=tmp_path, check=True, capture_output=True)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(tmp_path / "cert", tmp_path / "key")
    listener = socket.create_server(("127.0.0.1", 0))

    def serve() -> None:
        connection, _ = listener.accept()
        with listener, context.wrap_socket(connection, server_side=True) as secure:
            secure.sendall(b"got " + secure.recv(100))

    thread = threading.Thread(target=serve)
    thread.start()
    port = listener.getsockname()[1]
    assert value(f"${{readsocket{{inet:127.0.0.1:{port}}}{{hello}}{{3s:tls=yes}}}}") == "got hello"
    thread.join()


def test_readsocket_that_fails(tmp_path: Path) -> None:
    assert value(f"${{readsocket{{{tmp_path}/none}}{{x}}{{1s}}{{}}{{sorry}}}}") == "sorry"
    with pytest.raises(ExpansionFailed, match="failed to connect to socket"):
        value(f"${{readsocket{{{tmp_path}/none}}{{x}}}}")


def test_readsocket_ends_at_its_timeout(tmp_path: Path) -> None:
    server = socket.socket(socket.AF_UNIX)
    server.bind(str(tmp_path / "s"))
    server.listen()
    started = time.monotonic()
    with server, pytest.raises(ExpansionFailed, match="timed out"):
        _ask(empty_scope(), str(tmp_path / "s"), "", {"timeout": "0.1s"})
    assert time.monotonic() - started < 3


def scope_with_acl(verdict: Verdict) -> tuple[Scope, list[tuple[str, list[str]]]]:
    scope = empty_scope()
    called: list[tuple[str, list[str]]] = []

    def run_acl(name: str, arguments: list[str], _scope: Scope) -> Verdict:
        called.append((name, arguments))
        return verdict

    scope.services.run_acl = run_acl
    return scope, called


def test_acl_item() -> None:
    scope, called = scope_with_acl(Verdict(Ruling.ACCEPT, "said"))
    assert value("${acl{name}{a}{b}}", scope) == "said"
    assert called == [("name", ["a", "b"])]
    assert value("${acl{n}}", scope_with_acl(Verdict(Ruling.DENY))[0]) == ""
    with pytest.raises(ForcedFail):
        value("${acl{n}}", scope_with_acl(Verdict(Ruling.DEFER))[0])
    with pytest.raises(ExpansionFailed, match='ERROR from acl "n"'):
        value("${acl{n}}", scope_with_acl(Verdict(Ruling.ERROR))[0])


def test_acl_condition() -> None:
    text = "${if acl{{n}{x}}{y:$value}{n:$value}}"
    assert value(text, scope_with_acl(Verdict(Ruling.ACCEPT, "m"))[0]) == "y:m"
    assert value(text, scope_with_acl(Verdict(Ruling.DENY, "m"))[0]) == "n:m"
    with pytest.raises(ForcedFail):
        value(text, scope_with_acl(Verdict(Ruling.DEFER))[0])


def test_acls_that_call_themselves_end() -> None:
    scope = empty_scope()

    def run_acl(_name: str, _arguments: list[str], inner: Scope) -> Verdict:
        return Verdict(Ruling.ACCEPT, value("${acl{again}}", inner))

    scope.services.run_acl = run_acl
    with pytest.raises(ExpansionFailed, match="nested too deep"):
        value("${acl{again}}", scope)
    assert scope.depth == 0


def certificate() -> bytes:
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "mail.example")])
    start = datetime.datetime(2020, 1, 2, 3, 4, 5, tzinfo=datetime.UTC)
    names = x509.SubjectAlternativeName(
        [x509.DNSName("a.example"), x509.RFC822Name("x@a.example"), x509.DNSName("b.example")]
    )
    builder = x509.CertificateBuilder(
        name, name, key.public_key(), 0xABC123, start, start + datetime.timedelta(days=365)
    )
    made = builder.add_extension(names, False).sign(key, hashes.SHA256())
    return made.public_bytes(serialization.Encoding.DER)


FIELDS = [
    ("subject", "CN=mail.example"),
    ("issuer,CN", "mail.example"),
    ("version", "3"),
    ("serial_number", "abc123"),
    ("notbefore,int", "1577934245"),
    ("subj_altname", "DNS=a.example\nMAIL=x@a.example\nDNS=b.example"),
    ("subj_altname,dns,>:", "a.example:b.example"),
    ("ocsp_uri", "none"),
    ("sig_algorithm", "ecdsa-with-SHA256"),
]


@pytest.mark.parametrize(("field", "expected"), FIELDS)
def test_certextract(field: str, expected: str) -> None:
    scope = empty_scope()
    scope.peer.tls.peer_certificate = certificate()
    assert value(f"${{certextract{{{field}}}{{$tls_in_peercert}}{{$value}}{{none}}}}", scope) == expected
    assert scope.tainted is (expected != "none")


def test_certextract_without_a_certificate() -> None:
    assert value("${certextract{subject}{$tls_in_peercert}{y}{n}}") == "n"
    with pytest.raises(ExpansionFailed, match="must be a certificate variable"):
        compile_text("${certextract{subject}{abc}}")


def test_env(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MTA_TEST", "here")
    assert value("${env{MTA_TEST}}") == "here"
    assert value("${env{MTA_TEST}{[$value]}{no}}") == "[here]"
    assert value("${env{MTA_TEST_NOT}{[$value]}{no}}") == "no"


def test_signed_addresses() -> None:
    signed = value("${prvs{jim@example.com}{secret}{3}}")
    assert signed.startswith("prvs=3")
    assert signed.endswith("=jim@example.com")
    scope = empty_scope()
    text = f"${{prvscheck{{{signed}}}{{SECRET}}{{$prvscheck_address $prvscheck_keynum $prvscheck_result}}}}"
    assert value(text.replace("SECRET", "secret"), scope) == "jim@example.com 3 1"
    assert value("$prvscheck_address,$prvscheck_keynum,$prvscheck_result", scope) == ",,1"
    assert value(text.replace("SECRET", "other"), scope) == "jim@example.com 3 "


@pytest.mark.oracle
def test_exim_believes_our_signature() -> None:
    import shutil
    import subprocess

    exim = shutil.which("exim4")
    if exim is None:
        pytest.skip("exim4 is not installed")
    signed = value("${prvs{jim@example.com}{secret}{3}}")
    text = f"${{prvscheck{{{signed}}}{{secret}}{{$prvscheck_result}}}}"
    assert subprocess.run([exim, "-be", text], stdout=subprocess.PIPE, check=True).stdout == b"1\n"


@pytest.mark.parametrize("name", ["perl{f}", "dlfunc{/x}{f}"])
def test_what_is_not_there_says_so(name: str) -> None:
    with pytest.raises(ExpansionFailed, match="cannot be used"):
        value(f"${{{name}}}")


@pytest.mark.parametrize("text", ["pam{a:b}", "radius{a}"])
def test_conditions_that_are_not_there_say_so(text: str) -> None:
    with pytest.raises(ExpansionFailed, match="not compiled"):
        value(f"${{if {text}{{y}}{{n}}}}")


def test_state_of_delivery() -> None:
    scope = empty_scope()
    scope.message.id = "1VdNti-0001OY-1V"
    assert value("${if first_delivery{y}{n}}", scope) == "y"
    scope.message.deliver_first_time = False
    assert value("${if first_delivery{y}{n}}", scope) == "n"
    scope.vars["queue_running"] = "1"
    assert value("${if queue_running{y}{n}}", scope) == "y"


def test_a_command_that_dies_of_a_signal() -> None:
    with pytest.raises(ExpansionFailed, match="signal 9"):
        value("${run{/bin/sh -c 'kill -9 \\$\\$'}}")
