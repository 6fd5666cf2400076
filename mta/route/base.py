"""What a router is, and the answers that it can give. Drivers are one file each in ``route/drivers``."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

from mta.mail.recipient import Recipient
from mta.registry import Registry
from mta.scope.expansion import AddressList, DomainList, Expansion, HostList
from mta.scope.scope import Scope
from mta.settings.options import option


@dataclass(slots=True, eq=False, repr=False)
class RouterOptions:
    """Generic options (manual chapter 15)."""

    driver: str = option("string", "")
    address_data: Expansion | None = option("expanded")
    address_test: bool = option("bool", True)
    cannot_route_message: Expansion | None = option("expanded")
    caseful_local_part: bool = option("bool", False)
    check_local_user: bool = option("bool", False)
    condition: tuple[Expansion, ...] = option("expanded", (), joins="list")
    debug_print: Expansion | None = option("expanded")
    disable_logging: bool = option("bool", False)
    dnssec_request_domains: DomainList | None = option("domain_list", "*")
    dnssec_require_domains: DomainList | None = option("domain_list")
    domains: DomainList | None = option("domain_list")
    dsn_lasthop: bool = option("bool", False)
    errors_to: Expansion | None = option("expanded")
    expn: bool = option("bool", True)
    fail_verify_recipient: bool = option("bool", False)
    fail_verify_sender: bool = option("bool", False)
    fallback_hosts: tuple[str, ...] = option("string_list", ())
    group: Expansion | None = option("group")
    headers_add: tuple[Expansion, ...] = option("header_items", (), joins="list")
    headers_remove: tuple[Expansion, ...] = option("expanded_items", (), joins="list")
    ignore_target_hosts: HostList | None = option("host_list")
    initgroups: bool = option("bool", False)
    local_part_prefix: Expansion | None = option("expanded")
    local_part_prefix_optional: bool = option("bool", False)
    local_part_suffix: Expansion | None = option("expanded")
    local_part_suffix_optional: bool = option("bool", False)
    local_parts: DomainList | None = option("local_part_list")
    log_as_local: bool | None = option("bool")
    more: Expansion | None = option("bool_expanded")
    pass_on_timeout: bool = option("bool", False)
    pass_router: str | None = option("string")
    redirect_router: str | None = option("string")
    require_files: tuple[Expansion, ...] = option("expanded_items", ())
    retry_use_local_part: bool | None = option("bool")
    router_home_directory: Expansion | None = option("expanded")
    self: str = option("string", "freeze")
    senders: AddressList | None = option("address_list")
    set: tuple[str, ...] = option("string", (), joins="list")
    translate_ip_address: Expansion | None = option("expanded")
    transport: Expansion | None = option("expanded")
    transport_current_directory: Expansion | None = option("expanded")
    transport_home_directory: Expansion | None = option("expanded")
    unseen: Expansion | None = option("bool_expanded")
    user: Expansion | None = option("user")
    verify_only: bool = option("bool", False)
    verify_recipient: bool = option("bool", True)
    verify_sender: bool = option("bool", True)


@dataclass(slots=True)
class Accepted:
    """Goes to ``transport`` (and ``recipient.hosts``)."""

    transport: str


@dataclass(slots=True)
class Redirected:
    """New addresses take its place; none means that the address is discarded (``:blackhole:``)."""

    children: list[Recipient]
    discarded: bool = False
    what: str = ":blackhole:"  # how the log names it when it is discarded
    continues: bool = False  # the address itself goes on to the next router, too, as with option unseen


@dataclass(slots=True)
class Declined:
    """Not for this router; the next one is asked unless ``more`` is false.

    ``message`` is what the failure says when no later router takes the address.
    """

    reason: str = ""
    message: str = ""


@dataclass(slots=True)
class Passed:
    """On to the next router (or pass_router) whatever ``more`` says."""


@dataclass(slots=True)
class Failed:
    """No way to deliver. ``message`` goes to the log and the bounce, ``smtp_message`` to an SMTP peer when set."""

    message: str
    smtp_message: str = ""
    code: str = ""  # an SMTP code that the redirection data chose
    children: list[Recipient] = field(default_factory=list)  # to be delivered all the same: a filter's


@dataclass(slots=True)
class RouteDeferred:
    message: str
    freeze: bool = False
    smtp_message: str = ""
    children: list[Recipient] = field(default_factory=list)  # to be delivered all the same: a filter's


@dataclass(slots=True)
class Rerouted:
    """Route again from the start under another domain (self = reroute, a widened domain)."""

    domain: str
    rewrite_headers: bool = False


Answer = Accepted | Redirected | Declined | Passed | Failed | RouteDeferred | Rerouted


class Driver(Protocol):
    def route(self, router: Router, recipient: Recipient, scope: Scope, asking: Asking) -> Answer: ...


@dataclass(slots=True)
class Asking:
    """Why an address is routed."""

    verify: str = ""  # "" delivery, "S" sender, "R" recipient
    address_test: bool = False  # -bt
    expn: bool = False
    transports: Mapping[str, Any] = field(default_factory=dict)  # by name: mta.transport.base.Transport


@dataclass(slots=True, eq=False, repr=False)
class Router:
    """One instance from the file, in the order of the file."""

    name: str
    driver_name: str
    options: RouterOptions
    driver: Driver
    sets: tuple[tuple[str, Expansion], ...] = ()  # option "set", by chain.parse_sets


routers: Registry[type[Any]] = Registry("router driver", "mta.route.drivers")
