"""What every router does once its driver has said yes: errors_to, header changes, transport, user and home."""

from __future__ import annotations

from dataclasses import replace

from mta.errors import Deferred, ExpansionFailed, ForcedFail
from mta.mail.host import Host
from mta.mail.recipient import Recipient
from mta.route.base import Accepted, Answer, Asking, Failed, Redirected, RouteDeferred, Router
from mta.route.hosts import Wanted, find_addresses, is_ip
from mta.scope.expansion import Expansion
from mta.scope.scope import Scope
from mta.system import users
from mta.text.ascii import lower, strip
from mta.text.lists import split_list


def truth(text: Expansion, scope: Scope, router: Router, name: str, *, default: bool) -> bool | RouteDeferred:
    """An expanded boolean option of a router: yes/no/true/false, the default on forced failure, else defer."""
    try:
        value = lower(strip(text(scope)))
    except ForcedFail:
        return default
    except (ExpansionFailed, Deferred) as error:
        return RouteDeferred(f'failed to expand "{name}" in {router.name} router: {error}')
    if value in ("yes", "true"):
        return True
    if value in ("no", "false"):
        return False
    return RouteDeferred(f'"{value}" is not a valid value for the "{name}" option in the {router.name} router')


def finish(router: Router, recipient: Recipient, scope: Scope, asking: Asking, answer: Answer) -> Answer:
    """Complete an acceptance; RouteDeferred when one of the options has no usable value."""
    recipient.router = router.name
    if asking.verify == "S" and router.options.fail_verify_sender:
        return Failed("sender verification fails by router setting")
    if asking.verify == "R" and router.options.fail_verify_recipient:
        return Failed("recipient verification fails by router setting")
    try:
        _errors_to(router, recipient, scope, asking)
        if not asking.verify:
            _header_changes(router, recipient, scope)
        if isinstance(answer, Accepted):
            recipient.dsn_lasthop = router.options.dsn_lasthop
            if _insecure(router, recipient, scope):
                return RouteDeferred("host lookup done insecurely")
            _translate(router, recipient, scope)
            _fall_back(router, recipient)
            deferred = _transport(router, recipient, scope, asking, answer)
            if deferred is not None:
                return deferred
        _ids(router, recipient, scope)
        _directories(router, recipient, scope)
    except _Told as error:
        return RouteDeferred(str(error))
    except (ExpansionFailed, Deferred) as error:
        return RouteDeferred(f"{error} in {router.name} router")
    if isinstance(answer, Redirected):
        for child in answer.children:
            hand_down(recipient, child)
    return answer


class _Told(ExpansionFailed):
    """Its words name the router already."""


def _translate(router: Router, recipient: Recipient, scope: Scope) -> None:
    """translate_ip_address: other addresses in place of each host's, ``$host_address`` being the one found."""
    option = router.options.translate_ip_address
    if option is None or not recipient.hosts:
        return
    hosts: list[Host] = []
    for host in recipient.hosts:
        with scope.saved("host"):
            scope.host = host
            try:
                text = strip(option(scope))
            except ForcedFail:
                hosts.append(host)
                continue
            except ExpansionFailed as error:
                raise _Told(
                    f'failed to expand "{option.source}" (translate_ip_address) in {router.name} router: {error}'
                ) from None
        if is_ip(text):
            hosts.append(replace(host, address=text))
            continue
        found = find_addresses(text, scope, Wanted(by_name=True))
        if not found:
            raise _Told(f'translated host "{text}" not found in {router.name} router')
        hosts += [replace(host, address=one) for one in found]
    recipient.hosts = hosts


def _fall_back(router: Router, recipient: Recipient) -> None:
    """fallback_hosts, for a remote transport that reaches none of the hosts found."""
    if router.options.fallback_hosts:
        from mta.transport.remote.hosts import parse_hosts

        recipient.fallback_hosts = parse_hosts(router.options.fallback_hosts)


def _insecure(router: Router, recipient: Recipient, scope: Scope) -> bool:
    """dnssec_require_domains: whether DNSSEC had to vouch for the hosts and did not."""
    domains = router.options.dnssec_require_domains
    if domains is None or domains.match(scope, recipient.domain) is None:
        return False
    return any(host.dnssec == "no" for host in recipient.hosts)


