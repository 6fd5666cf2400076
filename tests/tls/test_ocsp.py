"""OCSP proofs: judged, stapled and asked for (statements OCSP-01..13)."""

from __future__ import annotations

import datetime
import os
import shutil
import socket
import ssl
import subprocess
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509 import ocsp
from cryptography.x509.oid import ExtendedKeyUsageOID

from mta.config.load import load
from mta.config.runtime import Runtime
from mta.receive.connection import serve
from mta.tls.errors import TlsFailed
from mta.tls.ocsp import Proof, examine, refresh_at, servable
from tests.tls.entities import Entity, make
from tests.tls.test_handshake import ClientOptions, Everyone, Outcome, meet, scope, text

NOW = time.time()
GOOD, REVOKED, UNKNOWN = ocsp.OCSPCertStatus.GOOD, ocsp.OCSPCertStatus.REVOKED, ocsp.OCSPCertStatus.UNKNOWN


def ocsp_signing(builder: x509.CertificateBuilder) -> x509.CertificateBuilder:
    return builder.add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.OCSP_SIGNING]), False)


ROOT = make("OCSP Root", ca=True)
STRANGER = make("OCSP Root", ca=True)
LEAF = make("mx.test.ex", ROOT, names=["mx.test.ex"])
NEXT = make("two.test.ex", ROOT, names=["two.test.ex"])
SIGNER = make("Responder", ROOT, extend=ocsp_signing)
OLD_SIGNER = make("Responder", ROOT, extend=ocsp_signing, days=(-3, -1))
NOBODY = make("Responder", ROOT)
FALSE_SIGNER = make("Responder", STRANGER, extend=ocsp_signing)


def proof(
    leaf: Entity = LEAF,
    status: ocsp.OCSPCertStatus = GOOD,
    signer: Entity = ROOT,
    *,
    issuer: Entity = ROOT,
    minutes: tuple[float, float | None] = (-10, 60),
    reason: x509.ReasonFlags | None = None,
) -> bytes:
    now = datetime.datetime.now(datetime.UTC).replace(tzinfo=None)
    begin = now + datetime.timedelta(minutes=minutes[0])
    end = None if minutes[1] is None else now + datetime.timedelta(minutes=minutes[1])
    revoked = now - datetime.timedelta(days=1) if status is REVOKED else None
    builder = ocsp.OCSPResponseBuilder().add_response(
        leaf.certificate, issuer.certificate, hashes.SHA256(), status, begin, end, revoked, reason
    )
    builder = builder.responder_id(ocsp.OCSPResponderEncoding.HASH, signer.certificate)
    if signer is not issuer:
        builder = builder.certificates([signer.certificate])
    return builder.sign(signer.key, hashes.SHA256()).public_bytes(Encoding.DER)


PROOFS = {
    "good": proof(),
    "delegated": proof(signer=SIGNER),
    "soon": proof(minutes=(4, 60)),
    "just over": proof(minutes=(-60, -4)),
    "too early": proof(minutes=(6, 60)),
    "too late": proof(minutes=(-60, -30)),
    "revoked": proof(status=REVOKED),
    "compromised": proof(status=REVOKED, reason=x509.ReasonFlags.key_compromise),
    "unknown": proof(status=UNKNOWN),
    "stale signer": proof(signer=OLD_SIGNER),
    "signer without purpose": proof(signer=NOBODY),
    "signer of a stranger": proof(signer=FALSE_SIGNER),
    "namesake": proof(signer=STRANGER),
    "another leaf": proof(NEXT),
    "another issuer": proof(issuer=STRANGER, signer=STRANGER),
    "spoilt": proof()[:-1] + bytes([proof()[-1] ^ 1]),
    "try later": ocsp.OCSPResponseBuilder.build_unsuccessful(ocsp.OCSPResponseStatus.TRY_LATER).public_bytes(
        Encoding.DER
    ),
    "junk": b"junk",
}
NOT_ALLOWED = "the response is signed by nobody who may"
DATES = "Server OSCP dates invalid"
STALE_SIGNER = "the signer's certificate has expired or is not yet valid"


