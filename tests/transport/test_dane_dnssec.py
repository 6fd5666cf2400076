"""DANE against real DNSSEC: nsd serves signed zones, unbound validates, the transport sends (DANE-01..11)."""

from __future__ import annotations

import io
import ssl
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509

from mta.ctl.main import main
from mta.log.lines import tls_fields
from mta.mail.host import Host
from mta.mail.outcome import Outcome, Status
from mta.net.hosts_file import HostsFile
from mta.net.resolver import Resolver
from mta.scope.scope import Scope
from mta.tls.dane import to_publish
from mta.transport.remote.failures import HostTrouble
from mta.transport.remote.pool import close_idle
from mta.transport.remote.session import open_session
from tests.fakes.smtp_server import Script, ScriptedServer
from tests.peers.daemons import account, own_folder
from tests.peers.dnssec import Zone, validating_resolver
from tests.peers.programs import ROOT, exim_user, mta
from tests.tls.certificates import Authority
from tests.transport.building import make_batch, make_recipient, make_scope, make_transport

DELIVERED, DEFERRED, FAILED = Status.DELIVERED, Status.DEFERRED, Status.FAILED
WRONG = "00" * 32
# Hosts of secure.ex with an address each, and what their TLSA record is: KEY and CA stand for the server's.
RECORDS = {
    "ee": "TLSA 3 1 1 KEY",
    "ta": "TLSA 2 1 1 CA",
    "elsewhere": "TLSA 2 1 1 CA",  # a host that the certificate has no name of
    "wrong": f"TLSA 3 1 1 {WRONG}",
    "unusable": f"TLSA 1 1 1 {WRONG}",
    "broken": "TLSA 3 1 1 KEY",
    "target": "TLSA 3 1 1 KEY",
    "away": "CNAME tlsa.insecure.ex.",
    "plain": "",
}


@dataclass
class Setting:
    server: ScriptedServer
    clear: ScriptedServer
    resolver: Resolver


def zones(server: ScriptedServer, clear: ScriptedServer, key: str, ca: str) -> list[Zone]:
    lines = []
    for port in (server.port, clear.port):
        for host, record in RECORDS.items():
            text = record.replace("KEY", key).replace("CA", ca)
            lines += [f"_{port}._tcp.{host} IN {text}"] if record else []
    lines += [f"{host} IN A 127.0.0.1" for host in RECORDS]
    lines += ["alias IN CNAME target", "outward IN CNAME host.insecure.ex."]
    record = f"IN TLSA 3 1 1 {key}"
    insecure = ["host IN A 127.0.0.1", f"tlsa {record}", f"_{server.port}._tcp.host {record}"]
    return [
        Zone("secure.ex", "\n".join(lines) + "\n", broken=[f"_{p}._tcp.broken" for p in (server.port, clear.port)]),
        Zone("insecure.ex", "\n".join(insecure) + "\n", signed=False),
        Zone("bogus.ex", "host IN A 127.0.0.1\n", anchored=False),
    ]


@pytest.fixture(scope="module")
def setting(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Setting]:
    folder: Path = tmp_path_factory.mktemp("dane")
    folder.chmod(0o755)
    authority = Authority(folder)
    chain, key = authority.issue("ta.secure.ex")
    leaf, ca = (x509.load_pem_x509_certificate(path.read_bytes()) for path in (chain, authority.ca))
    chain.write_bytes(chain.read_bytes() + authority.ca.read_bytes())
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(chain, key)
    hashes = [to_publish(certificate, [(3, 1, 1)])[0].split(" ")[3] for certificate in (leaf, ca)]
    with (
        ScriptedServer(Script(extensions=("STARTTLS",), tls=context)) as server,
        ScriptedServer(Script(extensions=("SIZE",))) as clear,
        validating_resolver(zones(server, clear, hashes[0], hashes[1]), folder) as address,
    ):
        yield Setting(server, clear, Resolver([address], hosts=HostsFile("/nonexistent"), disable_ipv6=True))


@pytest.fixture
def scope(setting: Setting) -> Iterator[Scope]:
    made = make_scope()
    made.services.resolver = setting.resolver
    yield made
    close_idle(made.services)


