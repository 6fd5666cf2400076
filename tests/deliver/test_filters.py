"""Replies of users' filters, from the script to the message in the spool."""

from __future__ import annotations

import os
from pathlib import Path

from mta.deliver.message import State, deliver_message
from mta.mail.headers import Headers
from tests.deliver.world import World

ROUTER = """
filtered:
  driver = redirect
  domains = user.test
  allow_filter
  data = ${{readfile{{{root}/script}}}}
  user = {user}
  group = {group}
  reply_transport = ${{if def:domain {{reply}}}}
  sieve_vacation_directory = {root}/mail/vacation
  skip_syntax_errors
  syntax_errors_to = x@host.test
  syntax_errors_text = Mend it.
kept:
  driver = accept
  domains = user.test
  transport = box
"""
TRANSPORT = "reply:\n  driver = autoreply\nbegin retry"


def world_of(root: Path, script: str) -> World:
    (root / "script").write_text(script)
    as_root = os.geteuid() == 0
    ids = ("nobody", "nogroup") if as_root else (str(os.geteuid()), str(os.getegid()))
    world = World(root, routers=ROUTER.format(root=root, user=ids[0], group=ids[1]))
    conf = root / "conf"
    conf.write_text(conf.read_text().replace("begin retry", TRANSPORT))
    world.runtime = world.start()
    return world


def send(world: World) -> list[str]:
    """Deliver a message; the ids of what was made of it."""
    headers = Headers()
    headers.add("From: friend@away.test")
    headers.add("To: y@user.test")
    headers.add("Subject: hello")
    headers.add("Message-ID: <one@away.test>")
    made: list[str] = []
    message_id = world.put("y@user.test", sender="friend@away.test", headers=headers)
    result = deliver_message(world.runtime, message_id, on_made=made.append)
    assert result.state == State.COMPLETED, (world.root / "mainlog").read_text()
    return made


def test_a_vacation_is_sent_once(tmp_path: Path) -> None:
    world = world_of(tmp_path, '# Sieve filter\nrequire "vacation";\nvacation :days 7 :subject "away" "back soon";\n')
    (reply,) = send(world)
    message, _peer = world.runtime.spool.read(reply)
    assert message.sender == ""
    assert [one.address for one in message.recipients] == ["friend@away.test"]
    text = message.headers.text()
    assert "From: y@user.test\n" in text
    assert "Subject: away\n" in text
    assert "Auto-Submitted: auto-replied\n" in text
    assert "In-Reply-To: <one@away.test>\n" in text
    assert send(world) == []
    assert (tmp_path / "mail" / "vacation").stat().st_mode & 0o777 == 0o700


def test_a_notice_has_its_own_mark(tmp_path: Path) -> None:
    world = world_of(tmp_path, '# Sieve filter\nrequire "enotify";\nnotify "mailto:z@host.test";\n')
    (notice,) = send(world)
    message, _peer = world.runtime.spool.read(notice)
    (mark,) = message.headers.named("auto-submitted")
    assert mark.value.strip() == "auto-notified; owner-email=y@user.test"


def test_a_mail_command(tmp_path: Path) -> None:
    script = '# Exim filter\nif personal then mail to z@host.test subject "re: it" text "a\\nb" endif\n'
    (reply,) = send(world_of(tmp_path, script))
    assert "=> >z@host.test <y@user.test> R=filtered T=reply\n" in (tmp_path / "mainlog").read_text()
    assert reply


def test_a_broken_filter_tells_and_keeps(tmp_path: Path) -> None:
    world = world_of(tmp_path, "# Exim filter\nbroken\n")
    (told,) = send(world)
    message, _peer = world.runtime.spool.read(told)
    assert [one.address for one in message.recipients] == ["x@host.test"]
    log = (tmp_path / "mainlog").read_text()
    assert 'filtered router: skipped error: unknown filtering command "broken" near line 3 of filter file' in log
    assert "R=kept T=box" in log
