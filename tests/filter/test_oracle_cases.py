"""Every filter of oracle.json: what ``mta -bf`` prints is what Exim 4.96 printed.

record_cases.py asked for them.
"""

from __future__ import annotations

import json
import re
import tempfile
from pathlib import Path

import pytest

from tests.filter.record_cases import FILE, oracle_bench
from tests.filter.testing import MESSAGE, Bench
from tests.peers import programs

_LINE = re.compile(r"near line \d+")
# Where we differ on purpose: a part of the filter -> why.
DIFFERENT = {
    "deliver a@b errors_to": "says what is wrong with the argument, not with the empty address",
    'set "a" "b"': "Exim has no variables extension",
    'redirect :copy "q@r.s"': "Exim takes require lines for a syntax error here; RFC 3894 does not",
    "stop; foo": "RFC 5228: the whole script is checked",
    'stop;\nfoo "': "RFC 5228: the whole script is checked",
    'redirect "a@b, c@d"': "one address a redirect (RFC 5228 4.2)",
    '"0015"': "RFC 4790 9.1.1: what follows the digits is not looked at",
    "M?ller": "RFC 5228 2.7.1: ? is one character, not one byte",
    "M??ller": "RFC 5228 2.7.1: ? is one character, not one byte",
    "$message_id": "changes every time",
    "$original_local_part": "the affixes belong to it (manual 11.9)",
}


def load() -> list[tuple[str, list[str], str, str]]:
    return [(text, arguments, MESSAGE if message is None else message, told) for text, arguments, message, told in
            json.loads(FILE.read_text())]  # fmt: skip


@pytest.fixture(scope="module")
def bench(tmp_path_factory: pytest.TempPathFactory) -> Bench:
    return Bench(tmp_path_factory.mktemp("filter"))


def same(ours: str, exims: str) -> bool:
    """Exim counts a newline twice when it has looked ahead over it, so line numbers are not compared."""
    return _LINE.sub("near line", ours) == _LINE.sub("near line", exims)


@pytest.mark.parametrize("number", range(len(load())))
def test_case(bench: Bench, number: int) -> None:
    text, arguments, message, told = load()[number]
    ours = bench.mta(text, arguments, message)
    assert same(ours, told) or any(part in text for part in DIFFERENT), f"{text}\n--- ours\n{ours}\n--- Exim\n{told}"


@pytest.mark.oracle
def test_the_oracle_still_says_so() -> None:
    if programs.exim() is None:
        pytest.skip("needs exim4 (Debian's exim4-daemon-heavy)")
    with tempfile.TemporaryDirectory(prefix="mta-oracle-") as name:
        bench = oracle_bench(Path(name))
        for text, arguments, message, told in load()[::25]:
            if "$message_id" not in text:
                assert bench.exim(text, arguments, message) == told, text
