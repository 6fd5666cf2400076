"""MTA-STS as a sender against a web server and a mail server on loopback (RFC 8461)."""

from __future__ import annotations

import http.server
import ssl
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from mta.hints.store import HintsStore
from mta.log.lines import tls_fields
from mta.mail.host import Host
from mta.mail.outcome import Outcome, Status
from mta.scope.scope import Scope
from mta.transport.remote.pool import close_idle
from tests.fakes.dns import FakeResolver
from tests.fakes.smtp_server import Script, ScriptedServer
from tests.tls.certificates import Authority
from tests.transport.building import make_batch, make_scope, make_transport

DELIVERED, DEFERRED = Status.DELIVERED, Status.DEFERRED
ENFORCE = "version: STSv1\nmode: enforce\nmx: mx.sts.ex\nmax_age: 86400\n"


@dataclass
class Web:
    """What the web server says; ``asked`` are the Host fields and paths."""

    body: str = ENFORCE
    status: int = 200
    kind: str = "text/plain; charset=utf-8"
    asked: list[str] = field(default_factory=list)
    port: int = 0


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority(tmp_path_factory.mktemp("sts"))


def context(authority: Authority, name: str) -> ssl.SSLContext:
    made = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    made.load_cert_chain(*authority.issue(name))
    return made


@pytest.fixture
def web(authority: Authority) -> Iterator[Web]:
    yield from serve(Web(), context(authority, "mta-sts.sts.ex"))


def serve(state: Web, tls: ssl.SSLContext) -> Iterator[Web]:
    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            state.asked.append(self.headers["Host"] + self.path)
            self.send_response(state.status)
            self.send_header("Content-Type", state.kind)
            self.send_header("Location", "https://elsewhere.ex/")
            self.end_headers()
            self.wfile.write(state.body.encode())

        def log_message(self, format: str, *args: object) -> None:
            return

    class Quiet(http.server.HTTPServer):
        def handle_error(self, request: object, client_address: object) -> None:
            return  # a client that does not like the certificate

    with Quiet(("127.0.0.1", 0), Handler) as server:
        server.socket = tls.wrap_socket(server.socket, server_side=True)
        state.port = server.server_port
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        yield state
        server.shutdown()
        thread.join(10)


@pytest.fixture
def mail(authority: Authority) -> Iterator[ScriptedServer]:
    with ScriptedServer(Script(extensions=("STARTTLS",), tls=context(authority, "mx.sts.ex"))) as server:
        yield server


@pytest.fixture
def sts(web: Web, tmp_path: Path) -> Iterator[Scope]:
    made = make_scope()
    made.services.state["sts.port"] = web.port
    made.services.hints = HintsStore(str(tmp_path / "hints"))
    made.services.log_main = made.services.state.setdefault("said", []).append
    made.services.resolver = FakeResolver(dict(RECORDS), cache_size=0)
    yield made
    close_idle(made.services)
    made.services.hints.close()


RECORDS: dict[tuple[str, str], list[str] | str] = {
    ("_mta-sts.sts.ex", "TXT"): ['"v=STSv1; id=1;"'],
    ("mta-sts.sts.ex", "A"): ["127.0.0.1"],
}


def send(sts: Scope, mail: ScriptedServer, authority: Authority, host: str = "mx.sts.ex", **options: str) -> Outcome:
    close_idle(sts.services)
    options = {"hosts_try_mta_sts": "*", "tls_verify_certificates": str(authority.ca), **options}
    transport = make_transport("smtp", port=str(mail.port), command_timeout="5s", **options)
    target = Host(host, "127.0.0.1", mx=10, dnssec="no")
    found: Outcome = transport.driver.deliver(transport, make_batch("a@STS.ex", hosts=[target]), sts)[0]
    return found


def table(sts: Scope) -> dict[tuple[str, str], object]:
    found: dict[tuple[str, str], object] = sts.services.resolver.table  # type: ignore[union-attr]
    return found


