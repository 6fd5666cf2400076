"""external: an identity that something else than SMTP vouches for, such as a client certificate (manual chapter 41)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from mta.sasl.base import Ask, Auth, Authenticator, AuthenticatorOptions, ClientResult, Talk, encode, mechanisms
from mta.sasl.client import cancel, settle
from mta.sasl.server import check_condition, expand_or
from mta.scope.expansion import Expansion, Tainted
from mta.scope.scope import Scope
from mta.settings.options import option


@mechanisms.register("external")
@dataclass(slots=True)
class External:
    checks_condition: ClassVar[bool] = True

    client_send: Expansion | None = option("expanded")
    server_param2: Expansion | None = option("expanded")
    server_param3: Expansion | None = option("expanded")

    def is_server(self, options: AuthenticatorOptions) -> bool:
        return options.server_condition is not None

    def is_client(self) -> bool:
        return self.client_send is not None

    def server(self, auth: Authenticator, initial: bytes | None, ask: Ask, scope: Scope) -> tuple[Auth, str]:
        data = ask(b"") if initial is None else initial
        values: list[str] = [Tainted(data.decode("latin-1"))]
        scope.peer.auth_vars = values
        for option_text in (self.server_param2, self.server_param3):
            text, status, why = ("", Auth.OK, "") if option_text is None else expand_or(option_text, scope)
            if status is not Auth.OK:
                return status, why
            values.append(text)
        scope.captures = [Tainted(""), *values]
        return check_condition(auth, scope)

    def client(self, auth: Authenticator, talk: Talk, scope: Scope) -> ClientResult:
        assert self.client_send is not None
        identity = encode(self.client_send(scope).encode("latin-1"))
        reply = talk(f"AUTH {auth.public_name} {identity or '='}")
        if reply.code == 334:
            return cancel(talk, f"{auth.name} authenticator: server asked for more")
        return settle(reply)
