"""The smtp transport (manual chapter 30): SMTP and LMTP over TCP, many recipients and messages a connection.

Options of DANE, OCSP, SOCKS, PRDR and the like are declared when they are implemented.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from mta.mail.outcome import Outcome
from mta.scope.expansion import DomainList, Expansion, HostList
from mta.scope.scope import Scope
from mta.settings.options import option
from mta.transport.base import Batch, Transport, transports

_PROTOCOLS = ("smtp", "lmtp", "smtps")


@transports.register("smtp")
@dataclass(slots=True, eq=False, repr=False)
class Smtp:
    """Options of chapter 30; host lists are asked with the address and name of the host delivered to."""

    local: ClassVar[bool] = False
    address_retry_include_sender: bool = option("bool", True)
    allow_localhost: bool = option("bool", False)
    arc_sign: Expansion | None = option("expanded")
    authenticated_sender: Expansion | None = option("expanded")
    authenticated_sender_force: bool = option("bool", False)
    command_timeout: float = option("time", 300.0)
    connect_timeout: float = option("time", 300.0)
    connection_max_messages: int = option("int", 500)
    dane_require_tls_ciphers: Expansion | None = option("expanded")
    data_timeout: float = option("time", 300.0)
    delay_after_cutoff: bool = option("bool", True)
    dkim_canon: Expansion | None = option("expanded")
    dkim_domain: Expansion | None = option("string_list_expanded")
    dkim_hash: Expansion | None = option("expanded", "sha256")
    dkim_identity: Expansion | None = option("expanded")
    dkim_private_key: Expansion | None = option("expanded")
    dkim_selector: Expansion | None = option("string_list_expanded")
    dkim_sign_headers: Expansion | None = option("expanded")
    dkim_strict: Expansion | None = option("expanded")
    dkim_timestamps: Expansion | None = option("expanded")
    dns_qualify_single: bool = option("bool", True)
    dns_search_parents: bool = option("bool", False)
    dnssec_request_domains: DomainList | None = option("domain_list", "*")
    dnssec_require_domains: DomainList | None = option("domain_list")
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
    hosts_request_ocsp: HostList | None = option("host_list", "*")
    hosts_require_auth: HostList | None = option("host_list")
    hosts_require_dane: HostList | None = option("host_list")
    hosts_require_ocsp: HostList | None = option("host_list")
    hosts_require_tls: HostList | None = option("host_list")
    hosts_try_auth: HostList | None = option("host_list")
    hosts_try_prdr: HostList | None = option("host_list", "*")
    hosts_try_chunking: HostList | None = option("host_list", "*")
    hosts_try_dane: HostList | None = option("host_list", "*")
    hosts_try_mta_sts: HostList | None = option("host_list")
    hosts_verify_avoid_tls: HostList | None = option("host_list", "*")
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
    tpda_host_defer_action: Expansion | None = option("expanded")  # the old name of event_action for msg:host:defer

    def check_options(self, transport: Transport) -> str | None:
        """What is wrong with the options taken together, or None."""
        if self.protocol not in _PROTOCOLS:
            return f'invalid protocol "{self.protocol}" for {transport.name} transport'
        for name in ("command_timeout", "data_timeout", "final_timeout"):
            if getattr(self, name) <= 0:
                return f"command, data, or final timeout value is zero for {transport.name} transport"
        return None

    def deliver(self, transport: Transport, batch: Batch, scope: Scope) -> list[Outcome]:
        from mta.transport.remote.delivery import deliver

        return deliver(self, transport, batch, scope)
