"""A whole configuration in a temporary directory, with messages put into its spool and delivered from it."""

from __future__ import annotations

import os
import time
from pathlib import Path
from typing import Any

from mta.config.load import load
from mta.config.runtime import Runtime
from mta.deliver.message import DeliverOptions, Result, deliver_message
from mta.mail.message import EnvelopeRecipient, Message
from mta.mail.peer import Peer

CONF = """
primary_hostname = host.test
qualify_domain = host.test
spool_directory = {root}/spool
log_file_path = {root}/%slog
exim_user = {user}
exim_group = {group}
keep_environment =
hold_domains = hold.test
{main}
begin routers
al:
  driver = redirect
  domains = alias.test
  data = ${{lookup{{$local_part}}lsearch{{{root}/aliases}}}}
  allow_fail
  allow_defer
  pipe_transport = pipe
  file_transport = file
local:
  driver = accept
  domains = host.test
  transport = box
{routers}
remote:
  driver = manualroute
  route_list = dead.test 127.0.0.3::9 ; * 127.0.0.2::{port}
  transport = smtp
begin transports
box:
  driver = appendfile
  file = {root}/mail/${{lookup{{$local_part}}lsearch{{{root}/boxes}}}}
  user = {user}
  group = {group}
  create_directory
file:
  driver = appendfile
  user = {user}
  group = {group}
pipe:
  driver = pipe
  return_output
  user = {user}
  group = {group}
smtp:
  driver = smtp
  hosts_try_chunking =
begin retry
{retry}
"""
ALIASES = """two: x@host.test, y@host.test
same: x@host.test, two@alias.test
gone: :fail: no way
later: :defer: not now
hole: :blackhole:
pipe: "|{root}/fail.sh x"
out: away@rem.test
"""


class World:
    """``user`` is nobody when the tests run as root, so that local deliveries change ids."""

    def __init__(
        self, root: Path, *, port: int = 9, main: str = "", routers: str = "", retry: str = "* * F,2h,15m"
    ) -> None:
        self.root = root
        as_root = os.geteuid() == 0
        user = "nobody" if as_root else str(os.geteuid())
        group = "nogroup" if as_root else str(os.getegid())
        (root / "conf").write_text(
            CONF.format(root=root, user=user, group=group, port=port, main=main, routers=routers, retry=retry)
        )
        (root / "aliases").write_text(ALIASES.format(root=root))
        (root / "boxes").write_text("".join(f"{name}: {name}\n" for name in ("x", "y", "z")))
        (root / "fail.sh").write_text('#!/bin/sh\ncat >/dev/null\necho "out"; echo put; exit 3\n')
        (root / "fail.sh").chmod(0o755)
        (root / "mail").mkdir(mode=0o777)
        (root / "mail").chmod(0o777)
        self.runtime = self.start()

    def start(self) -> Runtime:
        """A fresh process's view of the same files."""
        return Runtime.start(load(str(self.root / "conf"), {}))

    def put(
        self, *recipients: str, sender: str = "s@hold.test", body: bytes = b"line one\nline two\n", **facts: Any
    ) -> str:
        message = Message(sender=sender, originator_login="u", originator_uid=1, originator_gid=1, **facts)
        message.received_time = message.received_time or time.time()
        message.recipients = [EnvelopeRecipient(one) for one in recipients]
        message.deliver_first_time = True
        message.headers.add("Subject: hi there")
        message.headers.add("Message-Id: <EX@host.test>")
        message.body_linecount = body.count(b"\n")
        with self.runtime.spool.begin() as incoming:
            incoming.write(body)
            incoming.commit(message, Peer(ident="u", received_protocol="local"))
        return incoming.id

    def deliver(self, message_id: str, **options: Any) -> Result:
        return deliver_message(self.runtime, message_id, DeliverOptions(**options))

    def log(self, message_id: str = "", kind: str = "main") -> list[str]:
        """Lines of a log without stamps, and without the id when one is given."""
        path = self.root / f"{kind}log"
        lines = path.read_text("latin-1").split("\n")[:-1] if path.exists() else []
        texts = [line[20:] for line in lines]
        if message_id:
            return [text[len(message_id) + 1 :] for text in texts if text.startswith(message_id)]
        return texts

    def boxes(self) -> dict[str, int]:
        """Messages in each mailbox."""
        return {
            path.name: path.read_bytes().count(b"\nSubject: hi there")
            for path in sorted((self.root / "mail").iterdir())
        }

    def left(self) -> list[str]:
        return sorted(self.runtime.spool.ids())
