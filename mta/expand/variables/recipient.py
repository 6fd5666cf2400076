"""Variables of the address under way, its router and transport, and the host it goes to.

In ACLs and other places without a Recipient, what conditions set stands in ``scope.vars``.
"""

from __future__ import annotations

from collections.abc import Callable

from mta.expand.base import Variable, family, left, variable
from mta.mail.address import domain_of, local_part_of
from mta.mail.recipient import Recipient
from mta.scope.expansion import Tainted
from mta.scope.scope import Scope
from mta.text.ascii import lower


def _local_part(scope: Scope) -> str:
    recipient = scope.recipient
    if recipient is None:
        return Tainted(scope.vars.get("local_part", ""))
    return Tainted(recipient.local_part) if recipient.tainted else str(recipient.local_part)


def _domain(scope: Scope) -> str:
    recipient = scope.recipient
    if recipient is None:
        return Tainted(scope.vars.get("domain", ""))
    return Tainted(recipient.domain) if recipient.tainted else str(recipient.domain)


def _full_local_part(recipient: Recipient) -> str:
    """Affixes included; in the case that the router worked on."""
    if recipient.kind != "address":
        return ""
    if recipient.local_part:
        return f"{recipient.prefix}{recipient.local_part}{recipient.suffix}"
    return local_part_of(recipient.address)


def _domain_of(recipient: Recipient) -> str:
    return recipient.domain or (lower(domain_of(recipient.address)) if recipient.kind == "address" else "")


def _original_local_part(scope: Scope) -> str:
    return "" if scope.recipient is None else _full_local_part(scope.recipient.top)


def _original_domain(scope: Scope) -> str:
    return "" if scope.recipient is None else _domain_of(scope.recipient.top)


def _parent_local_part(scope: Scope) -> str:
    parent = scope.recipient.parent if scope.recipient is not None else None
    return "" if parent is None else _full_local_part(parent)


def _parent_domain(scope: Scope) -> str:
    parent = scope.recipient.parent if scope.recipient is not None else None
    return "" if parent is None else _domain_of(parent)


def _prefix(scope: Scope) -> str:
    recipient = scope.recipient
    if recipient is None:
        return ""
    return Tainted(recipient.prefix) if recipient.prefix_variable else recipient.prefix


def _suffix(scope: Scope) -> str:
    recipient = scope.recipient
    if recipient is None:
        return ""
    return Tainted(recipient.suffix) if recipient.suffix_variable else recipient.suffix


def _data(name: str) -> Callable[[Scope], str]:
    """``$domain_data`` and ``$local_part_data``: what the router's list gave, or what the ACL's condition did."""

    def get(scope: Scope) -> str:
        found = None if scope.recipient is None else getattr(scope.recipient, name)
        return scope.vars.get(name, "") if found is None else found

    return get


def _of_recipient(name: str) -> Callable[[Scope], str]:
    """A text of the recipient; what is set for the moment in ``scope.vars`` goes first."""

    def get(scope: Scope) -> str:
        known = scope.vars.get(name)
        if known is not None:
            return known
        return "" if scope.recipient is None else getattr(scope.recipient, name)

    return get


def _id(name: str) -> Callable[[Scope], str]:
    """A user's number as C's unsigned one: unknown is 4294967295."""
    return lambda s: str((-1 if s.recipient is None else getattr(s.recipient, name)) & 0xFFFFFFFF)


def _host(scope: Scope) -> str:
    return scope.vars.get("host", "") if scope.host is None else scope.host.name


def _host_address(scope: Scope) -> str:
    return scope.vars.get("host_address", "") if scope.host is None else scope.host.address


def _host_port(scope: Scope) -> str:
    # a host without a port of its own is reached at the transport's, which stands among the variables
    return str(scope.host.port) if scope.host is not None and scope.host.port else scope.vars.get("host_port", "0")


variable("local_part", _local_part)
variable("domain", _domain)
variable("local_part_prefix", _prefix)
variable("local_part_suffix", _suffix)
variable("local_part_prefix_v", lambda s: s.recipient.prefix_variable if s.recipient else "", tainted=True)
variable("local_part_suffix_v", lambda s: s.recipient.suffix_variable if s.recipient else "", tainted=True)
variable("local_part_data", _data("local_part_data"))
variable("domain_data", _data("domain_data"))
variable("original_local_part", _original_local_part, tainted=True)
variable("original_domain", _original_domain, tainted=True)
variable("parent_local_part", _parent_local_part, tainted=True)
variable("parent_domain", _parent_domain, tainted=True)
variable("address_data", _of_recipient("address_data"))
variable("home", _of_recipient("home"))
variable("host_data", _of_recipient("host_data"))
variable("self_hostname", _of_recipient("self_hostname"))
variable("local_user_uid", _id("local_user_uid"))
variable("local_user_gid", _id("local_user_gid"))
variable("host", _host)
variable("host_address", _host_address)
variable("host_port", _host_port)
variable("router_name", lambda s: s.router)
variable("transport_name", lambda s: s.transport)
variable("verify_mode", lambda s: s.verify_mode)
variable("address_file", left("address_file"))
variable("address_pipe", left("address_pipe"))
variable("pipe_addresses", lambda s: s.vars.get("pipe_addresses"), tainted=True)
variable("inode", left("inode", "0"))
variable("lookup_dnssec_authenticated", left("lookup_dnssec_authenticated"))


@family("r_")
def _router_variable(name: str) -> Variable:
    key = name.removeprefix("r_")

    def get(scope: Scope) -> str:
        return "" if scope.recipient is None else scope.recipient.set_vars.get(key, "")

    return Variable(name, get)
