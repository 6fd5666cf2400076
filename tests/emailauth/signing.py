"""Keys, records and messages for the tests of DKIM and ARC."""

from __future__ import annotations

import base64
from functools import cache

from cryptography.hazmat.primitives import serialization as form
from cryptography.hazmat.primitives.asymmetric import ed25519, rsa

from mta.emailauth.dkim_keys import PrivateKey

DOMAIN = "test.ex"
BODY = b"Hello  there \t x\r\n.dot\r\n\r\n tail\r\n\r\n\r\n"
HEAD = (
    b"From: Joe <joe@test.ex>\r\nTo: b@r.ex\r\nSubject: hi  there\r\n folded\r\n"
    b"Date: Mon, 23 Nov 2026 00:00:00 +0000\r\nMessage-ID: <a@test.ex>\r\n"
)
MESSAGE = HEAD + b"\r\n" + BODY


@cache
def rsa_key(bits: int = 2048) -> rsa.RSAPrivateKey:
    return rsa.generate_private_key(65537, bits)


@cache
def ed_key() -> ed25519.Ed25519PrivateKey:
    return ed25519.Ed25519PrivateKey.generate()


def key(kind: str) -> PrivateKey:
    return PrivateKey(ed_key() if kind == "ed" else rsa_key(1024 if kind == "small" else 2048))


def pem(kind: str) -> bytes:
    """The private key: RSA in its own form, Ed25519 in PKCS #8."""
    private = key(kind).key
    shape = form.PrivateFormat.TraditionalOpenSSL if kind != "ed" else form.PrivateFormat.PKCS8
    return private.private_bytes(form.Encoding.PEM, shape, form.NoEncryption())


def raw_public(kind: str) -> str:
    """``p=`` of a record."""
    public = key(kind).key.public_key()
    if kind == "ed":
        data = public.public_bytes(form.Encoding.Raw, form.PublicFormat.Raw)
    else:
        data = public.public_bytes(form.Encoding.DER, form.PublicFormat.SubjectPublicKeyInfo)
    return base64.b64encode(data).decode("ascii")


def records() -> dict[str, str]:
    """TXT records by name: a good one for each key, and the odd ones by what is odd about them."""
    good = raw_public("rsa")
    found = {
        "rsa": f"v=DKIM1; k=rsa; p={good}",
        "small": f"v=DKIM1; k=rsa; p={raw_public('small')}",
        "ed": f"v=DKIM1; k=ed25519; p={raw_public('ed')}",
        "bare": f"p={good}",
        "testing": f"v=DKIM1; k=rsa; t=y:s; n=some notes; s=email; g=abc; p={good}",
        "revoked": "v=DKIM1; k=rsa; p=",
        "badver": f"v=DKIM2; k=rsa; p={good}",
        "late-version": f"k=rsa; v=DKIM1; p={good}",
        "junk": "this is no key",
        "badb64": "v=DKIM1; p=!!!!",
        "badder": "v=DKIM1; p=AAAAAAAA",
        "other": f"v=DKIM1; s=tlsrpt; p={good}",
        "sha1only": f"v=DKIM1; h=sha1; p={good}",
        "wrongk": f"v=DKIM1; k=ed25519; p={good}",
        "dup": f"v=DKIM1; p={good}; p={good}",
        "nul": f"v=DKIM1;\0 p={good}",
        "huge": "v=DKIM1; p=" + "A" * 60_000,
        "nop": "v=DKIM1; k=rsa",
    }
    return {f"{name}._domainkey.{DOMAIN}": text for name, text in found.items()}
