"""What one process has at hand for one configuration: ``Runtime.start(config)``, ``runtime.scope(...)``.

Resolver, hints and interfaces are made when first used, so that ``mta -be`` pays for none of them. Made
after the fork by each worker: it owns file handles and locks.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING, Any, cast

from mta.config.config import Config
from mta.config.upcalls import fill_state
from mta.errors import ConfigError, MtaError
from mta.expand.compiler import compile_text
from mta.log.selectors import parse_selectors
from mta.log.writers import Log, LogOptions
from mta.mail.ids import MessageIds
from mta.mail.message import Message
from mta.mail.peer import Peer
from mta.scope.expansion import DomainList, Expansion
from mta.scope.scope import Scope
from mta.scope.services import Services, Verified
from mta.spool.store import Spool

if TYPE_CHECKING:
    from mta.hints.store import HintsStore
    from mta.net.resolver import Resolver


class Later:
    """Stands for an object that is made when its first attribute is asked for; safe between threads."""

    def __init__(self, make: Callable[[], Any]) -> None:
        self._make = make
        self._made: Any = None
        self._lock = threading.Lock()

    def __getattr__(self, name: str) -> Any:
        if self._made is None:
            with self._lock:
                if self._made is None:
                    self._made = self._make()
        return getattr(self._made, name)


@dataclass(slots=True)
class Runtime:
    """``spool_directory`` and ``log`` are settled at the start; nothing here changes after."""

    config: Config
    services: Services
    spool_directory: str
    spool: Spool
    log: Log
    hints: HintsStore = field(default_factory=lambda: cast("HintsStore", None))
    trace: Callable[[str, str], None] | None = None  # of every scope made from now on: debugging output

    @classmethod
    def start(cls, config: Config, *, log_to_stderr: bool = False) -> Runtime:
        """The runtime of a process. ConfigError when an option that is needed now does not expand."""
        services = Services()
        main, site = config.main, config.site
        services.resolver = cast("Resolver", Later(partial(make_resolver, config, services)))
        scope = Scope(site, services)
        directory = settled(main.spool_directory, "spool_directory", scope)
        owner = (site.uid, site.gid)
        number = settled(main.localhost_number, "localhost_number", scope)
        ids = MessageIds(localhost_number=int(number) if number else None)
        spool = Spool(directory, split=main.split_spool_directory, ids=ids, owner=owner)
        log = Log(log_options(config, scope, directory, spool, stderr=log_to_stderr))
        made = cls(config, services, directory, spool, log)
        path = settled(main.hints_database, "hints_database", scope)
        made.hints = cast("HintsStore", Later(partial(open_hints, path)))
        _fill(made)
        return made

    def scope(self, *, peer: Peer | None = None, message: Message | None = None) -> Scope:
        """A fresh scope for a session or a delivery."""
        found = Scope(self.config.site, self.services, trace=self.trace)
        if peer is not None:
            found.peer = peer
        if message is not None:
            found.message = message
        return found

    def after_fork(self) -> None:
        """To be called in a child that goes on with the runtime of its parent."""
        self.spool.after_fork()
        self.log.after_fork()
        self.hints.after_fork()


def settled(text: Expansion | None, name: str, scope: Scope) -> str:
    """The value of an option that depends on no message; ConfigError naming it when it does not expand."""
    if text is None:
        return ""
    if text.constant is not None:
        return text.constant
    try:
        return text(scope)
    except MtaError as error:
        raise ConfigError(f'failed to expand {name} "{text.source}": {error}') from None


def log_options(config: Config, scope: Scope, directory: str, spool: Spool, *, stderr: bool) -> LogOptions:
    """The main options that the log room acts on."""
    main = config.main
    return LogOptions(
        path=settled(main.log_file_path, "log_file_path", scope),
        spool=directory,
        selectors=parse_selectors(main.log_selector or ""),
        timezone=main.log_timezone,
        utc=(main.timezone or "").upper() == "UTC",
        write_rejectlog=main.write_rejectlog,
        message_logs=main.message_logs,
        message_log_path=spool.layout.msglog_path,
        syslog_duplication=main.syslog_duplication,
        syslog_facility=main.syslog_facility or "mail",
        syslog_pid=main.syslog_pid,
        syslog_processname=main.syslog_processname,
        syslog_timestamp=main.syslog_timestamp,
        owner=(config.site.uid, config.site.gid) if os.geteuid() == 0 else None,
        stderr=stderr,
    )


def make_resolver(config: Config, services: Services) -> Resolver:
    """The resolver that the dns_ options describe."""
    from mta.net.resolv_conf import parse_nameservers
    from mta.net.resolver import Resolver

    main = config.main

    def matches(domains: DomainList | None) -> Callable[[str], bool]:
        if domains is None:
            return lambda _domain: False
        return lambda domain: domains.match(Scope(config.site, services), domain) is not None

    made = Resolver(
        parse_nameservers(list(main.dns_nameservers)) if main.dns_nameservers else None,
        retrans=main.dns_retrans,
        retry=main.dns_retry,
        use_edns0=main.dns_use_edns0 != 0,
        dnssec_ok=main.dns_dnssec_ok != 0,
        cname_loops=main.dns_cname_loops,
        names_pattern=main.dns_check_names_pattern,
        again_means_nonexist=matches(main.dns_again_means_nonexist),
        ipv4_lookup=matches(main.dns_ipv4_lookup),
        trust_aa=matches(main.dns_trust_aa),
        disable_ipv6=main.disable_ipv6,
    )
    made.slow, made.log = main.slow_lookup_log / 1000, lambda line: services.log_main(line)
    return made


def open_hints(path: str) -> HintsStore:
    """The hints store, its folder made if need be; a broken one is the store's to replace."""
    from mta.hints.store import HintsStore

    return HintsStore(path)


