"""The dnslookup router (manual chapter 17): hosts from MX, SRV and address records."""

from __future__ import annotations

from dataclasses import dataclass

from mta.errors import Deferred, ForcedFail
from mta.mail.host import Host
from mta.mail.recipient import Recipient
from mta.net import records
from mta.route.base import Accepted, Answer, Asking, Declined, Rerouted, RouteDeferred, Router, routers
from mta.route.hosts import MxHosts, Wanted, cut_at_local, expand_hosts, find_secure, heed_dnssec, mx_hosts, self_action
from mta.scope.expansion import DomainList, Expansion
from mta.scope.scope import Scope
from mta.settings.options import option
from mta.text.ascii import lower, strip


@routers.register("dnslookup")
@dataclass(slots=True, eq=False, repr=False)
class DnsLookup:
    check_secondary_mx: bool = option("bool", False)
    check_srv: Expansion | None = option("expanded")
    fail_defer_domains: DomainList | None = option("domain_list")
    ipv4_only: Expansion | None = option("expanded")
    ipv4_prefer: Expansion | None = option("expanded")
    mx_domains: DomainList | None = option("domain_list")
    mx_fail_domains: DomainList | None = option("domain_list")
    qualify_single: bool = option("bool", True)
    rewrite_headers: bool = option("bool", True)
    same_domain_copy_routing: bool = option("bool", False)
    search_parents: bool = option("bool", False)
    srv_fail_domains: DomainList | None = option("domain_list")
    widen_domains: tuple[str, ...] = option("string_list", ())

    def route(self, router: Router, recipient: Recipient, scope: Scope, asking: Asking) -> Answer:
        answer = self._look(router, recipient, scope, recipient.domain)
        if not isinstance(answer, Declined) or (asking.verify == "S" and self.rewrite_headers):
            return answer
        for suffix in self.widen_domains:
            wider = f"{recipient.domain}.{suffix}"
            again = self._look(router, recipient, scope, wider)
            if not isinstance(again, Declined):
                return again if isinstance(again, RouteDeferred) else Rerouted(wider, self.rewrite_headers)
        if self.fail_defer_domains is not None and self.fail_defer_domains.match(scope, recipient.domain) is not None:
            return RouteDeferred(answer.reason or "host lookup failed")
        return answer

    def _look(self, router: Router, recipient: Recipient, scope: Scope, domain: str) -> Answer:
        if not domain or domain.startswith("["):
            return Declined("not a domain name")
        wanted = Wanted(by_dns=True, ipv4_only=_on(self.ipv4_only, scope), ipv4_prefer=_on(self.ipv4_prefer, scope))
        srv = self._srv(router, scope, domain, wanted)
        if srv is not None:
            if isinstance(srv, Declined):
                return srv
            return self._judge(router, recipient, scope, MxHosts(srv, exists=True), "SRV")
        try:
            found = mx_hosts(
                domain,
                router,
                scope,
                wanted,
                qualify_single=self.qualify_single,
                search_parents=self.search_parents,
            )
        except Deferred as error:
            if self.mx_fail_domains is None or self.mx_fail_domains.match(scope, domain) is None:
                return RouteDeferred(f"host lookup did not complete: {error}")
            found = MxHosts([], exists=False)
        if found.null:
            return _no_service()
        if found.exists and found.asked and lower(found.asked) != lower(domain).rstrip("."):
            return Rerouted(found.asked, self.rewrite_headers)
        if found.exists:
            return self._judge(router, recipient, scope, found, "MX")
        if self.mx_domains is not None and self.mx_domains.match(scope, domain) is not None:
            return Declined("no MX record")
        try:
            addresses, secure = find_secure(domain, scope, wanted)
        except Deferred as error:
            return RouteDeferred(f"host lookup did not complete: {error}")
        if not addresses:
            return Declined("no such domain")
        hosts, some = expand_hosts(router, scope, Host(domain, dnssec=secure), addresses)
        return self._judge(router, recipient, scope, MxHosts(hosts, exists=True, any_ignored=some), "A")

    def _srv(self, router: Router, scope: Scope, domain: str, wanted: Wanted) -> list[Host] | Declined | None:
        if self.check_srv is None:
            return None
        try:
            service = strip(self.check_srv(scope))
        except ForcedFail:
            return None
        if not service:
            return None
        resolver = scope.services.resolver
        assert resolver is not None
        try:
            found = records.srv(resolver, f"_{service}._tcp.{domain}")
            if found.status == "again":
                raise Deferred(f"SRV lookup did not complete: {found.error}")
        except Deferred:
            if self.srv_fail_domains is None or self.srv_fail_domains.match(scope, domain) is None:
                raise
            return None
        if not found.values:
            return None
        if len(found.values) == 1 and found.values[0].name in ("", "."):
            return _no_service()
        hosts: list[Host] = []
        for key, record in enumerate(found.values):
            host = Host(record.name.rstrip("."), port=record.port, mx=record.priority, sort_key=key)
            addresses, secure = find_secure(host.name, scope, wanted)
            host.dnssec = secure if found.authenticated else "no"
            hosts.extend(expand_hosts(router, scope, host, addresses)[0])
        return hosts

    def _judge(self, router: Router, recipient: Recipient, scope: Scope, found: MxHosts, source: str) -> Answer:
        """Our own place among the hosts, then whether any is left."""
        if not found.hosts and found.unresolved is not None:
            return RouteDeferred(f"host lookup did not complete: {found.unresolved}")
        try:
            found.hosts = heed_dnssec(router, scope, recipient.domain, found.hosts)
        except Deferred as error:
            return RouteDeferred(str(error))
        hosts, local = cut_at_local(scope, found.hosts)
        if local is not None:
            action = self_action(router, recipient, scope, local)
            if action is not None:
                return action
            hosts = found.hosts
        elif self.check_secondary_mx and len(hosts) == len(found.hosts):
            return Declined("local host is not a secondary MX")
        if not hosts:
            if found.any_ignored:
                return Declined("all addresses are ignored by ignore_target_hosts")
            text = "all relevant MX records point to non-existent hosts"
            if found.to_ip:
                text += " or (invalidly) to IP addresses"
            return Declined(text, text if source == "MX" else "")
        recipient.hosts = hosts
        return Accepted("")


def _no_service() -> Declined:
    text = "an MX or SRV record indicated no SMTP service"
    return Declined(text, text)


def _on(text: Expansion | None, scope: Scope) -> bool:
    if text is None:
        return False
    try:
        return lower(strip(text(scope))) not in ("", "0", "no", "false")
    except ForcedFail:
        return False
