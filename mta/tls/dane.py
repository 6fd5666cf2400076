"""DANE for SMTP: a server's certificates against TLSA records (RFC 6698, 7671, 7672). Pure: no network, no clock.

``verify_chain`` is what the transport and ``mtactl check dane`` both ask. Depths are OpenSSL's: 0 is the leaf; a
record that holds a bare key answers with the depth of the certificate that the key signed.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from mta.net.records import Tlsa
from mta.text.ascii import strict_int
from mta.tls.facts import names_host
from mta.tls.paths import FAULTS, check_path, issued_by, parse, parse_key, self_issued, signed_by_key
from mta.wire import dane

TA, EE = 2, 3  # certificate usages; PKIX-TA and PKIX-EE have no meaning for SMTP (RFC 7672 3.1.3)
DIGEST_SIZES = {dane.SHA256: hashlib.sha256().digest_size, dane.SHA512: hashlib.sha512().digest_size}
MAX_CHAIN = 20  # certificates of a server, and anchors of its records, that are looked at
MAX_DEPTH = 10
MAX_SIGNATURES = 60  # checks for one verdict: a path search must not become work for a server to hand out


@dataclass(frozen=True, slots=True)
class DaneVerdict:
    """``depth`` and ``record`` of the match, or the ``reason`` and the RFC 8460 4.3 ``result`` type."""

    ok: bool
    depth: int = -1
    record: Tlsa | None = None
    reason: str = ""
    result: str = ""

    def __str__(self) -> str:
        if not self.ok or self.record is None:
            return self.reason
        return f"verified depth {self.depth} by {self.record.usage} {self.record.selector} {self.record.matching}"


def usable(records: Iterable[Tlsa]) -> list[Tlsa]:
    """The records that can be acted on, and of digests the strongest for each usage and selector (RFC 7671 9)."""
    kept = [record for record in dict.fromkeys(records) if _well_formed(record)]
    strongest: dict[tuple[int, int], int] = {}
    for record in kept:
        kind = (record.usage, record.selector)
        strongest[kind] = max(strongest.get(kind, 0), record.matching)
    return [r for r in kept if r.matching == dane.FULL or r.matching == strongest[r.usage, r.selector]]


def usages(records: Iterable[Tlsa]) -> int:
    """``$tls_out_tlsa_usage``: bit n for usage n."""
    bits = 0
    for record in records:
        bits |= 1 << record.usage
    return bits


def _well_formed(record: Tlsa) -> bool:
    if record.usage not in (TA, EE) or record.selector not in (dane.CERT, dane.SPKI):
        return False
    if record.matching != dane.FULL:
        return len(record.data) == DIGEST_SIZES.get(record.matching, -1)
    if record.selector == dane.SPKI:
        return parse_key(record.data) is not None
    if record.usage == TA:
        return parse(record.data) is not None
    return dane.spki(record.data) is not None


def verify_chain(
    tlsa_records: Iterable[Tlsa], chain_der: Sequence[bytes], names: Sequence[str], at: float
) -> DaneVerdict:
    """Whether the certificates, DER and leaf first as the server sent them, are what the TLSA records say.

    ``names``: the host names of which the certificate must have one where usage 2 decides (RFC 7672 3.2.3);
    ``at``: seconds since the epoch.
    """
    records = usable(tlsa_records)
    if not records:
        return DaneVerdict(False, reason="no usable TLSA records", result="tlsa-invalid")
    if not chain_der:
        return DaneVerdict(False, reason="the server has no certificate", result="validation-failure")
    for record in records:
        # The record says all there is to say: neither dates nor names count (RFC 7672 3.1.1).
        if record.usage == EE and dane.match(record.selector, record.matching, record.data, chain_der[0]):
            return DaneVerdict(True, 0, record)
    anchors = [record for record in records if record.usage == TA]
    if not anchors:
        return DaneVerdict(False, reason="no TLSA record matches", result="validation-failure")
    return _Search(anchors, chain_der, names, datetime.fromtimestamp(at, UTC)).run()


class _Search:
    """A search for a path from the leaf to an anchor, depth first and bounded; the first fault found is the reason."""

    def __init__(self, records: list[Tlsa], chain: Sequence[bytes], names: Sequence[str], at: datetime) -> None:
        self.records, self.names, self.at = records, names, at
        self.fault = ""
        self.fault_result = "validation-failure"
        self.left = MAX_SIGNATURES
        self.chain = chain
        extra = [r.data for r in records if (r.selector, r.matching) == (dane.CERT, dane.FULL)]
        given = dict.fromkeys([*chain[1:MAX_CHAIN], *extra[:MAX_CHAIN]])
        self.candidates = [(der, found) for der in given if (found := parse(der)) is not None]
        self.keys: list[tuple[Tlsa, Any]] = [
            (r, parse_key(r.data)) for r in records if (r.selector, r.matching) == (dane.SPKI, dane.FULL)
        ]

    def run(self) -> DaneVerdict:
        leaf = parse(self.chain[0])
        if leaf is None:
            return DaneVerdict(False, reason="malformed certificate", result="validation-failure")
        found = self._climb([leaf])
        if found is not None:
            return found
        return DaneVerdict(False, reason=self.fault or "no TLSA record matches", result=self.fault_result)

    def _climb(self, path: list[x509.Certificate]) -> DaneVerdict | None:
        """Try what is above the end of the path: issuers, then keys that no certificate was sent for."""
        top = path[-1]
        if len(path) <= MAX_DEPTH and (len(path) == 1 or not self_issued(top)):
            for der, issuer in self.candidates:
                if issuer in path or not self._spend() or not issued_by(top, issuer):
                    continue
                longer = [*path, issuer]
                record = self._anchored(der)
                found = self._judge(longer, record) if record is not None else None
                found = found or self._climb(longer)
                if found is not None:
                    return found
        for record, key in self.keys:
            if self._spend() and signed_by_key(top, key):
                found = self._judge(path, record)
                if found is not None:
                    return found
        return None

    def _spend(self) -> bool:
        self.left -= 1
        return self.left >= 0

    def _anchored(self, der: bytes) -> Tlsa | None:
        for record in self.records:
            if dane.match(record.selector, record.matching, record.data, der):
                return record
        return None

    def _judge(self, path: list[x509.Certificate], record: Tlsa) -> DaneVerdict | None:
        """The verdict on a path that leads to an anchor; None, with the fault kept, when it does not do."""
        fault, result = check_path(path, self.at), "validation-failure"
        if "expired" in fault:
            result = "certificate-expired"
        if not fault and not _has_name(path[0], self.names):
            fault = f"certificate is not for {' or '.join(self.names) or 'any name that was asked for'}"
            result = "certificate-host-mismatch"
        if not fault:
            return DaneVerdict(True, len(path) - 1, record)
        if not self.fault:
            self.fault, self.fault_result = fault, result
        return None


def _has_name(certificate: x509.Certificate, names: Sequence[str]) -> bool:
    try:
        return any(names_host(certificate, name) for name in names)
    except FAULTS:
        return False


def parse_record(text: str) -> Tlsa | None:
    """A record in presentation form, ``U S M HEX`` (blanks within the hex allowed); None when it is none."""
    words = [word for word in text.split(" ") if word]
    usage, selector, matching = (strict_int(word, maximum=255) for word in [*words, "", "", ""][:3])
    if len(words) < 4 or usage is None or selector is None or matching is None:
        return None
    try:
        return Tlsa(usage, selector, matching, bytes.fromhex("".join(words[3:])))
    except ValueError:
        return None


def to_publish(certificate: x509.Certificate, kinds: Sequence[tuple[int, int, int]]) -> list[str]:
    """TLSA records, in presentation form, for a certificate."""
    der = certificate.public_bytes(Encoding.DER)
    found = (dane.record(usage, selector, matching, der) for usage, selector, matching in kinds)
    return [record for record in found if record is not None]
