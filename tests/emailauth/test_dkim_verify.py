"""DKIM verification. Words and logs that Exim 4.96 has for the same messages are recorded in the tables."""

from __future__ import annotations

import base64
import json
import time
from pathlib import Path
from typing import Any

import dkim
import pytest

from mta.emailauth.asker import TableAsker
from mta.emailauth.dkim_report import clauses, failure_line, overall, verbose_line, word
from mta.emailauth.dkim_verify import MAX_SIGNATURES, Found, Policy, verify_message
from mta.emailauth.message_file import parse_message
from tests.emailauth.signing import BODY, DOMAIN, HEAD, MESSAGE, ed_key, pem, records

DATA = Path(__file__).parent / "data"
NOW = 1_795_400_000.0


def verify(message: bytes, policy: Policy | None = None, table: dict[str, Any] | None = None) -> Found:
    lines, body = parse_message(message)
    pieces = [body[start : start + 7] for start in range(0, len(body), 7)]
    return verify_message(lines, lambda: pieces, TableAsker(records() if table is None else table), NOW, policy)


def signature(selector: str = "rsa", kind: str = "rsa", message: bytes = MESSAGE, **how: Any) -> bytes:
    """dkimpy's DKIM-Signature line, CRLF."""
    how.setdefault("canonicalize", (b"relaxed", b"relaxed"))
    if kind == "ed":
        how["signature_algorithm"] = b"ed25519-sha256"
        key = base64.b64encode(ed_key().private_bytes_raw())
    else:
        key = pem(kind)
    made: bytes = dkim.DKIM(message, minkey=256).sign(selector.encode(), DOMAIN.encode(), key, **how)
    return made


@pytest.mark.parametrize("name", ["rfc6376", "rfc8463"])
def test_the_examples_of_the_rfcs_verify(name: str) -> None:
    found = verify((DATA / f"{name}.eml").read_bytes(), table=json.loads((DATA / "rfc_keys.json").read_bytes()))
    assert [(result.status, result.detail) for result in found.results] == [("pass", "")] * (2 if "8463" in name else 1)


@pytest.mark.parametrize("header", [b"simple", b"relaxed"])
@pytest.mark.parametrize("body", [b"simple", b"relaxed"])
@pytest.mark.parametrize("kind", ["rsa", "small", "ed"])
def test_dkimpys_signatures_verify(kind: str, header: bytes, body: bytes) -> None:
    found = verify(signature(kind, kind, canonicalize=(header, body), length=True) + MESSAGE)
    (result,) = found.results
    assert (result.status, result.key_bits) == ("pass", {"rsa": 2048, "small": 1024, "ed": 256}[kind])
    assert (result.canon_headers, result.canon_body) == (header.decode(), body.decode())


def test_line_ends_of_a_file_do_not_matter() -> None:
    message = (signature() + MESSAGE).replace(b"\r\n", b"\n")
    assert verify(message).results[0].status == "pass"


# selector -> Exim's $dkim_verify_status and _reason; where RFC 6376 asks for more than Exim does, ours
KEYS = {
    "bare": ("pass", ""),
    "testing": ("pass", ""),
    "revoked": ("invalid", "pubkey_der_syntax"),
    "badver": ("invalid", "pubkey_dns_syntax"),
    "junk": ("invalid", "pubkey_dns_syntax"),
    "badb64": ("invalid", "pubkey_dns_syntax"),
    "badder": ("invalid", "pubkey_der_syntax"),
    "other": ("invalid", "pubkey_dns_syntax"),
    "missing": ("invalid", "pubkey_unavailable"),
    "late-version": ("invalid", "pubkey_dns_syntax"),
    "nop": ("invalid", "pubkey_dns_syntax"),
    "nul": ("invalid", "pubkey_dns_syntax"),
    "huge": ("invalid", "pubkey_dns_syntax"),
    "dup": ("invalid", "pubkey_dns_syntax"),  # Exim takes the last; 3.2: the whole list is invalid
    "wrongk": ("invalid", "pubkey_der_syntax"),  # Exim passes it; 3.6.1: k= names the key's kind
    "sha1only": ("fail", "pubkey_restricted"),  # Exim: fail without a reason
}


@pytest.mark.parametrize("selector", KEYS)
def test_keys(selector: str) -> None:
    (result,) = verify(signature(selector) + MESSAGE).results
    assert (result.status, result.reason) == KEYS[selector]
    assert bool(result.detail) is (result.status != "pass")
    if result.status == "invalid":
        assert failure_line(result) == f"DKIM: d=test.ex s={selector} [failed key import]"


def test_what_a_record_says_of_its_key() -> None:
    (result,) = verify(signature("testing") + MESSAGE).results
    assert (result.key_testing, result.key_nosubdomains) == (True, True)
    assert (result.key_service, result.key_granularity, result.key_notes) == ("email", "abc", "some notes")


