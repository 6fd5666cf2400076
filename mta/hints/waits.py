"""Which messages wait for which host: ``add``, ``take``, ``forget`` (Exim's wait-<transport> databases)."""

from __future__ import annotations

from collections.abc import Iterable

from mta.hints.store import HintsStore
from mta.text.ascii import lower

_PREFIX = "wait-"


def add(store: HintsStore, transport: str, hosts: Iterable[str], message_id: str) -> None:
    """A message waits for each of these hosts."""
    for host in hosts:
        store.put(_PREFIX + transport, f"{lower(host)} {message_id}", "")


def waiting(store: HintsStore, transport: str, host: str, limit: int = 1000) -> list[str]:
    """Ids of messages that wait for a host, the oldest first; they may be gone by now."""
    prefix = lower(host) + " "
    return [key[len(prefix) :] for key, _ in store.scan(_PREFIX + transport, prefix, limit)]


def forget(store: HintsStore, transport: str, hosts: Iterable[str], message_id: str) -> None:
    """The message does not wait for these hosts any more."""
    for host in hosts:
        store.delete(_PREFIX + transport, f"{lower(host)} {message_id}")
