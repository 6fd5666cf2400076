"""Router options about hosts that Debian's Exim lacks or -bt does not show: translate_ip_address, fallback_hosts."""

from __future__ import annotations

from pathlib import Path

import pytest

from mta.route.base import Accepted, Asking, RouteDeferred
from mta.route.chain import make_recipient, route_address
from tests.deliver.world import World
from tests.fakes.smtp_server import ScriptedServer

CASES = [
    ("192.0.2.77", ["192.0.2.77"]),
    ("${if eq{$host_address}{192.0.2.7}{192.0.2.77}fail}", ["192.0.2.77"]),
    ("${if eq{$host_address}{192.0.2.8}{192.0.2.77}fail}", ["192.0.2.7"]),
    ("localhost", ["127.0.0.1"]),
]
ROUTER = """
moved:
  driver = manualroute
  route_list = moved.test 192.0.2.7
  transport = smtp
  translate_ip_address = %s
"""


@pytest.mark.parametrize(("text", "addresses"), CASES)
def test_translate_ip_address(tmp_path: Path, text: str, addresses: list[str]) -> None:
    world = World(tmp_path, routers=ROUTER % text, main="disable_ipv6")
    recipient = make_recipient("a@moved.test")
    answer = route_address(world.runtime.config.routers, recipient, world.runtime.scope(), Asking())
    assert isinstance(answer, Accepted)
    assert [host.address for host in recipient.hosts] == addresses


def test_translate_ip_address_that_does_not_expand(tmp_path: Path) -> None:
    world = World(tmp_path, routers=ROUTER % "${lookup{x}lsearch{/nonexistent}}")
    answer = route_address(
        world.runtime.config.routers, make_recipient("a@moved.test"), world.runtime.scope(), Asking()
    )
    assert isinstance(answer, RouteDeferred)
    assert "(translate_ip_address) in moved router" in answer.message


def test_fallback_hosts_of_a_router(tmp_path: Path) -> None:
    with ScriptedServer(address="127.0.0.2") as server:
        router = (
            "back:\n  driver = manualroute\n  route_list = back.test 127.0.0.3::9\n  self = send\n"
            f"  fallback_hosts = 127.0.0.2::{server.port}\n  transport = smtp"
        )
        world = World(tmp_path, routers=router)
        message_id = world.put("a@back.test")
        world.deliver(message_id)
        assert [message.recipients for message in server.messages] == [["TO:<a@back.test>"]]
    assert world.log(message_id)[-2].startswith("=> a@back.test R=back T=smtp H=127.0.0.2 [127.0.0.2]")
