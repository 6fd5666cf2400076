"""plaintext: PLAIN, LOGIN and their like; prompts and a condition over what the client answered (manual chapter 34)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from mta.errors import ConfigError, ExpansionFailed
from mta.expand.compiler import compile_text
from mta.sasl.base import (
    Ask,
    Auth,
    Authenticator,
    AuthenticatorOptions,
    BadBase64,
    ClientResult,
    Talk,
    encode,
    mechanisms,
)
from mta.sasl.client import cancel, challenge_of, settle
from mta.sasl.server import check_condition, expand_or
from mta.scope.expansion import Expansion, Tainted
from mta.scope.scope import Scope
from mta.settings.options import option
from mta.text.lists import split_list

MAX_VARIABLES = 4  # $auth1 .. $auth4
MAX_PROMPTS = 20


@mechanisms.register("plaintext")
@dataclass(slots=True)
class Plaintext:
    """``client_send`` is split before its items are expanded."""

    checks_condition: ClassVar[bool] = True

    client_ignore_invalid_base64: bool = option("bool", False)
    client_send: str | None = option("string")
    server_prompts: Expansion | None = option("expanded")
    sends: tuple[Expansion, ...] = ()

    def __post_init__(self) -> None:
        try:
            self.sends = tuple(compile_text(item) for item in split_list(self.client_send or ""))
        except ExpansionFailed as error:
            raise ConfigError(f'failed to expand "{self.client_send}": {error.message}') from None

    def is_server(self, options: AuthenticatorOptions) -> bool:
        return options.server_condition is not None

    def is_client(self) -> bool:
        return self.client_send is not None

    def server(self, auth: Authenticator, initial: bytes | None, ask: Ask, scope: Scope) -> tuple[Auth, str]:
        prompts: list[str] = []
        if self.server_prompts is not None:
            text, status, why = expand_or(self.server_prompts, scope)
            if status is not Auth.OK:
                return Auth.DEFER, why
            prompts = split_list(text)[:MAX_PROMPTS]
        values: list[str] = []
        if initial is not None:
            _add(values, initial, scope)
        while len(values) < len(prompts):
            _add(values, ask(prompts[len(values)].encode("latin-1")), scope)
        return check_condition(auth, scope)

    def client(self, auth: Authenticator, talk: Talk, scope: Scope) -> ClientResult:
        first, *rest = [*self.sends] or [compile_text("")]
        data = _nuls(first(scope))
        reply = talk(f"AUTH {auth.public_name}" + (f" {encode(data)}" if data else ""))
        for text in rest:
            if reply.code != 334:
                return settle(reply)
            try:
                prompt = challenge_of(reply).decode("latin-1")
            except BadBase64:
                if not self.client_ignore_invalid_base64:
                    return cancel(talk, f"{auth.name} authenticator: invalid base64 string in server response")
                prompt = ""
            if len(scope.peer.auth_vars) < MAX_VARIABLES:
                scope.peer.auth_vars = [*scope.peer.auth_vars, Tainted(prompt)]
            reply = talk(encode(_nuls(text(scope))))
        if reply.code == 334:
            return cancel(talk, f"{auth.name} authenticator: too few items in client_send")
        return settle(reply)


def _add(values: list[str], data: bytes, scope: Scope) -> None:
    """One answer may hold several strings with NUL between them; each is the next ``$auth`` variable."""
    pieces = data.decode("latin-1").split("\0")
    if len(pieces) > 1 and not pieces[-1]:
        pieces.pop()
    values += [Tainted(piece) for piece in pieces]
    scope.peer.auth_vars = values[:MAX_VARIABLES]
    scope.captures = [Tainted(""), *values[:3]]


def _nuls(text: str) -> bytes:
    """Single circumflexes are NULs, doubled ones circumflexes."""
    return b"^".join(part.replace(b"^", b"\0") for part in text.encode("latin-1").split(b"^^"))
