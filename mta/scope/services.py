"""Calls upwards: what lower rooms may ask of higher ones. ``config`` fills the fields; nothing else calls up.

A service that is not there raises ExpansionFailed with a sentence, so that the language works alone (``-be``).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Protocol

from mta.errors import ExpansionFailed
from mta.mail.recipient import Recipient
from mta.mail.verdict import Verdict

if TYPE_CHECKING:
    from mta.hints.store import HintsStore
    from mta.net.resolver import Resolver
    from mta.scope.expansion import Expansion
    from mta.scope.scope import Scope


@dataclass(slots=True)
class Verified:
    """The answer of an address verification. ``ok`` None: no answer now (defer)."""

    ok: bool | None
    recipient: Recipient | None = None
    user_message: str = ""
    log_message: str = ""
    failure: str = ""  # $sender_verify_failure: qualify, route, mail, recipient, postmaster
    children: tuple[str, ...] = ()  # with expn: what a redirection made of the address


class RunAcl(Protocol):
    def __call__(self, acl: str, args: list[str], scope: Scope) -> Verdict: ...


class VerifyAddress(Protocol):
    """``success_on_redirect``: a redirection is success, its children are not verified."""

    def __call__(
        self, scope: Scope, address: str, *, is_sender: bool, expn: bool = False, success_on_redirect: bool = False
    ) -> Verified: ...


class CompileText(Protocol):
    def __call__(self, text: str) -> Expansion: ...


class LookupCaller(Protocol):
    """Look the peer's name up if that has not been done: fills ``scope.peer.host_name`` and the two failure flags."""

    def __call__(self, scope: Scope) -> None: ...


def _missing(name: str) -> Callable[..., Any]:
    def refuse(*_: Any, **__: Any) -> Any:
        raise ExpansionFailed(f"{name} is not available here")

    return refuse


@dataclass(slots=True)
class Services:
    """One a process, made after the fork where it holds connections."""

    resolver: Resolver | None = None
    hints: HintsStore | None = None
    run_acl: RunAcl = field(default_factory=lambda: _missing("running an ACL"))
    verify_address: VerifyAddress = field(default_factory=lambda: _missing("address verification"))
    compile_text: CompileText = field(default_factory=lambda: _missing("compiling text"))
    # Call the hosts of a routed address: (scope, recipient, acl.verify_options.Callout, is_sender=...) -> Verified
    callout: Callable[..., Verified] | None = None
    lookup_host_name: LookupCaller = field(default_factory=lambda: _missing("looking a host name up"))
    # The spf lookup: (address, client's IP address) -> result word
    check_spf: Callable[[str, str], str] = field(default_factory=lambda: _missing("SPF"))
    log_main: Callable[[str], None] = lambda _line: None
    log_reject: Callable[[str], None] = lambda _line: None
    log_panic: Callable[[str], None] = lambda _line: None
    queue_size: Callable[[], int] = lambda: 0
    # Reads a file as another user where we have the right to (the local delivery agent); plain open otherwise.
    state: dict[str, Any] = field(default_factory=dict)  # lookup connections and caches of this process, by owner
