from __future__ import annotations

import datetime
import hashlib
from types import ModuleType

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.x509.oid import NameOID


def certificate(key: ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey) -> tuple[bytes, bytes]:
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "mx.example")])
    start = datetime.datetime(2026, 1, 1)
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(77)
        .not_valid_before(start)
        .not_valid_after(start + datetime.timedelta(days=30))
        .sign(key, hashes.SHA256())
    )
    spki = key.public_key().public_bytes(serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo)
    return made.public_bytes(serialization.Encoding.DER), spki


@pytest.fixture(scope="module", params=["ec", "rsa"])
def sample(request: pytest.FixtureRequest) -> tuple[bytes, bytes]:
    if request.param == "ec":
        return certificate(ec.generate_private_key(ec.SECP256R1()))
    return certificate(rsa.generate_private_key(65537, 2048))


def test_spki_is_found(dane: ModuleType, sample: tuple[bytes, bytes]) -> None:
    assert dane.spki(sample[0]) == sample[1]


def test_dane_04_every_selector_and_matching_type(dane: ModuleType, sample: tuple[bytes, bytes]) -> None:
    der, spki = sample
    for selector, subject in ((0, der), (1, spki)):
        for mtype, data in (
            (0, subject),
            (1, hashlib.sha256(subject).digest()),
            (2, hashlib.sha512(subject).digest()),
        ):
            assert dane.match(selector, mtype, data, der)
            assert not dane.match(selector, mtype, data[:-1], der)
            assert not dane.match(selector, mtype, b"\0" + data[1:], der)
            assert not dane.match(selector, mtype, b"", der)
            assert not dane.match(1 - selector, mtype, data, der)
    assert dane.match_spki(1, hashlib.sha256(spki).digest(), spki)
    assert not dane.match(2, 1, hashlib.sha256(der).digest(), der)
    assert not dane.match(0, 3, der, der)


def test_dane_13_record(dane: ModuleType, sample: tuple[bytes, bytes]) -> None:
    assert dane.record(3, 1, 1, sample[0]) == f"3 1 1 {hashlib.sha256(sample[1]).hexdigest()}"
    assert dane.record(3, 4, 1, sample[0]) is None


@pytest.mark.parametrize("bad", [b"", b"\x30", b"\x30\x80\0\0", b"\x30\x03\x02\x01", b"\x30\x02\x30\x00", b"\xff" * 50])
def test_malformed_certificates_match_nothing(dane: ModuleType, bad: bytes) -> None:
    assert dane.spki(bad) is None
    assert not dane.match(1, 0, b"", bad)
