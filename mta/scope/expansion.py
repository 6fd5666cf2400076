"""The types through which lower rooms use compiled text and compiled lists; ``expand`` and ``match`` make them.

Taint: text that a peer chose is ``Tainted`` where it is kept; reading it during an expansion
raises ``scope.tainted``. Whoever uses a result as file name, command or query looks at that flag.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple, Protocol

from mta.text.taint import Tainted as Tainted

if TYPE_CHECKING:
    from mta.scope.scope import Scope


class Expansion(Protocol):
    """Compiled text (manual chapter 11).

    Calling it gives the value; raises ExpansionFailed, ForcedFail or Deferred. ``scope.tainted``
    is only ever raised by a call, never lowered; ``expand_clean`` in this module handles it.
    """

    source: str
    constant: str | None  # the value, when the text holds nothing to expand

    def __call__(self, scope: Scope) -> str: ...


def expand_with_taint(text: Expansion, scope: Scope) -> str:
    """The value as ``str``, or as ``Tainted`` when a peer's text went into it; the scope's own flag stays."""
    before = scope.tainted
    scope.tainted = False
    try:
        value = text(scope)
        return Tainted(value) if scope.tainted else value
    finally:
        scope.tainted = before


class Matched(NamedTuple):
    """A list matched. ``data`` is what ``$domain_data`` and kin become: a lookup's value, or the list's own item."""

    data: str | None = None


MATCHED = Matched()


class DomainList(Protocol):
    """A compiled domain, local part or string list. Raises Deferred when a lookup has no answer."""

    source: str

    def match(self, scope: Scope, subject: str) -> Matched | None: ...


class AddressList(Protocol):
    """A compiled address list; the subject is a whole address, "" the null sender."""

    source: str

    def match(self, scope: Scope, subject: str) -> Matched | None: ...


class HostList(Protocol):
    """A compiled host list.

    ``name`` None: the name of ``scope.peer`` is looked up when the list needs it (services.host_name);
    otherwise it is the name to match, for hosts that we deliver to. ``address`` "" is a local caller.
    """

    source: str

    def match(self, scope: Scope, address: str, name: str | None = None) -> Matched | None: ...
