"""dkim_signers: the domain or identity for which acl_smtp_dkim runs is in the list."""

from __future__ import annotations

from mta.acl.lists import list_act, string_list
from mta.acl.statements import Act, Clause, condition


@condition("dkim_signers", frozenset({"dkim", ""}), expands=False)
def make(clause: Clause) -> Act:
    return list_act(
        string_list(clause),
        lambda names, scope: names.match(scope, scope.message.authentication.get("dkim_cur_signer", "")),
    )