def _fill(runtime: Runtime) -> None:
    """The calls upwards of lower rooms; none loads what it needs before it is called."""
    services, config = runtime.services, runtime.config

    def run_acl(acl: str, args: list[str], scope: Scope) -> Any:
        from mta.acl.run import acl_service

        return acl_service(config.acls)(acl, args, scope)

    def verify_address(
        scope: Scope, address: str, *, is_sender: bool, expn: bool = False, success_on_redirect: bool = False
    ) -> Verified:
        from mta.route.verify import Verifier

        verify = Verifier(config.routers, config.transports, _rewriter(config))
        return verify(scope, address, is_sender=is_sender, expn=expn, success_on_redirect=success_on_redirect)

    def lookup_host_name(scope: Scope) -> None:
        from mta.net.interfaces import lookup_host_name as look_up

        assert services.resolver is not None
        if scope.peer.host_lookup_done:
            return
        look_up(scope.peer, services.resolver, config.main.host_lookup_order)
        if scope.peer.host_lookup_failed and "host_lookup_failed" in runtime.log.selectors:
            scope.services.log_main(f"no host name found for IP address {scope.peer.address}")

    def check_sender(address: str, ip: str) -> str:
        from mta.emailauth.spf import check_spf

        assert services.resolver is not None
        return check_spf(services.resolver, ip, address, "", receiver=config.main.primary_hostname).result

    services.hints = runtime.hints
    fill_state(runtime)
    services.run_acl = run_acl
    services.check_spf = check_sender
    services.verify_address = verify_address
    services.compile_text = compile_text
    services.lookup_host_name = lookup_host_name
    services.log_main = runtime.log.main
    services.log_reject = runtime.log.reject
    services.log_panic = runtime.log.panic
    services.queue_size = runtime.spool.count


def _rewriter(config: Config) -> Callable[[Scope, str, bool], str] | None:
    if not config.rewrite_rules:
        return None
    from mta.route.rewrite import rewrite_envelope

    def rewrite(scope: Scope, address: str, is_sender: bool) -> str:
        found: str = rewrite_envelope(config.rewrite_rules, address, "F" if is_sender else "T", scope)
        return found

    return rewrite
