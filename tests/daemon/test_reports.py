"""Messages that an SMTP session makes itself go into the spool and are announced to the queue manager."""

from __future__ import annotations

from pathlib import Path
from typing import Any, cast

from mta.config.load import load
from mta.config.runtime import Runtime
from mta.daemon.immediate import Arrivals
from mta.daemon.smtp_worker import _take_reports


class Recorder:
    def __init__(self) -> None:
        self.announced: list[str] = []

    def session(self) -> Any:
        return self.announced.append


def test_dmarc_13_reports_are_spooled_and_announced(tmp_path: Path) -> None:
    config = tmp_path / "mta.conf"
    config.write_text(
        f"primary_hostname = mx.test\nspool_directory = {tmp_path}/spool\nlog_file_path = {tmp_path}/%slog\n"
    )
    runtime, recorder = Runtime.start(load(str(config), {}, trusted=False)), Recorder()
    _take_reports(runtime, cast(Arrivals, recorder))
    made = runtime.services.state["submit_message"]("", ["f@example.com"], "From: x@mx.test\nSubject: s\n", "body\n")
    assert recorder.announced == [made]
    message, _ = runtime.spool.read(made)
    assert [recipient.address for recipient in message.recipients] == ["f@example.com"]
    assert message.sender == ""
    assert runtime.services.state["new_messages"] == []
