"""verify_chain beside OpenSSL's own DANE: ``openssl s_client -dane_tlsa_rrdata`` on the same chain says the same."""

from __future__ import annotations

import re
import shutil
import socket
import ssl
import subprocess
import threading
import time
from pathlib import Path

import pytest

from mta.net.records import Tlsa
from mta.tls.dane import verify_chain
from tests.tls.entities import Entity, make
from tests.tls.test_dane import LEAF, MIDDLE, OTHER, ROOT

pytestmark = [
    pytest.mark.oracle,
    pytest.mark.skipif(shutil.which("openssl") is None, reason="needs openssl"),
]
ALONE = make("mx.example", names=["mx.example"], ca=None)
OLD = make("mx.example", MIDDLE, names=["mx.example"], days=(-3, -2))
NO_CA = make("No CA", ROOT, ca=False)
BELOW = make("mx.example", NO_CA, names=["mx.example"])
COMMON = make("mx.example", MIDDLE)
WRONG = Tlsa(3, 1, 1, bytes(32))

CASES: dict[str, tuple[list[Tlsa], list[Entity]]] = {
    "ee": ([LEAF.record(3, 1, 1)], [LEAF, MIDDLE]),
    "ee sha512": ([LEAF.record(3, 0, 2)], [LEAF]),
    "ee full": ([LEAF.record(3, 0, 0)], [LEAF]),
    "ee full key": ([LEAF.record(3, 1, 0)], [LEAF]),
    "ee wrong": ([WRONG], [LEAF, MIDDLE]),
    "ee expired": ([OLD.record(3, 1, 1)], [OLD]),
    "ee alone": ([ALONE.record(3, 1, 1)], [ALONE]),
    "ta middle": ([MIDDLE.record(2, 1, 1)], [LEAF, MIDDLE]),
    "ta root": ([ROOT.record(2, 0, 1)], [LEAF, MIDDLE, ROOT]),
    "ta root not sent": ([ROOT.record(2, 0, 1)], [LEAF, MIDDLE]),
    "ta full root not sent": ([ROOT.record(2, 0, 0)], [LEAF, MIDDLE]),
    "ta full middle not sent": ([MIDDLE.record(2, 0, 0)], [LEAF]),
    "ta bare root key": ([ROOT.record(2, 1, 0)], [LEAF, MIDDLE]),
    "ta bare middle key": ([MIDDLE.record(2, 1, 0)], [LEAF]),
    "ta bare key of what was sent": ([MIDDLE.record(2, 1, 0)], [LEAF, MIDDLE]),
    "ta stranger": ([OTHER.record(2, 1, 1)], [LEAF, MIDDLE, OTHER]),
    "ta leaf": ([ALONE.record(2, 1, 1)], [ALONE]),
    "ta bare leaf": ([ALONE.record(2, 1, 0)], [ALONE]),
    "ta expired leaf": ([MIDDLE.record(2, 1, 1)], [OLD, MIDDLE]),
    "ta below no CA": ([ROOT.record(2, 1, 1)], [BELOW, NO_CA, ROOT]),
    "ta common name": ([MIDDLE.record(2, 1, 1)], [COMMON, MIDDLE]),
    "agility": ([LEAF.record(3, 1, 1), OTHER.record(3, 1, 2)], [LEAF]),
    "agility per selector": ([LEAF.record(3, 1, 1), OTHER.record(3, 0, 2)], [LEAF]),
    "both usages": ([WRONG, MIDDLE.record(2, 1, 2)], [LEAF, MIDDLE]),
}


def openssl(folder: Path, records: list[Tlsa], chain: list[Entity], name: str) -> int:
    """The depth of OpenSSL's match, -1 for none."""
    (folder / "chain").write_bytes(b"".join(entity.pem for entity in chain))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(folder / "chain", chain[0].save_key(folder / "key"))
    with socket.create_server(("127.0.0.1", 0)) as listener:
        thread = threading.Thread(target=_serve, args=(listener, context))
        thread.start()
        words = [f"127.0.0.1:{listener.getsockname()[1]}", "-dane_ee_no_namechecks", "-dane_tlsa_domain", name]
        for record in records:
            words += ["-dane_tlsa_rrdata", f"{record.usage} {record.selector} {record.matching} {record.data.hex()}"]
        done = subprocess.run(
            ["openssl", "s_client", "-connect", *words],
            input=b"", capture_output=True, timeout=20, check=False,
        )  # fmt: skip
        thread.join(10)
    said = (done.stdout + done.stderr).decode("latin-1")
    good = re.search(r"Verification: OK", said)
    depth = re.search(r"DANE TLSA .* at depth (\d+)", said)
    assert good or "Verification error" in said, said
    return int(depth[1]) if good and depth else -1


def _serve(listener: socket.socket, context: ssl.SSLContext) -> None:
    listener.settimeout(5)
    sock, _ = listener.accept()
    try:
        with context.wrap_socket(sock, server_side=True) as secured:
            secured.recv(100)
    except OSError:
        sock.close()


@pytest.mark.parametrize("name", ["mx.example", "other.example"])
@pytest.mark.parametrize("case", CASES)
def test_same_as_openssl(tmp_path: Path, case: str, name: str) -> None:
    records, chain = CASES[case]
    ours = verify_chain(records, [entity.der for entity in chain], [name], time.time())
    assert ours.depth == openssl(tmp_path, records, chain, name), str(ours)
