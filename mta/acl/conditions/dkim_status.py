"""dkim_status: the result of the signature that acl_smtp_dkim looks at is in the list: pass, fail, invalid, none."""

from __future__ import annotations

from mta.acl.lists import list_act, string_list
from mta.acl.statements import Act, Clause, condition


@condition("dkim_status", frozenset({"dkim", "data", "mime", "prdr", ""}), expands=False)
def make(clause: Clause) -> Act:
    return list_act(
        string_list(clause),
        lambda names, scope: names.match(scope, scope.message.authentication.get("dkim_verify_status", "")),
    )
