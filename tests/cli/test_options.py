"""The command line; refusals are worded as Exim's, with mta's name (`exim4 ...` of 4.96 was asked)."""

from typing import Any

import pytest

from mta.cli.arguments import Arguments, QueueRun, Selection, UsageError
from mta.cli.options import MODES, REFUSED, SWITCHES, VALUES, parse
from mta.settings.names import command_line_flags

ID = "1VdNti-0001OY-1V"

CASES: list[tuple[str, dict[str, Any]]] = [
    ("-bV", {"mode": "bV"}),
    ("--version", {"mode": "bV"}),
    ("--help", {"mode": "help"}),
    ("", {"mode": ""}),
    ("joe mary", {"mode": "bm", "words": ["joe", "mary"]}),
    ("-t", {"mode": "bm", "extract": True}),
    ("-ti", {"mode": "bm", "extract": True, "dot_ends": False}),
    ("-i -f <> joe", {"dot_ends": False, "sender": "", "mode": "bm", "words": ["joe"]}),
    ("-fme@x joe", {"sender": "me@x"}),
    ("-r me@x joe", {"sender": "me@x"}),
    ("-F Me joe", {"full_name": "Me"}),
    ("-FMe joe", {"full_name": "Me"}),
    ("-bm -- -odd", {"words": ["-odd"]}),
    ("-bm - x", {"words": ["-", "x"]}),
    ("-odi -oem -v joe", {"delivery": "i", "errors": "m", "verbose": True}),
    ("-eq joe", {"errors": "q"}),
    ("-odqs joe", {"delivery": "qs"}),
    ("-C /x -DA=b -bP a", {"config_file": "/x", "macros": {"A": "b"}, "mode": "bP", "words": ["a"]}),
    ("-C/x -DABC -DD= -bt", {"config_file": "/x", "macros": {"ABC": "", "D": ""}, "mode": "bt"}),
    ("-bh 1.2.3.4", {"mode": "bh", "value": "1.2.3.4"}),
    ("-bhc 1.2.3.4", {"mode": "bhc", "value": "1.2.3.4"}),
    ("-bs -oMa 1.2.3.4 -oMr esmtp", {"mode": "bs", "host_address": "1.2.3.4", "protocol": "esmtp"}),
    ("-oMaa plain -oMai id -oMas s@x -oMi ::1 -oMs h -oMt me x", {"authenticator": "plain", "authenticated_id": "id"}),
    ("-pesmtp:host -bm x", {"protocol": "esmtp", "host_name": "host"}),
    ("-bd", {"mode": "bd", "listen": True, "foreground": False}),
    ("-bdf -oX 2525 -oP /p", {"mode": "bd", "foreground": True, "interfaces": ["2525"], "pid_file": "/p"}),
    ("-bd -q30m", {"mode": "bd", "queue_runs": [QueueRun(1800.0)]}),
    ("-q", {"mode": "q", "queue_runs": [QueueRun()]}),
    ("-qq", {"queue_runs": [QueueRun(two_pass=True)]}),
    ("-qif", {"queue_runs": [QueueRun(first_only=True, force=True)]}),
    ("-qqiffl5m", {"queue_runs": [QueueRun(300.0, True, True, True, True, True)]}),
    ("-qGlow/1h", {"queue_runs": [QueueRun(3600.0, queue_name="low")]}),
    (f"-q {ID}", {"queue_runs": [QueueRun(start_id=ID)]}),
    (f"-q {ID} {ID}", {"queue_runs": [QueueRun(start_id=ID, stop_id=ID)]}),
    ("-R dom", {"mode": "q", "queue_runs": [QueueRun(recipients=Selection("dom"))]}),
    (
        "-Rff dom",
        {"queue_runs": [QueueRun(force=True, force_frozen=True, recipients=Selection("dom", False, True, True))]},
    ),
    ("-Srf d", {"queue_runs": [QueueRun(force=True, senders=Selection("d", True, True))]}),
    ("-q5m -R x", {"queue_runs": [QueueRun(300.0, recipients=Selection("x"))]}),
    ("-qR x", {"queue_runs": [QueueRun(recipients=Selection("x"))]}),
    (f"-M {ID} {ID}", {"mode": "M", "words": [ID, ID]}),
    (f"-Mar {ID} a@b", {"mode": "Mar", "words": [ID, "a@b"]}),
    (f"-Mset {ID} -be $x", {"mode": "be", "message_variables": ID, "words": ["$x"]}),
    ("-bpru", {"mode": "bpru"}),
    (f"-bp {ID}", {"mode": "bp", "words": [ID]}),
    ("-d+acl-dns -bV", {"debug": "+acl-dns"}),
    ("-d -bV", {"debug": ""}),
    ("-dropcr -m -om -B8BITMIME -O x=y -h 3 -Ac -x -bV", {"mode": "bV", "debug": None}),
    ("-E joe", {"local_error": ""}),
    (f"-E{ID} joe", {"local_error": ID}),
    ("-or 5m -os2h joe", {"receive_timeout": 300.0, "smtp_timeout": 7200.0}),
    ("-N joe", {"no_delivery": True, "verbose": True}),
    ("-Lmytag joe", {"syslog_tag": "mytag"}),
    ("-oA file -bi", {"mode": "bi", "aliases_file": "file"}),
]


