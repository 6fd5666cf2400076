"""The manualroute router (manual chapter 20): hosts by the administrator's own rules."""

from __future__ import annotations

from dataclasses import dataclass, field

from mta.errors import ConfigError, Deferred, ExpansionFailed, ForcedFail
from mta.expand.compiler import compile_text
from mta.mail.host import Host
from mta.mail.recipient import Recipient
from mta.match.compile import domain_list
from mta.route.base import Accepted, Answer, Asking, Declined, Failed, Passed, RouteDeferred, Router, routers
from mta.route.hosts import (
    HostItem,
    Wanted,
    cut_at_local,
    expand_hosts,
    find_secure,
    heed_dnssec,
    is_ip,
    is_local,
    mx_hosts,
    parse_host_list,
    self_action,
)
from mta.scope.expansion import DomainList, Expansion
from mta.scope.scope import Scope
from mta.settings.options import option
from mta.text.ascii import WHITESPACE, strip
from mta.text.lists import split_list

_OPTION_WORDS = ("randomize", "no_randomize", "byname", "bydns", "ipv4_only", "ipv4_prefer")


@dataclass(slots=True)
class Rule:
    """One rule of route_list: the compiled pattern, the host list (still to be expanded) and the option words."""

    pattern: DomainList
    hosts: str
    words: list[str]


@routers.register("manualroute")
@dataclass(slots=True, eq=False, repr=False)
class ManualRoute:
    host_all_ignored: str = option("string", "defer")
    host_find_failed: str = option("string", "freeze")
    hosts_randomize: bool = option("bool", False)
    route_data: Expansion | None = option("expanded")
    route_list: str | None = option("string")
    same_domain_copy_routing: bool = option("bool", False)
    rules: list[Rule] = field(default_factory=list)

    def __post_init__(self) -> None:
        if (self.route_data is None) == (self.route_list is None):
            raise ConfigError("manualroute needs one of route_list and route_data")
        for name in ("host_all_ignored", "host_find_failed"):
            if getattr(self, name) not in ("decline", "defer", "fail", "freeze", "ignore", "pass"):
                raise ConfigError(f'"{getattr(self, name)}" is not a value for {name}')
        for text in split_list(self.route_list or "", ";"):
            if text:
                pattern, rest = take_word(text)
                hosts, rest = take_word(rest)
                self.rules.append(Rule(domain_list(compile_text(pattern)), hosts, rest.split()))

    def route(self, router: Router, recipient: Recipient, scope: Scope, asking: Asking) -> Answer:
        try:
            found = self._find_rule(recipient, scope)
        except ForcedFail:
            return Declined("host list: forced failure")
        if found is None:
            return Declined("no rule for the domain")
        text, words = found
        transport = self._transport(router, scope, asking, words)
        if isinstance(transport, RouteDeferred):
            return transport
        driver = asking.transports.get(transport)
        if driver is not None and driver.local:
            recipient.host_data = text
            recipient.hosts = [Host(text)] if text else []
            return Accepted(transport)
        if not text:
            if driver is None or getattr(driver.driver, "hosts", None) is None:
                return RouteDeferred(f"no host list for a remote transport in the {router.name} router")
            recipient.hosts = []
            return Accepted(transport)
        randomize = self.hosts_randomize
        if "randomize" in words:
            randomize = True
        elif "no_randomize" in words:
            randomize = False
        items = parse_host_list(text, randomize=randomize)
        wanted = Wanted("byname" in words, "bydns" in words, "ipv4_only" in words, "ipv4_prefer" in words)
        return self.look_up(router, recipient, scope, items, wanted, transport)

    def _find_rule(self, recipient: Recipient, scope: Scope) -> tuple[str, list[str]] | None:
        if self.route_data is not None:
            text = strip(self.route_data(scope))
            if not text:
                return None
            hosts, rest = take_word(text)
            return _expanded(hosts, scope), rest.split()
        with scope.saved("captures", "value"):
            for rule in self.rules:
                matched = rule.pattern.match(scope, recipient.domain)
                if matched is not None:
                    if not scope.captures:
                        scope.captures = [recipient.domain]
                    scope.value = matched.data if matched.data is not None else scope.value
                    return _expanded(rule.hosts, scope), rule.words
        return None

    def _transport(self, router: Router, scope: Scope, asking: Asking, words: list[str]) -> str | RouteDeferred:
        from mta.route.assign import transport_name

        for word in words:
            if word not in _OPTION_WORDS:
                if asking.transports and word not in asking.transports:
                    return RouteDeferred(f'unknown routing option or transport name "{word}" in {router.name} router')
                return word
        if router.options.transport is None:
            return ""
        return transport_name(router.options.transport, router, scope)

    def look_up(
        self,
        router: Router,
        recipient: Recipient,
        scope: Scope,
        items: list[HostItem],
        wanted: Wanted,
        transport: str,
    ) -> Answer:
        hosts: list[Host] = []
        any_ignored = False
        for position, item in enumerate(items):
            try:
                found, some, exists = self._one(router, scope, item, wanted, position)
            except Deferred as error:
                if router.options.pass_on_timeout:
                    return Passed()
                return RouteDeferred(f'host lookup for "{item.name}" did not complete: {error}')
            any_ignored = any_ignored or some
            if not exists:
                answer = self._not_found(router, scope, item)
                if answer is not None:
                    return answer
                continue
            found, local = cut_at_local(scope, found) if item.mx else _first_local(scope, found)
            if local is not None:
                if hosts:
                    break
                action = self_action(router, recipient, scope, local)
                if action is not None:
                    return action
                found = found or [local]
            hosts.extend(found)
        if not hosts:
            return self._none_left(router, any_ignored)
        for key, host in enumerate(hosts):
            host.sort_key = key
        recipient.hosts = hosts
        return Accepted(transport)

    def _one(
        self, router: Router, scope: Scope, item: HostItem, wanted: Wanted, position: int
    ) -> tuple[list[Host], bool, bool]:
        if item.mx:
            found = mx_hosts(item.name, router, scope, wanted, port=item.port)
            if found.unresolved is not None and not found.hosts:
                raise found.unresolved
            kept = heed_dnssec(router, scope, item.name, found.hosts)
            return kept, found.any_ignored, bool(found.hosts) or found.any_ignored
        addresses, secure = find_secure(item.name, scope, wanted)
        hosts, some = expand_hosts(router, scope, Host(item.name, port=item.port, dnssec=secure), addresses)
        # an address in place of a name that is to be ignored counts as a host that does not exist
        return (
            heed_dnssec(router, scope, item.name, hosts),
            some,
            bool(addresses) and not (some and not hosts and is_ip(item.name)),
        )

    def _not_found(self, router: Router, scope: Scope, item: HostItem) -> Answer | None:
        text = f'lookup of host "{item.name}" failed in {router.name} router'
        match self.host_find_failed:
            case "decline":
                return Declined(text)
            case "fail":
                return Failed(text)
            case "pass":
                return Passed()
            case "ignore":
                return None
            case "defer":
                return RouteDeferred(text)
        return RouteDeferred(text, freeze=not scope.message.frozen)

    def _none_left(self, router: Router, any_ignored: bool) -> Answer:
        text = "lookup failed for all hosts in the host list" if not any_ignored else "all hosts are ignored"
        text = f"{text}: host_all_ignored={self.host_all_ignored}"
        match self.host_all_ignored:
            case "decline":
                return Declined(text)
            case "fail":
                return Failed(text)
            case "pass":
                return Passed()
            case "freeze":
                return RouteDeferred(text, freeze=True)
        return RouteDeferred(text)


