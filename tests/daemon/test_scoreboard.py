"""The scoreboard counts sessions over all workers and forgets a dead one's."""

from mta.daemon.scoreboard import Scoreboard, pack_address, unpack_address


def test_sessions_are_counted_over_workers_and_by_host() -> None:
    board = Scoreboard(workers=2, slots=3)
    one, two = board.row(0), board.row(1)
    slot = one.enter("192.0.2.1", "EHLO")
    two.enter("192.0.2.1")
    two.enter("2001:db8::1")
    assert board.total() == 3
    assert board.same_host("192.0.2.1") == 2
    assert board.same_host("2001:db8::1") == 1
    one.leave(slot)
    assert (board.total(), board.same_host("192.0.2.1")) == (2, 1)
    board.clear(1)
    assert (board.total(), board.busy()) == (0, [])


def test_a_worker_without_a_free_slot_says_so() -> None:
    row = Scoreboard(workers=1, slots=1).row(0)
    slot = row.enter("192.0.2.1")
    assert row.enter("192.0.2.2") == -1
    row.leave(slot)
    assert row.enter("192.0.2.2") == slot


def test_what_a_session_does_is_shown() -> None:
    board = Scoreboard(workers=1, slots=1)
    row = board.row(0)
    row.doing(row.enter("192.0.2.1"), "x" * 100)
    (view,) = board.busy()
    assert (view.address, view.doing) == ("192.0.2.1", "x" * 39)
    row.count(received=2, delivered=1)
    assert board.counts() == {"connections": 1, "received": 2, "delivered": 1, "not_delivered": 0}


def test_addresses_survive_packing() -> None:
    for address in ("192.0.2.1", "2001:db8::1", "::1", ""):
        assert unpack_address(pack_address(address)) == address
