"""MTA-STS (RFC 8461): the DNS record, the policy file and what it allows; and fetching it over HTTPS.

The parsers answer None for what is not a policy: such a domain has none, as the RFC wants it.
"""

from __future__ import annotations

import http.client
import io
import re
import socket
import ssl
import time
from dataclasses import dataclass
from typing import Any, Literal

from mta.errors import MtaError
from mta.text.ascii import lower, strict_int

MAX_POLICY = 64 * 1024
MAX_AGE = 31_557_600
MAX_HOSTS = 1000
FETCH_SECONDS = 60.0  # RFC 8461 3.3
PATH = "/.well-known/mta-sts.txt"
_RECORD = re.compile(r"v=STSv1[ \t]*;(.*)\Z", re.DOTALL)
_ID = re.compile(r"[A-Za-z0-9]{1,32}\Z")
_HOST = re.compile(r"(?:\*\.)?[a-z0-9](?:[a-z0-9.-]*[a-z0-9])?\Z")
Mode = Literal["enforce", "testing", "none"]
_MODES: dict[str, Mode] = {"enforce": "enforce", "testing": "testing", "none": "none"}


class NoPolicy(MtaError):
    """A policy could not be fetched; the reason is for the log."""


@dataclass(frozen=True, slots=True)
class Policy:
    """``max_age`` in seconds; ``hosts`` are lower-case names, ``*.`` in front for any one label."""

    mode: Mode
    max_age: int
    hosts: tuple[str, ...] = ()

    def allows(self, host: str) -> bool:
        """Whether the policy has this MX host (RFC 8461 4.1)."""
        host = lower(host).rstrip(".")
        label, _, rest = host.partition(".")
        return host in self.hosts or (bool(label and rest) and f"*.{rest}" in self.hosts)


def record_id(texts: list[list[str]]) -> str | None:
    """The id of ``_mta-sts``'s TXT records, each a list of strings; None unless exactly one is of this version."""
    found = [match[1] for pieces in texts if (match := _RECORD.match("".join(pieces)))]
    if len(found) != 1:
        return None
    for field in found[0].split(";"):
        name, equals, value = field.partition("=")
        if equals and name.strip(" \t") == "id":
            value = value.strip(" \t")
            return value if _ID.match(value) else None
    return None


def parse_policy(data: bytes) -> Policy | None:
    """A policy file. Fields that are not known are passed over; of doubles the first counts (RFC 8461 3.2)."""
    if len(data) > MAX_POLICY:
        return None
    fields: dict[str, str] = {}
    hosts: list[str] = []
    for line in data.decode("latin-1").split("\n"):
        name, colon, value = line.removesuffix("\r").partition(":")
        name, value = name.strip(" \t"), value.strip(" \t")
        if not colon:
            if name:
                return None
        elif name == "mx":
            hosts.append(lower(value).rstrip("."))
        else:
            fields.setdefault(name, value)
    mode, age = _MODES.get(fields.get("mode", "")), strict_int(fields.get("max_age", ""), maximum=10**10 - 1)
    if fields.get("version") != "STSv1" or mode is None or age is None:
        return None
    if not all(_HOST.match(host) for host in hosts) or len(hosts) > MAX_HOSTS or (mode != "none" and not hosts):
        return None
    return Policy(mode, min(age, MAX_AGE), tuple(hosts))


def fetch_policy(domain: str, addresses: list[str], *, port: int = 443, anchors: str = "system") -> Policy:
    """The policy of a domain, from the addresses of ``mta-sts.DOMAIN``. Raises NoPolicy.

    The certificate must hold for that name by ``anchors`` ("system", a file or a folder); redirections are not
    followed, and only text/plain is taken.
    """
    name = f"mta-sts.{domain}"
    context = ssl.create_default_context()
    try:
        if anchors not in ("system", "system,cache", ""):
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
            context.load_verify_locations(anchors)
        sock = _connect(addresses, port)
        with sock, context.wrap_socket(sock, server_hostname=name) as secured:
            return _get(secured, name)
    except (OSError, ValueError, http.client.HTTPException) as error:
        raise NoPolicy(f"https://{name}{PATH}: {str(error)[:200]}") from None


def _connect(addresses: list[str], port: int) -> socket.socket:
    failure: OSError = OSError("no address")
    for address in addresses[:4]:
        try:
            return socket.create_connection((address, port), FETCH_SECONDS / 4)
        except OSError as error:
            failure = error
    raise failure


class _Read(io.BytesIO):
    """What http.client reads an answer from that was received before, within one deadline."""

    def makefile(self, _mode: str) -> io.BytesIO:
        return self


def _receive(sock: ssl.SSLSocket, deadline: float) -> bytes:
    data = b""
    while len(data) < 2 * MAX_POLICY:
        left = deadline - time.monotonic()
        if left <= 0:
            raise TimeoutError("timed out")
        sock.settimeout(left)
        piece = sock.recv(16384)
        if not piece:
            break
        data += piece
    return data


def _get(sock: ssl.SSLSocket, name: str) -> Policy:
    deadline = time.monotonic() + FETCH_SECONDS
    sock.sendall(f"GET {PATH} HTTP/1.1\r\nHost: {name}\r\nConnection: close\r\nAccept: text/plain\r\n\r\n".encode())
    received: Any = _Read(_receive(sock, deadline))
    answer = http.client.HTTPResponse(received, method="GET")
    try:
        answer.begin()
        if answer.status != 200:
            raise NoPolicy(f"https://{name}{PATH}: status {answer.status}")
        if lower(answer.getheader("Content-Type", "")).partition(";")[0].strip(" \t") != "text/plain":
            raise NoPolicy(f"https://{name}{PATH}: not text/plain")
        policy = parse_policy(answer.read(MAX_POLICY + 1))
    finally:
        answer.close()
    if policy is None:
        raise NoPolicy(f"https://{name}{PATH}: not a policy")
    return policy
