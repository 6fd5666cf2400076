"""Warnings of mtactl lint on options of transports (OCSP-12)."""

from __future__ import annotations

import io
from pathlib import Path

import pytest

from mta.ctl.main import main

HEAD = "primary_hostname = x.ex\nspool_directory = {folder}\nbegin transports\nt:\n  driver = smtp\n"


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ("", []),
        ("hosts_require_ocsp = *\n  hosts_require_tls = *", []),
        ("hosts_require_ocsp = *", ["6: warning: t transport: hosts_require_ocsp does nothing for mail in clear"]),
        (
            "hosts_require_tls = *\n  tls_verify_certificates =\n  hosts_require_ocsp = *",
            ["8: warning: t transport: hosts_require_ocsp needs tls_verify_certificates"],
        ),
        ("hosts_require_dane = *", []),
    ],
)
def test_OCSP_12_lint(tmp_path: Path, options: str, expected: list[str]) -> None:
    file = tmp_path / "conf"
    file.write_text(HEAD.format(folder=tmp_path) + f"  {options}\n")
    out = io.StringIO()
    assert main(["lint", str(file)], out) == 0
    found = [line for line in out.getvalue().splitlines() if "warning" in line]
    assert len(found) == len(expected)
    for line, words in zip(found, expected, strict=True):
        assert line.startswith(f"{file}:{words}")
