"""domains, local_parts, recipients: the address of the RCPT (or VRFY) command is in the list."""

from __future__ import annotations

from mta.acl.lists import address_list, domain_list, list_act, local_part_list
from mta.acl.points import ADDRESS, RECIPIENT
from mta.acl.statements import Act, Clause, condition
from mta.mail.recipient import Recipient
from mta.scope.scope import Scope


def _recipient(scope: Scope) -> Recipient:
    return scope.recipient if scope.recipient is not None else Recipient("")


@condition("domains", ADDRESS, expands=False)
def make_domains(clause: Clause) -> Act:
    return list_act(
        domain_list(clause), lambda names, scope: names.match(scope, _recipient(scope).domain), "domain_data"
    )


@condition("local_parts", ADDRESS, expands=False)
def make_local_parts(clause: Clause) -> Act:
    return list_act(
        local_part_list(clause),
        lambda names, scope: names.match(scope, _recipient(scope).local_part),
        "local_part_data",
    )


@condition("recipients", RECIPIENT, expands=False)
def make_recipients(clause: Clause) -> Act:
    return list_act(
        address_list(clause),
        lambda names, scope: names.match(scope, _recipient(scope).address),
        "recipient_data",
    )
