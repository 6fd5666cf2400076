"""The recorded answers of cases.txt, asked again of the Exim that is installed."""

import os
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.match.test_cases import DATA, cases

CONFIGURATION = r"""
keep_environment =
tls_advertise_hosts =
primary_hostname = Our.Host.ex
local_interfaces = 127.0.0.1
domainlist dom = a.dom.ex : *.sub.dom.ex
domainlist neg = !x.neg.ex
domainlist negs = +neg : *.neg.ex
domainlist re = \N^r\d+\.(ex)$\N
domainlist exp = ${lc:EXP.EX} : other.ex
domainlist ff = ${if eq{a}{b}{x}fail}
domainlist empty =
addresslist al = user@al.ex : *@al2.ex : :
addresslist alc = +caseful : User@al.ex
localpartlist lp = alice : bob
localpartlist lpc = +caseful : Carol : ^D
hostlist hl = 10.0.0.0/8 : !11.1.1.1 : 11.0.0.0/8
"""


@pytest.mark.oracle
def test_recorded_answers_are_exims(tmp_path: Path) -> None:
    program = shutil.which("exim4") or shutil.which("exim4", path="/usr/sbin")
    if program is None or os.geteuid() != 0:
        pytest.skip("needs exim4 (Debian package exim4-daemon-heavy), as root")
    for file in DATA.iterdir():
        (tmp_path / file.name).write_text(file.read_text("latin-1").replace("DIR", str(tmp_path)), "latin-1")
    configuration = tmp_path / "exim.conf"
    configuration.write_text(f"spool_directory = {tmp_path}/spool\nlog_file_path = {tmp_path}/%slog{CONFIGURATION}")
    configuration.chmod(0o644)
    asked = [(question, answer) for question, answer in cases() if answer != "F"]  # most of those end exim4 -be
    lines = []
    for question, _ in asked:
        kind, subject, text = question.replace("DIR", str(tmp_path)).split("|", 2)
        lines.append(f"${{if match_{kind}{{{subject}}}{{{text}}}{{y:$value:$0:$1:$2}}{{n}}}}\n")
    done = subprocess.run(
        [program, "-C", str(configuration), "-be"],
        input="".join(lines).encode("latin-1"),
        capture_output=True,
        check=True,
    )
    answers = done.stdout.decode("latin-1").replace(str(tmp_path), "DIR").removeprefix("> ").split("\n> ")
    assert [(question, said) for (question, _), said in zip(asked, answers, strict=False)] == asked
