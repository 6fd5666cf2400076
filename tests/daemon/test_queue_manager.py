"""The queue manager's bookkeeping, and the manager against real sockets."""

from __future__ import annotations

import threading

from mta.daemon.queue_manager import Manager, Queue, Worker
from mta.daemon.signals import make_signals
from mta.daemon.wires import Order, Report, announce, decode_order, encode_hello, encode_report, make_wires

A, B, C = "1VdNti-0001OY-1V", "1VdNti-0001OZ-1V", "1VdNti-0001Oa-1V"


def no_change(_: str) -> bool:
    return False


def test_new_arrivals_go_before_the_queue_run() -> None:
    queue = Queue()
    queue.run([A, B], now=100.0, changed=no_change)
    queue.arrive(C)
    assert queue.take() == Order(C, "n")
    assert queue.take() == Order(A, "q")


def test_a_message_under_way_is_not_given_out_twice() -> None:
    queue = Queue()
    queue.arrive(A)
    queue.take()
    queue.run([A], now=100.0, changed=no_change)
    assert queue.take() is None


def test_an_arrival_while_under_way_is_tried_again_after() -> None:
    queue = Queue()
    queue.arrive(A)
    queue.take()
    queue.arrive(A)
    queue.done(A, left=True, due=0.0)
    assert queue.take() == Order(A, "n")


def test_a_run_passes_over_what_is_not_due_unless_it_changed() -> None:
    queue = Queue()
    queue.arrive(A)
    queue.take()
    queue.done(A, left=True, due=500.0)
    assert queue.run([A], now=100.0, changed=no_change) == 0
    assert queue.run([A], now=100.0, changed=lambda _: True) == 1
    queue.take()
    queue.done(A, left=True, due=500.0)
    assert queue.run([A], now=501.0, changed=no_change) == 1


def test_what_left_the_spool_is_forgotten() -> None:
    queue = Queue()
    queue.due[A] = 500.0
    queue.run([], now=100.0, changed=no_change)
    assert queue.due == {}


def test_a_dead_workers_messages_are_retried() -> None:
    queue = Queue()
    queue.arrive(A)
    queue.take()
    queue.lost([A])
    assert queue.take() == Order(A, "n")


def test_a_manager_that_stops_gives_its_arrivals_back() -> None:
    wires = make_wires(1)
    signals = make_signals()
    given_back: list[str] = []
    manager = Manager(
        arrivals=wires.arrivals[0],
        workers=[Worker(wires.orders[0][0])],
        list_ids=list,
        header_time=lambda _: 1.0,
        interval=0.0,
        in_order=True,
        log=lambda _: None,
        signals=signals,
        give_back=given_back.append,
    )
    assert announce(wires.arrivals[1], A, deliver=True)
    signals.stopping = True
    manager.loop()
    assert given_back == [A]
    for sock in (*wires.arrivals, *wires.orders[0], signals.wake, signals._write):
        sock.close()


def test_after_a_managers_death_the_spool_is_looked_at() -> None:
    wires = make_wires(1)
    signals = make_signals()

    def list_ids() -> list[str]:
        signals.stopping = True
        return [A, B]

    manager = Manager(
        arrivals=wires.arrivals[0],
        workers=[Worker(wires.orders[0][0])],
        list_ids=list_ids,
        header_time=lambda _: 1.0,
        interval=0.0,
        in_order=True,
        log=lambda _: None,
        signals=signals,
        recover=True,
    )
    signals._write.send(b"x")
    manager.loop()
    assert list(manager.queue.due_now) == [A, B]
    for sock in (*wires.arrivals, *wires.orders[0], signals.wake, signals._write):
        sock.close()


def test_the_manager_hands_out_reports_and_restarts() -> None:
    wires = make_wires(1)
    manager_end, worker_end = wires.orders[0]
    signals = make_signals()
    lines: list[str] = []
    manager = Manager(
        arrivals=wires.arrivals[0],
        workers=[Worker(manager_end)],
        list_ids=list,
        header_time=lambda _: 1.0,
        interval=0.0,
        in_order=True,
        log=lines.append,
        signals=signals,
    )
    thread = threading.Thread(target=manager.loop)
    thread.start()
    try:
        worker_end.settimeout(5)
        worker_end.send(encode_hello(1))
        assert announce(wires.arrivals[1], A, deliver=True)
        assert announce(wires.arrivals[1], B, deliver=True)
        assert decode_order(worker_end.recv(256)) == Order(A, "n")
        worker_end.send(encode_report(Report(A, False, 0.0)))
        assert decode_order(worker_end.recv(256)) == Order(B, "n")
        worker_end.send(encode_hello(1))  # it died with B under way and came back
        assert decode_order(worker_end.recv(256)) == Order(B, "n")
    finally:
        signals.stopping = True
        signals._write.send(b"x")
        thread.join(5)
    assert not thread.is_alive()
    for sock in (*wires.arrivals, manager_end, worker_end, signals.wake, signals._write):
        sock.close()
