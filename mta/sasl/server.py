"""The server's side of AUTH: which mechanisms are advertised, and one exchange from command to reply.

No sockets: ``challenge`` sends a 334 line and gives the client's next line.
"""

from __future__ import annotations

from collections.abc import Callable

from mta.errors import Deferred, ExpansionFailed, ForcedFail
from mta.expand.compiler import truth_lax
from mta.sasl.base import Auth, Authenticator, AuthResult, BadBase64, Cancelled, decode, encode
from mta.scope.expansion import Expansion, expand_with_taint
from mta.scope.scope import Scope
from mta.text.ascii import lower, upper

CODES = {
    Auth.OK: (235, "Authentication succeeded"),
    Auth.FAIL: (535, "Incorrect authentication data"),
    Auth.DEFER: (435, "Unable to authenticate at present"),
    Auth.CANCELLED: (501, "Authentication cancelled"),
    Auth.BAD_BASE64: (501, "Invalid base64 data"),
    Auth.UNEXPECTED: (553, "Initial data not expected"),
}
# Send ``334 text`` and give the client's answer line without CRLF; raises PeerGone.
Challenge = Callable[[str], str]


def advertised(authenticators: list[Authenticator], scope: Scope) -> list[Authenticator]:
    """The servers whose server_advertise_condition lets them be named in the answer to EHLO, in their order."""
    return [auth for auth in authenticators if auth.server and _may_advertise(auth, scope)]


def _may_advertise(auth: Authenticator, scope: Scope) -> bool:
    condition = auth.options.server_advertise_condition
    if condition is None:
        return True
    try:
        with scope.saved("tainted"):
            return truth_lax(condition(scope))
    except ForcedFail:
        return False
    except Deferred:
        return False
    except ExpansionFailed as error:
        scope.services.log_main(
            f'failed to expand condition "{condition.source}" for {auth.name} authenticator: {error.message}'
        )
        return False


def find(authenticators: list[Authenticator], mechanism: str) -> Authenticator | None:
    """The authenticator for the word after AUTH, caselessly; None: 504."""
    name = upper(mechanism)
    return next((auth for auth in authenticators if auth.server and auth.public_name == name), None)


def server_exchange(auth: Authenticator, initial: str | None, challenge: Challenge, scope: Scope) -> AuthResult:
    """Go through one exchange. ``initial`` is the base64 behind the mechanism's name, ``=`` for empty, None without.

    Leaves ``scope.peer`` alone but for ``auth_vars`` while it runs; the caller records a success there.
    """
    peer = scope.peer
    peer.auth_vars = []
    with scope.saved("captures", "tainted"):
        try:
            status, why = _run(auth, initial, challenge, scope)
        except Cancelled:
            status, why = Auth.CANCELLED, ""
        except BadBase64:
            status, why = Auth.BAD_BASE64, ""
        code, text = CODES[status]
        result = AuthResult(status, code, text, auth.name, log=why)
        _set_id(auth, result, scope)
    if why and status is Auth.DEFER and why.startswith("\0"):  # what server_condition said itself may go to the client
        result.log = why[1:]
        result.text = f"{text}: {result.log}"
    peer.auth_vars = []
    return result


def _run(auth: Authenticator, initial: str | None, challenge: Challenge, scope: Scope) -> tuple[Auth, str]:
    def ask(data: bytes) -> bytes:
        line = challenge(encode(data))
        if line == "*":
            raise Cancelled
        return decode(line)

    first = None if initial is None or initial == "" else b"" if initial == "=" else decode(initial)
    status, why = auth.driver.server(auth, first, ask, scope)
    if scope.trace is not None and auth.options.server_debug_print is not None:
        scope.trace("auth", auth.options.server_debug_print(scope))
    if status is Auth.OK and not auth.driver.checks_condition:
        status, why = check_condition(auth, scope, unset=Auth.OK)
    return status, why


def check_condition(auth: Authenticator, scope: Scope, *, unset: Auth = Auth.FAIL) -> tuple[Auth, str]:
    """server_condition's answer (manual section 33.1); its own text for a defer is marked by a NUL in front."""
    condition = auth.options.server_condition
    if condition is None:
        return unset, ""
    if scope.trace is not None:
        scope.trace("auth", f"{auth.name} authenticator server_condition:")
    try:
        value = condition(scope)
    except ForcedFail:
        return Auth.FAIL, ""
    except (ExpansionFailed, Deferred) as error:
        return Auth.DEFER, error.message
    if scope.trace is not None:
        scope.trace("auth", f"expanded string: {value}")
    word = lower(value)
    if word in ("", "0", "no", "false"):
        return Auth.FAIL, ""
    if word in ("1", "yes", "true"):
        return Auth.OK, ""
    return Auth.DEFER, "\0" + value


def expand_or(text: Expansion, scope: Scope) -> tuple[str, Auth, str]:
    """An option of a driver: its value, or the status and reason that its failure means."""
    try:
        return text(scope), Auth.OK, ""
    except ForcedFail:
        return "", Auth.FAIL, ""
    except (ExpansionFailed, Deferred) as error:
        return "", Auth.DEFER, error.message


def _set_id(auth: Authenticator, result: AuthResult, scope: Scope) -> None:
    """server_set_id, for the logs of a failure, too; a failure to expand it spoils a success."""
    text = auth.options.server_set_id
    if text is None or result.status in (Auth.CANCELLED, Auth.BAD_BASE64, Auth.UNEXPECTED):
        return
    try:
        result.id = expand_with_taint(text, scope)
    except ForcedFail:
        return
    except (ExpansionFailed, Deferred) as error:
        if result.status is Auth.OK:
            result.status, result.log = Auth.DEFER, error.message
            result.code, result.text = CODES[Auth.DEFER]
