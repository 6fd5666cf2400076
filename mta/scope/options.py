"""The main options (manual chapter 14) that mta acts on, each under Exim's name.

The annotation is the type after conversion, the kind says what the file may hold. Names that are
not here but in ``settings.names`` are refused at load as not implemented.
"""

from __future__ import annotations

from dataclasses import dataclass

from mta.scope.expansion import AddressList, DomainList, Expansion, HostList
from mta.settings.options import option


@dataclass(slots=True)
class MainOptions:
    primary_hostname: str = option("string", "")
    qualify_domain: str = option("string", "")
    qualify_recipient: str = option("string", "")
    acl_smtp_rcpt: Expansion | None = option("acl")
    local_from_check: bool = option("bool", True)
    host_lookup: HostList | None = option("host_list")
    hold_domains: DomainList | None = option("domain_list")
    untrusted_set_sender: AddressList | None = option("address_list")
    timeout_frozen_after: float = option("time", 0.0)