def test_a_key_not_for_subdomains_is_not_for_them() -> None:
    """RFC 6376 3.6.1, t=s; neither Exim nor dkimpy holds to it."""
    assert verify(signature("rsa", identity=b"joe@sub.test.ex") + MESSAGE).results[0].status == "pass"
    (result,) = verify(signature("testing", identity=b"joe@sub.test.ex") + MESSAGE).results
    assert (result.status, result.reason) == ("fail", "pubkey_restricted")


def edited(old: bytes, new: bytes) -> bytes:
    message = signature() + MESSAGE
    assert old in message
    return message.replace(old, new, 1)


# what is changed -> status, reason, Exim's words in the log
CHANGES: list[tuple[bytes, bytes, str, str, str]] = [
    (b".dot", b".dots", "fail", "bodyhash_mismatch", "body hash mismatch (body probably modified in transit)"),
    (b"Joe", b"Jim", "fail", "signature_incorrect", "signature did not verify (headers probably modified in transit)"),
    (b"v=1", b"v=2", "invalid", "", "unsupported DKIM version"),
    (b"v=1; ", b"", "invalid", "", "signature tag missing or invalid"),
    (b"d=test.ex;", b"", "invalid", "", "signature tag missing or invalid"),
    (b"d=test.ex", b"d=", "invalid", "", "signature tag missing or invalid"),
    (b"d=test.ex", b"d=a..b", "invalid", "", "signature tag missing or invalid"),
    (b"d=test.ex;", b"d=test.ex; d=test.ex;", "invalid", "", "signature tag missing or invalid"),
    (b"relaxed/relaxed", b"odd/relaxed", "invalid", "", "signature tag missing or invalid"),
    (b"dns/txt", b"http/x", "invalid", "", "signature tag missing or invalid"),
    (b"h=from", b"h=fr0m", "fail", "signature_incorrect", "signature did not verify (headers probably modified"),
    (b"v=1", b"v=1; l=99999", "fail", "bodyhash_mismatch", "body hash mismatch"),
    (b"v=1", b"v=1; l=x", "invalid", "", "signature tag missing or invalid"),
    (b"v=1", b"v=1; x=1000", "invalid", "", "signature tag missing or invalid"),  # before t=
    (b"v=1", b"v=1; zz=any", "fail", "signature_incorrect", "signature did not verify"),
    (b"v=1", b"v=1; nul=\0", "invalid", "", "signature tag missing or invalid"),
    (b" b=", b" b=!!", "invalid", "", "signature tag missing or invalid"),
    (b"i=@test.ex", b"i=@else.ex", "invalid", "", "signature tag missing or invalid"),
    (b"i=@test.ex", b"i=@nottest.ex", "invalid", "", "signature tag missing or invalid"),
]


@pytest.mark.parametrize(("old", "new", "status", "reason", "logged"), CHANGES)
def test_changes(old: bytes, new: bytes, status: str, reason: str, logged: str) -> None:
    (result,) = verify(edited(old, new)).results
    assert (result.status, result.reason) == (status, reason)
    assert logged in verbose_line(result)


def test_a_header_without_from_in_h_is_refused() -> None:
    (result,) = verify(signature(include_headers=[b"from", b"to"]).replace(b"from", b"date") + MESSAGE).results
    assert (result.status, result.detail) == ("invalid", "h= does not name From")


def test_a_second_from_spoils_an_oversigned_message() -> None:
    line = signature(include_headers=[b"from", b"from", b"to"])
    assert verify(line + MESSAGE).results[0].status == "pass"
    assert verify(line + b"From: evil@example.net\r\n" + MESSAGE).results[0].reason == "signature_incorrect"


def test_an_expired_signature_fails() -> None:
    lines, body = parse_message(signature() + MESSAGE)
    stamp = int(lines[0].partition(" t=")[2].partition(";")[0])
    assert stamp > 0
    from mta.emailauth.dkim_canon import hash_body
    from mta.emailauth.dkim_sign import Plan, sign
    from tests.emailauth.signing import key

    plan = Plan(DOMAIN, "rsa", key("rsa"), headers=["From"], lifetime=60)
    hashes = hash_body([body], [plan.body_form])
    for made, status in ((NOW - 61, "fail"), (NOW - 59, "pass"), (NOW + 9e6, "pass")):
        message = [sign(plan, lines[1:], hashes, made), *lines[1:]]
        (result,) = verify_message(message, lambda: [body], TableAsker(records()), NOW).results
        assert (result.status, result.reason) == (status, "signature_expired" if status == "fail" else "")


def test_a_partly_signed_body_says_so() -> None:
    (result,) = verify(signature(length=True) + MESSAGE + b"added\r\n").results
    assert (result.status, result.body_length) == ("pass", 30)


