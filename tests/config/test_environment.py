"""keep_environment and add_environment; the expected values are Exim 4.96's (-bP environment)."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from mta.config.environment import PURGED, cleaned
from mta.scope.options import MainOptions
from tests.peers import programs

GIVEN = {"FOOX": "1", "BAR": "2"}


@pytest.mark.parametrize(
    ("keep", "left"),
    [
        (("fo*",), ""),
        (("foox",), ""),
        (("*OX",), "FOOX"),
        (("*ox",), ""),
        (("^f",), ""),
        (("^FO",), "FOOX"),
        (("! FOOX", "*"), "BAR"),
        (("!FOOX",), "BAR"),
        (("! ^F", "BAR"), "BAR"),
        ((), ""),
        (("*",), "BAR FOOX"),
    ],
)
def test_keep_environment(keep: tuple[str, ...], left: str) -> None:
    found = cleaned(MainOptions(keep_environment=keep), GIVEN)
    assert " ".join(sorted(found.variables)) == left
    assert found.warning == ""


def test_unset_purges_all_and_says_so() -> None:
    assert cleaned(MainOptions(), GIVEN) == ({}, PURGED)
    assert cleaned(MainOptions(), {}) == ({}, "")


def test_add_environment() -> None:
    main = MainOptions(keep_environment=(), add_environment=("X=1", "Y=a=b", "BAR"))
    assert cleaned(main, GIVEN).variables == {"X": "1", "Y": "a=b"}


def test_the_command_s_children_see_nothing_else(tmp_path: Path) -> None:
    config = tmp_path / "configure"
    config.write_text(f"spool_directory = {tmp_path}\nkeep_environment = BAR\nadd_environment = X=1\n")
    text = "${run{/usr/bin/env}} ${env{FOOX}{$value}{gone}}"
    command = [*programs.mta(), "-C", str(config), "-be", text]
    given = {**os.environ, **GIVEN}
    given.pop("MTA_SPEEDUPS", None)  # which is always kept
    done = subprocess.run(command, env=given, capture_output=True, text=True, timeout=30)
    assert sorted(done.stdout.split()) == ["BAR=2", "X=1", "gone"]
