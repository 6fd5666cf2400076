"""-bt beside the oracle for queryprogram, iplookup, and what each generic router option does."""

from __future__ import annotations

import os
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from tests.oracle.harness import Pair, both

PROGRAM = r"""#!/bin/sh
case "$1" in
acc) echo ACCEPT;;
acct) echo 'accept transport=other';;
acch) echo 'accept hosts=198.51.100.1:198.51.100.2 data="rule1 x"';;
accq) echo 'accept hosts="198.51.100.1 : 198.51.100.2" transport=remote lookup=byname';;
accl) echo 'accept transport=box hosts=198.51.100.1';;
accn) echo 'accept hosts=nonexist.invalid';;
accb) echo 'accept lookup=foo hosts=198.51.100.1';;
acce) echo 'accept transport=nowhere';;
accp) echo 'accept hosts=198.51.100.1::2525';;
accx) echo 'accept bogus=1 data=zz';;
acc0) echo 'accept hosts=127.0.0.1';;
dec) echo decline;;
fail) echo 'FAIL no such  user here ';;
def) echo 'defer try later';;
frz) echo 'freeze cold';;
pass) echo 'pass';;
red) echo 'redirect ann@a.test, acc@q.test';;
red0) echo 'redirect ';;
redb) echo 'redirect a@@b';;
redf) echo 'redirect :fail: foo';;
bad) echo 'what is this';;
empty) ;;
nl) echo;;
exit) echo accept; exit 3;;
exit75) exit 75;;
sig) kill -9 $$;;
two) printf 'accept\nfail two\n';;
nonl) printf 'accept';;
long) printf 'fail '; head -c 3000 /dev/zero | tr '\0' x; echo;;
env) echo "fail `id -u` `id -g` `pwd` [$LOCAL_PART] [$HOME]";;
err) echo oops >&2;;
slow) exec sleep 30;;
esac
"""
NAMES = [
    line.partition(")")[0] for line in PROGRAM.split("\n") if ")" in line and line[0].isalpha() and line[:4] != "case"
]

CONFIG = r"""
qualify_domain = a.test
begin routers
q:
  driver = queryprogram
  domains = q.test
  local_parts = lsearch;@DIR@/names
  command = @DIR@/program $local_part_data
  command_user = nobody
  command_group = nogroup
  timeout = 1s
  transport = remote
missing:
  driver = queryprogram
  domains = missing.test
  command = /nonexistent
  command_user = nobody
  transport = remote
tainted:
  driver = queryprogram
  domains = tainted.test
  command = @DIR@/program $local_part
  command_user = nobody
  transport = remote
refuses:
  driver = queryprogram
  domains = refuses.test
  command = @DIR@/program "${if eq{a}{b}{}fail}"
  command_user = nobody
  transport = remote
i:
  driver = iplookup
  domains = i.test
  hosts = nonexist.invalid : 127.0.0.9 : 127.0.0.1
  port = @PORT@
  protocol = tcp
  timeout = 1s
  query = $local_part@x Q
  response_pattern = ^([a-z]+)@x
  reroute = $1-$local_part@a.test
optional:
  driver = iplookup
  domains = optional.test
  hosts = 127.0.0.9
  port = @PORT@
  protocol = tcp
  optional
  no_more
needed:
  driver = iplookup
  domains = needed.test
  hosts = 127.0.0.9
  port = @PORT@
  protocol = tcp
@OPTIONS@
a:
  driver = accept
  transport = box
  domains = a.test : q.test : i.test : optional.test
begin transports
remote:
  driver = smtp
  hosts = 198.51.100.99
other:
  driver = smtp
  hosts = 198.51.100.98
box:
  driver = appendfile
  file = /dev/null
"""