def send(server: ScriptedServer, scope: Scope, host: str, **options: str) -> Outcome:
    transport = make_transport(
        "smtp", port=str(server.port), hosts=host, allow_localhost="true", command_timeout="5s", **options
    )
    found: Outcome = transport.driver.deliver(transport, make_batch("a@r.ex"), scope)[0]
    return found


TLS_FAILURE = "TLS session failure: (certificate verification failed): DANE: "
CASES = [
    # host, options, status, words of the reason, DANE decided
    ("ee.secure.ex", {}, DELIVERED, "", True),
    ("ta.secure.ex", {}, DELIVERED, "", True),
    ("ta.secure.ex", {"hosts_require_dane": "*"}, DELIVERED, "", True),
    ("alias.secure.ex", {}, DELIVERED, "", True),
    ("elsewhere.secure.ex", {}, DEFERRED, TLS_FAILURE + "certificate is not for elsewhere.secure.ex", False),
    ("wrong.secure.ex", {}, DEFERRED, TLS_FAILURE + "no TLSA record matches", False),
    ("broken.secure.ex", {}, DEFERRED, "DANE error: TLSA lookup of _", False),
    ("broken.secure.ex", {"hosts_require_dane": "*"}, DEFERRED, "DANE error: TLSA lookup of _", False),
    ("unusable.secure.ex", {}, DEFERRED, "DANE error: No usable TLSA records", False),
    ("unusable.secure.ex", {"hosts_require_dane": "*"}, FAILED, "DANE error: No usable TLSA records", False),
    ("plain.secure.ex", {}, DELIVERED, "", False),
    ("plain.secure.ex", {"hosts_require_dane": "*"}, FAILED, "DANE error: TLSA lookup failed", False),
    ("away.secure.ex", {}, DELIVERED, "", False),
    ("away.secure.ex", {"hosts_require_dane": "*"}, DEFERRED, "DANE error: TLSA lookup not DNSSEC", False),
    ("host.insecure.ex", {}, DELIVERED, "", False),
    (
        "host.insecure.ex",
        {"hosts_require_dane": "*"},
        FAILED,
        "DANE error: host.insecure.ex lookup not DNSSEC",
        False,
    ),
    ("outward.secure.ex", {}, DELIVERED, "", False),
    ("host.bogus.ex", {}, DEFERRED, "failed to lookup IP address for host.bogus.ex", False),
    ("wrong.secure.ex", {"hosts_try_dane": ""}, DELIVERED, "", False),
]


@pytest.mark.parametrize(("host", "options", "status", "reason", "dane"), CASES)
def test_DANE_01_02_03_10_each_kind_of_record(
    setting: Setting, scope: Scope, host: str, options: dict[str, str], status: Status, reason: str, dane: bool
) -> None:
    before = len(setting.server.messages)
    outcome = send(setting.server, scope, host, **options)
    assert outcome.status == status, outcome.message
    assert outcome.message.startswith(reason)
    assert len(setting.server.messages) - before == (status == DELIVERED)
    if status == DELIVERED:
        assert outcome.tls is not None
        assert (outcome.tls.dane == "yes") == dane


@pytest.mark.parametrize("host", ["ee", "ta", "wrong", "broken", "unusable"])
@pytest.mark.parametrize("options", [{}, {"hosts_avoid_tls": "*"}, {"tls_tempfail_tryclear": "true"}])
def test_DANE_03_never_clear_text(setting: Setting, scope: Scope, host: str, options: dict[str, str]) -> None:
    outcome = send(setting.clear, scope, f"{host}.secure.ex", **options)
    assert outcome.status == DEFERRED
    assert setting.clear.messages == []
    if host in ("ee", "ta"):
        assert outcome.message == "a TLS session is required, but the server did not offer TLS support"


def test_DANE_03_starttls_refused_defers(setting: Setting, scope: Scope) -> None:
    script = setting.server.script
    script.answers["STARTTLS"] = "454 not now"
    try:
        outcome = send(setting.server, scope, "ee.secure.ex")
    finally:
        script.answers.clear()
    assert (outcome.status, outcome.tls) == (DEFERRED, None)


