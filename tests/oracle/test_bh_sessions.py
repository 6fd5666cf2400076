"""-bh beside Debian's Exim: the sessions of bh_cases, replies and all that is told of them compared."""

from __future__ import annotations

import difflib
import re
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from mta.config.load import load
from mta.config.runtime import Runtime
from mta.receive.hosttest import run
from tests.oracle.bh_cases import GROUPS, ON_PURPOSE, Group
from tests.oracle.harness import Pair, both, plain

HOST = "192.0.2.1"


@pytest.fixture(scope="module", params=list(GROUPS))
def group(request: pytest.FixtureRequest) -> Iterator[tuple[str, Group, Pair]]:
    chosen = GROUPS[request.param]
    with both(f"pipelining_connect_advertise_hosts =\n{chosen.main}begin acl\n{chosen.acl}") as pair:
        yield request.param, chosen, pair


def ours(path: Path, said: str) -> tuple[str, str]:
    """(replies, told) of a session with our server in this process."""
    told: list[str] = []
    runtime = Runtime.start(load(str(path)))
    with tempfile.TemporaryFile() as given, tempfile.TemporaryFile() as output:
        given.write(said.encode("latin-1"))
        given.seek(0)
        run(runtime, HOST, given.fileno(), output.fileno(), told.append)
        output.seek(0)
        return output.read().decode("latin-1"), "".join(f"{line}\n" for line in told)


# parts of the narrative that are not told: parts of addresses matched, routing, the machine's resolver
_UNTOLD = re.compile(
    r">>> *(routing |calling |routed by|looking up|IP address lookup|sender host name required|>>>>>|-----|\$|"
    r"no more routers|\S+ router\b|message:|expansion failed|c in \"|using cached sender verify|"
    r"host in (ignore_fromline|smtputf8_advertise|tls_advertise|smtp_accept_max_nonmail)_hosts)"
)
_SUBJECT = re.compile(r">>>[\s\xe2\x95\x8e]*\S* in \"")
_WHOLE, _PART = re.compile(r">>>[\s\xe2\x95\x8e]*[^@]*@\S* in \""), re.compile(r">>>[\s\xe2\x95\x8e]*[^@\s]* in \"")
_NO_ID = re.compile(r"LOG: ID (notquit|rejected MAIL)")  # Exim keeps the id of the message before


def comparable(text: str) -> list[str]:
    """Lines without times, ids, versions, and without the narrative, which has its own test."""
    text = re.sub(r"Exim 4\.\d+", "VERSION", re.sub(r"ESMTP (Exim|mta) .*", "ESMTP", plain(text)))
    text = re.sub(r"\w{3}, \d+ \w{3} \d{4} \S+ [+-]\d{4}", "DATE", text)
    text = re.sub(r"<E\w{6}-\w{6}-\w\w@", "<E@", text)
    text = re.sub(r"334 P[\w+/]+=*", "334 CHALLENGE", text).replace("\r", "")
    lines = [_NO_ID.sub(r"LOG: \1", line) for line in text.split("\n")]
    return narrative(lines)


def narrative(lines: list[str]) -> list[str]:
    """Without the steps that Exim tells of and mta does not; file names in place of folders."""
    told: list[str] = []
    for line in lines:
        if line.startswith(">>>"):
            if _UNTOLD.search(line):
                continue
            # an ACL within an option has the number of the last line in Exim, and none here
            line = re.sub(r"\([^ ]*configure (\d+)\)", r"(configure \1)", line)
            line = re.sub(r'(processing "accept") \(configure \d+\)', r"\1", line)
            line = _SUBJECT.sub(lambda found: found[0].lower(), line)  # Exim shows it as it came
            if _WHOLE.match(line):
                while told and _PART.match(told[-1]):
                    told.pop()
        told.append(line)
    return told


@pytest.mark.oracle
def test_sessions(group: tuple[str, Group, Pair]) -> None:
    name, chosen, pair = group
    wrong: list[str] = []
    for title, said in chosen.sessions.items():
        exim = pair.exim("-bh", HOST, input=said)
        replies, told = ours(pair.config, said)
        found: list[str] = []
        for mine, theirs in ((replies, exim.out), (told, exim.err)):
            sides = comparable(theirs), comparable(mine)
            found += difflib.unified_diff(*sides, f"Exim {name}-{title}", f"mta {name}-{title}", "", "", 2, "")
        if f"{name}-{title}" not in ON_PURPOSE:
            wrong += found
        elif not found:
            wrong.append(f"{name}-{title} is as in Exim now")
    assert not wrong, "\n".join(wrong)


def test_there_are_enough_sessions() -> None:
    titles = {f"{name}-{title}" for name, chosen in GROUPS.items() for title in chosen.sessions}
    assert len(titles) >= 300
    assert set(ON_PURPOSE) <= titles