@pytest.mark.parametrize(
    ("kind", "expected"),
    [
        ("good", ""),
        ("delegated", ""),
        ("soon", ""),
        ("just over", ""),
        ("too early", DATES),
        ("too late", DATES),
        ("revoked", "Server certificate revoked; reason: (none)"),
        ("compromised", "Server certificate revoked; reason: keyCompromise"),
        ("unknown", "Server certificate status unknown, in OCSP stapling"),
        ("stale signer", STALE_SIGNER),
        ("signer without purpose", NOT_ALLOWED),
        ("signer of a stranger", NOT_ALLOWED),
        ("namesake", NOT_ALLOWED),
        ("another leaf", "the response is for another certificate"),
        ("another issuer", "the response is for another certificate"),
        ("spoilt", "the response's signature does not hold"),
        ("try later", "response status is try_later"),
        ("junk", "not an OCSP response: "),
    ],
)
def test_OCSP_13_and_04_what_a_response_is_worth(kind: str, expected: str) -> None:
    data = PROOFS[kind]
    found = examine(data, LEAF.certificate, ROOT.certificate, NOW)
    assert isinstance(found, Proof) if not expected else str(found).startswith(expected)
    ours = servable(data, LEAF.certificate, ROOT.certificate, NOW)
    assert ours.startswith(expected)
    assert bool(ours) == bool(expected)


def test_OCSP_04_a_proof_without_next_update_is_not_served() -> None:
    forever = proof(minutes=(-10, None))
    assert isinstance(examine(forever, LEAF.certificate, ROOT.certificate, NOW), Proof)
    assert servable(forever, LEAF.certificate, ROOT.certificate, NOW) == "the response has no nextUpdate"
    assert servable(proof(signer=OLD_SIGNER), LEAF.certificate, None, NOW) == STALE_SIGNER


def test_OCSP_15_refresh_is_before_the_signer_expires() -> None:
    brief = make("Responder", ROOT, extend=ocsp_signing, days=(-1, 1))
    found = examine(proof(signer=brief, minutes=(-10, 3 * 24 * 60)), LEAF.certificate, ROOT.certificate, NOW)
    assert isinstance(found, Proof)
    end = brief.certificate.not_valid_after_utc.timestamp()
    assert refresh_at(found, NOW) == pytest.approx(end - 0.1 * (end - NOW))
    now = time.time()  # the proof's times count from now, not from when the run began
    found = examine(proof(minutes=(-10, 100)), LEAF.certificate, ROOT.certificate, now)
    assert isinstance(found, Proof)
    assert refresh_at(found, now) == pytest.approx(now + 90 * 60, abs=60)


# -- both ends


def files(folder: Path, *entities: Entity) -> dict[str, Any]:
    """tls_certificate and tls_privatekey for the entities, each with its issuer in the file."""
    chains, keys = [], []
    for number, entity in enumerate(entities):
        chain = folder / f"{number}.pem"
        chain.write_bytes(entity.pem + ROOT.pem)
        chains.append(str(chain))
        keys.append(str(entity.save_key(folder / f"{number}.key")))
    return {"tls_certificate": text(":".join(chains)), "tls_privatekey": text(":".join(keys))}


def client(folder: Path, **options: Any) -> ClientOptions:
    (folder / "ca.pem").write_bytes(ROOT.pem)
    made = ClientOptions(tls_verify_certificates=text(folder / "ca.pem"))
    for name, value in options.items():
        setattr(made, name, value)
    return made


def handshake(folder: Path, data: bytes | None, *, require: bool = False, request: bool = True) -> tuple[Outcome, Any]:
    given = files(folder, LEAF)
    if data is not None:
        (folder / "proof").write_bytes(data)
        given["tls_ocsp_file"] = text(folder / "proof")
    server = scope(**given)
    options = client(folder)
    for name, wanted in (("hosts_require_ocsp", require), ("hosts_request_ocsp", request)):
        setattr(options, name, Everyone() if wanted else None)
    return meet(server, options), server


