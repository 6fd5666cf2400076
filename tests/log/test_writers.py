"""The files behind the log: names, rotation, escapes, last resorts; selectors."""

import threading
from pathlib import Path
from typing import Any

import pytest

from mta.errors import ConfigError
from mta.log.selectors import DEFAULT, NAMES, parse_selectors
from mta.log.writers import Log, LogOptions, one_line, syslog_parts

NOW = 1795396903.734


def log(folder: Path, clock: Any = lambda: NOW, **options: Any) -> Log:
    options = {"path": f"{folder}/%slog", "spool": str(folder), "utc": True, **options}
    return Log(LogOptions(**options), clock)


def test_main_and_panic(tmp_path: Path) -> None:
    made = log(tmp_path / "deep" / "er")
    made.main("Completed", "1xVIlm-000335-1x")
    made.panic("one\ntwo")
    folder = tmp_path / "deep" / "er"
    assert (folder / "mainlog").read_text() == (
        "2026-11-23 01:21:43 1xVIlm-000335-1x Completed\n2026-11-23 01:21:43 one\\ntwo\n"
    )
    assert (folder / "paniclog").read_text() == "2026-11-23 01:21:43 one\ntwo\n"


def test_stamps(tmp_path: Path) -> None:
    assert log(tmp_path, selectors=DEFAULT | {"millisec"}).stamp() == "2026-11-23 01:21:43.734 "
    assert log(tmp_path, timezone=True).stamp() == "2026-11-23 01:21:43 +0000 "
    assert "[" in log(tmp_path, selectors=DEFAULT | {"pid"}).stamp()


def test_nothing_starts_a_line_of_its_own(tmp_path: Path) -> None:
    made = log(tmp_path)
    made.main("a\n2026-11-23 01:21:43 forged\r\x00\x1b")
    made.reject("b\nc", headers="  Subject: x\nF From: y\x07\n")
    assert (tmp_path / "mainlog").read_text().count("\n") == 1
    assert one_line("\r\x00\x1b\x7f\xe9") == "\\r\\000\\033\\177\xe9"
    assert (tmp_path / "rejectlog").read_text().split("\n")[:3] == [
        "2026-11-23 01:21:43 b\\nc",
        "  Subject: x",
        "F From: y\\007",
    ]


def test_rotation_is_noticed(tmp_path: Path) -> None:
    now = [NOW]
    made = log(tmp_path, lambda: now[0])
    made.main("one")
    (tmp_path / "mainlog").rename(tmp_path / "old")
    now[0] += 2
    made.main("two")
    assert (tmp_path / "old").read_text().endswith("one\n")
    assert (tmp_path / "mainlog").read_text().endswith("two\n")


@pytest.mark.parametrize(
    ("template", "main", "panic"),
    [
        ("%slog-%D", "mainlog-20261123", "paniclog"),
        ("exim-%s-%D.log", "exim-main-20261123.log", "exim-panic.log"),
        ("%D-%slog", "20261123-mainlog", "paniclog"),
        ("%s.%M", "main.202611", "panic"),
    ],
)
def test_dated_names(tmp_path: Path, template: str, main: str, panic: str) -> None:
    made = log(tmp_path, path=f"{tmp_path}/{template}")
    made.panic("x")
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted([main, panic])


def test_a_log_that_cannot_be_written(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "mainlog").mkdir()
    log(tmp_path).main("hello")
    assert "Cannot open main log file" in (tmp_path / "paniclog").read_text()
    assert "hello" in (tmp_path / "paniclog").read_text()
    (tmp_path / "paniclog").unlink()
    (tmp_path / "paniclog").mkdir()
    log(tmp_path).main("hello")
    assert "hello" in capfd.readouterr().err


def test_message_logs(tmp_path: Path) -> None:
    made = log(tmp_path, message_log_path=lambda message_id: str(tmp_path / "msglog" / message_id))
    made.msglog("1xVIlm-000335-1x", "a@x: defer\nforged")
    assert (tmp_path / "msglog" / "1xVIlm-000335-1x").read_text() == "2026-11-23 01:21:43 a@x: defer\\nforged\n"


def test_threads_share_a_log(tmp_path: Path) -> None:
    now = [NOW]
    made = log(tmp_path, lambda: now[0])

    def many() -> None:
        for number in range(200):
            now[0] += 0.1
            made.main(f"line {number}")

    threads = [threading.Thread(target=many) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len((tmp_path / "mainlog").read_text().split("\n")) == 801


def test_syslog_parts() -> None:
    assert syslog_parts("short") == ["short"]
    assert syslog_parts("a\nb") == ["[1\\2] a", "[2/2] b"]
    assert [part[:6] for part in syslog_parts("x" * 1000 + "\ny")] == ["[1/3] ", "[2\\3] ", "[3/3] "]


def test_selectors() -> None:
    assert parse_selectors("") == DEFAULT
    assert parse_selectors("+all") == NAMES
    assert parse_selectors("-all +pid") == {"pid"}
    assert parse_selectors("+subject-retry_defer") == (DEFAULT | {"subject"}) - {"retry_defer"}
    with pytest.raises(ConfigError, match="unknown log_selector setting: -foo"):
        parse_selectors("-foo")
    with pytest.raises(ConfigError, match=r'malformed log_selector setting: \+ or - expected but found "foo"'):
        parse_selectors("foo")


def test_stderr_in_the_path_shows_the_main_log_on_the_terminal(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    log = Log(LogOptions(path=f"{tmp_path}/%slog : stderr", spool=str(tmp_path)))
    log.main("hello")
    assert capfd.readouterr().err.endswith(" hello\n")
    assert (tmp_path / "mainlog").read_text().endswith(" hello\n")