def test_DANE_06_other_options_do_not_count(setting: Setting, scope: Scope) -> None:
    options = {"tls_verify_hosts": "*", "tls_verify_certificates": "/nonexistent", "tls_sni": "sni.example"}
    outcome = send(setting.server, scope, "ee.secure.ex", **options)
    assert outcome.status == DELIVERED
    assert outcome.tls is not None
    assert outcome.tls.sni == "ee.secure.ex"


def test_DANE_07_connection_of_another_worth_is_not_reused(setting: Setting, scope: Scope) -> None:
    before = setting.server.sessions
    send(setting.server, scope, "ee.secure.ex", hosts_try_dane="")
    assert send(setting.server, scope, "ee.secure.ex").tls.dane == "yes"  # type: ignore[union-attr]
    assert setting.server.sessions - before == 2
    assert send(setting.server, scope, "ee.secure.ex").continued
    assert setting.server.sessions - before == 2


def test_DANE_08_09_log_field_and_variables(setting: Setting, scope: Scope) -> None:
    seen: dict[str, str] = {}
    for host in ("ee", "ta", "plain"):
        outcome = send(setting.server, scope, f"{host}.secure.ex")
        assert outcome.tls is not None
        seen[host] = f"{outcome.tls.dane or 'no'} {outcome.tls.tlsa_usage}"
        line = tls_fields(outcome.tls, frozenset({"tls_certificate_verified"}))
        assert (" CV=dane" in line) == (host != "plain")
    assert seen == {"ee": "yes 8", "ta": "yes 4", "plain": "no 0"}


def test_DANE_11_own_ciphers(setting: Setting, scope: Scope) -> None:
    options = {"dane_require_tls_ciphers": "ECDHE-ECDSA-AES256-GCM-SHA384", "tls_require_ciphers": "NULL"}
    assert send(setting.server, scope, "ee.secure.ex", **options).status == DELIVERED
    close_idle(scope.services)
    assert send(setting.server, scope, "ee.secure.ex", dane_require_tls_ciphers="no-such").status == DEFERRED


def test_DANE_02_insecure_mx_rules_dane_out(setting: Setting, scope: Scope) -> None:
    transport = make_transport("smtp", port=str(setting.server.port), hosts_require_dane="*")
    host = Host("ee.secure.ex", "127.0.0.1", mx=10, dnssec="no")
    outcome = transport.driver.deliver(transport, make_batch("a@r.ex", hosts=[host]), scope)[0]
    assert (outcome.status, outcome.message) == (FAILED, "DANE error: ee.secure.ex lookup not DNSSEC")


def test_DANE_05_domain_of_secure_mx_is_a_name(setting: Setting, scope: Scope) -> None:
    transport = make_transport("smtp", port=str(setting.server.port))
    host = Host("elsewhere.secure.ex", "127.0.0.1", mx=10, dnssec="yes")
    people = [make_recipient("a@ta.secure.ex"), make_recipient("b@other.ex")]
    outcomes = transport.driver.deliver(transport, make_batch(recipients=people, hosts=[host]), scope)
    assert [outcome.status for outcome in outcomes] == [DELIVERED, DEFERRED]


def test_DANE_04_domains_do_not_share_a_session(setting: Setting, scope: Scope) -> None:
    transport = make_transport("smtp", port=str(setting.server.port))
    host = Host("ee.secure.ex", "127.0.0.1", mx=10, dnssec="yes")
    people = [make_recipient("a@one.ex"), make_recipient("b@two.ex")]
    before = setting.server.sessions
    outcomes = transport.driver.deliver(transport, make_batch(recipients=people, hosts=[host]), scope)
    assert [outcome.status for outcome in outcomes] == [DELIVERED, DELIVERED]
    assert setting.server.sessions - before == 2


@pytest.mark.parametrize(
    ("host", "code", "words"),
    [
        ("ee", 0, "verified depth 0 by 3 1 1"),
        ("ta", 0, "verified depth 1 by 2 1 1"),
        ("wrong", 1, "no TLSA record matches"),
        ("elsewhere", 1, "certificate is not for elsewhere.secure.ex"),
    ],
)
def test_mtactl_check_dane_host(setting: Setting, host: str, code: int, words: str) -> None:
    out = io.StringIO()
    server = f"{setting.resolver.nameservers[0][0]}:{setting.resolver.nameservers[0][1]}"
    assert main(["check", "dane", f"{host}.secure.ex:{setting.server.port}", "--dns", server], out) == code
    assert out.getvalue().rstrip().endswith(f"{host}.secure.ex [127.0.0.1]:{setting.server.port} {words}")


