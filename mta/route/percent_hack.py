"""The percent hack: ``foo%bar@hub`` means ``foo@bar`` for the domains of percent_hack_domains (manual chapter 14)."""

from __future__ import annotations

from mta.errors import Deferred, ExpansionFailed
from mta.scope.scope import Scope
from mta.text.ascii import lower


def without_percents(scope: Scope, address: str) -> str:
    """The address that a whole address stands for, itself when its domain is none of percent_hack_domains.

    A list that has no answer now counts as not matching: the address keeps to the domain that it names.
    """
    domains = scope.site.options.percent_hack_domains
    while domains is not None:
        local_part, _, domain = address.rpartition("@")
        inner, percent, outer = local_part.rpartition("%")
        if not percent or local_part.startswith('"'):
            break
        try:
            if domains.match(scope, lower(domain)) is None:
                break
        except (Deferred, ExpansionFailed) as error:
            scope.services.log_panic(f"percent_hack_domains: {error.message}")
            break
        address = f"{inner}@{outer}"
    return address