@pytest.fixture(autouse=True)
def _ocsp_options(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("hosts_require_ocsp", "hosts_request_ocsp"):
        monkeypatch.setattr(ClientOptions, name, None, raising=False)


@pytest.mark.parametrize(
    ("kind", "request_it", "expected_in", "expected_out"),
    [
        ("good", False, 0, 0),
        ("", True, 1, 1),
        ("good", True, 4, 4),
        ("delegated", True, 4, 4),
        ("too late", True, 1, 1),
        ("revoked", True, 1, 1),
        ("stale signer", True, 1, 1),
        ("another leaf", True, 1, 1),
        ("junk", True, 1, 1),
    ],
)
def test_OCSP_01_04_08_stapled_or_not(
    tmp_path: Path, kind: str, request_it: bool, expected_in: int, expected_out: int
) -> None:
    out, server = handshake(tmp_path, PROOFS.get(kind), request=request_it)
    assert out.failed is None
    assert (server.peer.tls.ocsp, out.client[1].ocsp) == (expected_in, expected_out)


def test_OCSP_02_a_replaced_file_is_used_at_once(tmp_path: Path) -> None:
    server = scope(**files(tmp_path, LEAF), tls_ocsp_file=text(tmp_path / "proof"))
    said: list[str] = []
    server.services.log_main = said.append
    seen = []
    for data in (b"junk", proof(), proof(minutes=(-60, -30)), proof(signer=SIGNER)):
        (tmp_path / "new").write_bytes(data)
        os.replace(tmp_path / "new", tmp_path / "proof")
        seen.append(meet(server, client(tmp_path, hosts_request_ocsp=Everyone())).client[1].ocsp)
    assert seen == [1, 4, 1, 4]
    assert [line.split(" not used: ")[1][:16] for line in said] == ["not an OCSP resp", DATES[:16]]


def test_OCSP_03_expanded_again_for_sni(tmp_path: Path) -> None:
    for entity, name in ((LEAF, "mx.test.ex"), (NEXT, "two.test.ex")):
        (tmp_path / f"{name}.pem").write_bytes(entity.pem + ROOT.pem)
        entity.save_key(tmp_path / f"{name}.key")
        (tmp_path / f"{name}.ocsp").write_bytes(proof(entity))
    choose = "${if eq{$tls_in_sni}{two.test.ex}{two}{mx}}.test.ex"
    options = {
        "tls_certificate": text(f"{tmp_path}/{choose}.pem"),
        "tls_privatekey": text(f"{tmp_path}/{choose}.key"),
        "tls_ocsp_file": text(f"{tmp_path}/{choose}.ocsp"),
    }
    for name in ("mx.test.ex", "two.test.ex"):
        asked = client(tmp_path, tls_sni=text(name), hosts_require_ocsp=Everyone())
        assert meet(scope(**options), asked, host=name).client[1].ocsp == 4


def test_OCSP_07_lists_and_formats(tmp_path: Path) -> None:
    import base64

    from cryptography.hazmat.primitives.asymmetric import rsa

    other = make("mx.test.ex", ROOT, names=["mx.test.ex"], key=rsa.generate_private_key(65537, 2048))
    body = base64.encodebytes(proof(other)).decode()
    (tmp_path / "pem").write_text(f"-----BEGIN OCSP RESPONSE-----\n{body}-----END OCSP RESPONSE-----\n")
    (tmp_path / "der").write_bytes(proof())
    server_options = {**files(tmp_path, LEAF, other), "tls_ocsp_file": text(f"{tmp_path}/der:PEM {tmp_path}/pem")}
    for cipher in ("ECDHE-ECDSA-AES256-GCM-SHA384", "ECDHE-RSA-AES256-GCM-SHA384"):
        server = scope(openssl_options="+no_tlsv1_3", **server_options)
        asked = client(tmp_path, tls_require_ciphers=text(cipher), hosts_require_ocsp=Everyone())
        assert meet(server, asked).client[1].ocsp == 4
    # the wrong way round, each certificate has the other's proof, which is not used
    turned = {**server_options, "tls_ocsp_file": text(f"PEM {tmp_path}/pem:DER {tmp_path}/der")}
    assert meet(scope(**turned), client(tmp_path, hosts_request_ocsp=Everyone())).client[1].ocsp == 1


NULL = "(SSL_connect): Received TLS status callback, null content"


@pytest.mark.parametrize(
    ("kind", "expected"),
    [
        ("", NULL),
        ("good", ""),
        ("revoked", "(SSL_connect): Server certificate revoked; reason: (none)"),
        ("unknown", "(SSL_connect): Server certificate status unknown, in OCSP stapling"),
        ("too late", f"(SSL_connect): {DATES}"),
        ("signer without purpose", f"(SSL_connect): {NOT_ALLOWED}"),
    ],
)
def test_OCSP_10_11_13_required_and_requested(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: str, expected: str
) -> None:
    staple = PROOFS.get(kind)
    # a server that staples whatever it has
    monkeypatch.setattr("mta.tls.stapling.servable", lambda *_: "")
    out, _ = handshake(tmp_path, staple, require=True)
    assert (out.failed.message if out.failed else "") == expected
    out, _ = handshake(tmp_path, staple)
    assert out.failed is None
    assert out.client[1].ocsp == (1 if staple is None else 3 if expected else 4)


def test_OCSP_08_unverified_certificate(tmp_path: Path) -> None:
    given = files(tmp_path, LEAF)
    (tmp_path / "proof").write_bytes(proof())
    server = scope(**given, tls_ocsp_file=text(tmp_path / "proof"))
    asked = ClientOptions(tls_try_verify_hosts=None)
    asked.hosts_request_ocsp = Everyone()  # type: ignore[attr-defined]
    assert meet(server, asked).client[1].ocsp == 2
    asked.hosts_require_ocsp = Everyone()  # type: ignore[attr-defined]
    failed = meet(server, asked).failed
    assert isinstance(failed, TlsFailed)
    assert "no issuer that is trusted" in failed.message


# -- with OpenSSL's programs

CONFIGURATION = """
primary_hostname = mx.test.ex
spool_directory = {folder}/spool
log_file_path = {folder}/%slog
tls_certificate = {folder}/0.pem
tls_privatekey = {folder}/0.key
tls_ocsp_file = {folder}/proof
tls_advertise_hosts = *
acl_smtp_starttls = check
acl_smtp_predata = check
begin acl
check:
  accept
"""


def s_client(folder: Path) -> str:
    """What ``openssl s_client -starttls smtp -status`` says of our server."""
    configuration = folder / "conf"
    configuration.write_text(CONFIGURATION.format(folder=folder))
    runtime = Runtime.start(load(str(configuration), {}))
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def accept() -> None:
            sock, peer = listener.accept()
            serve(runtime, sock, peer, sock.getsockname()[:2], on_accepted=lambda _id: None)

        thread = threading.Thread(target=accept)
        thread.start()
        words = ["-connect", f"127.0.0.1:{listener.getsockname()[1]}", "-CAfile", str(folder / "ca.pem")]
        done = subprocess.run(
            ["openssl", "s_client", "-starttls", "smtp", "-status", *words],
            input=b"QUIT\r\n", capture_output=True, timeout=20, check=False,
        )  # fmt: skip
        thread.join(10)
    return done.stdout.decode("latin-1")


@pytest.mark.skipif(shutil.which("openssl") is None, reason="needs openssl")
def test_OCSP_01_05_openssl_responder_and_client(tmp_path: Path, openssl_responder: Callable[..., int]) -> None:
    files(tmp_path, LEAF)
    client(tmp_path)
    assert "OCSP response: no response sent" in s_client(tmp_path)
    port = openssl_responder(tmp_path, SIGNER)
    (tmp_path / "leaf.pem").write_bytes(LEAF.pem)
    command = ["openssl", "ocsp", "-issuer", "ca.pem", "-cert", "leaf.pem", "-no_nonce", "-CAfile", "ca.pem"]
    command += ["-url", f"http://127.0.0.1:{port}", "-respout", "proof"]
    subprocess.run(command, cwd=tmp_path, check=True, capture_output=True)
    said = s_client(tmp_path)
    assert "OCSP Response Status: successful (0x0)" in said
    assert "Cert Status: good" in said


def test_certificates_can_be_used_by_the_standard_library(tmp_path: Path) -> None:
    files(tmp_path, LEAF)
    ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER).load_cert_chain(tmp_path / "0.pem", tmp_path / "0.key")
