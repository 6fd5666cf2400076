"""Keys of DKIM and ARC: public ones from DNS records (RFC 6376 3.6, RFC 8463), private ones from PEM text or files.

Whatever a record holds, the answer is a PublicKey or a KeyProblem with one of the words below, in bounded time.
"""

from __future__ import annotations

import hashlib
import os
import warnings
from dataclasses import dataclass
from typing import Any

from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import padding
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey, RSAPublicKey

from mta.emailauth.asker import Asker, Deadline, OutOfTime
from mta.emailauth.tags import FWS, BadTags, decoded, names, parse_tags, without_folds
from mta.text.ascii import from_bytes, lower

MAX_RECORD = 16_384  # bytes of a key record; one of 16384 bits has under 3000
MAX_RECORDS = 4  # of one name
MAX_BITS = 16_384
MAX_EXPONENT_BITS = 64  # what a verification costs grows with it
HASHES: dict[str, hashes.HashAlgorithm] = {
    "sha1": hashes.SHA1(),  # noqa: S303  (only where the options ask for it)
    "sha256": hashes.SHA256(),
    "sha512": hashes.SHA512(),
}


class KeyProblem(Exception):
    """``word``: pubkey_unavailable, pubkey_dns_syntax or pubkey_der_syntax. ``temporary``: nobody could answer."""

    def __init__(self, word: str, detail: str, *, temporary: bool = False) -> None:
        super().__init__(detail)
        self.word = word
        self.detail = detail
        self.temporary = temporary


@dataclass(slots=True)
class PublicKey:
    """A record's key and what the record says about its use."""

    kind: str  # rsa, ed25519
    key: RSAPublicKey | Ed25519PublicKey
    bits: int
    hashes: tuple[str, ...] = ()  # () any
    testing: bool = False
    no_subdomains: bool = False
    service: str = "*"
    granularity: str = "*"
    notes: str = ""

    def verifies(self, signature: bytes, data: bytes, hash_name: str) -> bool:
        """Whether the signature is this key's over the data."""
        try:
            if isinstance(self.key, Ed25519PublicKey):
                self.key.verify(signature, hashlib.sha256(data).digest())
            else:
                self.key.verify(signature, data, padding.PKCS1v15(), HASHES[hash_name])
        except (InvalidSignature, UnsupportedAlgorithm, ValueError):
            return False
        return True


def fetch(selector: str, domain: str, asker: Asker, deadline: Deadline) -> PublicKey:
    """The key at ``selector._domainkey.domain``; raises KeyProblem."""
    name = f"{selector}._domainkey.{domain}"
    try:
        answer = deadline.ask(asker, name, "TXT")
    except OutOfTime:
        raise KeyProblem("pubkey_unavailable", "no time left to ask for the key", temporary=True) from None
    if answer.status == "again":
        raise KeyProblem("pubkey_unavailable", f"{name}: {answer.error or 'no answer'}", temporary=True)
    if not answer.records:
        raise KeyProblem("pubkey_unavailable", f"{name} has no TXT record")
    problem: KeyProblem | None = None
    for record in answer.records[:MAX_RECORDS]:
        try:
            return parse_record(from_bytes(b"".join(getattr(record, "strings", ()))))
        except KeyProblem as found:
            problem = problem or found
    assert problem is not None
    raise problem


def parse_record(text: str) -> PublicKey:
    """A key record; raises KeyProblem."""
    try:
        tags = parse_tags(text, MAX_RECORD)
    except BadTags as bad:
        raise KeyProblem("pubkey_dns_syntax", f"key record: {bad}") from None
    if tags.get("v", "DKIM1") != "DKIM1" or ("v" in tags and next(iter(tags)) != "v"):
        raise KeyProblem("pubkey_dns_syntax", "key record is not of version DKIM1")
    if "p" not in tags:
        raise KeyProblem("pubkey_dns_syntax", "key record has no p=")
    services = [lower(item) for item in names(tags.get("s", "*"))]
    if "*" not in services and "email" not in services:
        raise KeyProblem("pubkey_dns_syntax", "key is not for mail")
    if not without_folds(tags["p"]):
        raise KeyProblem("pubkey_der_syntax", "key has been revoked")
    try:
        data = decoded(tags["p"])
    except BadTags:
        raise KeyProblem("pubkey_dns_syntax", "key is not base64") from None
    kind = lower(tags.get("k", "rsa"))
    key, bits = _load(kind, data)
    flags = [lower(item) for item in names(tags.get("t", ""))]
    return PublicKey(
        kind,
        key,
        bits,
        tuple(lower(item) for item in names(tags["h"])) if "h" in tags else (),
        "y" in flags,
        "s" in flags,
        tags.get("s", "*"),
        tags.get("g", "*"),
        tags.get("n", ""),
    )


