"""Variables of ACLs and filters: acl_c..., acl_m..., arguments, verification, and a filter's counters."""

from __future__ import annotations

from collections.abc import Callable

from mta.errors import ExpansionFailed
from mta.expand.base import Variable, family, left, variable
from mta.scope.scope import Scope


def _set_variable(name: str, values: Callable[[Scope], dict[str, str]]) -> Variable | None:
    """``acl_c0``, ``acl_c_name``: a digit or an underscore must follow the sixth character."""
    key = name[5:]
    if key and not (key[0] == "_" or (key[0].isascii() and key[0].isdigit())):
        return None

    def get(scope: Scope) -> str:
        found = values(scope).get(key)
        if found is not None:
            return found
        if scope.site.options.strict_acl_vars:
            raise ExpansionFailed(f'unknown variable name "{name}" (strict_acl_vars is set)')
        return ""

    return Variable(name, get)


@family("acl_c")
def _connection_variable(name: str) -> Variable | None:
    return _set_variable(name, lambda s: s.peer.acl_c)


@family("acl_m")
def _message_variable(name: str) -> Variable | None:
    return _set_variable(name, lambda s: s.message.acl_m)


def _argument(place: int) -> Callable[[Scope], str]:
    return lambda s: s.acl_args[place] if place < len(s.acl_args) else ""


for _place in range(9):
    variable(f"acl_arg{_place + 1}", _argument(_place))
variable("acl_narg", lambda s: str(len(s.acl_args)))


@family("regex")
def _regex_capture(name: str) -> Variable | None:
    """``regex1`` and on: what the regex and mime_regex conditions caught; the message's own text."""
    digits = name[5:]
    if not (digits.isascii() and digits.isdigit() and len(digits) < 4 and digits[0] != "0"):
        return None
    return Variable(name, left(name), tainted=True)


def _filter_number(name: str, place: int) -> Callable[[Scope], str | None]:
    """``$n0``: what a filter's ``add`` counted; there is no such variable where no filter has run."""

    def get(scope: Scope) -> str | None:
        known = scope.vars.get(name)
        if known is not None:
            return known
        counts = scope.recipient.filter_n if scope.recipient is not None and name.startswith("n") else None
        return str(counts[place]) if counts is not None and place < len(counts) else None

    return get


for _place in range(10):
    variable(f"n{_place}", _filter_number(f"n{_place}", _place))
    variable(f"sn{_place}", _filter_number(f"sn{_place}", _place))


# what conditions, callouts and items leave behind: (name, value before anything happened, a peer's)
_LEFT = (
    ("acl_verify_message", "", False),
    ("callout_address", "", False),
    ("recipient_data", "", False),
    ("recipient_verify_failure", "", False),
    ("sender_address_data", "", False),
    ("sender_data", "", False),
    ("sender_verify_failure", "", False),
    ("sender_rate", "", False),
    ("sender_rate_limit", "", False),
    ("sender_rate_period", "", False),
    ("dnslist_domain", "", False),
    ("dnslist_matched", "", True),
    ("dnslist_text", "", True),
    ("dnslist_value", "", False),
    ("csa_status", "", False),
    ("regex_match_string", "", False),
    ("prvscheck_address", "", False),
    ("prvscheck_keynum", "", False),
    ("prvscheck_result", "", False),
    ("srs_recipient", "", True),
    ("event_name", "", False),
    ("event_data", "", True),
    ("event_defer_errno", "0", False),
    ("tpda_delivery_ip", "", False),
    ("tpda_delivery_port", "0", False),
    ("tpda_delivery_fqdn", "", True),
    ("tpda_delivery_local_part", "", True),
    ("tpda_delivery_domain", "", True),
    ("tpda_delivery_confirmation", "", True),
    ("tpda_defer_errno", "0", False),
    ("tpda_defer_errstr", "", True),
    ("ldap_dn", "", False),
    ("runrc", "0", False),
    ("thisaddress", "", True),
)
for _name, _empty, _tainted in _LEFT:
    variable(_name, left(_name, _empty), tainted=_tainted)
variable("item", lambda s: s.item or "")
variable("value", lambda s: s.value or "")
