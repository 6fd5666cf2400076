"""Certification paths by hand: who signed what, and what RFC 5280 asks of a path from a leaf up.

For DANE, whose anchors OpenSSL cannot be told. Works on parsed certificates; ``parse`` gives None for what is none.
Answers are texts: "" for fine, else the reason. Nothing here raises for what a certificate is like.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from cryptography import x509
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric import ec, ed448, ed25519, rsa
from cryptography.hazmat.primitives.serialization import load_der_public_key
from cryptography.x509.oid import ExtendedKeyUsageOID

from mta.text.ascii import lower

# What cryptography raises for certificates that are not as they should be.
FAULTS = (
    ValueError,
    TypeError,
    InvalidSignature,
    UnsupportedAlgorithm,
    x509.InvalidVersion,
    x509.DuplicateExtension,
    x509.UnsupportedGeneralNameType,
)
# Hashes that let somebody else's certificate be forged (manual section 43.18: "no MD5 and no SHA-1").
WEAK_HASHES = frozenset({"md5", "sha1"})


def parse(der: bytes) -> x509.Certificate | None:
    """A certificate, or None for bytes that are none."""
    try:
        return x509.load_der_x509_certificate(der)
    except FAULTS:
        return None


def parse_key(der: bytes) -> Any:
    """The public key of a SubjectPublicKeyInfo, or None."""
    try:
        return load_der_public_key(der)
    except FAULTS:
        return None


def verify_signature(key: Any, signature: bytes, signed: bytes, parameters: Any, algorithm: Any) -> bool:
    """Whether ``signature`` over ``signed`` was made with the key; no for weak hashes and unknown keys.

    ``parameters`` is cryptography's ``signature_algorithm_parameters``, ``algorithm`` the hash, where there is one.
    """
    if algorithm is not None and algorithm.name in WEAK_HASHES:
        return False
    try:
        if isinstance(key, rsa.RSAPublicKey):
            key.verify(signature, signed, parameters, algorithm)
        elif isinstance(key, ec.EllipticCurvePublicKey):
            key.verify(signature, signed, parameters if parameters is not None else ec.ECDSA(algorithm))
        elif isinstance(key, ed25519.Ed25519PublicKey | ed448.Ed448PublicKey):
            key.verify(signature, signed)
        else:
            return False
    except (*FAULTS, AttributeError):
        return False
    return True


def signed_by_key(certificate: x509.Certificate, key: Any) -> bool:
    """Whether the certificate's signature was made with this public key."""
    try:
        return verify_signature(
            key,
            certificate.signature,
            certificate.tbs_certificate_bytes,
            certificate.signature_algorithm_parameters,
            certificate.signature_hash_algorithm,
        )
    except FAULTS:
        return False


def issued_by(certificate: x509.Certificate, issuer: x509.Certificate) -> bool:
    """Whether ``issuer`` has the name that the certificate gives, and made its signature."""
    try:
        return certificate.issuer == issuer.subject and signed_by_key(certificate, issuer.public_key())
    except FAULTS:
        return False


def self_issued(certificate: x509.Certificate) -> bool:
    """Whether subject and issuer are one name."""
    try:
        return certificate.subject == certificate.issuer
    except FAULTS:
        return False


def check_path(path: Sequence[x509.Certificate], at: datetime) -> str:
    """What is wrong with a path, leaf first, whose signatures hold: dates, uses, lengths, names (RFC 5280 6.1)."""
    try:
        for depth, certificate in enumerate(path):
            fault = _dates(certificate, at) or _uses(certificate, depth, top=depth + 1 == len(path))
            fault = fault or _length(path, depth) or _constraints(certificate, path[:depth])
            if fault:
                return f"certificate at depth {depth} {fault}"
    except FAULTS as error:
        return f"malformed certificate: {str(error)[:100]}"
    return ""


def _dates(certificate: x509.Certificate, at: datetime) -> str:
    if at < certificate.not_valid_before_utc:
        return f"is not valid before {certificate.not_valid_before_utc:%Y-%m-%d %H:%M:%S} UTC"
    if at > certificate.not_valid_after_utc:
        return f"has expired on {certificate.not_valid_after_utc:%Y-%m-%d %H:%M:%S} UTC"
    return ""


def extension(certificate: x509.Certificate, kind: type[Any]) -> Any:
    """The value of one extension, or None."""
    try:
        return certificate.extensions.get_extension_for_class(kind).value
    except x509.ExtensionNotFound:
        return None


def _uses(certificate: x509.Certificate, depth: int, *, top: bool) -> str:
    if any(e.critical and isinstance(e.value, x509.UnrecognizedExtension) for e in certificate.extensions):
        return "has a critical extension that is not known"
    purposes = extension(certificate, x509.ExtendedKeyUsage)
    if purposes is not None and not {
        ExtendedKeyUsageOID.SERVER_AUTH,
        ExtendedKeyUsageOID.ANY_EXTENDED_KEY_USAGE,
    }.intersection(purposes):
        return "is not for servers"
    if depth == 0:
        return ""
    basic, usage = extension(certificate, x509.BasicConstraints), extension(certificate, x509.KeyUsage)
    if usage is not None and not usage.key_cert_sign:
        return "may not sign certificates"
    if basic is not None:
        return "" if basic.ca else "is not a CA"
    # Old roots of version 1, and those that say it by key usage alone, may stand at the top only.
    old_root = certificate.version is x509.Version.v1 and self_issued(certificate)
    return "" if top and (old_root or usage is not None) else "is not a CA"


def _length(path: Sequence[x509.Certificate], depth: int) -> str:
    """pathLenConstraint: intermediates below this one, those issued to oneself not counted (RFC 5280 4.2.1.9)."""
    basic = extension(path[depth], x509.BasicConstraints) if depth else None
    if basic is None or basic.path_length is None:
        return ""
    below = sum(not self_issued(certificate) for certificate in path[1:depth])
    return "allows no path so long" if below > basic.path_length else ""


def _constraints(issuer: x509.Certificate, below: Sequence[x509.Certificate]) -> str:
    """nameConstraints for host names, which are the names that count here (RFC 5280 4.2.1.10)."""
    limits = extension(issuer, x509.NameConstraints)
    if limits is None:
        return ""
    permitted = [name.value for name in limits.permitted_subtrees or () if isinstance(name, x509.DNSName)]
    excluded = [name.value for name in limits.excluded_subtrees or () if isinstance(name, x509.DNSName)]
    for certificate in below:
        for name in dns_names(certificate):
            if permitted and not any(_within(name, limit) for limit in permitted):
                return f"does not permit the name {name}"
            if any(_within(name, limit) for limit in excluded):
                return f"excludes the name {name}"
    return ""


def dns_names(certificate: x509.Certificate) -> list[str]:
    """The host names of a certificate: subjectAltName, or the common name where that has none."""
    alternatives = extension(certificate, x509.SubjectAlternativeName)
    names = alternatives.get_values_for_type(x509.DNSName) if alternatives is not None else []
    if names:
        return list(names)
    common = certificate.subject.get_attributes_for_oid(x509.NameOID.COMMON_NAME)
    return [value for value in (str(attribute.value) for attribute in common) if "." in value and " " not in value]


def _within(name: str, limit: str) -> bool:
    name, limit = lower(name), lower(limit).lstrip(".")
    return not limit or name == limit or name.endswith(f".{limit}")
