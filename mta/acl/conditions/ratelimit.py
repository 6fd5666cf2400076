"""ratelimit: how fast a client sends, measured over the hints (manual chapter 44.39 to 44)."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

from mta.acl.points import EVERYWHERE, MESSAGE, RCPT
from mta.acl.run import Run
from mta.acl.statements import Act, Clause, Result, condition
from mta.hints import ratelimits
from mta.text.ascii import strip
from mta.text.units import format_time, parse_time

_NUMBER = re.compile(r"([0-9]*\.?[0-9]*)([KMG]?)\Z", re.IGNORECASE)
_UNITS = {"": 1, "k": 1 << 10, "m": 1 << 20, "g": 1 << 30}
# Where each way of counting may change what is stored; elsewhere it only looks.
COUNTED_AT = {
    "per_conn": EVERYWHERE - {"not_smtp", "not_smtp_start", "not_smtp_mime"},
    "per_mail": MESSAGE - {"not_smtp_start"},
    "per_byte": MESSAGE - {"not_smtp_start"},
    "per_rcpt": MESSAGE - {"mail", "not_smtp_start"},
    "per_addr": RCPT,
    "per_cmd": EVERYWHERE,
}
_MODES = {"strict": "strict", "leaky": "leaky", "readonly": "readonly", "noupdate": "readonly"}


@dataclass(slots=True)
class Rate:
    """The argument as values. ``mode`` "" until it is decided; ``count`` None: by ``per``."""

    limit: float
    limit_text: str
    period: float
    period_text: str
    per: str = ""
    mode: str = ""
    count: float | None = None
    unique: str | None = None
    key: str | None = None


@condition("ratelimit")
def make(_clause: Clause) -> Act:
    def act(run: Run, argument: str) -> Result:
        rate = parse(argument)
        fault = rate if isinstance(rate, str) else _settle(run, rate)
        if isinstance(rate, str) or fault:
            return run.error(f'error in arguments to "ratelimit" condition: {fault}')
        return _measure(run, rate)

    return act


def parse(argument: str) -> Rate | str:
    """The values, or Exim's words for what is wrong."""
    parts = [strip(part) for part in argument.split("/")]
    if not argument:
        return "sender rate limit not set"
    limit = _number(parts[0])
    if limit is None:
        return f'"{parts[0]}" is not a positive number'
    period_text = parts[1] if len(parts) > 1 else ""
    period = parse_time(period_text)
    if not period:
        return f'"{period_text or "NULL"}" is not a time value'
    rate = Rate(limit, parts[0], period, period_text)
    for number, part in enumerate(parts[2:], 2):
        if part in COUNTED_AT:
            if rate.per:
                return "conflicting per_* options"
            rate.per = part
        elif part in _MODES:
            if rate.mode and _MODES[part] != "readonly" and rate.mode != "readonly":
                return "conflicting update modes"
            rate.mode = "readonly" if rate.mode == "readonly" else _MODES[part]
        elif part.startswith("count="):
            rate.count = _number(part[6:])
            if rate.count is None:
                return f'"{part}" is not a positive number'
        elif part.startswith("unique="):
            rate.unique = part[7:]
        elif part:
            rate.key = "/".join(parts[number:])
            break
    rate.per = rate.per or "per_mail"
    return rate


def _number(text: str) -> float | None:
    match = _NUMBER.match(text)
    if not match or len(text) > 20 or (text and match.group(1) in ("", ".")):
        return None
    return float(match.group(1) or 0) * _UNITS[match.group(2).lower()]


def _settle(run: Run, rate: Rate) -> str:
    """Decide what the point leaves open: the mode, the count, the key. Gives a fault, or ""."""
    scope, shown = run.scope, rate.per
    if rate.per == "per_addr":
        shown = "per_rcpt"
        address = scope.recipient.address if scope.recipient is not None else ""
        rate.unique = address if rate.unique is None else rate.unique
    elif rate.per == "per_byte":
        shown = "per_mail"
        rate.count = float(max(scope.message.message_size, 0)) if rate.count is None else rate.count
    if run.point not in COUNTED_AT[rate.per]:
        if rate.mode in ("strict", "leaky"):
            return f'"{shown}" must not have /leaky or /strict option, or cannot be used in {run.place} ACL'
        rate.mode = "readonly"
    if rate.per == "per_rcpt" and run.point not in RCPT and rate.count is None:
        rate.count = float(len(scope.message.recipients))
    rate.per, rate.mode = shown, rate.mode or "leaky"
    rate.count = 1.0 if rate.count is None else rate.count
    rate.key = scope.peer.address if rate.key is None else rate.key
    return ""


def _measure(run: Run, rate: Rate) -> Result:
    scope = run.scope
    unique = "/unique" if rate.unique is not None else ""
    key = f"{format_time(rate.period)}/{rate.per}{unique}/{rate.key}"
    shown = 0 if rate.mode == "readonly" else rate.count
    run.trace(f"ratelimit condition count={shown:.0f} {rate.limit:.1f}/{key}")
    scope.vars["sender_rate_limit"] = rate.limit_text
    scope.vars["sender_rate_period"] = rate.period_text
    known = _memory(run, rate.per)
    if key in known and rate.mode != "readonly":
        value = known[key]
        run.trace(f"ratelimit found pre-computed rate {value:.1f}")
    else:
        if scope.services.hints is None:
            return run.defer("no hints database for the ratelimit condition")
        value = _ask(run, rate, key)
        if rate.mode != "readonly":
            known[key] = value
        run.trace(f"ratelimit computed rate {value:.1f}")
    scope.vars["sender_rate"] = f"{value:.1f}"
    return Result.OK if value >= rate.limit else Result.FAIL


def _memory(run: Run, per: str) -> dict[str, float]:
    """Rates that were measured already: for the connection, for the message, or for this ACL alone."""
    holder: dict[str, Any] = run.memory
    if per == "per_conn":
        holder = run.scope.peer.acl_memory
    elif per == "per_mail":
        holder = run.scope.message.acl_memory
    found: dict[str, float] = holder.setdefault("acl.rates", {})
    return found


def _ask(run: Run, rate: Rate, key: str) -> float:
    store = run.scope.services.hints
    assert store is not None
    assert rate.count is not None
    readonly = rate.mode == "readonly"
    if rate.unique is not None and not readonly:
        readonly = ratelimits.seen(store, key, rate.unique, rate.period)
    return ratelimits.update(
        store,
        key,
        rate.period,
        0.0 if readonly else rate.count,
        limit=rate.limit,
        leaky=rate.mode == "leaky",
        readonly=readonly,
    )
