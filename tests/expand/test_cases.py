"""The case files against mta, and against the Exim that they were written from."""

from __future__ import annotations

import shutil
import subprocess

import pytest

from mta.cli.modes.expand import expand_once
from tests.expand.case_files import DATA, NAMES, load, settled
from tests.expand.scopes import empty_scope, scope_with_message

_END = "@@end@@"


@pytest.mark.parametrize("name", NAMES)
def test_answers_are_exims(name: str) -> None:
    make = scope_with_message if name == "headers" else empty_scope
    wrong = []
    for case in load(name):
        got = expand_once(make(), case.text)
        if settled(got) != settled(case.answer):
            wrong.append(f"{case.text}\n  exim {case.answer!r}\n  mta  {got!r}")
    assert not wrong, "\n" + "\n".join(wrong)


def test_there_are_cases_of_every_kind() -> None:
    assert len(NAMES) >= 7
    assert sum(len(load(name)) for name in NAMES) > 900


@pytest.mark.oracle
@pytest.mark.parametrize("name", NAMES)
def test_exim_still_says_so(name: str) -> None:
    exim = shutil.which("exim4")
    if exim is None:
        pytest.skip("exim4 is not installed")
    cases = load(name)
    words = [word for case in cases for word in (case.text, _END)]
    mode = ["-bem", str(DATA / "message.eml")] if name == "headers" else ["-be"]
    argv = [word.encode("latin-1") for word in [exim, *mode, *words]]
    done = subprocess.run(argv, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, check=True)
    answers = done.stdout.decode("latin-1").split(_END + "\n")[:-1]
    assert len(answers) == len(cases)
    for case, answer in zip(cases, answers, strict=True):
        assert (case.text, settled(answer.removesuffix("\n"))) == (case.text, settled(case.answer))
