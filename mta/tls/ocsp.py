"""OCSP responses (RFC 6960) as TLS carries them: what is wrong with one, if anything. Pure: no network, no clock.

``examine`` is for clients, ``servable`` for what a server may staple, ``refresh_at`` for who fetches. Reasons are
texts; a response that cannot be read has one too. cryptography parses but has no verification of its own.
"""

from __future__ import annotations

import base64
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import padding, rsa
from cryptography.x509 import ocsp
from cryptography.x509.oid import ExtendedKeyUsageOID

from mta.tls.paths import FAULTS, extension, issued_by, verify_signature

# $tls_in_ocsp, $tls_out_ocsp
NOT_REQUESTED, NO_RESPONSE, NOT_VERIFIED, FAILED, VERIFIED = range(5)
SKEW = timedelta(seconds=300)
MAX_BYTES = 1 << 20
PEM_LABEL = b"OCSP RESPONSE"
# The sentences of Exim's log (its own spelling).
DATES, UNKNOWN = "Server OSCP dates invalid", "Server certificate status unknown, in OCSP stapling"
MULTIPLE = "OCSP stapling with multiple responses not handled"
REVOKED = "Server certificate revoked; reason: "


@dataclass(frozen=True, slots=True)
class Proof:
    """A response that was read. ``single``: the part for the certificate asked about; ``signer``: a delegated one."""

    response: ocsp.OCSPResponse
    single: Any
    signer: x509.Certificate | None = None

    @property
    def next_update(self) -> datetime | None:
        found: datetime | None = self.single.next_update_utc
        return found

    def expires(self) -> datetime | None:
        """When it is good for nothing more: at nextUpdate, or when its signer's certificate expires."""
        ends = [self.next_update] if self.next_update is not None else []
        ends += [c.not_valid_after_utc for c in self.response.certificates]
        return min(ends) if ends else None


def read(data: bytes) -> ocsp.OCSPResponse | str:
    """A DER response of status "successful", or why not."""
    try:
        response = ocsp.load_der_ocsp_response(data)
        if response.response_status is not ocsp.OCSPResponseStatus.SUCCESSFUL:
            return f"response status is {response.response_status.name.lower()}"
        next(iter(response.responses))
    except StopIteration:
        return "response without an answer"
    except (*FAULTS, OverflowError) as error:
        return f"not an OCSP response: {str(error)[:100]}"
    return response


def from_file(data: bytes, *, pem: bool) -> bytes:
    """The DER of a file's content; b"" when there is none."""
    if not pem:
        return data
    begin, end = b"-----BEGIN " + PEM_LABEL + b"-----", b"-----END " + PEM_LABEL + b"-----"
    _, found, rest = data.partition(begin)
    text, closed, _ = rest.partition(end)
    try:
        return base64.b64decode(b"".join(text.split()), validate=True) if found and closed else b""
    except ValueError:
        return b""


def examine(data: bytes, leaf: x509.Certificate, issuer: x509.Certificate, at: float) -> Proof | str:
    """A response, read and verified whole, for a certificate and its issuer; or why it does not do."""
    response = read(data)
    if isinstance(response, str):
        return response
    try:
        answers = list(response.responses)
        if len(answers) != 1:
            return MULTIPLE
        return _judge(response, answers[0], leaf, issuer, datetime.fromtimestamp(at, UTC))
    except (*FAULTS, OverflowError) as error:
        return f"malformed OCSP response: {str(error)[:100]}"


def servable(data: bytes, leaf: x509.Certificate, issuer: x509.Certificate | None, at: float) -> str:
    """Why a response is not to be stapled for a certificate; "" when it may be.

    Several answers in one response are allowed here: one of them must be the leaf's. Without the issuer the
    signature is left to the client.
    """
    response = read(data)
    if isinstance(response, str):
        return response
    try:
        now = datetime.fromtimestamp(at, UTC)
        mine = [single for single in response.responses if single.serial_number == leaf.serial_number]
        if not mine:
            return "the response is for another certificate"
        if mine[0].next_update_utc is None:
            return "the response has no nextUpdate"
        if issuer is not None:
            found = _judge(response, mine[0], leaf, issuer, now)
            return found if isinstance(found, str) else ""
        return _state(mine[0], now) or _signers_dates(response, now)
    except (*FAULTS, OverflowError) as error:
        return f"malformed OCSP response: {str(error)[:100]}"