@pytest.mark.parametrize(
    ("host", "words"),
    [
        ("plain.secure.ex", "no secure TLSA records"),
        ("host.insecure.ex", "lookup not DNSSEC"),
        ("broken.secure.ex", "SERVFAIL"),
        ("host.bogus.ex", "no addresses"),
    ],
)
def test_mtactl_check_dane_without_records(
    setting: Setting, capsys: pytest.CaptureFixture[str], host: str, words: str
) -> None:
    server = f"{setting.resolver.nameservers[0][0]}:{setting.resolver.nameservers[0][1]}"
    assert main(["check", "dane", f"{host}:{setting.server.port}", "--dns", server], io.StringIO()) == 1
    assert words in capsys.readouterr().err


@pytest.mark.parametrize(
    ("host", "options", "asked"),
    [
        ("ee", {}, 0),
        ("ta", {}, 1),
        ("plain", {}, 1),
        ("ee", {"hosts_request_ocsp": "127.0.0.1"}, 1),
        ("ee", {"hosts_request_ocsp": ""}, 0),
        ("ta", {"hosts_request_ocsp": ""}, 0),
    ],
)
def test_DANE_12_when_a_proof_is_asked_for(
    setting: Setting, scope: Scope, host: str, options: dict[str, str], asked: int
) -> None:
    outcome = send(setting.server, scope, f"{host}.secure.ex", **options)
    assert outcome.tls is not None
    assert outcome.tls.ocsp == asked  # the server has none to give: 1


def test_DANE_12_a_required_proof_is_required_under_dane_too(setting: Setting, scope: Scope) -> None:
    outcome = send(setting.server, scope, "ee.secure.ex", hosts_require_ocsp="*")
    assert outcome.status == DEFERRED
    assert outcome.message == "TLS session failure: (SSL_connect): Received TLS status callback, null content"


def test_a_session_opened_without_a_plan_asks_for_one(setting: Setting, scope: Scope) -> None:
    # as callouts do: DANE counts, unless TLS is to be avoided
    host = Host("wrong.secure.ex", "127.0.0.1", dnssec="yes")
    driver: Any = make_transport("smtp", command_timeout="5s").driver
    with pytest.raises(HostTrouble, match="no TLSA record matches"):
        open_session(driver, "t", host, setting.server.port, "", scope)
    driver = make_transport("smtp", command_timeout="5s", hosts_avoid_tls="*").driver
    open_session(driver, "t", host, setting.server.port, "", scope).quit()


CONFIGURATION = """
primary_hostname = us.ex
spool_directory = {folder}
log_file_path = {folder}/%slog
keep_environment = PATH
exim_user = {user}
never_users =
dns_nameservers = {address}::{port}
disable_ipv6
begin routers
out:
  driver = manualroute
  route_list = * $domain bydns
  self = send
  transport = out
begin transports
out:
  driver = smtp
  port = {server}
  allow_localhost
"""


@pytest.mark.parametrize(
    ("host", "words"),
    [("ee", " => a@ee.secure.ex R=out T=out H=ee.secure.ex [127.0.0.1]"), ("wrong", "no TLSA record matches")],
)
def test_DANE_08_the_whole_way(setting: Setting, host: str, words: str) -> None:
    with own_folder("dane", account(exim_user())) as folder:
        address, port = setting.resolver.nameservers[0]
        text = CONFIGURATION.format(
            folder=folder, address=address, port=port, server=setting.server.port, user=exim_user()
        )
        (folder / "conf").write_text(text)
        command = [*mta(), "-C", str(folder / "conf"), "-odi", f"a@{host}.secure.ex"]
        subprocess.run(command, input=b"Subject: x\n\nx\n", cwd=ROOT, check=True, timeout=60)
        log = (folder / "mainlog").read_text()
    assert words in log
    assert (" CV=dane" in log) == (host == "ee")
    assert (" == a@wrong.secure.ex R=out T=out defer (-37)" in log) == (host == "wrong")
