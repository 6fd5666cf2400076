"""Flags that change what the configuration says, and those that Exim takes and does nothing with."""

from __future__ import annotations

import socket
import subprocess
from pathlib import Path

import pytest

from mta.cli.arguments import UsageError
from mta.cli.call import Call
from mta.cli.modes.submit import bad_reference, order_of
from mta.cli.options import parse
from mta.daemon.listeners import bind
from mta.daemon.master import DaemonOptions
from tests.peers import programs

REFERENCE = "1xVInd-0003Oz-0V"


@pytest.fixture
def config(tmp_path: Path) -> Path:
    path = tmp_path / "configure"
    path.write_text(f"spool_directory = {tmp_path}/spool\nlog_file_path = {tmp_path}/%slog\nkeep_environment =\n")
    return path


def call(config: Path, *words: str) -> Call:
    return Call(parse("mta", ["-C", str(config), *words]), uid=0)


def test_os_is_smtp_receive_timeout(config: Path) -> None:
    main = call(config, "-os", "7m", "-bs").config().main
    assert main.smtp_receive_timeout.constant == "7m"


def test_l_is_syslog_processname(config: Path) -> None:
    main = call(config, "-L", "mine", "-bs").config().main
    assert (main.syslog_processname, main.log_file_path.constant) == ("mine", "syslog")
    with pytest.raises(PermissionError):
        Call(parse("mta", ["-C", str(config), "-L", "mine", "-bs"]), uid=12345, gid=12345).config()
    with pytest.raises(UsageError):
        parse("mta", ["-L", "x" * 33, "-bs"])


def test_x_is_ignored(config: Path) -> None:
    assert parse("mta", ["-X", "/tmp/x", "-bt", "a"]).words == ["a"]
    assert parse("mta", ["-X/tmp/x", "-bt", "a"]).words == ["a"]


def test_omm_is_the_reference(config: Path) -> None:
    arguments = parse("mta", ["-oMm", REFERENCE, "a@b.c"])
    assert order_of(arguments).message_reference == REFERENCE
    assert not bad_reference(arguments)
    assert bad_reference(parse("mta", ["-oMm", "x", "a@b.c"]))


def test_omm_is_logged(config: Path, tmp_path: Path) -> None:
    command = [*programs.mta(), "-C", str(config), "-odq", "-oMm", REFERENCE, "-f", "a@b.c", "d@e.f"]
    subprocess.run(command, input=b"Subject: x\n\n", check=True, timeout=30)
    assert f" <= a@b.c R={REFERENCE} U=" in (tmp_path / "mainlog").read_text()


@pytest.mark.parametrize("flag", [True, False])
def test_oy_makes_no_socket(tmp_path: Path, flag: bool) -> None:
    class Generation:
        class config:
            main = None

        def submission_path(self) -> str:
            return str(tmp_path / "s")

    made = bind(Generation(), DaemonOptions(listen=False, no_socket=flag))  # type: ignore[arg-type]
    assert [entry.sock.family for entry in made] == ([] if flag else [socket.AF_UNIX])
    for entry in made:
        entry.sock.close()


def test_version_lists_the_lookups_that_work(config: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from mta.lookup import base

    found = base.working()
    assert {"lsearch", "cdb", "dnsdb", "passwd", "sqlite"} <= set(found)
    assert not {"nisplus", "oracle", "whoson", "readsock"} & set(found)
    monkeypatch.setattr(base, "find_spec", lambda _name: None)
    assert not {"mysql", "pgsql", "ldap", "redis", "lmdb"} & set(base.working())
    assert "lsearch" in base.working()
    done = subprocess.run([*programs.mta(), "-C", str(config), "-bV"], capture_output=True, text=True, timeout=30)
    assert f"Lookups (built-in): {' '.join(found)}\n" in done.stdout
