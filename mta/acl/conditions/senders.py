"""senders, sender_domains: the reverse-path is in the list."""

from __future__ import annotations

from mta.acl.lists import address_list, domain_list, list_act
from mta.acl.points import SENDER
from mta.acl.statements import Act, Clause, condition
from mta.mail.address import domain_of


@condition("senders", SENDER, expands=False)
def make_senders(clause: Clause) -> Act:
    return list_act(address_list(clause), lambda names, scope: names.match(scope, scope.message.sender), "sender_data")


@condition("sender_domains", SENDER, expands=False)
def make_domains(clause: Clause) -> Act:
    return list_act(domain_list(clause), lambda names, scope: names.match(scope, domain_of(scope.message.sender)))
