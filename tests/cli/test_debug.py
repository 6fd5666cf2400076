"""-d: its selectors, and what it shows of expansions, routers, lists, look-ups, ACLs and deliveries."""

from __future__ import annotations

import os
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from mta.cli.arguments import UsageError
from mta.cli.debug import Tracer, selected
from tests.peers import programs

CONF = """
keep_environment =
primary_hostname = h.test
spool_directory = {0}/spool
log_file_path = {0}/log/%slog
exim_user = {1}
acl_smtp_rcpt = rcpt
begin acl
rcpt:
  deny condition = ${{if eq{{$local_part}}{{bad}}}}
  accept verify = recipient
begin routers
al:
  driver = redirect
  domains = h.test
  data = ${{lookup{{$local_part}}lsearch{{{0}/aliases}}}}
loc:
  driver = accept
  transport = t
  debug_print = R: $local_part
begin transports
t:
  driver = appendfile
  file = /dev/null
  debug_print = T: $local_part
"""


def test_selectors() -> None:
    default = selected("")
    assert "acl" in default
    assert not default & {"expand", "timestamp", "memory"}
    assert selected("-all") == frozenset()
    assert selected("-all+acl+route-acl") == {"route"}
    assert "expand" in selected("+all")
    assert not selected("+all") & {"memory", "noutf8"}
    assert "memory" in selected("+all+memory")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("+foo", "mta: unknown debug_selector setting: +foo"),
        ("-foo,bar", "mta: unknown debug_selector setting: -foo,bar"),
        ("foo", 'mta: malformed debug_selector setting: + or - expected but found "foo"'),
        ("+acl+foo", "mta: unknown debug_selector setting: +foo"),
    ],
)
def test_wrong_selectors(text: str, message: str) -> None:
    with pytest.raises(UsageError) as caught:
        selected(text)
    assert str(caught.value) == message


def test_prefixes_and_levels() -> None:
    lines: list[str] = []
    trace = Tracer(frozenset({"acl", "host_lookup"}), lines.append, level=2)
    trace("acl", "one\ntwo")
    trace("host", "three")
    trace("route", "not wanted")
    assert lines == ["  one", "  two", "  three"]


@pytest.fixture
def place() -> Iterator[Path]:
    """A folder that exim_user can reach, which pytest's own are not."""
    with tempfile.TemporaryDirectory() as name:
        os.chmod(name, 0o755)
        yield Path(name)


def run(place: Path, *arguments: str, given: str = "") -> tuple[str, list[str]]:
    """Standard output, and the lines of standard error."""
    config = place / "configure"
    config.write_text(CONF.format(place, programs.exim_user()))
    (place / "aliases").write_text("bob: ann@h.test\n")
    command = [*programs.mta(), "-C", str(config), *arguments]
    done = subprocess.run(command, input=given.encode(), capture_output=True, timeout=60)
    return done.stdout.decode(), done.stderr.decode().splitlines()


def test_expansions_are_a_tree(place: Path) -> None:
    out, lines = run(place, "-d-all+expand", "-be", "a${if eq{b}{c}{1}{${uc:$primary_hostname}}}")
    assert out == "aH.TEST\n"
    assert [line for line in lines if "[" not in line] == [
        "╭considering: a${if eq{b}{c}{1}{${uc:$primary_hostname}}}",
        " ╭considering: ${if eq{b}{c}{1}{${uc:$primary_hostname}}}",
        "  ╭──condition:  eq{b}{c}",
        "  ╰─────result: false",
        "  ╭considering: ${uc:$primary_hostname}",
        "  ╰─────result: H.TEST",
        " ╰─────result: H.TEST",
        "╰─────result: aH.TEST",
    ]


def test_nothing_is_said_without_it(place: Path) -> None:
    assert run(place, "-be", "${uc:$primary_hostname}") == ("H.TEST\n", [])


def test_routing(place: Path) -> None:
    out, lines = run(place, "-d", "-bt", "bob@h.test")
    assert out.startswith("ann@h.test\n")
    for line in (
        "--------> al router <--------",
        'h.test in "h.test"? yes (matched "h.test")',
        f'lsearch lookup of "bob" in {place}/aliases',
        '  lookup yielded "ann@h.test"',
        "al router: redirected bob@h.test to ann@h.test",
        "R: ann",
        "loc router: accepted ann@h.test for t transport",
    ):
        assert line in lines
    assert not any("considering" in line for line in lines)


def test_a_host_test_shows_both(place: Path) -> None:
    _, lines = run(place, "-d", "-bh", "192.0.2.1", given="HELO x\r\nMAIL FROM:<>\r\nRCPT TO:<bob@h.test>\r\nQUIT\r\n")
    assert any(line.startswith('>>> processing "deny"') for line in lines)
    assert "--------> al router <--------" in lines


@pytest.mark.parametrize("mode", ["-q", "-M"])
def test_deliveries(place: Path, mode: str) -> None:
    run(place, "-odq", "bob@h.test", given="Subject: x\n\n")
    [header] = (place / "spool" / "input").glob("*-H")
    message_id = header.name[:-2]
    _, lines = run(place, "-d", mode, *([message_id] if mode == "-M" else []))
    assert any(line.startswith(f"delivering message {message_id} from <") for line in lines)
    assert "loc router: accepted ann@h.test for t transport" in lines
    assert "t transport entered for ann@h.test" in lines
    assert "T: ann" in lines


def test_a_mode_without_output_says_so(place: Path) -> None:
    _, lines = run(place, "-d", "-bV")
    assert lines == ["mta: there is no debugging output in the mode -bV"]
