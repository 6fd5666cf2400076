"""The client's side of AUTH: the configured authenticators tried against what a server offers (manual section 33.5)."""

from __future__ import annotations

from mta.errors import Deferred, ExpansionFailed, ForcedFail
from mta.expand.compiler import truth_lax
from mta.sasl.base import Authenticator, BadBase64, ClientResult, Talk, decode
from mta.scope.scope import Scope
from mta.smtp.replies import Reply
from mta.text.ascii import upper

NO_COMMON = "authentication required but no common mechanisms were found"


class ClientDeferred(Exception):
    """Authentication cannot go on with this host now; ``str()`` says why."""


def authenticate(
    authenticators: list[Authenticator], scope: Scope, offered: list[str], talk: Talk
) -> tuple[str, str] | str:
    """Try each client authenticator that the server offers: (its name, its client_set_id), or why none did."""
    names = {upper(name) for name in offered}
    failure = NO_COMMON
    for auth in authenticators:
        if not auth.client or auth.public_name not in names or not _wanted(auth, scope):
            continue
        result = client_exchange(auth, talk, scope)
        if result.ok:
            return auth.name, result.id
        if result.skip:
            continue
        if result.refused is None:
            return result.error
        failure = f"{auth.name} authenticator failed: {result.refused.code} {_one_line(result.refused.text)}"
        if result.refused.code // 100 == 4:
            return failure
    return failure


def client_exchange(auth: Authenticator, talk: Talk, scope: Scope) -> ClientResult:
    """One exchange; ``$auth1`` .. hold what the server asked. ``talk`` may raise for a lost connection."""
    scope.peer.auth_vars = []
    try:
        with scope.saved("captures", "tainted"):
            result: ClientResult = auth.driver.client(auth, talk, scope)
            if result.ok and auth.options.client_set_id is not None:
                result.id = auth.options.client_set_id(scope)
            return result
    except ForcedFail:
        return ClientResult(False, skip=True)
    except (ExpansionFailed, Deferred) as error:
        return ClientResult(False, error=f"{auth.name} authenticator: {error.message}")
    finally:
        scope.peer.auth_vars = []


def challenge_of(reply: Reply) -> bytes:
    """What a 334 reply asks; raises BadBase64."""
    return decode(reply.text.split("\n")[-1].strip(" \t"))


def settle(reply: Reply) -> ClientResult:
    """The result that a final reply means; a further 334 is an answer that nobody asked for."""
    if reply.code // 100 == 2:
        return ClientResult(True)
    return ClientResult(False, refused=reply)


def cancel(talk: Talk, why: str) -> ClientResult:
    """Give an exchange up in the middle."""
    talk("*")
    return ClientResult(False, error=why)


def _wanted(auth: Authenticator, scope: Scope) -> bool:
    condition = auth.options.client_condition
    if condition is None:
        return True
    try:
        with scope.saved("tainted"):
            return truth_lax(condition(scope))
    except (ExpansionFailed, Deferred):
        return False


def _one_line(text: str) -> str:
    return text.replace("\n", " ")[:500]


__all__ = ["BadBase64", "authenticate", "cancel", "challenge_of", "client_exchange", "settle"]
