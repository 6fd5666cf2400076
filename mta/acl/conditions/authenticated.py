"""authenticated: the client has authenticated by a mechanism of the list."""

from __future__ import annotations

from mta.acl.lists import list_act, string_list
from mta.acl.points import AUTHENTICATED
from mta.acl.statements import Act, Clause, condition


@condition("authenticated", AUTHENTICATED, expands=False)
def make(clause: Clause) -> Act:
    return list_act(
        string_list(clause),
        lambda names, scope: names.match(scope, scope.peer.authenticator) if scope.peer.authenticator else None,
    )