def hand_down(recipient: Recipient, child: Recipient) -> None:
    """What a child takes over from the address that generated it."""
    if child.errors_to is None:
        child.errors_to = recipient.errors_to
    child.headers_add = list(recipient.headers_add)
    child.headers_remove = list(recipient.headers_remove)
    child.address_data = recipient.address_data
    child.set_vars = dict(recipient.set_vars)
    child.router = child.router or (recipient.router if child.kind != "address" else "")
    if child.kind != "address":
        child.uid, child.gid, child.user = recipient.uid, recipient.gid, recipient.user
        child.initgroups, child.home = recipient.initgroups, recipient.home
        child.current_directory = recipient.current_directory
        child.local_part, child.domain = recipient.local_part, recipient.domain
        child.local_part_data, child.domain_data = recipient.local_part_data, recipient.domain_data
        child.prefix, child.suffix = recipient.prefix, recipient.suffix
        child.prefix_variable, child.suffix_variable = recipient.prefix_variable, recipient.suffix_variable


def _errors_to(router: Router, recipient: Recipient, scope: Scope, asking: Asking) -> None:
    if router.options.errors_to is None:
        return
    try:
        address = strip(router.options.errors_to(scope))
    except ForcedFail:
        return
    if address.startswith("<") and address.endswith(">"):
        address = address[1:-1]
    if not address:
        recipient.errors_to, recipient.ignore_error = "", True
        return
    if asking.verify:
        recipient.errors_to = address
        return
    # The address that is to get the bounces must itself be good, with the null sender in force.
    kept = scope.message
    scope.message = replace(kept, sender="")
    try:
        verified = scope.services.verify_address(scope, address, is_sender=False)
    finally:
        scope.message = kept
    if verified.ok:
        recipient.errors_to = address


def _header_changes(router: Router, recipient: Recipient, scope: Scope) -> None:
    for item in router.options.headers_add:
        try:
            text = item(scope)
        except ForcedFail:
            continue
        if strip(text):
            recipient.headers_add.append(text)
    for item in router.options.headers_remove:
        try:
            text = item(scope)
        except ForcedFail:
            continue
        recipient.headers_remove.extend(name for name in split_list(text) if name)


def _transport(
    router: Router, recipient: Recipient, scope: Scope, asking: Asking, answer: Accepted
) -> RouteDeferred | None:
    name = answer.transport
    if not name and router.options.transport is not None:
        name = transport_name(router.options.transport, router, scope)
    if name and asking.transports and name not in asking.transports:
        return RouteDeferred(f'transport "{name}" not found in {router.name} router')
    if not name and not asking.verify:
        return RouteDeferred(f"neither transport nor verify_only is set on {router.name} router")
    answer.transport = recipient.transport = name
    return None


def transport_name(text: Expansion, router: Router, scope: Scope) -> str:
    """A transport's name out of an option; a peer's text may not choose it."""
    before, scope.tainted = scope.tainted, False
    try:
        try:
            name = strip(text(scope))
        except ExpansionFailed as error:
            raise _Told(f'failed to expand transport "{text.source}" in {router.name} router: {error}') from None
        if scope.tainted:
            raise ExpansionFailed(f"attempt to use tainted value '{name}' for 'transport' ({router.name} router)")
        return name
    finally:
        scope.tainted = before


def take_ids(router: Router, recipient: Recipient, scope: Scope) -> None:
    """The router's user and group, before its driver has answered: a filter runs under them."""
    _ids(router, recipient, scope)


def _ids(router: Router, recipient: Recipient, scope: Scope) -> None:
    options = router.options
    if options.user is not None:
        text = strip(options.user(scope))
        user = users.account(scope.site.options, text)
        if user is None and not text.isdigit():
            raise _Told(
                f'Failed to find user "{text}" from expanded string "{options.user.source}" '
                f"for the {router.name} router"
            )
        recipient.user = user.name if user is not None else ""
        recipient.uid = user.uid if user is not None else int(text)
        if options.group is None and user is not None:
            recipient.gid = user.gid
    if options.group is not None:
        text = strip(options.group(scope))
        gid = users.group(scope.site.options, text)
        if gid is None:
            raise _Told(
                f'Failed to find group "{text}" from expanded string "{options.group.source}" '
                f"for the {router.name} router"
            )
        recipient.gid = gid
    recipient.initgroups = options.initgroups


def _directories(router: Router, recipient: Recipient, scope: Scope) -> None:
    options = router.options
    if options.transport_home_directory is not None:
        recipient.home = options.transport_home_directory(scope)
    elif options.check_local_user and recipient.local_user_uid >= 0:
        user = users.account(scope.site.options, recipient.local_part_data or recipient.local_part)
        recipient.home = user.home if user is not None else recipient.home
    if options.transport_current_directory is not None:
        recipient.current_directory = options.transport_current_directory(scope)
