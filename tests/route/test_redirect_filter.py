"""Filters in a redirect router: options, children, what comes of the address. Answers as ``exim4 -bt`` gave them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from mta.config.load import load
from mta.config.runtime import Runtime
from mta.route.base import Asking
from mta.route.chain import make_recipient, route_all

CONF = """
primary_hostname = here.example
qualify_domain = here.example
spool_directory = {root}
log_file_path = {root}/%slog
keep_environment =
begin routers
u:
  driver = redirect
  allow_filter
  domains = here.example
  router_home_directory = /home/lg
  data = ${{readfile{{{root}/filter}}}}
  {options}
z:
  driver = accept
  transport = box
begin transports
box:
  driver = appendfile
  file = /dev/null
af:
  driver = appendfile
named:
  driver = appendfile
  file = /mail/$address_file
pi:
  driver = pipe
re:
  driver = autoreply
"""
TRANSPORTS = "file_transport = af\n  directory_transport = af\n  pipe_transport = pi\n  reply_transport = re"


def route(root: Path, text: str, options: str = TRANSPORTS, sender: str = "s@x.example") -> list[str]:
    """Each end of the address: kind of answer, address, transport or message."""
    (root / "filter").write_text(text)
    (root / "conf").write_text(CONF.format(root=root, options=options))
    config = load(str(root / "conf"), {})
    runtime = Runtime.start(config)
    scope = runtime.scope()
    scope.message.sender = sender
    scope.message.headers.add("From: bart@sfld.example")
    out = []
    for result in route_all(config.routers, [make_recipient("lg@here.example")], scope, Asking()):
        answer: Any = result.answer
        text = getattr(answer, "message", "") or result.recipient.transport or getattr(answer, "what", "")
        out.append(f"{type(answer).__name__} {result.recipient.address} {text}")
    return out


KEPT = "Accepted lg@here.example box"
CASES = [
    ("deliver a@b.example", "", ["Accepted a@b.example box"]),
    ("unseen deliver a@b.example", "", [KEPT, "Accepted a@b.example box"]),
    ("save x 640", "", ["Accepted /home/lg/x af"]),
    ("save x", "no_filter_prepend_home", ["Accepted x af"]),
    ("save /x/", "", ["Accepted /x/ af"]),
    ('pipe "/bin/cat x"', "", ["Accepted |/bin/cat x pi"]),
    ("mail text x to a@b.example", "", [KEPT, "Accepted >a@b.example re"]),
    ("seen mail text x", "", ["Accepted >bart@sfld.example re"]),
    ("finish", "", [KEPT]),
    ("seen finish", "", ["Redirected lg@here.example discarded"]),
    ("deliver lg@here.example", "", [KEPT]),
    ("deliver a", "qualify_domain = q.example", ["Accepted a@q.example box"]),
    ("deliver a", "qualify_preserve_domain", ["Accepted a@here.example box"]),
    (
        "foo",
        "",
        [
            "RouteDeferred lg@here.example error in filter file: "
            'unknown filtering command "foo" near line 3 of filter file'
        ],
    ),
    ("foo", "skip_syntax_errors", [KEPT]),
    ("freeze text x", "allow_freeze", ["RouteDeferred lg@here.example x"]),
    ("defer text x", "allow_defer", ["RouteDeferred lg@here.example x"]),
    ("fail text x", "allow_fail", ["Failed lg@here.example x"]),
    (
        "unseen deliver a@b.example if $local_part is lg then fail text x endif",
        "allow_fail",
        ["Failed lg@here.example x", "Accepted a@b.example box"],
    ),
    ("save /x", "forbid_file", ["Failed /x delivery to file forbidden"]),
    ("pipe x", "forbid_pipe", ["Failed |x delivery to pipe forbidden"]),
    ("mail text x", "forbid_filter_reply", [KEPT, "Failed >bart@sfld.example autoreply forbidden"]),
    ("mail text x", "one_time", [KEPT, "Failed >bart@sfld.example autoreply forbidden"]),
    (
        "deliver a@b.example",
        "forbid_exim_filter",
        ["RouteDeferred lg@here.example error in filter file: Exim filtering not enabled"],
    ),
    (
        'mail to a@b text x once_repeat 5x',
        "",
        [
            "RouteDeferred lg@here.example error in filter file: "
            'Bad time value for "once_repeat" in mail or vacation command: 5x'
        ],
    ),
]  # fmt: skip


@pytest.mark.parametrize(("text", "options", "expected"), CASES)
def test_exim_filters(tmp_path: Path, text: str, options: str, expected: list[str]) -> None:
    assert route(tmp_path, f"# Exim filter\n{text}\n", f"{TRANSPORTS}\n  {options}") == expected


@pytest.mark.parametrize(
    ("text", "options", "expected"),
    [
        ("keep;", TRANSPORTS, [KEPT]),  # the transport takes paths only: the routers behind deliver
        ("", TRANSPORTS, [KEPT]),
        ("foo", TRANSPORTS, [KEPT]),
        ("discard;", TRANSPORTS, ["Redirected lg@here.example discarded"]),
        ('require "fileinto"; fileinto "x";', TRANSPORTS, ["Accepted /home/lg/x af"]),
        ("keep;", "file_transport = named", ["Accepted inbox named"]),
        ("foo", "file_transport = named", ["Accepted inbox named"]),
        ("keep;", "file_transport = named\n  sieve_inbox = INBOX", ["Accepted INBOX named"]),
        ('redirect "a@b.example";', "file_transport = named", ["Accepted a@b.example box"]),
        ("keep;", "file_transport = named\n  forbid_file", ["Failed inbox delivery to file forbidden"]),
        (
            "keep;",
            "file_transport = named\n  forbid_sieve_filter",
            ["RouteDeferred lg@here.example error in filter file: Sieve filtering not enabled"],
        ),
    ],
)
def test_sieve_scripts(tmp_path: Path, text: str, options: str, expected: list[str]) -> None:
    assert route(tmp_path, f"# Sieve filter\n{text}\n", options) == expected


@pytest.mark.parametrize(
    ("text", "option"),
    [("save /x", "file"), ("save /x/", "directory"), ("pipe x", "pipe"), ("seen mail text x", "reply")],
)
def test_a_missing_transport_keeps_the_mail(tmp_path: Path, text: str, option: str) -> None:
    (found,) = route(tmp_path, f"# Exim filter\n{text}\n", "")
    assert found.endswith(f"{option}_transport unset in u router")
    assert found.startswith("RouteDeferred ")


def test_mail_commands_answer_no_bounces(tmp_path: Path) -> None:
    assert route(tmp_path, "# Exim filter\nmail text x\n", sender="") == [KEPT]