def _first_local(scope: Scope, hosts: list[Host]) -> tuple[list[Host], Host | None]:
    return (hosts, hosts[0]) if hosts and is_local(scope, hosts[0]) else (hosts, None)


def _expanded(hosts: str, scope: Scope) -> str:
    """The host list, expanded apart from its rule (20.4); any failure makes the router decline."""
    if "$" not in hosts and "\\" not in hosts:
        return hosts
    try:
        return strip(scope.services.compile_text(hosts)(scope))
    except ExpansionFailed as error:
        raise ForcedFail(str(error)) from None


def take_word(text: str) -> tuple[str, str]:
    """The first word of a rule, or the quoted string in its place, and the rest."""
    text = text.lstrip(WHITESPACE)
    if not text.startswith('"'):
        depth = 0
        for position, char in enumerate(text):
            depth += (char == "{") - (char == "}")
            if char in WHITESPACE and depth <= 0:
                return text[:position], text[position:].lstrip(WHITESPACE)
        return text, ""
    out: list[str] = []
    position = 1
    escapes = {"n": "\n", "t": "\t", "r": "\r"}
    while position < len(text):
        char = text[position]
        if char == "\\" and position + 1 < len(text):
            position += 1
            out.append(escapes.get(text[position], text[position]))
        elif char == '"':
            break
        else:
            out.append(char)
        position += 1
    return "".join(out), text[position + 1 :].lstrip(WHITESPACE)
