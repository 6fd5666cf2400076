"""The smtp transport's dkim_ options and arc_sign: what arrives at the next host, what is logged when it cannot."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import dkim
import pytest

from mta.mail.host import Host
from mta.mail.outcome import Status
from mta.scope.scope import Scope
from tests.emailauth.signing import pem
from tests.emailauth.test_dkim_sign import ask
from tests.fakes.smtp_server import Script, ScriptedServer
from tests.transport.building import make_batch, make_transport

DOMAIN = {"dkim_domain": "Test.EX", "dkim_selector": "rsa"}


@pytest.fixture
def log(scope: Scope) -> list[str]:
    lines: list[str] = []
    scope.services.log_main = lines.append
    scope.services.log_panic = lines.append
    return lines


@pytest.fixture
def keys(tmp_path: Path) -> Path:
    for kind in ("rsa", "ed"):
        (tmp_path / f"{kind}.pem").write_bytes(pem(kind))
    return tmp_path


def send(
    scope: Scope, script: Script | None = None, body: bytes = b"Hello  x\n.dot\n\n", **options: str
) -> tuple[Any, bytes]:
    """The outcome, and the message that the server got."""
    with ScriptedServer(script or Script()) as server:
        transport = make_transport("smtp", port=str(server.port), command_timeout="2s", **options)
        batch = make_batch("b@r.ex", body=body, hosts=[Host("127.0.0.1", "127.0.0.1")])
        (outcome,) = transport.driver.deliver(transport, batch, scope)
        data = server.messages[0].data if server.messages else b""
    return outcome, data.replace(b"\r\n..", b"\r\n.")


@pytest.mark.parametrize("script", [Script(), Script(extensions=("PIPELINING", "CHUNKING", "SIZE"))])
@pytest.mark.parametrize(
    "options", [{}, {"dkim_canon": "simple"}, {"dkim_timestamps": "1000", "dkim_identity": "@test.ex"}]
)
def test_signed_on_the_way_out(scope: Scope, keys: Path, script: Script, options: dict[str, str]) -> None:
    outcome, data = send(scope, script, dkim_private_key=str(keys / "rsa.pem"), **DOMAIN, **options)
    assert outcome.status is Status.DELIVERED
    assert data.startswith(b"DKIM-Signature: v=1; a=rsa-sha256; q=dns/txt; c=")
    assert data.count(b"DKIM-Signature") == 1
    assert dkim.verify(data, dnsfunc=ask)
    assert not dkim.verify(data.replace(b"Hello", b"Hullo"), dnsfunc=ask)


@pytest.mark.parametrize(
    "body", [b"", b"\n\n\n", b"no end", b"cr \r in \r\n it\n", b"nul \0 in it\n", b"x" * 200_000 + b"\n"]
)
def test_what_is_signed_is_what_is_sent(scope: Scope, keys: Path, body: bytes) -> None:
    _, data = send(scope, body=body, dkim_private_key=str(keys / "rsa.pem"), dkim_canon="simple", **DOMAIN)
    assert dkim.verify(data, dnsfunc=ask)


def test_several_domains_and_selectors(scope: Scope, keys: Path) -> None:
    _, data = send(
        scope,
        dkim_domain="test.ex : second.ex : TEST.ex",
        dkim_selector="rsa : ed",
        dkim_private_key=f"{keys}/$dkim_selector.pem",
    )
    lines = [part for part in data.replace(b"\r\n\t", b" ").split(b"\r\n") if part.startswith(b"DKIM-Signature")]
    found = [
        (line.partition(b" a=")[2].partition(b";")[0], line.partition(b" d=")[2].partition(b" ")[0]) for line in lines
    ]
    assert [(kind, name.rstrip(b";")) for kind, name in found] == [
        (b"rsa-sha256", b"test.ex"),
        (b"ed25519-sha256", b"test.ex"),
        (b"rsa-sha256", b"second.ex"),
        (b"ed25519-sha256", b"second.ex"),
    ]
    assert dkim.DKIM(data).verify(idx=0, dnsfunc=ask)
    assert dkim.DKIM(data).verify(idx=1, dnsfunc=ask)


def test_a_key_as_text_and_the_headers_to_sign(scope: Scope, keys: Path) -> None:
    _, data = send(
        scope,
        dkim_private_key=f"${{readfile{{{keys}/rsa.pem}}}}",
        dkim_sign_headers="+From:X-None:=To",
        dkim_hash="sha512",
        **DOMAIN,
    )
    assert b" a=rsa-sha512;" in data
    assert b" h=To:From:From:X-None;" in data.replace(b"\r\n\t", b" ")


def test_the_headers_are_those_of_the_transport(scope: Scope, keys: Path) -> None:
    _, data = send(
        scope,
        dkim_private_key=str(keys / "rsa.pem"),
        headers_add="X-Add: 1",
        headers_remove="Subject",
        dkim_sign_headers="X-Add:Subject:From",
        **DOMAIN,
    )
    assert b" h=X-Add:From:Subject;" in data.replace(b"\r\n\t", b" ")
    assert dkim.verify(data, dnsfunc=ask)


def test_a_filters_output_is_what_is_signed(scope: Scope, keys: Path) -> None:
    _, data = send(scope, dkim_private_key=str(keys / "rsa.pem"), transport_filter="/bin/sed s/Hello/Bye/", **DOMAIN)
    assert b"Bye  x\r\n" in data
    assert dkim.verify(data, dnsfunc=ask)


@pytest.mark.parametrize(
    "options",
    [
        {"dkim_private_key": ""},
        {"dkim_private_key": "0"},
        {"dkim_private_key": "false"},
        {"dkim_domain": ""},
        {"dkim_selector": ""},
        {"dkim_domain": "${if eq{a}{b}{c}fail}"},
    ],
)
def test_no_signature_is_wanted(scope: Scope, log: list[str], options: dict[str, str]) -> None:
    """No error, even with dkim_strict."""
    outcome, data = send(scope, dkim_strict="true", **{**DOMAIN, "dkim_private_key": "/none", **options})
    assert outcome.status is Status.DELIVERED
    assert b"DKIM-Signature" not in data
    assert log == []


STRICT = "DKIM: message could not be signed, and dkim_strict is set. Deferring message delivery."


@pytest.mark.parametrize(
    ("options", "logged"),
    [
        ({"dkim_private_key": "/none/key"}, "unable to open file for reading: /none/key: No such file or directory"),
        ({"dkim_private_key": "nonsense"}, "DKIM: signing failed: not a private key in PEM form"),
        ({"dkim_hash": "md4"}, "DKIM: unrecognised hashname 'md4'"),
        ({"dkim_timestamps": "soon"}, "DKIM: dkim_timestamps is no number: soon"),
        ({"dkim_identity": "a;b"}, "DKIM: dkim_identity holds what a tag cannot: a;b"),
        (
            {"dkim_selector": "${lookup{x}lsearch{/nonexistent}}"},
            "failed to expand dkim_selector: failed to open /nonexistent for linear search: No such file or directory",
        ),
    ],
)
def test_a_signature_that_cannot_be_made(
    scope: Scope, log: list[str], keys: Path, options: dict[str, str], logged: str
) -> None:
    given = {**DOMAIN, "dkim_private_key": str(keys / "rsa.pem"), **options}
    outcome, data = send(scope, **given)
    assert (outcome.status, b"DKIM-Signature" in data, log) == (Status.DELIVERED, False, [logged])
    log.clear()
    outcome, data = send(scope, dkim_strict="${if eq{$dkim_domain}{test.ex}{1}{0}}", **given)
    assert (outcome.status, data, log) == (Status.DEFERRED, b"", [logged, STRICT])
    assert outcome.errno == 13


def test_an_unknown_canonicalisation_is_relaxed(scope: Scope, log: list[str], keys: Path) -> None:
    _, data = send(scope, dkim_private_key=str(keys / "rsa.pem"), dkim_canon="odd", **DOMAIN)
    assert b"c=relaxed/relaxed" in data
    assert log == ["DKIM: unknown canonicalization method 'odd', defaulting to 'relaxed'."]


def test_a_key_file_that_a_peer_names_is_refused(scope: Scope, log: list[str], keys: Path) -> None:
    _, data = send(scope, dkim_domain="$h_subject:", dkim_selector="rsa", dkim_private_key=f"{keys}/$dkim_domain.pem")
    assert b"DKIM-Signature" not in data
    assert log == [f"Tainted filename '{keys}/hi.pem'", f"unable to open file for reading: {keys}/hi.pem"]
    _, data = send(scope, dkim_domain="$h_subject:", dkim_selector="rsa", dkim_private_key=f"{keys}/$dkim_selector.pem")
    assert b" d=hi;" in data


def test_an_arc_set_above_the_signature(scope: Scope, log: list[str], keys: Path) -> None:
    _, data = send(
        scope,
        dkim_private_key=str(keys / "rsa.pem"),
        arc_sign=f"test.ex : rsa : {keys}/rsa.pem : timestamps,expire",
        headers_add="Authentication-Results: test.ex; spf=pass",
        **DOMAIN,
    )
    names = [line.partition(b":")[0] for line in data.split(b"\r\n") if line[:1] not in (b" ", b"\t")][:4]
    assert names == [b"ARC-Seal", b"ARC-Message-Signature", b"ARC-Authentication-Results", b"DKIM-Signature"]
    assert dkim.ARC(data).verify(dnsfunc=ask)[0] == b"pass"
    assert dkim.verify(data, dnsfunc=ask)
    assert log == []


def test_a_message_without_results_is_not_sealed(scope: Scope, log: list[str], keys: Path) -> None:
    outcome, data = send(scope, arc_sign=f"test.ex : rsa : {keys}/rsa.pem")
    assert (outcome.status, b"ARC-" in data) == (Status.DELIVERED, False)
    assert log == ["ARC: no Authentication-Results line of test.ex to seal"]
