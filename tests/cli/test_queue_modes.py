"""-bp and -M: what Exim 4.96 says for the same queue."""

import shutil
import subprocess
import time
from pathlib import Path

import pytest

from mta.cli.modes.message import act
from mta.cli.modes.queue import age, list_queue, size
from tests.deliver.world import World


def said(world: World, action: str, message_id: str, *args: str) -> tuple[str, int]:
    out: list[str] = []
    code = act(world.runtime, action, [message_id], list(args), out.append)
    return "".join(out), code


def listed(world: World, kind: str, *ids: str) -> str:
    out: list[str] = []
    list_queue(world.runtime, kind, out.append, ids)
    return "".join(out)


def test_actions(tmp_path: Path) -> None:
    world = World(tmp_path)
    one = world.put("x@two.test", "y@two.test")
    modified = f"Message {one} has been modified\n"
    assert said(world, "Mf", one) == (f"Message {one} is now frozen\n", 0)
    assert said(world, "Mf", one) == (f"Message {one} is already frozen\n", 1)
    assert said(world, "Mt", one) == (f"Message {one} is no longer frozen\n", 0)
    assert said(world, "Mt", one) == (f"Message {one} is not frozen\n", 1)
    assert said(world, "Mes", one, "new@host.test") == (modified, 0)
    assert said(world, "Mes", one, "bad@") == (
        f"Message {one} - error while editing sender:\n  bad address bad@: domain missing or malformed\n",
        1,
    )
    assert said(world, "Mar", one, "add@host.test") == (modified, 0)
    assert said(world, "Mar", one, "z2") == (
        f"Message {one} - error while adding recipient:\n  bad address z2: domain missing\n",
        1,
    )
    assert said(world, "Mmd", one, "x@two.test") == (modified, 0)
    assert said(world, "Mmd", one, "nobody@x.test") == (
        f"Message {one} - error while marking as delivered:\n  nobody@x.test is not a recipient: message not updated\n",
        1,
    )
    message = world.runtime.spool.read(one)[0]
    assert (message.sender, message.delivered, message.manual_thaw) == ("new@host.test", {"x@two.test"}, True)
    assert [r.address for r in message.recipients] == ["x@two.test", "y@two.test", "add@host.test"]
    assert said(world, "Mvb", one)[0] == f"{one}-D\nline one\nline two\n"
    assert said(world, "Mvh", one)[0].startswith(f"{one}-H\n")
    assert said(world, "Mvc", one)[0] == "Subject: hi there\nMessage-Id: <EX@host.test>\n\nline one\nline two\n"
    assert said(world, "Mmad", one) == (modified + "\n", 0)
    assert said(world, "Mrm", one) == (f"Message {one} has been removed\n", 0)
    assert said(world, "Mvl", one)[1] == 1
    assert world.log(one)[-2:] == ["removed by root", "Completed"]
    assert "sender address changed to <new@host.test> by root" in world.log(one)


def test_what_is_not_there(tmp_path: Path) -> None:
    world = World(tmp_path)
    gone = "1xVIkZ-000251-2M"
    assert said(world, "Mf", gone) == (f"Spool data file for {gone} does not exist\n", 1)
    assert said(world, "Mrm", gone) == (
        f"Spool data file for {gone} does not exist\nContinuing, to ensure all files removed\n"
        f"Spool read error for {gone}-H: No such file or directory\nContinuing to ensure all files removed\n"
        f"Message {gone} has been removed or did not exist\n",
        1,
    )
    assert said(world, "Mvh", gone) == (f"Failed to open input file for {gone}-H: No such file or directory\n", 1)
    assert said(world, "Mvl", gone) == (f"Failed to open msglog file for {gone}: No such file or directory\n", 1)
    assert listed(world, "bp", gone) == f"      {gone}\n    *** spool read error: No such file or directory ***\n\n"


def test_giving_up(tmp_path: Path) -> None:
    world = World(tmp_path)
    one = world.put("x@two.test", "y@two.test", frozen=True, frozen_at=5.0)
    assert said(world, "Mg", one) == ("", 0)
    assert world.log(one) == ["Unfrozen by forced delivery", "cancelled by root", "Completed"]
    (bounce,) = world.left()
    assert "address(es) failed:\n\n  y@two.test\n  x@two.test\n\n" in said(world, "Mvb", bounce)[0]


@pytest.mark.parametrize(
    ("count", "shown"), [(309, "  309"), (1023, " 1023"), (1439, " 1.4K"), (23552, "  23K"), (3040870, " 2.9M")]
)
def test_sizes(count: int, shown: str) -> None:
    assert size(count) == shown


def test_ages() -> None:
    assert [age(s) for s in (0, 59, 90 * 60, 91 * 60, 72 * 3600, 80 * 3600)] == [
        " 0m",
        " 0m",
        "90m",
        " 2h",
        "72h",
        " 3d",
    ]


@pytest.mark.oracle
def test_lists_as_exim_prints_them(tmp_path: Path) -> None:
    if shutil.which("exim4") is None:
        pytest.skip("exim4 is missing")
    world = World(tmp_path)
    now = time.time()
    for number, (waited, body) in enumerate(
        [(0, 10), (3600, 900), (5500, 1500), (6000, 30000), (80000, 99999), (300000, 10), (900000, 3000000)]
    ):
        sender = "" if number == 1 else f"s{number}@x.test"
        frozen = number == 2
        one = world.put(
            "a@x.test", "b@x.test", sender=sender, received_time=now - waited, body=b"x" * body, frozen=frozen
        )
        with world.runtime.spool.lock(one) as locked:  # type: ignore[union-attr]
            locked.message.delivered = {"b@x.test", "other@x.test"}
            locked.message.sender_set_untrusted = number == 4
            locked.message.originator_login = "login"
            locked.save()
    (tmp_path / "exim.conf").write_text(
        f"primary_hostname = host.test\nspool_directory = {tmp_path}/spool\nkeep_environment =\n"
        f"exim_user = root\nexim_group = root\nlog_file_path = {tmp_path}/e%slog\n"
    )
    for kind in ("bp", "bpu", "bpa", "bpc", "bpr"):
        done = subprocess.run(
            ["exim4", "-C", str(tmp_path / "exim.conf"), f"-{kind}"], stdout=subprocess.PIPE, check=True
        )
        theirs, ours = done.stdout.decode("latin-1"), listed(world, kind)
        if kind == "bpr":
            theirs, ours = "\n".join(sorted(theirs.split("\n"))), "\n".join(sorted(ours.split("\n")))
        assert ours == theirs, kind