def refresh_at(proof: Proof, now: float, margin: float = 0.10) -> float:
    """When to fetch again: at the end of the proof or of its signer, less ``margin`` of what is left of it."""
    end = proof.expires()
    if end is None:
        return now
    seconds = end.timestamp()
    return seconds - margin * max(0.0, seconds - now)


def _judge(
    response: ocsp.OCSPResponse, single: Any, leaf: x509.Certificate, issuer: x509.Certificate, now: datetime
) -> Proof | str:
    if not _is_about(single, leaf, issuer):
        return "the response is for another certificate"
    signer = _signer(response, issuer)
    if signer is None:
        return "the response is signed by nobody who may"
    if not _signature_holds(response, signer):
        return "the response's signature does not hold"
    delegated = signer if signer is not issuer else None
    if delegated is not None and not _valid_at(delegated, now):
        return "the signer's certificate has expired or is not yet valid"
    return _state(single, now) or Proof(response, single, delegated)


def _is_about(single: Any, leaf: x509.Certificate, issuer: x509.Certificate) -> bool:
    wanted = ocsp.OCSPRequestBuilder().add_certificate(leaf, issuer, single.hash_algorithm).build()
    return (single.serial_number, single.issuer_name_hash, single.issuer_key_hash) == (
        wanted.serial_number,
        wanted.issuer_name_hash,
        wanted.issuer_key_hash,
    )


def _signer(response: ocsp.OCSPResponse, issuer: x509.Certificate) -> x509.Certificate | None:
    """The issuer itself, or a responder that it has certified for this (RFC 6960 4.2.2.2)."""
    if _is_responder(response, issuer):
        return issuer
    for certificate in response.certificates[:5]:
        purposes = extension(certificate, x509.ExtendedKeyUsage)
        allowed = purposes is not None and ExtendedKeyUsageOID.OCSP_SIGNING in purposes
        if allowed and _is_responder(response, certificate) and issued_by(certificate, issuer):
            return certificate
    return None


def _is_responder(response: ocsp.OCSPResponse, certificate: x509.Certificate) -> bool:
    if response.responder_name is not None:
        return response.responder_name == certificate.subject
    return response.responder_key_hash == x509.SubjectKeyIdentifier.from_public_key(certificate.public_key()).digest


def _signature_holds(response: ocsp.OCSPResponse, signer: x509.Certificate) -> bool:
    key: Any = signer.public_key()
    parameters = padding.PKCS1v15() if isinstance(key, rsa.RSAPublicKey) else None
    algorithm = response.signature_hash_algorithm
    return verify_signature(key, response.signature, response.tbs_response_bytes, parameters, algorithm)


def _state(single: Any, now: datetime) -> str:
    """Status, then dates."""
    if single.certificate_status is ocsp.OCSPCertStatus.REVOKED:
        reason = single.revocation_reason
        return REVOKED + (reason.value if reason is not None else "(none)")
    if single.certificate_status is not ocsp.OCSPCertStatus.GOOD:
        return UNKNOWN
    end = single.next_update_utc
    if single.this_update_utc > now + SKEW or (end is not None and (end < now - SKEW or end < single.this_update_utc)):
        return DATES
    return ""


def _signers_dates(response: ocsp.OCSPResponse, now: datetime) -> str:
    good = all(_valid_at(certificate, now) for certificate in response.certificates)
    return "" if good else "the signer's certificate has expired or is not yet valid"


def _valid_at(certificate: x509.Certificate, now: datetime) -> bool:
    return certificate.not_valid_before_utc - SKEW <= now <= certificate.not_valid_after_utc
