"""hosts: the client is in the host list; a lookup's value goes to $host_data."""

from __future__ import annotations

from mta.acl.lists import host_list, list_act
from mta.acl.points import CLIENT
from mta.acl.statements import Act, Clause, condition


@condition("hosts", CLIENT, expands=False)
def make(clause: Clause) -> Act:
    return list_act(host_list(clause), lambda hosts, scope: hosts.match(scope, scope.peer.address), "host_data")
