"""Addresses of MAIL and RCPT on their way to the ACLs and the envelope; answers are Exim's."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest


@pytest.mark.parametrize("address", ["root@x", '"root"@x', '"ro\\ot"@x', "ROOT@x", 'r"oo"t@x'])
def test_quoting_does_not_hide_a_local_part(
    make_runtime: Callable[..., Any], connect: Callable[..., Any], address: str
) -> None:
    client = connect(make_runtime("", "rcpt: deny local_parts = root\n  accept"))
    client.reply()
    client.say("EHLO c")
    client.say("MAIL FROM:<a@b>")
    assert client.say(f"RCPT TO:<{address}>")[0][:3] in ("550", "501")


def test_spaces_of_a_quoted_local_part_stay(make_runtime: Callable[..., Any], connect: Callable[..., Any]) -> None:
    runtime = make_runtime("", "rcpt: accept message = <$local_part> of <$domain>")
    client = connect(runtime)
    client.reply()
    client.say("EHLO c")
    client.say('MAIL FROM:<"s t"@b>')
    assert client.say('RCPT TO:<"p q"@a.test>') == ["250 <p q> of <a.test>"]
    client.say("DATA")
    client.say("x: y\r\n\r\n.")
    client.say("NOOP")
    message, _peer = runtime.spool.read(client.accepted[0])
    assert (message.sender, message.recipients[0].address) == ('"s t"@b', '"p q"@a.test')


def test_counts_and_sizes(make_runtime: Callable[..., Any], connect: Callable[..., Any]) -> None:
    """$rcpt_count counts malformed ones; $message_size is -1 when none was told; esmtp comes after the HELO ACL."""
    main = "acl_smtp_helo = helo\nacl_smtp_rcpt = rcpt"
    acl = "helo:\n  warn set acl_c_p = $received_protocol\n  accept\n"
    acl += "rcpt:\n  deny message = $acl_c_p $rcpt_count $message_size"
    client = connect(make_runtime(main, acl))
    client.reply()
    client.say("EHLO c")
    client.say("MAIL FROM:<a@b>")
    client.say("RCPT TO:<a")
    assert client.say("RCPT TO:<a@b>") == ["550 smtp 2 -1"]