def test_minimum_sizes_of_keys() -> None:
    """RFC 8301 3.2."""
    message = signature("small", "small") + MESSAGE
    (result,) = verify(message, Policy(minimum_bits={"rsa": 1025})).results
    assert (result.status, result.reason, result.key_bits) == ("fail", "pubkey_too_short", 1024)
    assert clauses([result])[0].startswith("dkim=fail (public key too short: 1024 bits)")


def test_sha1_counts_as_no_signature_unless_the_options_want_it() -> None:
    """RFC 8301 3.1."""
    message = signature(signature_algorithm=b"rsa-sha1") + MESSAGE
    found = verify(message)
    assert found.results == []
    assert [result.algo for result in found.ignored] == ["rsa-sha1"]
    assert overall(found) == "policy"
    assert verify(message, Policy(hashes=("sha1",))).results[0].status == "pass"


def test_minimal_stops_after_the_first_that_passes() -> None:
    message = signature("missing") + signature() + signature("small", "small") + MESSAGE
    found = verify(message, Policy(minimal=True)).results
    assert [result.status for result in found] == ["invalid", "pass", "none"]
    assert verbose_line(found[2]).endswith("[not verified]")
    assert [result.status for result in verify(message).results] == ["invalid", "pass", "pass"]


def test_no_answer_is_temporary() -> None:
    (result,) = verify(signature() + MESSAGE, table={f"rsa._domainkey.{DOMAIN}": "SERVFAIL"}).results
    assert (result.status, result.reason, result.temporary) == ("invalid", "pubkey_unavailable", True)
    assert word(result) == "temperror"


def test_the_first_good_record_of_a_name_is_taken() -> None:
    good = records()[f"rsa._domainkey.{DOMAIN}"]
    table = {f"rsa._domainkey.{DOMAIN}": ["v=spf1 -all", good]}
    assert verify(signature() + MESSAGE, table=table).results[0].status == "pass"


def test_a_thousand_signatures_are_bounded() -> None:
    asked: list[str] = []

    class Counting(TableAsker):
        def query(self, name: str, rdtype: str, **how: Any) -> Any:
            asked.append(name)
            return super().query(name, rdtype, **how)

    lines, body = parse_message(signature() * 1000 + MESSAGE)
    started = time.monotonic()
    found = verify_message(lines, lambda: [body], Counting(records()), NOW)
    assert len(found.results) == MAX_SIGNATURES
    assert found.not_looked_at == 1000 - MAX_SIGNATURES
    assert len(asked) <= MAX_SIGNATURES
    assert time.monotonic() - started < 5


def test_a_header_of_a_megabyte_is_bounded() -> None:
    names = b":".join(b"x%d" % number for number in range(100_000))
    message = edited(b"h=from", b"h=" + names + b":from")
    assert verify(message).results[0].detail == "too long"
    wide = MESSAGE.replace(b"\r\n\r\n", b"\r\n" + b"From: x\r\n" * 100_000 + b"\r\n", 1)
    assert verify(signature() + wide).results[0].status == "fail"


@pytest.mark.parametrize("bits", [512, 16384, 32768])
def test_keys_of_odd_sizes(bits: int) -> None:
    """A public key needs no factors: an odd number does for the modulus."""
    from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicNumbers
    from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

    number = RSAPublicNumbers(65537, (1 << (bits - 1)) + 1)
    try:
        der = number.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    except ValueError:
        pytest.skip(f"the library makes no key of {bits} bits")
    table = {f"rsa._domainkey.{DOMAIN}": f"v=DKIM1; p={base64.b64encode(der).decode()}"}
    started = time.monotonic()
    (result,) = verify(signature() + MESSAGE, table=table).results
    assert result.status in ("fail", "invalid")
    assert time.monotonic() - started < 2


def test_the_log_line_is_exims() -> None:
    (result,) = verify(signature(identity=b"joe@sub.test.ex", length=True) + MESSAGE).results
    stamp = result.created
    assert verbose_line(result) == (
        "DKIM: d=test.ex s=rsa c=relaxed/relaxed a=rsa-sha256 b=2048 i=joe@sub.test.ex "
        f"t={stamp} l=30 [verification succeeded]"
    )
    assert clauses([result]) == ["dkim=pass header.d=test.ex header.i=joe@sub.test.ex header.s=rsa header.a=rsa-sha256"]


def test_nothing_of_a_signature_breaks_the_log() -> None:
    (result,) = verify(edited(b"s=rsa", b"s=r\xff)(\x0b\r\n\tx")).results
    assert result.status == "invalid"
    for text in (verbose_line(result), failure_line(result), *clauses([result])):
        assert text.replace("\n\t\t", "").isprintable()


def test_an_empty_body() -> None:
    assert verify(signature(message=HEAD + b"\r\n") + HEAD + b"\r\n").results[0].status == "pass"
    assert verify(signature(message=HEAD + b"\r\n") + HEAD + b"\r\n" + BODY).results[0].reason == "bodyhash_mismatch"