# One router an option: (name, options, local parts asked at NAME.test)
OPTIONS: dict[str, tuple[str, str]] = {
    "ignored": (
        "driver = manualroute\nroute_list = * 198.51.100.1:198.51.100.2\n"
        "ignore_target_hosts = 198.51.100.1\ntransport = remote",
        "a",
    ),
    "allignored": (
        "driver = manualroute\nroute_list = * 198.51.100.1\nignore_target_hosts = 198.51.100.1\n"
        "host_all_ignored = fail\n"
        "transport = remote",
        "a",
    ),
    "fallback": (
        "driver = manualroute\nroute_list = * 198.51.100.1\n"
        "fallback_hosts = 198.51.100.5 : 198.51.100.6\ntransport = remote",
        "a",
    ),
    "selffail": ("driver = manualroute\nroute_list = * 127.0.0.1\nself = fail\ntransport = remote", "a"),
    "selfdefer": ("driver = manualroute\nroute_list = * 127.0.0.1\nself = defer\ntransport = remote", "a"),
    "selfpass": (
        "driver = manualroute\nroute_list = * 127.0.0.1\nself = pass\nno_more\ntransport = remote\npass_router = last",
        "a",
    ),
    "selfreroute": ("driver = manualroute\nroute_list = * 127.0.0.1\nself = reroute: a.test\ntransport = remote", "a"),
    "nofind": (
        "driver = manualroute\nroute_list = * nonexist.invalid\nhost_find_failed = fail\ntransport = remote",
        "a",
    ),
    "nofinddecline": (
        "driver = manualroute\nroute_list = * nonexist.invalid\nhost_find_failed = decline\n"
        "no_more\ntransport = remote\n"
        "cannot_route_message = no host for $local_part@$domain",
        "a",
    ),
    "conditional": (
        "driver = accept\ncondition = ${if eq{$local_part}{yes}}\ncondition = true\ntransport = box",
        "yes no",
    ),
    "oddcondition": ("driver = accept\ncondition = maybe\ntransport = box", "x"),
    "parts": ("driver = accept\nlocal_parts = ! bad : ^[a-c]+\\$\ntransport = box", "bad abc xyz ABC"),
    "prefixed": (
        "driver = accept\nlocal_part_prefix = x- : y*-\nlocal_parts = ann\ntransport = box",
        "x-ann yy-ann ann",
    ),
    "prefixopt": (
        "driver = accept\nlocal_part_prefix = x-\nlocal_part_prefix_optional\nlocal_parts = ann\ntransport = box",
        "x-ann ann X-ann",
    ),
    "suffixed": (
        "driver = accept\nlocal_part_suffix = -x : +*\nlocal_parts = ann\ntransport = box",
        "ann-x ann+foo ann",
    ),
    "needsfile": ("driver = accept\nrequire_files = @DIR@/names\ntransport = box", "x"),
    "needsnofile": ("driver = accept\nrequire_files = !@DIR@/names\ntransport = box", "x"),
    "needsmissing": ("driver = accept\nrequire_files = @DIR@/nothere\ntransport = box", "x"),
    "fromother": ("driver = accept\nsenders = other@x.test\ntransport = box", "x"),
    "notested": ("driver = accept\nno_address_test\ntransport = box", "x"),
    "onlyverify": ("driver = accept\nverify_only\ntransport = box", "x"),
    "nomore": (
        "driver = accept\nlocal_parts = nobody\nno_more\ntransport = box\ncannot_route_message = not $local_part",
        "x",
    ),
    "moreexpanded": (
        "driver = redirect\ndata = ${if eq{a}{b}{x}}\nmore = ${if eq{$local_part}{on}}\ncannot_route_message = stop",
        "on off",
    ),
    "datafail": ("driver = accept\naddress_data = ${if eq{a}{b}{}fail}\ntransport = box", "x"),
    "sets": ("driver = redirect\nset = r_one = two\ndata = $r_one@a.test", "x"),
    "local": ("driver = accept\ncheck_local_user\ntransport = box", "root daemon nosuchuser"),
    "notransport": ("driver = accept\ntransport = ${if eq{a}{b}{}fail}", "x"),
    "redirectrouter": ("driver = redirect\ndata = z@a.test\nredirect_router = last", "x"),
    "hidden": ("driver = redirect\ndata = z@a.test\nhide_child_in_errmsg", "x"),
    "errors": ("driver = accept\nerrors_to = x@a.test\ntransport = box", "x"),
    "pathy": ("driver = accept\nrouter_home_directory = /tmp/\\$local_part\ntransport = box", "x"),
    "userless": ("driver = accept\nuser = nosuchuserhere${if eq{a}{a}}\ntransport = box", "x"),
    "literal": ("driver = ipliteral\ntransport = remote", "x"),
}


def options_text() -> str:
    """The routers of the table, and one behind them that takes what they leave over."""
    out = []
    for name, (options, _) in OPTIONS.items():
        lines = options.split("\n")
        if not any(line.startswith("domains") for line in lines):
            lines.append(f"domains = {name}.test")
        out.append(f"{name}:\n" + "\n".join(f"  {line}" for line in lines))
    out.append(
        "last:\n  driver = accept\n"
        "  domains = !a.test : !q.test : !i.test : !optional.test : !nomore.test\n  transport = other"
    )
    return "\n".join(out)


@contextmanager
def answering() -> Iterator[int]:
    """A server for iplookup: what it is asked comes back, but for some local parts."""
    listener = socket.create_server(("127.0.0.1", 0))

    def serve() -> None:
        while True:
            try:
                connection, _ = listener.accept()
            except OSError:
                return
            with connection:
                question = connection.recv(4096)
                if not question.startswith(b"silent"):
                    connection.sendall(b"nothing" if question.startswith(b"odd") else question)

    thread = threading.Thread(target=serve, daemon=True)
    thread.start()
    yield int(listener.getsockname()[1])
    listener.shutdown(socket.SHUT_RDWR)
    listener.close()
    thread.join(5)


@pytest.fixture(scope="module")
def pair() -> Iterator[Pair]:
    with answering() as port:
        config = CONFIG.replace("@PORT@", str(port)).replace("@OPTIONS@", options_text())
        with both(config) as made:
            (made.folder / "names").write_text("".join(f"{name}: {name}\n" for name in NAMES))
            (made.folder / "program").write_text(PROGRAM)
            os.chmod(made.folder / "program", 0o755)
            yield made


def compare(pair: Pair, *addresses: str) -> None:
    ours, exims = pair.run("-bt", *addresses)
    assert len(exims.out.splitlines()) >= len(addresses), exims.err
    assert ours.out.splitlines() == exims.out.splitlines()


@pytest.mark.oracle
def test_queryprogram(pair: Pair) -> None:
    compare(pair, *(f"{name}@q.test" for name in NAMES))


@pytest.mark.oracle
def test_queryprogram_that_cannot_run(pair: Pair) -> None:
    compare(pair, "x@missing.test", "x@tainted.test", "x@refuses.test")


@pytest.mark.oracle
def test_iplookup(pair: Pair) -> None:
    compare(pair, "ann@i.test", "odd@i.test", "silent@i.test", "x@optional.test", "x@needed.test")


@pytest.mark.oracle
@pytest.mark.parametrize("mode", ["-bt", "-bv", "-bvs"])
def test_every_generic_option(pair: Pair, mode: str) -> None:
    addresses = [f"{part}@{name}.test" for name, (_, parts) in OPTIONS.items() for part in parts.split()]
    ours, exims = pair.run(mode, *addresses, "x@[198.51.100.3]")
    assert len(exims.out.splitlines()) >= len(addresses)
    assert ours.out.splitlines() == exims.out.splitlines()
