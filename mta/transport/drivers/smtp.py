"""The smtp transport (manual chapter 30): SMTP and LMTP over TCP, many recipients and messages a connection.

Options of DKIM, DANE, OCSP, SOCKS, PRDR and the like are declared when they are implemented.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from mta.errors import Deferred, ExpansionFailed, ForcedFail
from mta.mail.host import Host
from mta.mail.outcome import Outcome, RetryFact
from mta.mail.recipient import Recipient
from mta.scope.expansion import Expansion, HostList
from mta.scope.scope import Scope
from mta.settings.options import option
from mta.transport import outcomes
from mta.transport.base import Batch, Transport, transports
from mta.transport.generic import enter
from mta.transport.remote import hosts as host_lists
from mta.transport.remote.policy import Run

_PORTS = {"smtp": 25, "lmtp": 24, "smtps": 465}


@transports.register("smtp")
@dataclass(slots=True)
class Smtp:
    """Options of chapter 30; host lists are asked with the address and name of the host delivered to."""

    local: ClassVar[bool] = False
    address_retry_include_sender: bool = option("bool", True)
    allow_localhost: bool = option("bool", False)
    authenticated_sender: Expansion | None = option("expanded")
    authenticated_sender_force: bool = option("bool", False)
    command_timeout: float = option("time", 300.0)
    connect_timeout: float = option("time", 300.0)
    connection_max_messages: int = option("int", 500)
    data_timeout: float = option("time", 300.0)
    delay_after_cutoff: bool = option("bool", True)
    dns_qualify_single: bool = option("bool", True)
    dns_search_parents: bool = option("bool", False)
    fallback_hosts: tuple[str, ...] = option("string_list", ())
    final_timeout: float = option("time", 600.0)
    gethostbyname: bool = option("bool", False)
    helo_data: Expansion | None = option("expanded")
    hosts: Expansion | None = option("expanded")
    hosts_avoid_esmtp: HostList | None = option("host_list")
    hosts_avoid_pipelining: HostList | None = option("host_list")
    hosts_avoid_tls: HostList | None = option("host_list")
    hosts_max_try: int = option("int", 5)
    hosts_max_try_hardlimit: int = option("int", 50)
    hosts_nopass_tls: HostList | None = option("host_list")
    hosts_noproxy_tls: HostList | None = option("host_list")
    hosts_override: bool = option("bool", False)
    hosts_randomize: bool = option("bool", False)
    hosts_require_auth: HostList | None = option("host_list")
    hosts_require_tls: HostList | None = option("host_list")
    hosts_try_auth: HostList | None = option("host_list")
    hosts_try_chunking: HostList | None = option("host_list", "*")
    interface: Expansion | None = option("expanded")
    keepalive: bool = option("bool", True)
    lmtp_ignore_quota: bool = option("bool", False)
    max_rcpt: int = option("int", 100)
    message_linelength_limit: int = option("int", 998)
    multi_domain: Expansion | None = option("bool_expanded", "true")
    port: Expansion | None = option("expanded")
    protocol: str = option("string", "smtp")
    retry_include_ip_address: Expansion | None = option("bool_expanded", "true")
    serialize_hosts: HostList | None = option("host_list")
    size_addition: int = option("int", 1024)
    tls_alpn: Expansion | None = option("expanded")
    tls_certificate: Expansion | None = option("expanded")
    tls_crl: Expansion | None = option("expanded")
    tls_dh_min_bits: int = option("int", 1024)
    tls_privatekey: Expansion | None = option("expanded")
    tls_require_ciphers: Expansion | None = option("expanded")
    tls_sni: Expansion | None = option("expanded")
    tls_tempfail_tryclear: bool = option("bool", True)
    tls_try_verify_hosts: HostList | None = option("host_list", "*")
    tls_verify_cert_hostnames: HostList | None = option("host_list", "*")
    tls_verify_certificates: Expansion | None = option("expanded", "system")
    tls_verify_hosts: HostList | None = option("host_list")

    def check_options(self, transport: Transport) -> str | None:
        """What is wrong with the options taken together, or None."""
        if self.protocol not in _PORTS:
            return f'invalid protocol "{self.protocol}" for {transport.name} transport'
        for name in ("command_timeout", "data_timeout", "final_timeout"):
            if getattr(self, name) <= 0:
                return f"command, data, or final timeout value is zero for {transport.name} transport"
        return None

    def deliver(self, transport: Transport, batch: Batch, scope: Scope) -> list[Outcome]:
        enter(batch, scope)
        if batch.message.max_received_linelength > self.message_linelength_limit:
            return outcomes.failed(batch, "message has lines too long for transport")
        out: dict[int, Outcome] = {}
        order = {id(recipient): index for index, recipient in enumerate(batch.recipients)}
        for group in self._groups(batch.recipients, scope):
            for outcome in self._deliver_group(transport, batch, scope, group):
                out[order[id(outcome.recipient)]] = outcome
        return [out[index] for index in range(len(batch.recipients))]

    def _groups(self, recipients: list[Recipient], scope: Scope) -> list[list[Recipient]]:
        """What one transaction may carry: at most max_rcpt, one domain without multi_domain."""
        by_domain: dict[str, list[Recipient]] = {}
        multi = self.multi_domain
        one_domain = multi is not None and multi.constant in ("false", "no", "0")
        if multi is not None and multi.constant is None:
            one_domain = multi(scope) not in ("true", "yes", "1")
        for recipient in recipients:
            by_domain.setdefault(recipient.domain if one_domain else "", []).append(recipient)
        size = self.max_rcpt or len(recipients)
        return [group[at : at + size] for group in by_domain.values() for at in range(0, len(group), size)]

    def _deliver_group(
        self, transport: Transport, batch: Batch, scope: Scope, recipients: list[Recipient]
    ) -> list[Outcome]:
        run = Run(self, transport, batch, scope, recipients)
        try:
            run.port = self._port(transport, scope)
            run.deliver(self._host_list(transport, batch, scope))
            fallback = self._fallback_list(recipients[0], scope) if run.pending and not run.failed_for_good else []
            if fallback:
                run.tried = run.attempts = run.skipped = run.expired = 0
                run.deliver(fallback)
        except host_lists.HostsFailed as error:
            run.give_up(error.message, error.errno, error.key)
        except (Deferred, ExpansionFailed) as error:
            run.give_up(error.message, outcomes.UNKNOWN, "")
        run.finish()
        found = [run.outcomes[index] for index in range(len(recipients))]
        found[0].retry[:0] = _last_words(run.facts)
        return found

    def _port(self, transport: Transport, scope: Scope) -> int:
        if self.port is None:
            return _PORTS.get(self.protocol, 25)
        try:
            text = self.port(scope)
        except ExpansionFailed as error:
            raise host_lists.HostsFailed(
                f'failed to expand "port" option for {transport.name} transport: {error.message}', outcomes.UNKNOWN
            ) from None
        return host_lists.port_number(text, transport.name)

    def _lookup(self) -> host_lists.Lookup:
        return host_lists.Lookup(
            self.gethostbyname, self.dns_qualify_single, self.dns_search_parents, self.allow_localhost
        )

    def _host_list(self, transport: Transport, batch: Batch, scope: Scope) -> list[Host]:
        given = batch.hosts or batch.recipients[0].hosts
        if given and not (self.hosts_override and self.hosts is not None):
            ordered = host_lists.ordered(given, randomize=self.hosts_randomize)
            return host_lists.with_addresses(ordered, self._lookup(), scope)
        if self.hosts is None:
            raise host_lists.HostsFailed(f"{transport.name} transport called with no hosts set", outcomes.UNKNOWN)
        try:
            text = self.hosts(scope)
        except (ForcedFail, ExpansionFailed) as error:
            raise host_lists.HostsFailed(
                f'failed to expand list of hosts "{self.hosts.source}" in {transport.name} transport: {error.message}',
                outcomes.UNKNOWN,
            ) from None
        hosts = host_lists.parse_host_text(text)
        if not hosts:
            raise host_lists.HostsFailed(
                f'{transport.name} transport has empty hosts setting "{text}"', outcomes.UNKNOWN
            )
        hosts = host_lists.with_addresses(
            host_lists.ordered(hosts, randomize=self.hosts_randomize), self._lookup(), scope
        )
        if not self.allow_localhost:
            host_lists.refuse_local(hosts, transport.name, scope)
        return hosts

    def _fallback_list(self, recipient: Recipient, scope: Scope) -> list[Host]:
        hosts = recipient.fallback_hosts or host_lists.parse_hosts(self.fallback_hosts)
        if not hosts:
            return []
        return host_lists.with_addresses(
            host_lists.ordered(hosts, randomize=self.hosts_randomize), self._lookup(), scope
        )


def _last_words(facts: list[RetryFact]) -> list[RetryFact]:
    """The last fact for each key: a host that failed at first and worked then has worked."""
    return list({fact.key: fact for fact in facts}.values())
