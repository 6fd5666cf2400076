"""-bt and -bv beside the oracle: the same routes, trees and messages."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.oracle.harness import Pair, both

CONFIG = r"""
domainlist local_domains = local.example : oracle.example
domainlist relay = lsearch;@DIR@/relay
qualify_domain = local.example
never_users =
begin routers
reals:
  driver = accept
  domains = +local_domains
  local_part_prefix = real-
  local_parts = ann : bob
  transport = mailbox
lists:
  driver = redirect
  domains = lists.example
  local_part_suffix = -request : -owner
  data = ${if eq{$local_part_suffix}{-owner}{owner@local.example}{robot@local.example}}
  no_more
sink:
  driver = manualroute
  domains = !+local_domains : !lists.example
  transport = remote
  self = send
  route_list = one.example 192.0.2.1 ; \
               *.two.example "192.0.2.2:192.0.2.3" ; \
               three.example 192.0.2.4::2525 randomize ; \
               ^four(\\d+)\\.example 192.0.2.1$1 ; \
               lsearch;;@DIR@/routes $value ; \
               deferred.example nowhere.invalid.
  host_find_failed = fail
  no_more
aliases:
  driver = redirect
  data = ${lookup{$local_part}lsearch{@DIR@/aliases}}
  allow_fail
  allow_defer
  file_transport = to_file
  pipe_transport = to_pipe
  directory_transport = to_dir
  cannot_route_message = no alias of $local_part
loop:
  driver = redirect
  local_parts = loop
  data = loop@local.example
copies:
  driver = redirect
  local_parts = copied
  data = archive@local.example
  unseen
people:
  driver = accept
  local_parts = ann : bob : owner : archive : copied : loop : \N^user\d+$\N
  local_part_suffix = +*
  local_part_suffix_optional
  transport = mailbox
  cannot_route_message = Unknown user $local_part
begin transports
mailbox:
  driver = appendfile
  file = /dev/null
remote:
  driver = smtp
to_file:
  driver = appendfile
to_dir:
  driver = appendfile
  maildir_format
to_pipe:
  driver = pipe
"""

ALIASES = """\
one: ann
two: ann, bob
remote: someone@one.example
nested: two
gone: :fail: moved away
code: :fail: 551 5.7.1 not for you
later: :defer: come back later
hole: :blackhole:
unknown: :unknown:
file: /tmp/mailbox
dir: /tmp/folder/
pipe: "|/bin/cat -v"
null: /dev/null
quoted: "ann"@local.example
bad: ann@@local.example
mixed: ann, |/bin/cat, /tmp/mailbox
self: self, ann
dup: ann, ann
qualified: bob@local.example
backslash: \\ann
comment: ann (the boss), bob
include: :include:@DIR@/included
Caps: BOB
"""

ADDRESSES = """
ann@local.example ANN@Local.Example ann+tag@local.example bob+@local.example nobody@local.example
real-ann@local.example real-nobody@local.example user7@local.example userx@local.example
one@local.example two@local.example remote@local.example nested@local.example gone@local.example
code@local.example later@local.example hole@local.example unknown@local.example file@local.example
dir@local.example pipe@local.example null@local.example quoted@local.example bad@local.example
mixed@local.example self@local.example dup@local.example qualified@local.example backslash@local.example
comment@local.example include@local.example caps@local.example Caps@local.example
loop@local.example copied@local.example
x@one.example x@a.two.example x@two.example x@three.example x@four5.example x@five.example x@six.example
x@deferred.example list-request@lists.example list-owner@lists.example list@lists.example
owner nobody ann@oracle.example "ann"@local.example "a_b"@local.example
<ann@local.example> ann@ @local.example a@b@c
"""
CASES = ADDRESSES.split()


@pytest.fixture(scope="module")
def pair() -> Iterator[Pair]:
    with both(CONFIG) as made:
        folder = made.folder
        (folder / "aliases").write_text(ALIASES.replace("@DIR@", str(folder)))
        (folder / "included").write_text("# the list\nann\nbob, user3\n")
        (folder / "relay").write_text("relay.example\n")
        (folder / "routes").write_text("five.example: 192.0.2.5\n")
        yield made


@pytest.mark.oracle
@pytest.mark.parametrize("mode", ["-bt", "-bv", "-bvs"])
def test_every_address_goes_where_the_oracle_sends_it(pair: Pair, mode: str) -> None:
    ours, exims = pair.run(mode, *CASES)
    assert ours.out.splitlines() == exims.out.splitlines()
    assert ours.code == exims.code


@pytest.mark.oracle
@pytest.mark.parametrize(
    ("address", "code"), [("ann@local.example", 0), ("later@local.example", 1), ("nobody@local.example", 2)]
)
def test_exit_codes(pair: Pair, address: str, code: int) -> None:
    ours, exims = pair.run("-bt", address)
    assert (ours.code, exims.code) == (code, code)
