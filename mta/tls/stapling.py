"""OCSP stapling as a server: tls_ocsp_file's proofs, looked at when a client asks for one (manual section 43.8).

A proof that is old, unreadable or for another certificate is not stapled; the handshake goes on without. The main
log says why, once for each version of a file and reason in a process.
"""

from __future__ import annotations

import os
import time
from dataclasses import dataclass
from typing import Any

from cryptography import x509

from mta.scope.scope import Scope
from mta.tls.ocsp import MAX_BYTES, NO_RESPONSE, NOT_VERIFIED, VERIFIED, from_file, servable
from mta.tls.paths import FAULTS, issued_by

MAX_TOLD = 1000


@dataclass(frozen=True, slots=True)
class ProofFile:
    path: str
    pem: bool


def proof_files(items: list[str]) -> list[ProofFile]:
    """The items of tls_ocsp_file; ``DER `` or ``PEM `` before one holds for those after it too (OCSP-07)."""
    found, pem = [], False
    for item in items:
        if item[:4] in ("DER ", "PEM "):
            pem, item = item[:4] == "PEM ", item[4:]
        found.append(ProofFile(item, pem))
    return found


def staple(scope: Scope, certificates: tuple[str, ...], proofs: list[ProofFile], leaf: x509.Certificate) -> bytes:
    """The DER proof for the certificate that is served, b"" for none; sets ``$tls_in_ocsp``."""
    scope.peer.tls.ocsp = NO_RESPONSE
    index, issuer = _place(scope, certificates, leaf)
    if index >= 0 and len(proofs) == len(certificates):
        proofs = [proofs[index]]
    for proof in proofs:
        der = _proof(scope, proof)
        if not der:
            continue
        fault = servable(der, leaf, issuer, time.time())
        if not fault:
            scope.peer.tls.ocsp = VERIFIED if issuer is not None else NOT_VERIFIED
            return der
        _tell(scope, proof.path, fault)
    return b""


def _place(scope: Scope, certificates: tuple[str, ...], leaf: x509.Certificate) -> tuple[int, x509.Certificate | None]:
    """Which of the files the certificate is from (-1: none), and its issuer where the file has that too."""
    for index, path in enumerate(certificates):
        chain = _chain(scope, path)
        if chain and chain[0] == leaf:
            return index, next((one for one in chain[1:] if issued_by(leaf, one)), None)
    return -1, None


def _chain(scope: Scope, path: str) -> list[x509.Certificate]:
    def parse(data: bytes) -> list[x509.Certificate]:
        try:
            return x509.load_pem_x509_certificates(data)
        except FAULTS:
            return []

    found: list[x509.Certificate] = _kept(scope, path, "chain", parse) or []
    return found


def _proof(scope: Scope, proof: ProofFile) -> bytes:
    return _kept(scope, proof.path, f"proof {proof.pem}", lambda data: from_file(data, pem=proof.pem)) or b""


def _kept(scope: Scope, path: str, kind: str, parse: Any) -> Any:
    """What a file holds, read again when it is another; None where it cannot be read."""
    kept: dict[tuple[str, str], tuple[Any, Any]] = scope.services.state.setdefault("tls.ocsp.files", {})
    try:
        with open(path, "rb") as file:
            status = os.fstat(file.fileno())
            stamp = (status.st_mtime_ns, status.st_size, status.st_ino)
            found = kept.get((path, kind))
            if found is not None and found[0] == stamp:
                return found[1]
            value = parse(file.read(MAX_BYTES))
    except OSError as error:
        _tell(scope, path, error.strerror or "unreadable")
        return None
    if len(kept) > MAX_TOLD:
        kept.clear()
    kept[path, kind] = (stamp, value)
    return value


def _tell(scope: Scope, path: str, fault: str) -> None:
    told: dict[tuple[str, str], bool] = scope.services.state.setdefault("tls.ocsp.told", {})
    if len(told) < MAX_TOLD and (path, fault) not in told:
        told[path, fault] = True
        scope.services.log_main(f"TLS: OCSP proof {path} not used: {fault}")
