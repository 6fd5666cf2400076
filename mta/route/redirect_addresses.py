"""From the items of redirection data to child addresses: qualified, rewritten, checked, with their transports."""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from mta.errors import ExpansionFailed
from mta.mail.address import Address, parse_address, parse_address_list
from mta.mail.recipient import Kind, Recipient
from mta.route.base import Failed, RouteDeferred, Router
from mta.route.redirect_file import read_as
from mta.route.redirect_items import Item, parse_items
from mta.scope.expansion import Expansion
from mta.scope.scope import Scope
from mta.text.ascii import lower, strip

if TYPE_CHECKING:
    from mta.route.drivers.redirect import Redirect

MAX_INCLUDES = 10


@dataclass(slots=True)
class Children:
    """The new addresses, and what skip_syntax_errors passed over."""

    found: list[Recipient] = field(default_factory=list)
    skipped: list[str] = field(default_factory=list)


def children_of(
    driver: Redirect, router: Router, recipient: Recipient, scope: Scope, items: list[Item], depth: int = 0
) -> Children | RouteDeferred | Failed:
    """Every item as a child, or the error that defers the address."""
    out = Children()
    for item in items:
        if item.kind == "include":
            included = _include(driver, router, recipient, scope, item, depth)
            if not isinstance(included, Children):
                return included
            out.found += included.found
            out.skipped += included.skipped
            continue
        made = _child(driver, router, recipient, scope, item)
        if isinstance(made, Recipient):
            out.found.append(made)
        elif driver.skip_syntax_errors and not made.startswith("!"):
            out.skipped.append(made)
        else:
            return RouteDeferred(f"error in redirect data: {made.removeprefix('!')}")
    return out


def _include(
    driver: Redirect, router: Router, recipient: Recipient, scope: Scope, item: Item, depth: int
) -> Children | RouteDeferred | Failed:
    path = item.text
    if driver.forbid_include:
        return RouteDeferred('error in redirect data: ":include:" is not permitted')
    if depth >= MAX_INCLUDES:
        return RouteDeferred(f'too many nested ":include:" items at {path}')
    if not path.startswith("/"):
        return RouteDeferred(f'included file "{path}" is not an absolute path')
    if driver.include_directory is not None:
        root = driver.include_directory.rstrip("/") + "/"
        if not path.startswith(root) or not os.path.realpath(path).startswith(os.path.realpath(root) + "/"):
            return RouteDeferred(f'included file "{path}" is not in directory {driver.include_directory}')
    read = read_as(scope, path, recipient)
    if read.errno:
        return RouteDeferred(f"failed to open {path} (included file): {os.strerror(read.errno)}")
    found = parse_items(read.text)
    if found.special is not None:
        return RouteDeferred(f'"{found.special.source}" is not allowed in the included file {path}')
    return children_of(driver, router, recipient, scope, found.items, depth + 1)


def _child(driver: Redirect, router: Router, recipient: Recipient, scope: Scope, item: Item) -> Recipient | str:
    """A child, or what is wrong: a syntax error, or with "!" in front something that cannot be skipped."""
    text = item.text
    if item.kind in ("pipe", "file"):
        parsed = parse_address(text) if "@" in text else None
        if not isinstance(parsed, Address) or not parsed.domain:
            return _local_delivery(driver, router, recipient, scope, item)
    backslash = text.startswith("\\")
    if backslash:
        text = text[1:]
    parsed = parse_address(text, allow_domain_literals=True)
    if not isinstance(parsed, Address):
        return f'{parsed.message} in "{item.source or item.text}"'
    domain = parsed.domain
    if not domain:
        domain = _qualify(driver, recipient, scope, backslash)
    return generated_address(driver, recipient, scope, f"{parsed.local_part}@{domain}")


def generated_address(driver: Redirect, recipient: Recipient, scope: Scope, address: str) -> Recipient:
    """The child for a whole address: rewritten, unless it is an ancestor's under check_ancestor."""
    if driver.rewrite:
        rewrite = scope.services.state.get("rewrite_address")
        if rewrite is not None:
            address = rewrite(scope, address, "T")
    return _new_address(driver, recipient, address)


def reply_recipients(text: str) -> list[str]:
    """The addresses of a To: value, for the log and to know one reply from another."""
    return [found.text for found in parse_address_list(text) if isinstance(found, Address)]


def _qualify(driver: Redirect, recipient: Recipient, scope: Scope, backslash: bool) -> str:
    if driver.qualify_preserve_domain or backslash:
        return recipient.domain
    if driver.qualify_domain is not None:
        return strip(driver.qualify_domain(scope))
    return scope.site.options.qualify_recipient


def _new_address(driver: Redirect, recipient: Recipient, address: str) -> Recipient:
    from mta.route.chain import make_recipient

    if driver.check_ancestor and _is_ancestor(address, recipient):
        address = recipient.address
    child = make_recipient(address, parent=recipient)
    child.notify, child.orcpt = recipient.notify, recipient.orcpt
    return child


def _is_ancestor(address: str, recipient: Recipient) -> bool:
    low = lower(address)
    found: Recipient | None = recipient
    while found is not None:
        if lower(found.address) == low:
            return True
        found = found.parent
    return False


def _local_delivery(
    driver: Redirect, router: Router, recipient: Recipient, scope: Scope, item: Item
) -> Recipient | str:
    text = item.text
    kind: Kind = "pipe" if item.kind == "pipe" else ("directory" if text.endswith("/") else "file")
    if kind == "pipe" and driver.forbid_pipe:
        return "!delivery to pipe forbidden"
    if kind != "pipe" and driver.forbid_file:
        return "!delivery to file forbidden"
    child = Recipient(address=text, kind=kind, parent=recipient, unique=f"{text}:{recipient.unique}")
    child.router = router.name
    option, name = {
        "pipe": (driver.pipe_transport, "pipe"),
        "directory": (driver.directory_transport, "directory"),
        "file": (driver.file_transport, "file"),
    }[kind]
    try:
        child.transport = _transport(option, name, router, scope)
    except ExpansionFailed as error:
        return f"!{error}"
    return child


def _transport(text: Expansion | None, what: str, router: Router, scope: Scope) -> str:
    if text is None:
        raise ExpansionFailed(f"{what}_transport unset in {router.name} router")
    return strip(text(scope))
