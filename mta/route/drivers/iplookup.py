"""The iplookup router (manual chapter 19): a server asked over UDP or TCP gives another address for this one."""

from __future__ import annotations

import socket
import time
from dataclasses import dataclass

from mta.errors import ConfigError, Deferred, ExpansionFailed
from mta.mail.recipient import Recipient
from mta.route.base import Answer, Asking, Declined, Passed, Redirected, RouteDeferred, Router, routers
from mta.route.hosts import Wanted, find_addresses
from mta.scope.expansion import Expansion, Tainted
from mta.scope.scope import Scope
from mta.settings.options import option
from mta.text.ascii import WHITESPACE, lower, strip
from mta.text.patterns import pattern

MAX_RESPONSE = 4096
DEFAULT_QUERY = "$local_part@$domain $local_part@$domain"


@routers.register("iplookup")
@dataclass(slots=True, eq=False, repr=False)
class IpLookup:
    hosts: tuple[str, ...] = option("string_list", ())
    optional: bool = option("bool", False)
    port: int = option("int", 0)
    protocol: str = option("string", "udp")
    query: Expansion | None = option("expanded")
    reroute: Expansion | None = option("expanded")
    response_pattern: str | None = option("string")
    timeout: float = option("time", 5.0)

    def __post_init__(self) -> None:
        if not self.hosts:
            raise ConfigError("no host(s) specified")
        if not 0 < self.port < 65536:
            raise ConfigError("no port specified")
        self.protocol = lower(self.protocol)
        if self.protocol not in ("udp", "tcp"):
            raise ConfigError("protocol not specified as udp or tcp")
        if self.response_pattern is not None:
            try:
                pattern(self.response_pattern)
            except ExpansionFailed as error:
                raise ConfigError(f"response_pattern: {error.message}") from None

    def route(self, router: Router, recipient: Recipient, scope: Scope, asking: Asking) -> Answer:
        before, scope.tainted = scope.tainted, False  # what is sent is data: a peer may have a hand in it
        try:
            whole = f"{recipient.local_part}@{recipient.domain}"
            query = self.query(scope) if self.query is not None else f"{whole} {whole}"
        finally:
            scope.tainted = before
        response = self._ask(query.encode("latin-1"), scope)
        if response is None:
            if self.optional:
                return Passed()
            return RouteDeferred(f"{router.name} router: failed to communicate with any host")
        return self._answer(response.decode("latin-1"), whole, recipient, scope)

    def _ask(self, query: bytes, scope: Scope) -> bytes | None:
        """The first answer of any host, None when there is none."""
        for name in self.hosts:
            try:
                addresses = find_addresses(name, scope, Wanted(by_name=True))
            except Deferred:
                continue
            for address in addresses:
                try:
                    answer = self._ask_one(address, query)
                except OSError:
                    continue
                if answer:
                    return answer
        return None

    def _ask_one(self, address: str, query: bytes) -> bytes:
        family = socket.AF_INET6 if ":" in address else socket.AF_INET
        kind = socket.SOCK_STREAM if self.protocol == "tcp" else socket.SOCK_DGRAM
        with socket.socket(family, kind) as sock:
            sock.settimeout(self.timeout or None)
            sock.connect((address, self.port))
            sock.sendall(query)
            if kind == socket.SOCK_DGRAM:
                return sock.recv(MAX_RESPONSE)
            # One line or as much as the server has to say before it closes; a slow one has the time-out in all.
            end = time.monotonic() + self.timeout
            found = b""
            while len(found) < MAX_RESPONSE and b"\n" not in found:
                piece = sock.recv(MAX_RESPONSE - len(found))
                if not piece:
                    break
                found += piece
                if self.timeout and time.monotonic() > end:
                    break
            return found

    def _answer(self, response: str, asked: str, recipient: Recipient, scope: Scope) -> Answer:
        found: list[str] = [Tainted(response)]
        if self.response_pattern is not None:
            groups = pattern(self.response_pattern).search(response)
            if groups is None:
                return Declined("response_pattern does not match the response")
            found += [Tainted(group or "") for group in groups[1:]]
        elif self.query is None and strip(_words(response)[1]) != asked:
            return Declined("the response is not for this address")
        if self.reroute is None:
            address = _words(response)[0]
        else:
            with scope.saved("captures"):
                scope.captures = found
                address = strip(self.reroute(scope))
        local_part, at, domain = address.rpartition("@")
        if not at or not local_part or not domain or any(char in address for char in "\r\n\0"):
            return Declined(f'"{address}" is not an address')
        from mta.route.chain import make_recipient

        child = make_recipient(address, parent=recipient)
        child.notify, child.orcpt = recipient.notify, recipient.orcpt
        return Redirected([child])


def _words(text: str) -> tuple[str, str]:
    """Up to the first white space, and what is behind it."""
    for position, char in enumerate(text):
        if char in WHITESPACE:
            return text[:position], text[position + 1 :]
    return text, ""
