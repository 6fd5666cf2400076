"""``mtactl dmarc report``: reports of whole days as files, and as messages in the spool for those who may have them."""

from __future__ import annotations

import base64
import gzip
import io
import re
from pathlib import Path
from typing import Any

import pytest

from mta.config.runtime import Runtime
from mta.ctl import dmarc as dmarc_verb
from mta.ctl.main import main
from mta.emailauth import dmarc_results
from mta.emailauth.dmarc import DmarcResult
from mta.emailauth.dmarc_record import DmarcRecord
from mta.emailauth.spf import SpfResult
from tests.fakes.dns import FakeResolver

DAY = 86_400
TODAY = 20_780 * DAY
TABLE: dict[tuple[str, str], Any] = {
    ("_dmarc.good.ex", "TXT"): ['"v=DMARC1; p=reject"'],
    ("_dmarc.strange.ex", "TXT"): ['"v=DMARC1; p=none"'],
    ("_dmarc.slow.ex", "TXT"): "again",
}


@pytest.fixture
def config(tmp_path: Path) -> Path:
    path = tmp_path / "mta.conf"
    path.write_text(
        f"primary_hostname = mx.test\nqualify_domain = mx.test\nspool_directory = {tmp_path}/spool\n"
        f"log_file_path = {tmp_path}/log_%s\ndmarc_report_database = {tmp_path}/dmarc.sqlite\n"
        "dmarc_report_sender = DMARC reports <dmarc@mx.test>\nbegin acl\n"
    )
    for domain, rua in (
        ("good.ex", "mailto:agg@good.ex"),
        ("strange.ex", "mailto:x@victim.ex"),
        ("slow.ex", "mailto:a@b.ex"),
    ):
        record = DmarcRecord("reject", rua=[rua], domain=domain)
        found = DmarcResult("reject", domain, "reject", record, domain, SpfResult("fail", "other.ex"))
        for received in (TODAY - 100, TODAY - DAY - 5, TODAY + 5):
            dmarc_results.keep(
                str(tmp_path / "dmarc.sqlite"), found, ip="192.0.2.1", received=received, mail_from="other.ex"
            )
    return path


def run(config: Path, *words: str) -> tuple[int, str]:
    out = io.StringIO()
    code = main(["dmarc", "-C", str(config), "report", "--until", str(TODAY), *words], out)
    return code, out.getvalue()


def test_reports_as_files(config: Path, tmp_path: Path) -> None:
    folder = tmp_path / "out"
    folder.mkdir()
    code, text = run(config, "--out", str(folder), "--domain", "good.ex")
    name = f"mx.test!good.ex!{TODAY - 2 * DAY}!{TODAY - 1}.xml.gz"
    assert (code, text) == (0, name + "\n")
    document = gzip.decompress((folder / name).read_bytes()).decode()
    assert "<count>2</count>" in document
    assert f"<begin>{TODAY - 2 * DAY}</begin>" in document
    assert "<email>dmarc@mx.test</email>" in document
    assert dmarc_results.domains(str(tmp_path / "dmarc.sqlite"), 0, TODAY) == ["good.ex", "slow.ex", "strange.ex"]


def test_reports_by_mail(config: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    start = Runtime.start

    def with_fake_dns(*arguments: Any, **more: Any) -> Runtime:
        runtime = start(*arguments, **more)
        runtime.services.resolver = FakeResolver(TABLE)
        return runtime

    monkeypatch.setattr(Runtime, "start", with_fake_dns)
    code, text = run(config)
    assert code == 1  # slow.ex must be tried again
    said = dict(line.split(": ", 1) for line in text.splitlines() if not line.startswith("strange.ex: x@"))
    assert said["slow.ex"].startswith("not sent, ")
    assert said["strange.ex"] == "nobody to send to"
    assert "strange.ex: x@victim.ex has not agreed to reports" in text
    assert said["good.ex"].endswith(" to agg@good.ex")
    database = str(tmp_path / "dmarc.sqlite")
    assert dmarc_results.domains(database, 0, TODAY) == ["slow.ex"]
    assert dmarc_results.domains(database, TODAY, TODAY + DAY) == ["good.ex", "slow.ex", "strange.ex"]
    message_id = said["good.ex"].split(" ")[0]
    header = (tmp_path / "spool" / "input" / f"{message_id}-H").read_text()
    body = (tmp_path / "spool" / "input" / f"{message_id}-D").read_text()
    assert "<dmarc@mx.test>" in header
    assert re.search(r"Subject: Report Domain: good\.ex Submitter: mx\.test Report-ID: <\S+@mx\.test>\n", header)
    encoded = re.search(r'filename="mx\.test!good\.ex![0-9]+![0-9]+\.xml\.gz"\n\n([A-Za-z0-9+/=\n]+)--', body)
    assert encoded is not None
    assert b"urn:ietf:params:xml:ns:dmarc-2.0" in gzip.decompress(base64.b64decode(encoded.group(1)))


def test_without_a_database(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "c").write_text(f"primary_hostname = mx.test\nspool_directory = {tmp_path}/spool\nbegin acl\n")
    assert main(["dmarc", "-C", str(tmp_path / "c"), "report"], io.StringIO()) == 1
    assert "dmarc_report_database is not set" in capsys.readouterr().err
    assert dmarc_verb.MAX_DAYS == 8
