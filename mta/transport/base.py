"""What a transport is: generic options, a driver, and ``deliver`` for a batch of recipients.

A driver is a dataclass of options with a ``deliver`` method, one file in ``transport/drivers``.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, BinaryIO, ClassVar, Protocol

from mta.mail.host import Host
from mta.mail.message import Message
from mta.mail.outcome import Outcome
from mta.mail.recipient import Recipient
from mta.registry import Registry
from mta.scope.expansion import Expansion
from mta.scope.scope import Scope
from mta.settings.options import option


@dataclass(slots=True, eq=False, repr=False)
class TransportOptions:
    """Generic options (manual chapter 24)."""

    driver: str = option("string", "")
    body_only: bool = option("bool", False)
    current_directory: Expansion | None = option("expanded")
    debug_print: Expansion | None = option("expanded")
    delivery_date_add: bool = option("bool", False)
    disable_logging: bool = option("bool", False)
    event_action: Expansion | None = option("expanded")
    event_log: Expansion | None = option("expanded")  # our own: a file that gets one JSON line an event
    event_python: str | None = option("string")  # our own: module.function, called with a dict
    envelope_to_add: bool = option("bool", False)
    group: Expansion | None = option("group")
    headers_add: tuple[Expansion, ...] = option("header_items", (), joins="list")
    headers_only: bool = option("bool", False)
    headers_remove: tuple[Expansion, ...] = option("expanded_items", (), joins="list")
    headers_rewrite: Any = option("rewrite")
    home_directory: Expansion | None = option("expanded")
    initgroups: bool = option("bool", False)
    max_parallel: Expansion | None = option("int_expanded")
    message_size_limit: Expansion | None = option("int_expanded")
    rcpt_include_affixes: bool = option("bool", False)
    retry_use_local_part: bool | None = option("bool")
    return_path: Expansion | None = option("expanded")
    return_path_add: bool = option("bool", False)
    shadow_condition: Expansion | None = option("expanded")
    shadow_transport: str | None = option("string")
    tpda_delivery_action: Expansion | None = option("expanded")  # the old name of event_action for msg:delivery
    transport_filter: str | None = option("string")  # split into arguments before it is expanded
    transport_filter_timeout: float = option("time", 300.0)
    user: Expansion | None = option("user")


@dataclass(slots=True)
class Batch:
    """One call of a transport: a message, the recipients that go together, and where to."""

    message: Message
    recipients: list[Recipient]  # same transport, hosts, errors_to, headers changes; one unless batching
    return_path: str  # after the transport's return_path option
    open_body: Callable[[], BinaryIO]  # a fresh handle at the first byte of the body (LF line ends)
    hosts: list[Host] = field(default_factory=list)
    uid: int = -1
    gid: int = -1
    home: str = ""
    current_directory: str = ""
    before_effect: Callable[[str], None] = lambda _intent: None  # journal an intent, synced (RELIABILITY)
    retry_due: Callable[[str], bool] = lambda _key: True  # may this retry key be tried now?
    past_cutoff: Callable[[str], bool] = lambda _key: False
    # What earlier attempts for these recipients wrote through before_effect and did not settle.
    intents: tuple[str, ...] = ()
    # A host that failed, for the main and the message log: (host, port, message, errno); see outcomes.host_error_text.
    log_host_error: Callable[[Host, int, str, int], None] = lambda _host, _port, _message, _errno: None


class Driver(Protocol):
    """``local``: runs under the recipient's user. Outcomes come back one for each of ``batch.recipients``, in order.

    Nothing but Deferred and bugs may be raised; an ExpansionFailed of an option becomes a deferred outcome.
    """

    local: ClassVar[bool]

    def deliver(self, transport: Transport, batch: Batch, scope: Scope) -> list[Outcome]: ...


@dataclass(slots=True, eq=False, repr=False)
class Transport:
    """One instance from the file."""

    name: str
    driver_name: str
    options: TransportOptions
    driver: Driver

    @property
    def local(self) -> bool:
        return self.driver.local


transports: Registry[type[Any]] = Registry("transport driver", "mta.transport.drivers")
