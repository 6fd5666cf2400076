"""Dialogue files: a configuration's ACLs, what a client says, and what Exim answered and logged.

``tests/acl/dialogs/NAME.txt`` has the sections options, acl, client, server, log; ``record_dialogs`` writes them.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from pathlib import Path

FOLDER = Path(__file__).parent / "dialogs"
_SECTIONS = ("options", "acl", "client", "server", "log")
HEAD = """\
primary_hostname = mx.test.ex
domainlist local_domains = test.ex : local.ex
host_lookup =
rfc1413_query_timeout = 0s
keep_environment =
tls_advertise_hosts =
smtp_banner = mx.test.ex ready
queue_only
spool_directory = {spool}
log_file_path = {spool}/log/%slog
"""
TAIL = """
begin routers
fail:
  driver = redirect
  domains = +local_domains
  local_parts = failing
  allow_fail
  data = :fail: no such person here
defer:
  driver = redirect
  domains = +local_domains
  local_parts = deferring
  allow_defer
  data = :defer: try again sometime
alias:
  driver = redirect
  domains = +local_domains
  local_parts = alias
  data = failing@test.ex
ok:
  driver = accept
  domains = +local_domains
  local_parts = good : other
  address_data = ad-$local_part
  transport = t
begin transports
t:
  driver = appendfile
  file = /dev/null
"""


@dataclass
class Dialog:
    name: str
    options: str
    acl: str
    client: list[str]
    server: list[str] = field(default_factory=list)
    log: list[str] = field(default_factory=list)

    def write(self) -> None:
        parts = [self.options, self.acl, *("\n".join(lines) for lines in (self.client, self.server, self.log))]
        text = "".join(f"==== {name}\n{part}\n" for name, part in zip(_SECTIONS, parts, strict=True))
        (FOLDER / f"{self.name}.txt").write_bytes(text.encode("latin-1"))


def read(file: Path) -> Dialog:
    """A case from its file."""
    found = dict(re.findall(r"==== (\w+)\n(.*?)(?=^==== |\Z)", file.read_bytes().decode("latin-1"), re.DOTALL | re.M))
    options, acl, *rest = (found[name].removesuffix("\n") for name in _SECTIONS)
    client, server, log = (part.split("\n") if part else [] for part in rest)
    return Dialog(file.stem, options, acl, client, server, log)


def configuration(case: Dialog, spool: Path) -> str:
    """The whole configuration file."""
    return f"{HEAD.format(spool=spool)}{case.options}\n\nbegin acl\n{case.acl}\n{TAIL}"
