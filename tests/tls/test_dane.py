"""verify_chain: records of every kind against chains of every kind (statements DANE-04, DANE-05; RFC 7671, 7672)."""

from __future__ import annotations

import time
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ed25519, rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from cryptography.x509.oid import ExtendedKeyUsageOID

from mta.net.records import Tlsa
from mta.tls.dane import parse_record, usable, usages, verify_chain
from tests.tls.entities import Entity, make

NOW = time.time()


ROOT = make("Root", ca=True)
MIDDLE = make("Middle", ROOT, ca=True)
LEAF = make("mx.example", MIDDLE, names=["mx.example", "*.wild.example"])
FULL = [LEAF.der, MIDDLE.der, ROOT.der]
OTHER = make("Other", ca=True)


def verdict(records: list[Tlsa], chain: list[bytes], *names: str, at: float = NOW) -> str:
    return str(verify_chain(records, chain, names or ("mx.example",), at))


@pytest.mark.parametrize("selector", [0, 1])
@pytest.mark.parametrize("matching", [0, 1, 2])
@pytest.mark.parametrize(("usage", "who", "depth"), [(3, LEAF, 0), (2, MIDDLE, 1), (2, ROOT, 2)])
def test_DANE_04_all_selectors_and_matching_types(
    usage: int, who: Entity, depth: int, selector: int, matching: int
) -> None:
    record = who.record(usage, selector, matching)
    assert verdict([record], FULL) == f"verified depth {depth} by {usage} {selector} {matching}"
    spoilt = record._replace(data=record.data[:-1] + bytes([record.data[-1] ^ 1]))
    if (usage, selector, matching) != (2, 0, 0):  # whose signature of itself proves nothing
        assert verdict([spoilt], FULL).startswith("no ")


@pytest.mark.parametrize(
    ("record", "chain", "expected"),
    [
        # the anchor is in the record alone
        (ROOT.record(2, 0, 0), [LEAF.der, MIDDLE.der], "verified depth 2 by 2 0 0"),
        (MIDDLE.record(2, 0, 0), [LEAF.der], "verified depth 1 by 2 0 0"),
        # a bare key: the depth is that of what it signed
        (ROOT.record(2, 1, 0), [LEAF.der, MIDDLE.der], "verified depth 1 by 2 1 0"),
        (MIDDLE.record(2, 1, 0), [LEAF.der], "verified depth 0 by 2 1 0"),
        (OTHER.record(2, 0, 0), [LEAF.der, MIDDLE.der], "no TLSA record matches"),
        (OTHER.record(2, 1, 0), [LEAF.der, MIDDLE.der], "no TLSA record matches"),
        # a digest says nothing of a certificate that was not sent
        (ROOT.record(2, 0, 1), [LEAF.der, MIDDLE.der], "no TLSA record matches"),
        (MIDDLE.record(2, 1, 1), [LEAF.der], "no TLSA record matches"),
        # the order of the chain, doubles and strangers in it do not matter
        (ROOT.record(2, 1, 1), [LEAF.der, ROOT.der, OTHER.der, MIDDLE.der, MIDDLE.der], "verified depth 2 by 2 1 1"),
        # sent, but not above the leaf
        (OTHER.record(2, 0, 1), [*FULL, OTHER.der], "no TLSA record matches"),
        # the leaf is nobody's authority, and an authority is not the server
        (LEAF.record(2, 1, 1), FULL, "no TLSA record matches"),
        (MIDDLE.record(3, 1, 1), FULL, "no TLSA record matches"),
        (LEAF.record(3, 1, 1), [], "the server has no certificate"),
    ],
)
def test_DANE_04_where_the_anchor_is(record: Tlsa, chain: list[bytes], expected: str) -> None:
    assert verdict([record], chain) == expected


def test_DANE_04_unusable_records_are_skipped() -> None:
    good = LEAF.record(3, 1, 1)
    bad = [
        good._replace(usage=0),
        good._replace(usage=1),
        good._replace(usage=255),
        good._replace(selector=2),
        good._replace(matching=3),
        good._replace(data=good.data[:-1]),
        LEAF.record(3, 1, 2)._replace(data=b""),
        Tlsa(2, 0, 0, b"not a certificate"),
        Tlsa(2, 1, 0, b"not a key"),
        Tlsa(3, 0, 0, b""),
    ]
    assert usable(bad) == []
    assert verdict(bad, FULL) == "no usable TLSA records"
    assert verdict([*bad, good], FULL) == "verified depth 0 by 3 1 1"
    assert usages(usable([*bad, good, ROOT.record(2, 1, 1)])) == 12


