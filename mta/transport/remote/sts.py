"""MTA-STS as a sender (RFC 8461 5): which policy a domain has now, from the hints or its web server, and what follows.

Policies are kept in the hints under the domain for their max_age; a failed fetch is not repeated for five minutes.
Without an answer from DNS or web a policy that is kept and not yet too old goes on to count.
"""

from __future__ import annotations

import json
import time
from typing import TYPE_CHECKING, Any

from mta.mail.host import Host
from mta.net import records
from mta.scope.scope import Scope
from mta.text.ascii import lower
from mta.tls.assurance import Assurance
from mta.tls.contexts import file_option
from mta.tls.errors import TlsFailed
from mta.tls.sts import NoPolicy, Policy, fetch_policy, record_id
from mta.transport.outcomes import TLS_REQUIRED
from mta.transport.remote.failures import HostTrouble, Trouble
from mta.transport.remote.hosts import is_ip

if TYPE_CHECKING:
    from mta.transport.drivers.smtp import Smtp

DB = "mta-sts"
RETRY_SECONDS = 300.0


def sts_for(driver: Smtp, host: Host, scope: Scope, domain: str) -> Assurance | None:
    """What the policy of the recipients' domain asks of this host. Raises HostTrouble where it rules the host out.

    Only hosts that came from the domain's own MX or address records are concerned.
    """
    domain = lower(domain)
    if not domain or is_ip(domain.strip("[]")) or not (host.from_mx or lower(host.name) == domain):
        return None
    policy = policy_of(driver, scope, domain)
    if policy is None or policy.mode == "none":
        return None
    if not policy.allows(host.name):
        message = f"MTA-STS error: {host.name} is not an MX host in the policy of {domain}"
        if policy.mode == "testing":
            scope.services.log_main(f"{message} (testing)")
            return None
        raise HostTrouble(Trouble(message, TLS_REQUIRED, tls_result="validation-failure"))
    return Assurance("sts", (lower(host.name),)) if policy.mode == "enforce" else None


def policy_of(driver: Smtp, scope: Scope, domain: str) -> Policy | None:
    """The policy that counts now; fetched where the DNS shows another one than is kept."""
    resolver, store, now = scope.services.resolver, scope.services.hints, time.time()
    if resolver is None:
        return None
    kept = _kept(scope, domain)
    fresh = kept is not None and kept["fetched"] + kept["policy"].max_age > now
    policy: Policy | None = kept["policy"] if kept is not None and fresh else None
    found = records.txt(resolver, f"_mta-sts.{domain}")
    shown = record_id(found.values) if found.ok else None
    if shown is None or (kept is not None and fresh and kept["id"] == shown):
        return policy
    failed = store.get(DB, f"failed:{domain}") if store is not None else None
    if failed is not None and failed.value == shown and failed.time + RETRY_SECONDS > now:
        return policy
    try:
        new = _fetch(driver, scope, domain)
    except NoPolicy as error:
        scope.services.log_main(f"MTA-STS: no policy for {domain}: {error}")
        if store is not None:
            store.put(DB, f"failed:{domain}", shown)
        return policy
    if store is not None:
        facts = {"id": shown, "mode": new.mode, "max_age": new.max_age, "hosts": new.hosts}
        store.put(DB, domain, json.dumps(facts))
        store.delete(DB, f"failed:{domain}")
    return new


def _kept(scope: Scope, domain: str) -> dict[str, Any] | None:
    hint = scope.services.hints.get(DB, domain) if scope.services.hints is not None else None
    if hint is None:
        return None
    try:
        facts = json.loads(hint.value)
        policy = Policy(facts["mode"], int(facts["max_age"]), tuple(facts["hosts"]))
        return {"id": str(facts["id"]), "policy": policy, "fetched": hint.time}
    except (ValueError, KeyError, TypeError):
        return None


def _fetch(driver: Smtp, scope: Scope, domain: str) -> Policy:
    assert scope.services.resolver is not None
    found = records.addresses(scope.services.resolver, f"mta-sts.{domain}")
    if not found.ok:
        raise NoPolicy(f"mta-sts.{domain}: no address: {found.error or found.status}")
    try:
        anchors = file_option(driver.tls_verify_certificates, scope, "tls_verify_certificates")
    except TlsFailed as error:
        raise NoPolicy(error.message) from None
    port: int = scope.services.state.get("sts.port", 443)
    return fetch_policy(domain, found.values, port=port, anchors=anchors or "system")
