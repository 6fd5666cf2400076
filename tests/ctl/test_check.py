"""``mtactl check``: the first word is the result; tables of records, a real name server, JSON."""

from __future__ import annotations

import io
import json
from pathlib import Path

import pytest

from mta.ctl.main import main
from tests.peers.nsd import name_server

TABLE = {
    "example.com": "v=spf1 ip4:192.0.2.1 -all exp=why.example.com",
    "why.example.com": "%{i} is not ours at %{t}",
    "soft.com": "v=spf1 ~all",
    "host.com": {"TXT": "v=spf1 a -all", "A": ["192.0.2.1"]},
    "bad.com": {"TXT": "v=spf1 a -all", "A": ["nonsense"]},
    "slow.com": "SERVFAIL",
    "syntax.com": "v=spf1 wrong",
    "_dmarc.example.com": "v=DMARC1; p=reject",
    "_dmarc.soft.com": "v=DMARC1; p=none",
    "_dmarc.slow.com": "SERVFAIL",
}


@pytest.fixture
def table(tmp_path: Path) -> str:
    path = tmp_path / "table.json"
    path.write_text(json.dumps(TABLE))
    return str(path)


def run(*words: str) -> tuple[int, str]:
    out = io.StringIO()
    code = main(["check", *words], out)
    return code, out.getvalue()


SPF = [
    ("192.0.2.1", "a@example.com", "pass domain of example.com designates 192.0.2.1 as permitted sender; "
     "mechanism ip4:192.0.2.1\n"),
    ("192.0.2.2", "a@example.com", "fail domain of example.com does not designate 192.0.2.2 as permitted sender; "
     "mechanism -all; explanation: 192.0.2.2 is not ours at 86400\n"),
    ("192.0.2.1", "a@soft.com", "softfail transitioning domain of soft.com does not designate 192.0.2.1 as permitted "
     "sender; mechanism ~all\n"),
    ("192.0.2.1", "a@host.com", "pass domain of host.com designates 192.0.2.1 as permitted sender; mechanism a\n"),
    ("192.0.2.1", "a@none.com", "none domain of none.com does not provide an SPF record\n"),
    ("192.0.2.1", "a@slow.com", "temperror encountered temporary error during SPF processing of domain of slow.com\n"),
    ("192.0.2.1", "a@bad.com", "temperror encountered temporary error during SPF processing of domain of bad.com\n"),
    ("192.0.2.1", "a@syntax.com", "permerror error in processing during lookup of domain of syntax.com: "
     "Unknown mechanism found: wrong\n"),
    ("192.0.2.1", "<>", "pass domain of example.com designates 192.0.2.1 as permitted sender; "
     "mechanism ip4:192.0.2.1\n"),
    ("nonsense", "a@soft.com", "(invalid) nonsense is not an IP address\n"),
]  # fmt: skip


@pytest.mark.parametrize(("ip", "sender", "said"), SPF)
def test_spf(table: str, ip: str, sender: str, said: str) -> None:
    words = ["spf", "--ip", ip, "--helo", "example.com", "--from", sender, "--txt", table, "--at", "1970-01-02"]
    assert run(*words) == (0, said)


def test_spf_guess_and_json(table: str) -> None:
    code, text = run("spf", "--ip", "192.0.2.1", "--from", "a@none.com", "--txt", table, "--json",
                     "--guess", "v=spf1 ip4:192.0.2.0/24 ?all")  # fmt: skip
    found = json.loads(text)
    assert (code, found["result"], found["guessed"], found["domain"]) == (0, "pass", True, "none.com")
    assert found["received"].startswith("Received-SPF: pass (mtactl: domain of none.com designates")


DMARC = [
    ("example.com", "192.0.2.1", "a@example.com", "pass author domain example.com; policy reject of example.com; "
     "SPF pass for example.com, aligned; DKIM not aligned\n"),
    ("example.com", "192.0.2.2", "a@example.com", "fail recommended: reject; author domain example.com; "
     "policy reject of example.com; SPF fail for example.com, not aligned; DKIM not aligned\n"),
    ("soft.com", "192.0.2.2", "<>", "fail recommended: none; author domain soft.com; policy none of soft.com; "
     "SPF none for -, not aligned; DKIM not aligned\n"),
    ("none.com", "192.0.2.1", "a@example.com", "none author domain none.com; no record\n"),
    ("slow.com", "192.0.2.1", "a@example.com", "temperror author domain slow.com; _dmarc.slow.com TXT: SERVFAIL\n"),
    ("", "192.0.2.1", "a@example.com", "permerror no From: field\n"),
]  # fmt: skip


@pytest.mark.parametrize(("author", "ip", "sender", "said"), DMARC)
def test_dmarc(table: str, tmp_path: Path, author: str, ip: str, sender: str, said: str) -> None:
    message = tmp_path / "m"
    message.write_bytes((f"From: a@{author}\r\n" if author else "").encode() + b"Subject: x\r\n\r\nbody\r\n")
    assert run("dmarc", str(message), "--ip", ip, "--from", sender, "--txt", table) == (0, said)


def test_dmarc_by_public_suffixes(table: str, tmp_path: Path) -> None:
    (tmp_path / "m").write_bytes(b"From: a@x.y.example.com\n\nbody\n")
    (tmp_path / "psl").write_text("com\n")
    words = ["dmarc", str(tmp_path / "m"), "--ip", "192.0.2.9", "--from", "a@soft.com", "--txt", table, "--json"]
    found = json.loads(run(*words, "--suffixes", str(tmp_path / "psl"))[1])
    assert (found["result"], found["status"], found["method"]) == ("fail", "reject", "psl")
    assert json.loads(run(*words)[1])["method"] == "treewalk"


def test_faults_of_the_command(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run("spf", "--ip", "192.0.2.1", "--txt", str(tmp_path / "missing"))[0] == 1
    (tmp_path / "list").write_text("[]")
    assert run("spf", "--ip", "192.0.2.1", "--txt", str(tmp_path / "list"))[0] == 1
    (tmp_path / "table").write_text("{}")
    assert run("spf", "--ip", "192.0.2.1", "--txt", str(tmp_path / "table"), "--at", "noon")[0] == 1
    assert run("dmarc", "/nonexistent", "--ip", "1.2.3.4", "--txt", str(tmp_path / "table"))[0] == 1
    said = capsys.readouterr().err
    assert "an object of names and texts is wanted" in said
    assert "neither seconds nor an ISO 8601 time" in said
    assert "/nonexistent: No such file or directory" in said


def test_dns_asks_that_server(tmp_path: Path) -> None:
    with name_server({"example.org": '@ IN TXT "v=spf1 ip4:192.0.2.7 -all"\n'}, tmp_path) as (address, port):
        words = ["spf", "--helo", "h.example.org", "--from", "a@example.org", "--dns", f"{address}:{port}"]
        assert run(*words, "--ip", "192.0.2.7")[1].startswith("pass ")
        assert run(*words, "--ip", "192.0.2.8")[1].startswith("fail ")
