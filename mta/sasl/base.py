"""What an authenticator is: generic options, a driver for one mechanism, and the answers of an exchange.

A driver is a dataclass of options in ``sasl/mechanisms`` with ``server`` and ``client``; it speaks bytes, never base64.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Callable
from dataclasses import dataclass, field
from enum import IntEnum
from typing import Any, Protocol

from mta.registry import Registry
from mta.scope.expansion import Expansion
from mta.scope.scope import Scope
from mta.settings.options import option
from mta.smtp.replies import Reply
from mta.text.ascii import upper

MAX_RESPONSE = 12288  # bytes of one base64 line (RFC 4954 4)


@dataclass(slots=True, eq=False, repr=False)
class AuthenticatorOptions:
    """Generic options (manual chapter 33)."""

    driver: str = option("string", "")
    public_name: str | None = option("string")
    client_condition: Expansion | None = option("expanded")
    client_set_id: Expansion | None = option("expanded")
    server_advertise_condition: Expansion | None = option("expanded")
    server_condition: Expansion | None = option("expanded")
    server_debug_print: Expansion | None = option("expanded")
    server_mail_auth_condition: Expansion | None = option("expanded")
    server_set_id: Expansion | None = option("expanded")


class Auth(IntEnum):
    """How a server's exchange ended."""

    OK = 0
    FAIL = 1
    DEFER = 2
    CANCELLED = 3
    BAD_BASE64 = 4
    UNEXPECTED = 5  # data with a command that takes none


@dataclass(slots=True)
class AuthResult:
    """``code`` and ``text`` are the reply to the client; ``id`` the expanded server_set_id, whatever came of it.

    ``log`` is the reason for the operator ("" none); ``name`` the instance, for ``$sender_host_authenticated``.
    """

    status: Auth
    code: int
    text: str
    name: str = ""
    id: str = ""
    log: str = ""


class Cancelled(Exception):
    """The client answered ``*``."""


class BadBase64(Exception):
    """What came is no base64."""


# Send this challenge (bytes, not encoded), give the client's decoded answer; raises Cancelled, BadBase64, PeerGone.
Ask = Callable[[bytes], bytes]
# Send a command or a response line (without CRLF), give the server's reply.
Talk = Callable[[str], Reply]


@dataclass(slots=True)
class ClientResult:
    """``refused`` holds the reply of a server that said no; ``error`` why the exchange could not be gone through.

    ``skip``: the authenticator does not care for this server (a forced failure); the next one is tried.
    """

    ok: bool
    id: str = ""
    refused: Reply | None = None
    error: str = ""
    skip: bool = False


class Driver(Protocol):
    """``server`` answers with OK, FAIL, DEFER or UNEXPECTED and a reason; server_condition is the caller's for those
    drivers that do not look at it themselves (``checks_condition``)."""

    checks_condition: bool

    def is_server(self, options: AuthenticatorOptions) -> bool: ...

    def is_client(self) -> bool: ...

    def server(self, auth: Authenticator, initial: bytes | None, ask: Ask, scope: Scope) -> tuple[Auth, str]: ...

    def client(self, auth: Authenticator, talk: Talk, scope: Scope) -> ClientResult: ...


@dataclass(slots=True, eq=False, repr=False)
class Authenticator:
    """One instance from the file."""

    name: str
    driver_name: str
    options: AuthenticatorOptions
    driver: Any = field(default=None)

    @property
    def public_name(self) -> str:
        """The mechanism's name on the wire, in capitals."""
        return upper(self.options.public_name or self.name)

    @property
    def server(self) -> bool:
        return bool(self.driver.is_server(self.options))

    @property
    def client(self) -> bool:
        return bool(self.driver.is_client())


mechanisms: Registry[type[Any]] = Registry("authenticator driver", "mta.sasl.mechanisms")


def decode(text: str) -> bytes:
    """Strict base64 of a line; raises BadBase64."""
    if len(text) > MAX_RESPONSE:
        raise BadBase64
    try:
        return base64.b64decode(text.encode("latin-1"), validate=True)
    except (binascii.Error, ValueError):
        raise BadBase64 from None


def encode(data: bytes) -> str:
    """Base64 in one line."""
    return base64.b64encode(data).decode("ascii")