def _load(kind: str, data: bytes) -> tuple[RSAPublicKey | Ed25519PublicKey, int]:
    """``p=`` as a key: for RSA its SubjectPublicKeyInfo or bare form, for Ed25519 32 bytes or the former."""
    try:
        if kind == "ed25519" and len(data) == 32:
            return Ed25519PublicKey.from_public_bytes(data), 256
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of small keys: the policy says what becomes of them
            key = serialization.load_der_public_key(data)
    except (ValueError, TypeError, UnsupportedAlgorithm):
        raise KeyProblem("pubkey_der_syntax", "key cannot be read") from None
    if kind == "ed25519" and isinstance(key, Ed25519PublicKey):
        return key, 256
    if kind == "rsa" and isinstance(key, RSAPublicKey):
        if key.key_size > MAX_BITS or key.public_numbers().e.bit_length() > MAX_EXPONENT_BITS:
            raise KeyProblem("pubkey_der_syntax", "key is unreasonably large")
        return key, key.key_size
    raise KeyProblem("pubkey_der_syntax", f"not a key of the kind {kind[:20]}")


class BadPrivateKey(Exception):
    """A private key cannot be had; the message says why."""


@dataclass(slots=True)
class PrivateKey:
    """``algorithm(hash)`` is the a= value; ``sign`` gives the bytes of b=."""

    key: RSAPrivateKey | Ed25519PrivateKey

    def algorithm(self, hash_name: str) -> str:
        return f"ed25519-{hash_name}" if isinstance(self.key, Ed25519PrivateKey) else f"rsa-{hash_name}"

    def sign(self, data: bytes, hash_name: str) -> bytes:
        """Raises BadPrivateKey when the key is too small for the hash."""
        if isinstance(self.key, Ed25519PrivateKey):
            return self.key.sign(hashlib.sha256(data).digest())
        try:
            return self.key.sign(data, padding.PKCS1v15(), HASHES[hash_name])
        except (ValueError, UnsupportedAlgorithm) as error:
            raise BadPrivateKey(str(error)) from None


def private_key(text: str, cache: dict[Any, Any]) -> PrivateKey:
    """The key of PEM text, or of the file that an absolute path names; raises BadPrivateKey.

    ``cache`` is kept by the caller for as long as it likes; a file is read again when it has changed.
    """
    if text.startswith("/"):
        try:
            facts = os.stat(text)
            stamp = (text, facts.st_mtime_ns, facts.st_size)
            if cache.get(text, (None, None))[0] == stamp:
                found: PrivateKey = cache[text][1]
                return found
            with open(text, "rb") as file:
                pem = file.read(1 << 16)
        except OSError as error:
            raise BadPrivateKey(f"unable to open file for reading: {text}: {error.strerror}") from None
        key = _load_private(pem)
        cache[text] = (stamp, key)
        return key
    digest = hashlib.sha256(text.encode("latin-1")).digest()
    if digest not in cache:
        if len(cache) >= 1000:
            cache.clear()
        cache[digest] = (None, _load_private(text.encode("latin-1")))
    kept: PrivateKey = cache[digest][1]
    return kept


def _load_private(pem: bytes) -> PrivateKey:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            key = serialization.load_pem_private_key(pem.strip(FWS.encode()) + b"\n", None)
    except (ValueError, TypeError, UnsupportedAlgorithm):
        raise BadPrivateKey("not a private key in PEM form") from None
    if not isinstance(key, (RSAPrivateKey, Ed25519PrivateKey)):
        raise BadPrivateKey("neither an RSA nor an Ed25519 key")
    return PrivateKey(key)