def test_policy_satisfied(sts: Scope, web: Web, mail: ScriptedServer, authority: Authority) -> None:
    outcome = send(sts, mail, authority)
    assert outcome.status == DELIVERED, outcome.message
    assert outcome.tls is not None
    assert " CV=sts" in tls_fields(outcome.tls, frozenset({"tls_certificate_verified"}))
    assert outcome.tls.sni == "mx.sts.ex"
    assert web.asked == ["mta-sts.sts.ex/.well-known/mta-sts.txt"]
    # kept in the hints: the web server is not asked again while the id stays
    assert send(sts, mail, authority).tls.sts  # type: ignore[union-attr]
    assert len(web.asked) == 1
    table(sts)["_mta-sts.sts.ex", "TXT"] = ['"v=STSv1; id=2;"']
    web.body = ENFORCE.replace("enforce", "none")
    assert not send(sts, mail, authority).tls.sts  # type: ignore[union-attr]
    assert len(web.asked) == 2


def test_not_asked_for(sts: Scope, web: Web, mail: ScriptedServer, authority: Authority) -> None:
    assert send(sts, mail, authority, hosts_try_mta_sts="").status == DELIVERED
    assert web.asked == []


def test_other_host_than_the_policy_has(sts: Scope, mail: ScriptedServer, authority: Authority) -> None:
    outcome = send(sts, mail, authority, host="evil.ex")
    assert outcome.status == DEFERRED
    assert outcome.message == "MTA-STS error: evil.ex is not an MX host in the policy of sts.ex"
    assert mail.sessions == 0


def test_testing_lets_pass_and_says(sts: Scope, web: Web, mail: ScriptedServer, authority: Authority) -> None:
    web.body = ENFORCE.replace("enforce", "testing")
    assert send(sts, mail, authority, host="evil.ex").status == DELIVERED
    assert sts.services.state["said"] == ["MTA-STS error: evil.ex is not an MX host in the policy of sts.ex (testing)"]


@pytest.mark.parametrize("kind", ["clear", "name", "self-signed"])
def test_enforced_sessions(sts: Scope, authority: Authority, tmp_path: Path, kind: str) -> None:
    stranger = Authority(tmp_path, "Other CA")
    tls = {"clear": None, "name": context(authority, "other.ex"), "self-signed": context(stranger, "mx.sts.ex")}[kind]
    script = Script(extensions=("STARTTLS",) if tls else (), tls=tls)
    with ScriptedServer(script) as server:
        outcome = send(sts, server, authority)
        assert (outcome.status, server.messages) == (DEFERRED, [])
        assert outcome.message.startswith("a TLS session is required" if kind == "clear" else "TLS session failure: ")
        assert send(sts, server, authority, hosts_try_mta_sts="").status == DELIVERED


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"status": 404}, "status 404"),
        ({"status": 301}, "status 301"),
        ({"kind": "text/html"}, "not text/plain"),
        ({"body": "nothing"}, "not a policy"),
        ({"body": ENFORCE + "#" * 70000}, "not a policy"),
    ],
)
def test_no_policy_is_no_obstacle(
    sts: Scope, web: Web, mail: ScriptedServer, authority: Authority, change: dict[str, object], reason: str
) -> None:
    for name, value in change.items():
        setattr(web, name, value)
    outcome = send(sts, mail, authority, host="any.ex")
    assert outcome.status == DELIVERED
    said = sts.services.state["said"]
    assert said[0].startswith("MTA-STS: no policy for sts.ex: ")
    assert said[0].endswith(reason)
    send(sts, mail, authority, host="any.ex")
    assert len(web.asked) == 1  # not again at once


def test_kept_policy_outlives_failures(sts: Scope, web: Web, mail: ScriptedServer, authority: Authority) -> None:
    send(sts, mail, authority)
    for broken in ("again", "nxdomain", ['"v=STSv1; id=2;"']):
        table(sts)["_mta-sts.sts.ex", "TXT"] = broken
        web.status = 500
        assert send(sts, mail, authority, host="evil.ex").status == DEFERRED
    table(sts)["mta-sts.sts.ex", "A"] = "nxdomain"
    assert send(sts, mail, authority, host="evil.ex").status == DEFERRED


def test_policy_from_the_wrong_web_server(sts: Scope, mail: ScriptedServer, authority: Authority) -> None:
    for wrong in serve(Web(), context(authority, "www.sts.ex")):
        sts.services.state["sts.port"] = wrong.port
        assert send(sts, mail, authority, host="any.ex").status == DELIVERED
        assert wrong.asked == []
        assert "Hostname mismatch" in sts.services.state["said"][0]
