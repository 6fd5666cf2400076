"""The runtime of a process: what is settled at once, what is made when first asked for, and the calls upwards."""

from pathlib import Path

import pytest

from mta.config.load import load
from mta.config.runtime import Later, Runtime
from mta.errors import ConfigError
from mta.mail.peer import Peer
from mta.mail.verdict import Ruling

TEXT = """\
primary_hostname = h.example
spool_directory = DIR/spool
log_file_path = DIR/%slog
log_selector = +pid
local_interfaces = 127.0.0.1
begin acl
yes:
  accept
no:
  deny message = because $acl_arg1
begin routers
r:
  driver = accept
  local_parts = joe
  transport = t
begin transports
t:
  driver = appendfile
  file = /dev/null
"""


@pytest.fixture
def runtime(tmp_path: Path) -> Runtime:
    path = tmp_path / "mta.conf"
    path.write_text(TEXT.replace("DIR", str(tmp_path)))
    return Runtime.start(load(str(path)))


def test_paths(runtime: Runtime, tmp_path: Path) -> None:
    assert runtime.spool_directory == f"{tmp_path}/spool"
    runtime.log.main("hello")
    assert "hello" in (tmp_path / "mainlog").read_text()
    assert not (tmp_path / "spool").exists()  # nothing is made before it is needed


def test_services(runtime: Runtime) -> None:
    scope = runtime.scope(peer=Peer(address="192.0.2.1"))
    services = runtime.services
    assert services.run_acl("yes", [], scope).ruling is Ruling.ACCEPT
    refusal = services.run_acl("no", ["x"], scope)
    assert (refusal.ruling, refusal.user_message) == (Ruling.DENY, "because x")
    assert services.verify_address(scope, "joe@h.example", is_sender=False).ok is True
    assert services.verify_address(scope, "mary@h.example", is_sender=False).ok is False
    assert services.compile_text("${uc:x}")(scope) == "X"
    assert services.queue_size() == 0
    assert scope.peer.address == "192.0.2.1"


def test_hints_are_opened_when_used(runtime: Runtime, tmp_path: Path) -> None:
    runtime.hints.put("retry", "T:x", "1")
    found = runtime.hints.get("retry", "T:x")
    assert found is not None
    assert found.value == "1"
    assert (tmp_path / "spool/db/hints.sqlite").exists()


def test_later_makes_once() -> None:
    made: list[int] = []

    class Thing:
        name = "thing"

        def __init__(self) -> None:
            made.append(1)

    later = Later(Thing)
    assert made == []
    assert (later.name, later.name) == ("thing", "thing")
    assert made == [1]


def test_an_option_that_does_not_expand_is_named(tmp_path: Path) -> None:
    path = tmp_path / "mta.conf"
    path.write_text("spool_directory = ${extract{1}{:}{a}{${expand:\\$\\{if}}{x}}\n")
    with pytest.raises(ConfigError, match="failed to expand spool_directory"):
        Runtime.start(load(str(path)))
