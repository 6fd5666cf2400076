"""What of the configuration the sessions of one process need again and again, worked out once.

``plan_of(runtime)`` keeps it in ``services.state``. The Protocols say what receive wants of the runtime.
"""

from __future__ import annotations

import os
import pwd
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Protocol

from mta.errors import Deferred, ExpansionFailed
from mta.mail.message import Message
from mta.mail.peer import Peer
from mta.scope.expansion import Expansion, HostList
from mta.scope.options import MainOptions
from mta.scope.scope import Scope
from mta.scope.services import Services
from mta.text.units import parse_size, parse_time


class Incoming(Protocol):
    """``mta.spool.incoming.Incoming``: a message on its way to the disk."""

    id: str

    def write(self, data: bytes) -> None: ...
    def read_body(self, start: int, size: int) -> bytes: ...
    def commit(self, message: Message, peer: Peer) -> None: ...
    def abandon(self) -> None: ...


class Spool(Protocol):
    def begin(self) -> Incoming: ...


class Log(Protocol):
    """``mta.log.writers.Log``."""

    selectors: frozenset[str]

    @property
    def folder(self) -> str: ...
    def main(self, line: str, message_id: str = "") -> None: ...
    def reject(self, line: str, message_id: str = "", headers: str = "") -> None: ...
    def panic(self, line: str, message_id: str = "") -> None: ...


class Runtime(Protocol):
    """The part of ``mta.config.runtime.Runtime`` that receiving uses."""

    @property
    def config(self) -> Any: ...
    @property
    def spool(self) -> Any: ...
    @property
    def log(self) -> Any: ...
    @property
    def services(self) -> Services: ...
    @property
    def spool_directory(self) -> str: ...
    def scope(self, *, peer: Peer | None = None, message: Message | None = None) -> Scope: ...


@dataclass(slots=True)
class Plan:
    """Constants are None where the option must be expanded for each session or message."""

    options: MainOptions
    timeout: float | None
    size_limit: int | None
    per_connection: int | None
    selectors: frozenset[str]
    rewrites_smtp: bool  # a rewriting rule with the S flag
    login: str  # who messages from the network belong to: exim_user
    uid: int
    gid: int
    lists: dict[str, bool | HostList]  # host lists by option name; True: everybody, False: nobody


HOST_LISTS = (
    "host_reject_connection", "host_lookup", "sender_unqualified_hosts", "recipient_unqualified_hosts",
    "helo_verify_hosts", "helo_try_verify_hosts", "helo_accept_junk_hosts", "hosts_proxy",
    "pipelining_connect_advertise_hosts", "dsn_advertise_hosts", "pipelining_advertise_hosts",
    "chunking_advertise_hosts", "tls_advertise_hosts", "smtputf8_advertise_hosts", "auth_advertise_hosts",
    "hosts_require_helo", "ignore_fromline_hosts", "smtp_accept_max_nonmail_hosts", "hosts_connection_nolog",
    "smtp_reserve_hosts", "rfc1413_hosts", "smtp_ratelimit_hosts", "limits_advertise_hosts", "hosts_xclient",
    "enhancedstatuscodes_advertise_hosts",
)  # fmt: skip


def plan_of(runtime: Runtime) -> Plan:
    """The plan of this process for this configuration."""
    state = runtime.services.state
    plan = state.get("receive.plan")
    if not isinstance(plan, Plan) or plan.options is not runtime.config.main:
        plan = state["receive.plan"] = _make(runtime)
    return plan


def _make(runtime: Runtime) -> Plan:
    options = runtime.config.main
    lists: dict[str, bool | HostList] = {}
    for name in HOST_LISTS:
        value = getattr(options, name, None)
        lists[name] = False if value is None or not value.source.strip() else value.source.strip() == "*" or value
    site = runtime.config.site
    uid = site.uid if site.uid >= 0 else os.geteuid()
    return Plan(
        options=options,
        rewrites_smtp=any("S" in rule.contexts for rule in runtime.config.rewrite_rules),
        login=login_of(uid),
        uid=uid,
        gid=site.gid if site.gid >= 0 else os.getegid(),
        timeout=_constant(options.smtp_receive_timeout, parse_time),
        size_limit=_constant(options.message_size_limit, parse_size),
        per_connection=_constant(options.smtp_accept_max_per_connection, parse_size),
        selectors=runtime.log.selectors,
        lists=lists,
    )


def login_of(uid: int) -> str:
    """The login name of a user id, or its number."""
    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return str(uid)


def _constant(text: Expansion | None, parse: Callable[[str], float | int | None]) -> Any:
    if text is None:
        return 0
    if text.constant is None:
        return None
    return parse(text.constant.strip()) or 0


def expand(scope: Scope, text: Expansion | None, default: str = "") -> str:
    """The value of an option, ``default`` when there is none or it fails, which goes to the panic log."""
    if text is None:
        return default
    if text.constant is not None:
        return text.constant
    before = scope.tainted
    try:
        return text(scope)
    except (ExpansionFailed, Deferred) as error:
        scope.services.log_panic(f'failed to expand "{text.source}": {error.message}')
        return default
    finally:
        scope.tainted = before
