"""LDAP lookups against a real slapd, and against Exim's recorded answers (manual sections 9.14 to 9.19)."""

from __future__ import annotations

import datetime
import ipaddress
import os
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import quote as percent

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from mta.lookup import servers
from mta.lookup.ldap_query import decode_percent, parse_query
from mta.scope.scope import Scope
from tests.lookup.asking import Log, answer, ask_exim, cases, filled, make_scope
from tests.lookup.sqlcases import LDIF, SCHEMA
from tests.peers import programs
from tests.peers.slapd import Slapd, slapd

pytest.importorskip("ldap", reason="python-ldap is not installed: pip install mta[ldap]")
pytestmark = pytest.mark.xdist_group("slapd")

ALICE = 'user="cn=A B,o=base" pass=pw1'


def self_signed() -> tuple[bytes, bytes]:
    """A certificate for 127.0.0.1 and its key, in PEM."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "directory")])
    now = datetime.datetime.now(datetime.UTC)
    made = (
        x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(days=1))
        .not_valid_after(now + datetime.timedelta(days=1))
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]), critical=False)
        .sign(key, hashes.SHA256())
    )
    pem = serialization.Encoding.PEM
    form = serialization.PrivateFormat.PKCS8
    return made.public_bytes(pem), key.private_bytes(pem, form, serialization.NoEncryption())


@pytest.fixture(scope="module")
def server() -> Iterator[Slapd]:
    with slapd(LDIF, SCHEMA, self_signed()) as running:
        yield running


@pytest.fixture
def log() -> Log:
    return Log()


@pytest.fixture
def scope(server: Slapd, log: Log) -> Iterator[Scope]:
    made = make_scope(log, ldap_default_servers=("127.0.0.1:1", f"127.0.0.1:{server.port}"))
    yield made
    servers.close_all(made.services)


@pytest.fixture(scope="module")
def places(server: Slapd) -> dict[str, object]:
    return {"LDAPI": percent(str(server.socket), safe=""), "PORT": server.port}


# what we say otherwise: no password in a log, and the name of the library's default
OURS = {"pass=wrong ldap": "pass=*** ldap", "server NULL:389": "server localhost:389"}


@pytest.mark.parametrize(("text", "expected"), cases("ldap_cases.txt"))
def test_case(text: str, expected: str, places: dict[str, object], scope: Scope) -> None:
    wanted = filled(filled(expected.removesuffix("\n"), OURS), places)
    assert answer(scope, filled(text, places)) == wanted


@pytest.mark.oracle
@pytest.mark.skipif(programs.exim() is None, reason="exim4 is not installed (Debian package exim4-daemon-heavy)")
def test_recorded_answers_are_exims(server: Slapd, places: dict[str, object], tmp_path: Path) -> None:
    recorded = cases("ldap_cases.txt")[::2]
    configuration = f"ldap_default_servers = 127.0.0.1::1 : 127.0.0.1::{server.port}"
    got = ask_exim(tmp_path, configuration, [filled(text, places) for text, _ in recorded])
    assert got == [filled(expected, places) for _, expected in recorded]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("${quote_ldap: a(bc)*, a<yz>; }", "%20a%5C28bc%5C29%5C2A%2C%20a%3Cyz%3E%3B%20"),
        ("${quote_ldap_dn: a(bc)*, a<yz>; }", "%5C%20a(bc)*%5C%2C%20a%5C%3Cyz%5C%3E%5C%3B%5C%20"),
        ("${quote_ldap_dn:#a#b, c  }", "%5C%23a%23b%5C%2C%20c%5C%20%5C%20"),
        ("${quote_ldap_dn:   }", "%5C%20%5C%20%5C%20"),
        ("${quote_ldap_dn:#}", "%5C%23"),
        ("${quote_ldap:a'b\"c\\\\d%e_f}", "a'b%22c%5C5Cd%25e_f"),
        ("${quote_ldap_dn:a'b\"c\\\\d%e_f}", "a'b%5C%22c%5C%5Cd%25e_f"),
        ("${quote_ldapm:a(}", "a%5C28"),
        ("${quote_ldapm_dn:a,}", "a%5C%2C"),
        ("${quote_ldap_x:a}", 'Failed: "x" unrecognized after "${quote_ldap"'),
    ],
)
def test_quoting(text: str, expected: str) -> None:
    assert answer(make_scope(), text) == expected


HOSTILE = ["*", "fred)(uid=*", "*)(objectClass=*", "fred))(|(uid=*", "\\2a", "x?sub?(uid=*)", "\x00", "\xc3\xa9", "%2A"]


@pytest.mark.parametrize("text", HOSTILE)
def test_hostile_values_stay_values(text: str, server: Slapd, scope: Scope) -> None:
    by_filter = "${lookup ldapm{ldap:///o=base?uid?sub?(uid=${quote_ldap:$acl_verify_message})}{<$value>}{no}}"
    assert answer(scope, by_filter, acl_verify_message=text) == "no"
    by_name = "${lookup ldapm{ldap:///uid=${quote_ldap_dn:$acl_verify_message},o=base?uid?sub}{<$value>}{no}}"
    assert answer(scope, by_name, acl_verify_message=text) == "no"
    inside = "${lookup ldapm{ldap:///uid=${quote_ldap_dn:$acl_verify_message},o=base?uid?sub}{<$value>}{no}}"
    assert answer(scope, inside, acl_verify_message="x,uid=fred") == "no"


def test_names_that_are_not_utf_8(server: Slapd, scope: Scope) -> None:
    text = "${lookup ldap{ldap:///o=base?uid?sub?(uid=${quote_ldap:$acl_verify_message})}}"
    got = answer(scope, text, acl_verify_message="\xff")
    assert got.endswith("LDAP query is not in UTF-8")


def test_servers_in_turn_and_no_password(server: Slapd, log: Log, scope: Scope) -> None:
    for _ in range(2):
        assert answer(scope, f"${{lookup ldap,cache=no_rd{{{ALICE} ldap:///o=base?o}}}}") == "base"
    buried = [line for line in log if "left alone for" in line]
    assert len(buried) == 1
    assert buried[0].startswith("LDAP server 127.0.0.1:1 is left alone for 30s: failed to bind the LDAP connection")
    got = answer(scope, '${lookup ldap{user="cn=A B,o=base" pass="hush hush" ldap:///o=base?o}}')
    assert "pass=*** ldap:///" in got
    assert "Invalid credentials" in got
    assert "hush" not in got + log.text()
    assert "pw1" not in log.text()


def test_socket_in_the_default_servers(server: Slapd) -> None:
    scope = make_scope(ldap_default_servers=(str(server.socket),))
    assert answer(scope, "${lookup ldaps{x}}").startswith("Failed")
    assert answer(scope, "${lookup ldap{ldaps:///o=base?o}}") == "base"
    servers.close_all(scope.services)


@pytest.mark.parametrize(
    ("require", "trusted", "works"),
    [("hard", True, True), ("hard", False, False), ("never", False, True), ("allow", False, True)],
)
def test_certificates(require: str, trusted: bool, works: bool, server: Slapd) -> None:
    anchor = str(server.folder / "cert.pem") if trusted else None
    over_tls = f"${{lookup ldap{{ldaps://127.0.0.1:{server.tls_port}/o=base?o}}}}"
    started = f"${{lookup ldap{{ldap://127.0.0.1:{server.port}/o=base?o}}}}"
    scope = make_scope(ldap_require_cert=require, ldap_ca_cert_file=anchor, ldap_start_tls=True)
    for text in (over_tls, started):
        got = answer(scope, text)
        assert (got == "base") is works
        assert works or got.startswith("Failed: lookup of ")
    servers.close_all(scope.services)


def test_dn_variable(server: Slapd, scope: Scope) -> None:
    text = "$ldap_dn|${lookup ldap{ldap:///o=base?sn?one?(cn=A B)}}|$ldap_dn"
    assert answer(scope, text) == "|Bee*(x)|cn=A B,o=base"


def test_passwords_are_tried_each_time(server: Slapd, scope: Scope) -> None:
    right = f"${{if ldapauth{{{ALICE} ldap:///}}{{yes}}{{no}}}}"
    assert answer(scope, f"${{lookup ldap{{{ALICE} ldap:///o=base?o}}}}") == "base"
    kept = sum(len(group) for group in servers.pools(scope)._idle.values())
    assert [answer(scope, right), answer(scope, right.replace("pw1", "pw2"))] == ["yes", "no"]
    assert sum(len(group) for group in servers.pools(scope)._idle.values()) == kept
    # an empty password would be an anonymous bind, which every server accepts
    assert answer(scope, right.replace("pw1", '""')) == "no"


def test_a_child_does_not_use_its_parents_connection(server: Slapd, scope: Scope) -> None:
    text = "${lookup ldap,cache=no_rd{ldap:///o=base?o}}"
    assert answer(scope, text) == "base"
    ((kept,),) = servers.pools(scope)._idle.values()
    child = os.fork()
    if child == 0:
        got = answer(scope, text)
        kept.connection.unbind_ext_s()  # what the parent's object would send goes nowhere
        servers.close_all(scope.services)
        os._exit(0 if got == "base" else 1)
    assert os.waitpid(child, 0)[1] == 0
    assert answer(scope, text) == "base"
    ((again,),) = servers.pools(scope)._idle.values()
    assert again.connection is kept.connection


def test_parts_of_a_query() -> None:
    query = parse_query('USER="cn=x, y" Pass="a\\"b c" size=3 time=4 nettime=5 ldaps://[::1]:7/o=a%20b?x,y?one?uid=z')
    assert (query.user, query.password, query.size, query.time, query.connect) == ("cn=x, y", 'a"b c', 3, 4, 5)
    url = query.url
    assert (url.scheme, url.host, url.port, url.dn) == ("ldaps", "::1", 7, "o=a b")
    assert (url.attributes, url.scope, url.filter) == (["x", "y"], 1, "(uid=z)")
    assert "b c" not in repr(query)
    assert decode_percent("%41%4g%") == "A%4g%"