def test_digest_agility() -> None:
    weak, strong = LEAF.record(3, 1, 1), OTHER.record(3, 1, 2)
    assert verdict([weak, strong], FULL) == "no TLSA record matches"
    assert verdict([weak, strong._replace(data=b"short")], FULL) == "verified depth 0 by 3 1 1"
    assert verdict([weak, OTHER.record(3, 0, 2)], FULL) == "verified depth 0 by 3 1 1"
    assert verdict([weak, OTHER.record(2, 1, 2)], FULL) == "verified depth 0 by 3 1 1"
    assert verdict([LEAF.record(3, 1, 0), strong], FULL) == "verified depth 0 by 3 1 0"


def test_DANE_05_names_and_dates_count_for_usage_2_only() -> None:
    old = make("mx.example", MIDDLE, names=["mx.example"], days=(-3, -2))
    chain = [old.der, MIDDLE.der]
    assert verdict([old.record(3, 1, 1)], chain, "other.example") == "verified depth 0 by 3 1 1"
    assert verdict([MIDDLE.record(2, 1, 1)], chain).startswith("certificate at depth 0 has expired on ")
    assert verify_chain([MIDDLE.record(2, 1, 1)], chain, ["mx.example"], NOW).result == "certificate-expired"
    assert verdict([MIDDLE.record(2, 1, 1)], chain, at=NOW - 2.5 * 86400).startswith("certificate at depth 1 is not")
    anchor = [MIDDLE.record(2, 1, 1)]
    assert verdict(anchor, FULL, "other.example") == "certificate is not for other.example"
    assert verify_chain(anchor, FULL, ["other.example"], NOW).result == "certificate-host-mismatch"
    assert verdict(anchor, FULL, "other.example", "mx.example") == "verified depth 1 by 2 1 1"
    assert verdict(anchor, FULL, "a.wild.example") == "verified depth 1 by 2 1 1"
    assert verdict(anchor, FULL, "a.b.wild.example").startswith("certificate is not for")
    assert str(verify_chain(anchor, FULL, [], NOW)).startswith("certificate is not for any name")


def usage_without_signing(builder: x509.CertificateBuilder) -> x509.CertificateBuilder:
    return builder.add_extension(x509.KeyUsage(True, *[False] * 8), True)


def for_mail_only(builder: x509.CertificateBuilder) -> x509.CertificateBuilder:
    return builder.add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.EMAIL_PROTECTION]), False)


def unknown_critical(builder: x509.CertificateBuilder) -> x509.CertificateBuilder:
    return builder.add_extension(x509.UnrecognizedExtension(x509.ObjectIdentifier("1.2.3.4"), b"\x05\x00"), True)


def constrained(builder: x509.CertificateBuilder) -> x509.CertificateBuilder:
    return builder.add_extension(x509.NameConstraints([x509.DNSName("other.example")], None), True)


def excluding(builder: x509.CertificateBuilder) -> x509.CertificateBuilder:
    return builder.add_extension(x509.NameConstraints(None, [x509.DNSName("example")]), True)


@pytest.mark.parametrize(
    ("middle", "leaf", "expected"),
    [
        ({"ca": False}, {}, "certificate at depth 1 is not a CA"),
        ({"ca": None}, {}, "certificate at depth 1 is not a CA"),
        ({"extend": usage_without_signing}, {}, "certificate at depth 1 may not sign certificates"),
        ({"days": (-3, -2)}, {}, "certificate at depth 1 has expired"),
        ({"days": (1, 2)}, {}, "certificate at depth 1 is not valid before"),
        ({"extend": constrained}, {}, "certificate at depth 1 does not permit the name mx.example"),
        ({"extend": excluding}, {}, "certificate at depth 1 excludes the name mx.example"),
        ({"extend": unknown_critical}, {}, "certificate at depth 1 has a critical extension"),
        ({}, {"extend": for_mail_only}, "certificate at depth 0 is not for servers"),
        ({}, {"extend": unknown_critical}, "certificate at depth 0 has a critical extension"),
        ({"path_length": 0}, {}, "verified depth 2 by 2 1 1"),
    ],
)
def test_paths_that_do_not_hold(middle: dict[str, Any], leaf: dict[str, Any], expected: str) -> None:
    between = make("Between", ROOT, **{"ca": True, **middle})
    end = make("mx.example", between, names=["mx.example"], **leaf)
    assert verdict([ROOT.record(2, 1, 1)], [end.der, between.der, ROOT.der]).startswith(expected)


