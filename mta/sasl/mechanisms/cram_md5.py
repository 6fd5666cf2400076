"""cram_md5: a challenge, and a name with the keyed digest of it (RFC 2195; manual chapter 35)."""

from __future__ import annotations

import hashlib
import hmac
import secrets
import time
from dataclasses import dataclass
from typing import ClassVar

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
from mta.sasl.server import expand_or
from mta.scope.expansion import Expansion, Tainted
from mta.scope.scope import Scope
from mta.settings.options import option

DIGEST = 32  # hexadecimal digits


@mechanisms.register("cram_md5")
@dataclass(slots=True)
class CramMd5:
    checks_condition: ClassVar[bool] = False

    client_name: Expansion | None = option("expanded", "$primary_hostname")
    client_secret: Expansion | None = option("expanded")
    server_secret: Expansion | None = option("expanded")

    def is_server(self, _options: AuthenticatorOptions) -> bool:
        return self.server_secret is not None

    def is_client(self) -> bool:
        return self.client_secret is not None

    def server(self, auth: Authenticator, initial: bytes | None, ask: Ask, scope: Scope) -> tuple[Auth, str]:
        assert self.server_secret is not None
        if initial is not None:
            return Auth.UNEXPECTED, ""
        challenge = _challenge(scope)
        answer = ask(challenge).decode("latin-1")
        name, space, digest = answer.rpartition(" ")
        if not space:
            name, digest = answer, ""
        scope.peer.auth_vars = [Tainted(name)]
        scope.captures = [Tainted(""), Tainted(name)]
        secret, status, why = expand_or(self.server_secret, scope)
        if status is not Auth.OK:
            return status, why
        expected = hmac.digest(secret.encode("latin-1"), challenge, hashlib.md5).hex()
        if len(digest) != DIGEST or not hmac.compare_digest(digest.lower().encode("latin-1"), expected.encode("ascii")):
            return Auth.FAIL, ""
        return Auth.OK, ""

    def client(self, auth: Authenticator, talk: Talk, scope: Scope) -> ClientResult:
        assert self.client_secret is not None
        secret = self.client_secret(scope)
        name = self.client_name(scope) if self.client_name is not None else ""
        reply = talk(f"AUTH {auth.public_name}")
        if reply.code != 334:
            return settle(reply)
        try:
            challenge = challenge_of(reply)
        except BadBase64:
            return cancel(talk, f"{auth.name} authenticator: invalid base64 string in server response")
        digest = hmac.digest(secret.encode("latin-1"), challenge, hashlib.md5).hex()
        reply = talk(encode(f"{name} {digest}".encode("latin-1")))
        if reply.code == 334:
            return cancel(talk, f"{auth.name} authenticator: server asked again")
        return settle(reply)


def _challenge(scope: Scope) -> bytes:
    host = scope.site.options.primary_hostname or "localhost"
    return f"<{secrets.randbelow(1 << 40)}.{int(time.time())}@{host}>".encode("latin-1")
