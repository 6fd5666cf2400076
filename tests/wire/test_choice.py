from __future__ import annotations

import subprocess
import sys

import pytest

SHOW = "import mta.wire; print(mta.wire.IMPL)"


def run(code: str, wish: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", code], env={"MTA_SPEEDUPS": wish}, capture_output=True, text=True, check=False
    )


@pytest.mark.parametrize(("wish", "shown"), [("c", "c"), ("py", "py"), ("", "c")])
def test_the_wish_is_granted(wish: str, shown: str) -> None:
    assert run(SHOW, wish).stdout.count(f"'{shown}'") == 4


def test_a_missing_twin_is_an_import_error() -> None:
    hide = "import sys; sys.modules['mta.wire._lines'] = None\n"
    missing = run(hide + SHOW, "c")
    assert missing.returncode == 1
    assert "ImportError" in missing.stderr
    assert "_lines" in missing.stderr
    assert "'lines': 'py'" in run(hide + SHOW, "").stdout


def test_an_unknown_wish_is_an_import_error() -> None:
    assert "ImportError" in run(SHOW, "fast").stderr
