"""``mtactl check dkim`` and ``check arc``: the first word is the result."""

from __future__ import annotations

import io
import json
from pathlib import Path

import pytest

from mta.ctl.main import main
from tests.emailauth.signing import MESSAGE, records
from tests.emailauth.test_arc import chain
from tests.emailauth.test_dkim_verify import edited, signature
from tests.peers.nsd import name_server

DATA = Path(__file__).parent.parent / "emailauth" / "data"


@pytest.fixture
def table(tmp_path: Path) -> str:
    path = tmp_path / "records.json"
    path.write_text(json.dumps({**records(), "slow._domainkey.test.ex": "SERVFAIL"}))
    return str(path)


def check(tmp_path: Path, kind: str, message: bytes, *words: str) -> str:
    file = tmp_path / "message.eml"
    file.write_bytes(message)
    out = io.StringIO()
    assert main(["check", kind, str(file), *words], out) == 0
    return out.getvalue()


def test_the_examples_of_the_rfcs() -> None:
    out = io.StringIO()
    keys = str(DATA / "rfc_keys.json")
    for name in ("rfc6376", "rfc8463"):
        assert main(["check", "dkim", str(DATA / f"{name}.eml"), "--txt", keys], out) == 0
    assert out.getvalue() == (
        "pass pass d=example.com s=brisbane a=rsa-sha256\n"
        "pass pass d=football.example.com s=brisbane a=ed25519-sha256; "
        "pass d=football.example.com s=test a=rsa-sha256\n"
    )


def test_the_first_word(tmp_path: Path, table: str) -> None:
    cases = {
        "none no signature\n": MESSAGE,
        "pass temperror d=test.ex s=slow a=rsa-sha256 (slow._domainkey.test.ex: SERVFAIL); "
        "pass d=test.ex s=rsa a=rsa-sha256\n": signature("slow") + signature() + MESSAGE,
        "fail fail d=test.ex s=rsa a=rsa-sha256 (the body is not the one that was signed)\n": edited(b".dot", b".dots"),
        "neutral neutral d=test.ex s=rsa a=rsa-sha256 (tag d= comes twice)\n": edited(b"d=test.ex", b"d=test.ex; d=x"),
        "temperror temperror d=test.ex s=slow a=rsa-sha256 (slow._domainkey.test.ex: SERVFAIL)\n": signature("slow")
        + MESSAGE,
        "permerror permerror d=test.ex s=gone a=rsa-sha256 (gone._domainkey.test.ex has no TXT record)\n": signature(
            "gone"
        )
        + MESSAGE,
        "policy policy d=test.ex s=rsa a=rsa-sha1 (rsa-sha1 is not accepted)\n": signature(
            signature_algorithm=b"rsa-sha1"
        )
        + MESSAGE,
    }
    for said, message in cases.items():
        assert check(tmp_path, "dkim", message, "--txt", table) == said


def test_json_and_the_clock(tmp_path: Path, table: str) -> None:
    found = json.loads(check(tmp_path, "dkim", signature() + MESSAGE, "--txt", table, "--json"))
    assert (found["result"], found["signatures"][0]["key_bits"]) == ("pass", 2048)
    expiring = (DATA / "rfc8463.eml").read_bytes().replace(b"t=1528637909", b"t=1528637909; x=1528637910")
    keys = str(DATA / "rfc_keys.json")
    late = check(tmp_path, "dkim", expiring, "--txt", keys, "--at", "2026-01-01")
    assert late.count("the signature was good until 1528637910") == 2
    assert "good until" not in check(tmp_path, "dkim", expiring, "--txt", keys, "--at", "1528637909")


def test_arc(tmp_path: Path, table: str) -> None:
    assert check(tmp_path, "arc", MESSAGE, "--txt", table) == "none no ARC set\n"
    assert check(tmp_path, "arc", chain(2), "--txt", table) == "pass 2 sets, by test.ex, test.ex; oldest pass 1\n"
    found = json.loads(check(tmp_path, "arc", chain(1).replace(b".dot", b".d"), "--txt", table, "--json"))
    assert (found["result"], found["instances"]) == ("fail", 1)
    assert found["why"].startswith("message signature i=1: the body has been changed")


def test_a_real_name_server(tmp_path: Path) -> None:
    text = records()["rsa._domainkey.test.ex"]
    pieces = " ".join(f'"{text[start : start + 200]}"' for start in range(0, len(text), 200))
    with name_server({"test.ex": f"rsa._domainkey IN TXT {pieces}\n"}, tmp_path / "dns") as (address, port):
        dns = ("--dns", f"{address}:{port}")
        assert check(tmp_path, "dkim", signature() + MESSAGE, *dns).startswith("pass ")
        assert check(tmp_path, "arc", chain(1), *dns).startswith("pass ")
        assert check(tmp_path, "dkim", signature("gone") + MESSAGE, *dns).startswith("permerror ")
