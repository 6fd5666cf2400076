"""``-bt``, ``-bv``, ``-bvs``: where addresses would go, or whether they verify, without sending anything."""

from __future__ import annotations

from collections.abc import Iterator

from mta.cli.call import Call
from mta.deliver.filter_child import use_forks_for_filters
from mta.mail.address import Address, AddressError, parse_address
from mta.mail.host import Host
from mta.mail.recipient import Recipient
from mta.route.base import Accepted, Asking, Failed, Redirected, RouteDeferred
from mta.route.chain import Result, make_recipient, route_all
from mta.scope.scope import Scope
from mta.scope.services import Verified
from mta.text.ascii import strip

DELIVERABLE, DEFERRED, FAILED = 0, 1, 2


def run(call: Call) -> int:
    """Each address of the arguments, or of the standard input; 2 when one failed, else 1 when one was deferred."""
    if call.config().main.commandline_checks_require_admin and not call.is_admin():
        call.error("mta: permission denied")
        return 1
    use_forks_for_filters(call.runtime())
    test = test_address if call.arguments.mode == "bt" else verify_address
    code = DELIVERABLE
    seen: set[str] = set()
    for address in addresses(call):
        code = max(code, test(call, address, seen))
        call.stdout.flush()
    return code


def addresses(call: Call) -> Iterator[str]:
    """The arguments, or one a line of the standard input, with a prompt when nobody else gives them."""
    if call.arguments.words:
        yield from call.arguments.words
        return
    while True:
        call.write("> ")
        call.stdout.flush()
        line = call.stdin.readline()
        if not line:
            call.write("\n")
            return
        text = strip(line.decode("latin-1"))
        yield text


def qualified(call: Call, text: str, *, sender: bool = False) -> str | AddressError:
    """The address with a domain, or why it is none."""
    main = call.config().main
    parsed = parse_address(text, allow_domain_literals=main.allow_domain_literals, allow_null=sender)
    if not isinstance(parsed, Address):
        return parsed
    if not parsed.local_part:
        return ""
    domain = parsed.domain or (main.qualify_domain if sender else main.qualify_recipient)
    return f"{parsed.local_part}@{domain}"


def new_scope(call: Call) -> Scope:
    """A scope with the sender of -f; routers see it in $sender_address."""
    scope = call.runtime().scope()
    sender = call.arguments.sender
    if sender is not None:
        address = qualified(call, sender, sender=True)
        scope.message.sender = address if isinstance(address, str) else ""
    return scope


def test_address(call: Call, text: str, seen: set[str]) -> int:
    """-bt: route the address and all that it leads to; ``seen`` are those of this call that have been shown."""
    address = qualified(call, text)
    if not isinstance(address, str):
        call.write(f"syntax error: {address.message}\n")
        return FAILED
    config, scope = call.config(), new_scope(call)
    asking = Asking(address_test=True, transports=config.transports)
    recipient = make_recipient(address)
    if "@" not in text:
        recipient.unique = text  # as Exim: an unqualified argument is no duplicate of a whole address
    results = route_all(config.routers, [recipient], scope, asking)
    code = DELIVERABLE
    for result in in_order(call, results):
        code = max(code, _show(call, result, "is undeliverable", seen))
    return code


def in_order(call: Call, results: list[Result]) -> list[Result]:
    """As Exim lists them: what ends at once, then local deliveries and remote ones, the last routed first."""
    transports = call.config().transports
    ended, local, remote = [], [], []
    for result in results:
        transport = transports.get(result.recipient.transport)
        if not isinstance(result.answer, Accepted) or result.recipient.kind != "address":
            ended.append(result)
        elif transport is None or transport.local:
            local.append(result)
        else:
            remote.append(result)
    return [*ended, *reversed(local), *reversed(remote)]


def _show(call: Call, result: Result, failure: str, seen: set[str]) -> int:
    recipient, answer = result.recipient, result.answer
    secret = not call.is_admin()
    if isinstance(answer, Failed):
        reason = "" if secret else f": {answer.message or 'Unrouteable address'}"
        call.write(f"{recipient.address} {failure}{reason}\n{_parents(recipient)}")
        return FAILED
    if isinstance(answer, RouteDeferred):
        reason = "" if secret else f": {answer.message or 'unknown error'}"
        call.write(f"{recipient.address} cannot be resolved at this time{reason}\n{_parents(recipient)}")
        return DEFERRED
    if isinstance(answer, Redirected):
        call.write(f"mail to {recipient.address} is discarded\n{_parents(recipient)}")
        return DELIVERABLE
    if isinstance(answer, Accepted):
        _show_accepted(call, recipient, answer, seen)
    return DELIVERABLE


def _show_accepted(call: Call, recipient: Recipient, answer: Accepted, seen: set[str]) -> None:
    if recipient.kind != "address" and recipient.parent is not None:
        call.write(f"{recipient.parent.address} -> {recipient.address}\n{_parents(recipient.parent)}")
        call.write(f"  transport = {answer.transport or recipient.transport}\n")
        return
    duplicate = "   [duplicate, would not be delivered]" if recipient.unique in seen else ""
    seen.add(recipient.unique)
    call.write(f"{recipient.address}{duplicate}\n{_parents(recipient)}")
    call.write(f"  router = {recipient.router}, transport = {answer.transport or 'unset'}\n")
    for line in host_lines(recipient.hosts):
        call.write(line)


def _parents(recipient: Recipient) -> str:
    """The addresses that this one came from, nearest first."""
    lines = []
    parent = recipient.parent
    while parent is not None:
        lines.append(f"    <-- {parent.address}\n")
        parent = parent.parent
    return "".join(lines)


def host_lines(hosts: list[Host]) -> list[str]:
    """One line for each host, names and addresses in columns."""
    names = max((len(host.name) for host in hosts), default=0)
    sizes = max((len(host.address) for host in hosts), default=0)
    lines = []
    for host in hosts:
        line = f"  host {host.name:<{names}} "
        if host.address:
            line += f"[{host.address}]".ljust(sizes + 2)
        if host.mx >= 0:
            line += f" MX={host.mx}"
        if host.port:
            line += f" port={host.port}"
        lines.append(line + "\n")
    return lines


def verify_address(call: Call, text: str, seen: set[str]) -> int:
    """-bv and -bvs: one line an address; with -v as -bt shows it."""
    sender = call.arguments.mode == "bvs"
    address = qualified(call, text)
    if not isinstance(address, str):
        call.write(f"syntax error: {address.message}\n")
        return FAILED
    scope = new_scope(call)
    if call.arguments.verbose:
        asking = Asking(verify="S" if sender else "R", transports=call.config().transports)
        config = call.config()
        results = route_all(config.routers, [make_recipient(address)], scope, asking)
        return max((_show(call, result, "failed to verify", seen) for result in in_order(call, results)), default=0)
    found = call.runtime().services.verify_address(scope, address, is_sender=sender)
    return _verdict(call, address, found)


def _verdict(call: Call, address: str, found: Verified) -> int:
    reason = f": {found.log_message or found.user_message}" if call.is_admin() else ""
    if found.ok:
        call.write(f"{address} verified\n")
        return DELIVERABLE
    if found.ok is None:
        call.write(f"{address} cannot be resolved at this time{reason}\n")
        return DEFERRED
    call.write(f"{address} failed to verify{reason}\n")
    return FAILED
