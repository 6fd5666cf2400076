"""What the delivery code asks of any transport before it calls the driver: batching, limits, the return path.

Manual chapters 24 and 25. ``enter`` sets the variables that the private options of local drivers see.
"""

from __future__ import annotations

import dataclasses
import re

from mta.errors import ExpansionFailed, ForcedFail
from mta.mail.outcome import Outcome
from mta.scope.expansion import Expansion
from mta.scope.scope import Scope
from mta.text.units import parse_size
from mta.transport import outcomes
from mta.transport.base import Batch, Transport

_LOCAL_PART = re.compile(r"\$\{?local_part\b")
_DOMAIN = re.compile(r"\$\{?domain\b")


@dataclasses.dataclass(slots=True)
class Batching:
    """How many recipients one call may have. ``one_domain``: all of one domain; ``batch_id``: all of one value."""

    maximum: int = 1
    batch_id: Expansion | None = None
    one_domain: bool = False


def batching(transport: Transport) -> Batching:
    """The batching rules of one transport instance (chapter 25; for smtp max_rcpt and multi_domain)."""
    driver = transport.driver
    if not transport.local:
        maximum = getattr(driver, "max_rcpt", 100)
        multi: Expansion | None = getattr(driver, "multi_domain", None)
        return Batching(maximum or 1 << 30, None, multi is not None and multi.constant in ("false", "no"))
    maximum = getattr(driver, "batch_max", 1)
    if maximum <= 1:
        return Batching()
    sources = _option_texts(transport)
    if any(_LOCAL_PART.search(text) for text in sources):
        return Batching()
    batch_id: Expansion | None = getattr(driver, "batch_id", None)
    return Batching(maximum, batch_id, any(_DOMAIN.search(text) for text in sources))


def _option_texts(transport: Transport) -> list[str]:
    out: list[str] = []
    for holder in (transport.options, transport.driver):
        for field in dataclasses.fields(holder):  # type: ignore[arg-type]
            value = getattr(holder, field.name)
            if field.name in ("batch_id", "debug_print"):
                continue
            values = value if isinstance(value, tuple) else (value,)
            out.extend(item if isinstance(item, str) else getattr(item, "source", "") for item in values)
    return out


def return_path(transport: Transport, scope: Scope, sender: str) -> str:
    """The return path for this transport's copy. Raises ExpansionFailed (not when forced), Deferred."""
    option = transport.options.return_path
    if option is None:
        return sender
    with scope.saved("vars"):
        scope.vars = {**scope.vars, "return_path": sender}
        try:
            return option(scope)
        except ForcedFail:
            return sender


def too_big(transport: Transport, batch: Batch, scope: Scope) -> list[Outcome] | None:
    """The outcomes for a message over message_size_limit, or None when it may go."""
    option = transport.options.message_size_limit
    if option is None:
        return None
    try:
        text = option(scope)
    except ExpansionFailed as error:
        return outcomes.deferred(
            batch, transport, f"failed to expand message_size_limit in {transport.name} transport: {error.message}", -1
        )
    limit = parse_size(text or "0")
    if limit is None:
        return outcomes.deferred(
            batch, transport, f'invalid message_size_limit "{text}" in {transport.name} transport', -1
        )
    if 0 < limit < batch.message.message_size:
        return outcomes.failed(batch, f"message is too big (transport limit = {limit})")
    return None


def enter(batch: Batch, scope: Scope) -> None:
    """Set what private options may refer to: $return_path, $address_file, $address_pipe, the message, the address."""
    first = batch.recipients[0]
    scope.message = batch.message
    scope.vars["return_path"] = batch.return_path
    if scope.recipient is None:
        scope.recipient = first
    if first.kind in ("file", "directory"):
        scope.vars["address_file"] = first.address
    elif first.kind == "pipe":
        scope.vars["address_pipe"] = first.address[1:]


def warn_of_options(transport: Transport) -> str | None:
    """A sentence for the operator when options exclude each other, asked once at load."""
    options = transport.options
    if options.body_only and options.headers_only:
        return f"{transport.name} transport: headers_only and body_only are mutually exclusive"
    check = getattr(transport.driver, "check_options", None)
    return check(transport) if check is not None else None
