"""The ipliteral router (manual chapter 18): domains that are an IP address in brackets."""

from __future__ import annotations

from dataclasses import dataclass

from mta.mail.host import Host
from mta.mail.recipient import Recipient
from mta.route.base import Accepted, Answer, Asking, Declined, Router, routers
from mta.route.hosts import ignored, is_ip, is_local, self_action
from mta.scope.scope import Scope
from mta.text.ascii import lower


@routers.register("ipliteral")
@dataclass(slots=True)
class IpLiteral:
    def route(self, router: Router, recipient: Recipient, scope: Scope, asking: Asking) -> Answer:
        domain = recipient.domain
        if not domain.startswith("[") or not domain.endswith("]"):
            return Declined("not a domain literal")
        address = domain[1:-1]
        if lower(address).startswith("ipv6:"):
            address = address[5:]
        if not is_ip(address):
            return Declined("not an IP address")
        host = Host(domain, address)
        if ignored(router, scope, host, address):
            return Declined("ignored by ignore_target_hosts")
        if is_local(scope, host):
            action = self_action(router, recipient, scope, host)
            if action is not None:
                return action
        recipient.hosts = [host]
        return Accepted("")