@pytest.mark.parametrize(("line", "expected"), CASES)
def test_parse(line: str, expected: dict[str, Any]) -> None:
    found = parse("/usr/sbin/mta", line.split())
    assert {name: getattr(found, name) for name in expected} == expected


NAMES = [
    ("mailq", "", {"mode": "bp"}),
    ("newaliases", "", {"mode": "bi"}),
    ("/usr/bin/rmail", "joe", {"mode": "bm", "dot_ends": False, "errors": "e"}),
    ("rsmtp", "", {"mode": "bS"}),
    ("runq", "", {"mode": "q"}),
    ("sendmail", "-t", {"mode": "bm"}),
]


@pytest.mark.parametrize(("program", "line", "expected"), NAMES)
def test_called_by_another_name(program: str, line: str, expected: dict[str, Any]) -> None:
    found = parse(program, line.split())
    assert {name: getattr(found, name) for name in expected} == expected


REFUSALS = [
    ("-bq", "mta abandoned: unknown, malformed, or incomplete option -bq"),
    ("-odx", "mta abandoned: unknown, malformed, or incomplete option -odx"),
    ("-C", "mta abandoned: unknown, malformed, or incomplete option -C"),
    ("-bh", "mta abandoned: unknown, malformed, or incomplete option -bh"),
    ("-f", "mta abandoned: unknown, malformed, or incomplete option -f"),
    ("-oMa", "mta: data expected after -oMa"),
    ("-M", "mta: no message ids given after -M option"),
    ("-Mset", "mta: no message ids given after -Mset option"),
    ("-Mvh foo", "mta: malformed message id foo after -Mvh option"),
    ("-Mrm ../../etc/passwd", "mta: malformed message id ../../etc/passwd after -Mrm option"),
    ("-q5x", "mta: bad time value -q5x: abandoned"),
    ("-D5 -bV", "mta: macro name set by -D must start with an upper case letter"),
    ("-DA -DA -bV", "mta: duplicated -D A on command line"),
    ("-d+foo -bV", "mta: unknown debug_selector setting: +foo"),
    ("-bd -bs", "mta: incompatible command-line options or arguments"),
    ("-bt -bv", "mta: incompatible command-line options or arguments"),
    ("-t -bt x", "mta: incompatible command-line options or arguments"),
    ("-bd joe", "mta: incompatible command-line options or arguments"),
    ("-bf", "mta: file name expected after -bf"),
]


@pytest.mark.parametrize(("line", "message"), REFUSALS)
def test_refusals(line: str, message: str) -> None:
    with pytest.raises(UsageError) as caught:
        parse("mta", line.split())
    assert str(caught.value) == message


def test_every_flag_of_exim_is_understood_or_refused_by_name() -> None:
    """None may be an unknown option: each works, is ignored on purpose, or says why it is not there."""
    for flag in command_line_flags():
        for rest in ([ID], [], ["1m"], [ID, "a@b"]):
            try:
                found = parse("mta", [flag, *rest])
            except UsageError as error:
                if "unknown, malformed" not in str(error):
                    break
            else:
                assert isinstance(found, Arguments)
                break
        else:
            pytest.fail(f"{flag} is not known")


def test_tables_do_not_overlap() -> None:
    tables = [set(MODES), set(VALUES), set(SWITCHES), set(REFUSED)]
    assert sum(len(table) for table in tables) == len(set().union(*tables))
