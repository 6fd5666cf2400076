"""encrypted: the connection is under TLS with a cipher suite of the list."""

from __future__ import annotations

from mta.acl.lists import list_act, string_list
from mta.acl.points import ENCRYPTED
from mta.acl.statements import Act, Clause, condition


@condition("encrypted", ENCRYPTED, expands=False)
def make(clause: Clause) -> Act:
    return list_act(
        string_list(clause),
        lambda ciphers, scope: ciphers.match(scope, scope.peer.tls.cipher) if scope.peer.tls.cipher else None,
    )