def test_path_length() -> None:
    short = make("Short", ca=True, path_length=0)
    middle = make("M", short, ca=True)
    leaf = make("mx.example", middle, names=["mx.example"])
    found = verdict([short.record(2, 1, 1)], [leaf.der, middle.der, short.der])
    assert found == "certificate at depth 2 allows no path so long"


def test_signatures_are_checked_and_another_path_is_found() -> None:
    forged = make("Middle", OTHER, ca=True)  # the name of LEAF's issuer, another key
    assert verdict([OTHER.record(2, 1, 1)], [LEAF.der, forged.der, OTHER.der]) == "no TLSA record matches"
    chain = [LEAF.der, forged.der, MIDDLE.der, ROOT.der]
    assert verdict([ROOT.record(2, 1, 1)], chain) == "verified depth 2 by 2 1 1"
    stale = make("Middle", ROOT, ca=True, key=MIDDLE.key, days=(-3, -2))  # an old certificate of the same authority
    assert verdict([ROOT.record(2, 1, 1)], [LEAF.der, stale.der, *FULL[1:]]) == "verified depth 2 by 2 1 1"


@pytest.mark.parametrize(
    "key", [rsa.generate_private_key(65537, 2048), ed25519.Ed25519PrivateKey.generate()], ids=["rsa", "ed25519"]
)
def test_kinds_of_keys(key: Any) -> None:
    root = make("R", ca=True, key=key)
    leaf = make("mx.example", root, names=["mx.example"])
    for selector in (0, 1):
        assert verdict([root.record(2, selector, 0)], [leaf.der]).startswith("verified depth")


def test_self_signed_leaf() -> None:
    alone = make("mx.example", names=["mx.example"], ca=None)
    assert verdict([alone.record(3, 1, 1)], [alone.der], "x.example") == "verified depth 0 by 3 1 1"
    assert verdict([alone.record(2, 1, 1)], [alone.der]) == "no TLSA record matches"
    assert verdict([alone.record(2, 1, 0)], [alone.der]) == "verified depth 0 by 2 1 0"


def test_work_is_bounded() -> None:
    authorities = [make("Same", ca=True) for _ in range(12)]
    crossed = [make("Same", other, ca=True, key=one.key) for one in authorities[:6] for other in authorities[:6]]
    leaf = make("mx.example", authorities[0], names=["mx.example"])
    started = time.process_time()
    chain = [leaf.der, *(entity.der for entity in crossed * 3)]
    assert verdict([OTHER.record(2, 1, 1)], chain) == "no TLSA record matches"
    assert time.process_time() - started < 1.0


@pytest.mark.parametrize("junk", [b"", b"0", b"\x30\x03\x02\x01\x01", b"\x00" * 100])
def test_certificates_that_are_none(junk: bytes) -> None:
    assert verdict([ROOT.record(2, 1, 1)], [junk, ROOT.der]) == "malformed certificate"
    assert verdict([ROOT.record(2, 1, 1)], [LEAF.der, junk, MIDDLE.der, ROOT.der]) == "verified depth 2 by 2 1 1"
    assert verdict([LEAF.record(3, 1, 1)], [junk]) == "no TLSA record matches"


def test_record_matches_a_key_by_its_der() -> None:
    der = LEAF.key.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    assert LEAF.record(3, 1, 0).data == der


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("3 1 1 AB cd", Tlsa(3, 1, 1, b"\xab\xcd")),
        ("  2 0 0  00", Tlsa(2, 0, 0, b"\0")),
        ("3 1 1", None),
        ("3 1 1 0", None),
        ("3 1 1 xx", None),
        ("256 1 1 00", None),
        ("-1 1 1 00", None),
        ("", None),
    ],
)
def test_presentation_form(text: str, expected: Tlsa | None) -> None:
    assert parse_record(text) == expected
