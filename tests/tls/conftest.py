"""OpenSSL's own OCSP responder."""

from __future__ import annotations

import socket
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.tls.entities import Entity


@pytest.fixture
def openssl_responder() -> Iterator[Callable[..., int]]:
    """``openssl_responder(folder with ca.pem and the leaf in 0.pem, signer, status)`` starts one; gives its port."""
    running: list[subprocess.Popen[bytes]] = []

    def start(folder: Path, signer: Entity, status: str = "V") -> int:
        from cryptography import x509

        leaf = x509.load_pem_x509_certificates((folder / "0.pem").read_bytes())[0]
        revoked = "" if status == "V" else "260101000000Z"
        line = [status, "491231235959Z", revoked, f"{leaf.serial_number:X}", "unknown", "/CN=mx.test.ex"]
        if len(line[3]) % 2:
            line[3] = "0" + line[3]
        (folder / "index.txt").write_text("\t".join(line) + "\n")
        (folder / "signer.pem").write_bytes(signer.pem)
        signer.save_key(folder / "signer.key")
        with socket.create_server(("127.0.0.1", 0)) as found:
            port: int = found.getsockname()[1]
        command = ["openssl", "ocsp", "-index", "index.txt", "-port", str(port), "-CA", "ca.pem", "-nmin", "60"]
        command += ["-rsigner", "signer.pem", "-rkey", "signer.key"]
        process = subprocess.Popen(command, cwd=folder, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        running.append(process)
        _await(process)
        return port

    yield start
    for process in running:
        process.kill()
        process.communicate()


def _await(process: subprocess.Popen[bytes]) -> None:
    """It says so when it listens; connecting to find out could end it."""
    assert process.stdout is not None
    deadline = time.monotonic() + 20
    while time.monotonic() < deadline:
        line = process.stdout.readline()
        if b"ACCEPT" in line or b"waiting for OCSP client connections" in line:
            return
        assert line, "openssl ocsp ended"
    raise AssertionError("openssl ocsp does not listen")
