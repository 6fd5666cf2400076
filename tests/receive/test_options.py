"""Main options about receiving; texts and routes are Exim 4.96's."""

from __future__ import annotations

import os
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import pytest

from tests.receive.conftest import log_lines


@pytest.mark.parametrize(
    ("address", "seen"),
    [
        ("foo%bar.com@hack.test", "foo at bar.com"),
        ("foo%bar%hack.test@hack.test", "foo at bar"),
        ("foo%bar.com@nohack.test", "foo%bar.com at nohack.test"),
        ("%bar.com@hack.test", " at bar.com"),
        ("foo%@hack.test", "foo at "),
        ("foo%%bar@hack.test", "foo% at bar"),
    ],
)
def test_percent_hack_domains(
    make_runtime: Callable[..., Any], connect: Callable[..., Any], address: str, seen: str
) -> None:
    runtime = make_runtime("percent_hack_domains = hack.test", "rcpt: accept logwrite = <$local_part at $domain>")
    client = connect(runtime)
    client.reply()
    client.say("HELO x")
    client.say("MAIL FROM:<a@b.c>")
    assert client.say(f"RCPT TO:<{address}>")[0].startswith("250")
    assert f"<{seen}>" in log_lines(runtime)


@pytest.mark.parametrize(("option", "free", "inodes"), [("space", 1, 10**6), ("inodes", 10**9, 1)])
def test_room_for_the_logs_is_checked(
    make_runtime: Callable[..., Any],
    connect: Callable[..., Any],
    monkeypatch: pytest.MonkeyPatch,
    option: str,
    free: int,
    inodes: int,
) -> None:
    runtime = make_runtime("check_spool_space = 0\ncheck_spool_inodes = 0\ncheck_log_space = 1M\ncheck_log_inodes = 9")
    real = os.statvfs

    def statvfs(path: Any) -> Any:
        if str(path).endswith("/log"):
            return SimpleNamespace(f_bavail=free, f_frsize=1, f_favail=inodes, f_files=100)
        return real(path)

    monkeypatch.setattr(os, "statvfs", statvfs)
    client = connect(runtime)
    client.reply()
    client.say("HELO x")
    assert client.say("MAIL FROM:<a@b.c>") == ["452 Space shortage, please try later"]
    assert any("log directory space check failed" in line for line in log_lines(runtime))


@pytest.mark.parametrize(
    ("details", "expected"),
    [
        (False, ["550 Administrative prohibition"]),
        (
            True,
            [
                "550-Rejected after DATA: domain missing or malformed:",
                '550 failing address in "From:" header is: foo@',
            ],
        ),
    ],
)
def test_smtp_return_error_details(
    make_runtime: Callable[..., Any], connect: Callable[..., Any], details: bool, expected: list[str]
) -> None:
    runtime = make_runtime(
        f"smtp_return_error_details = {details}\nacl_smtp_data = data",
        "rcpt: accept\ndata: require verify = header_syntax\n  accept",
    )
    client = connect(runtime)
    client.reply()
    client.say("HELO x")
    client.say("MAIL FROM:<a@b.c>")
    client.say("RCPT TO:<a@b.c>")
    client.say("DATA")
    assert client.say(b"From: foo@\r\n\r\n.\r\n") == expected
