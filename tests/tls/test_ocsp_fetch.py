"""mtactl ocsp fetch and status against openssl's responder (statements OCSP-14..16)."""

from __future__ import annotations

import io
import os
import shutil
import socket
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.x509.oid import AuthorityInformationAccessOID

from mta.ctl.main import main
from tests.tls.entities import Entity, make
from tests.tls.test_ocsp import LEAF, PROOFS, ROOT, SIGNER, ocsp_signing, proof

pytestmark = pytest.mark.skipif(shutil.which("openssl") is None, reason="needs openssl")
Responder = Callable[..., int]


@pytest.fixture(autouse=True)
def _direct(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("no_proxy", "*")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "0.pem").write_bytes(LEAF.pem + ROOT.pem)
    (tmp_path / "ca.pem").write_bytes(ROOT.pem)
    return tmp_path


def fetch(folder: Path, port: int | None = None, *more: str) -> tuple[int, str]:
    out = io.StringIO()
    words = ["ocsp", "fetch", "-c", f"{folder}/0.pem", "-o", f"{folder}/proof", *more]
    return main([*words, "-u", f"http://127.0.0.1:{port}"] if port else words, out), out.getvalue()


def status(folder: Path) -> tuple[int, str]:
    out = io.StringIO()
    return main(["ocsp", "status", "-c", f"{folder}/0.pem", f"{folder}/proof"], out), out.getvalue()


def test_OCSP_14_fetched_when_due(folder: Path, openssl_responder: Responder) -> None:
    port = openssl_responder(folder, SIGNER)
    before = time.time()
    code, said = fetch(folder, port, "-v", "-m", "50", "-i", f"{folder}/ca.pem", "-a", f"{folder}/ca.pem")
    assert (code, said.split(";")[0]) == (0, f"{folder}/proof: fetched")
    due = os.stat(folder / "proof").st_mtime
    assert before + 29 * 60 < due < time.time() + 31 * 60  # half of the responder's hour
    assert not (folder / "proof.tmp").exists()
    assert status(folder)[0] == 0
    assert ": good; status good, this update " in status(folder)[1]
    inode = os.stat(folder / "proof").st_ino
    assert fetch(folder, port, "-v") == (0, f"{folder}/proof: not due\n")
    assert os.stat(folder / "proof").st_ino == inode
    assert fetch(folder, port, "-f")[0] == 0
    os.utime(folder / "proof", (1, 1))
    assert fetch(folder, port)[0] == 0
    assert os.stat(folder / "proof").st_mtime > time.time()


def test_OCSP_14_url_of_the_certificate(folder: Path, openssl_responder: Responder) -> None:
    port = openssl_responder(folder, SIGNER)

    def with_url(builder: x509.CertificateBuilder) -> x509.CertificateBuilder:
        where = x509.UniformResourceIdentifier(f"http://127.0.0.1:{port}")
        access = x509.AccessDescription(AuthorityInformationAccessOID.OCSP, where)
        return builder.add_extension(x509.AuthorityInformationAccess([access]), False)

    assert fetch(folder)[0] == 1
    leaf = make("mx.test.ex", ROOT, extend=with_url)
    (folder / "0.pem").write_bytes(leaf.pem + ROOT.pem)
    assert fetch(folder)[0] == 1  # the responder knows another serial number: status unknown
    (folder / "0.pem").write_bytes(LEAF.pem + ROOT.pem)
    assert fetch(folder, port)[0] == 0


@pytest.mark.parametrize(
    ("signer", "state", "words"),
    [
        (SIGNER, "R", "Server certificate revoked"),
        (make("Responder", ROOT), "V", "signed by nobody who may"),
        (make("Responder", ROOT, extend=ocsp_signing, days=(-3, -1)), "V", "the signer's certificate has expired"),
        (make("Responder", ROOT, extend=ocsp_signing, minutes=30), "V", "before the proof does"),
    ],
    ids=["revoked", "not allowed", "expired signer", "brief signer"],
)
def test_OCSP_14_15_refused_and_the_old_proof_stays(
    folder: Path,
    openssl_responder: Responder,
    capsys: pytest.CaptureFixture[str],
    signer: Entity,
    state: str,
    words: str,
) -> None:
    (folder / "proof").write_bytes(PROOFS["good"])
    port = openssl_responder(folder, signer, state)
    assert fetch(folder, port, "-f")[0] == 1
    assert words in capsys.readouterr().err
    assert (folder / "proof").read_bytes() == PROOFS["good"]
    assert sorted(path.name for path in folder.glob("proof*")) == ["proof"]


def test_OCSP_16_dead_and_silent_responders(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (folder / "proof").write_bytes(PROOFS["good"])
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port: int = listener.getsockname()[1]
        requests: list[bytes] = []

        def serve() -> None:
            sock, _ = listener.accept()
            with sock:
                data = sock.recv(65536)
                while len(data.partition(b"\r\n\r\n")[2]) < 20:
                    data += sock.recv(65536)
                requests.append(data)

        thread = threading.Thread(target=serve)
        thread.start()
        assert fetch(folder, port, "-f")[0] == 1
        thread.join(10)
    assert fetch(folder, port, "-f")[0] == 1
    assert len(requests) == 1
    assert requests[0].startswith(b"POST / HTTP/1.1\r\n")
    assert b"Content-Type: application/ocsp-request\r\n" in requests[0].replace(b"type", b"Type")
    assert (folder / "proof").read_bytes() == PROOFS["good"]
    assert capsys.readouterr().err.count("mtactl: http://127.0.0.1") == 2


def test_status_of_what_the_configuration_names(folder: Path) -> None:
    SIGNER.save_key(folder / "key")
    configuration = folder / "conf"
    configuration.write_text(
        f"primary_hostname = mx.test.ex\nspool_directory = {folder}/spool\nlog_file_path = {folder}/%slog\n"
        f"tls_certificate = {folder}/0.pem\ntls_privatekey = {folder}/key\ntls_ocsp_file = {folder}/proof\n"
    )
    (folder / "proof").write_bytes(proof(minutes=(-60, -30)))
    out = io.StringIO()
    assert main(["ocsp", "-C", str(configuration), "status"], out) == 1
    assert out.getvalue().startswith(f"{folder}/proof: Server OSCP dates invalid; status good")


@pytest.mark.parametrize("words", [["ocsp"], ["ocsp", "fetch"], ["ocsp", "fetch", "-c", "x", "-o", "y", "-m", "100"]])
def test_usage(words: list[str]) -> None:
    with pytest.raises(SystemExit) as error:
        main(words, io.StringIO())
    assert error.value.code == 2
