"""Signing what the smtp transport sends: the options of DKIM and ARC made into signatures above the header.

The body is read once for the hashes, in the form in which it will be sent; the lines go into ``content.signatures``.
Raises Unsigned when a signature must be made and cannot be.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from mta.errors import Deferred, ExpansionFailed, ForcedFail, MtaError
from mta.scope.expansion import Expansion, Tainted, expand_with_taint
from mta.scope.scope import Scope
from mta.text.ascii import lower, strict_int
from mta.text.lists import split_list
from mta.transport.content import Content
from mta.transport.stuffing import SMTP_BDAT, shaped

if TYPE_CHECKING:
    from mta.emailauth.dkim_sign import Plan
    from mta.transport.drivers.smtp import Smtp

MAX_HEADER = 1 << 24
STRICT = "DKIM: message could not be signed, and dkim_strict is set. Deferring message delivery."


class Unsigned(MtaError):
    """The message must not go without a signature."""


class _Problem(Exception):
    """One signature cannot be made; the message is for the panic log."""


def sign(driver: Smtp, content: Content, scope: Scope) -> None:
    """Sign as the driver's options say; a message that is signed already is left alone."""
    if (driver.dkim_domain is None and driver.arc_sign is None) or content.signatures or not content.head:
        return
    plans = _plans(driver, scope) if driver.dkim_domain is not None else []
    seal = _seal_text(driver, scope)
    if not plans and not seal:
        return
    from mta.emailauth.dkim_canon import BodyForm, hash_body

    pieces = shaped(content.pieces(), SMTP_BDAT)
    lines, first = _header(pieces)
    forms = {plan.body_form for plan in plans} | ({BodyForm(True, "sha256")} if seal else set())
    hashes = hash_body(_chain(first, pieces), forms)
    signatures = _dkim(driver, plans, lines, hashes, scope)
    if seal:
        signatures = _arc(seal, content, [*signatures, *lines], hashes, scope) + signatures
    content.signatures = "".join(signatures).encode("latin-1")


def _header(pieces: Iterator[bytes]) -> tuple[list[str], bytes]:
    """The header lines as they go out, with LF, and what of the body came with them."""
    from mta.emailauth.message_file import header_lines

    held = b""
    for piece in pieces:
        held += piece
        end = held.find(b"\r\n\r\n", max(0, len(held) - len(piece) - 3))
        if end >= 0 or len(held) > MAX_HEADER:
            break
    else:
        end = -1
    if end < 0:
        end = len(held)
    return header_lines(held[: end + 2]), held[end + 4 :]


def _chain(first: bytes, rest: Iterator[bytes]) -> Iterator[bytes]:
    yield first
    yield from rest


def _expanded(option: Expansion | None, name: str, scope: Scope) -> str:
    if option is None:
        return ""
    try:
        return expand_with_taint(option, scope)
    except ForcedFail:
        return ""
    except (ExpansionFailed, Deferred) as error:
        raise _Problem(f"failed to expand {name}: {error.message}") from None


def _plans(driver: Smtp, scope: Scope) -> list[Plan]:
    """A plan for each domain and selector that is to sign; Unsigned when one that must be made cannot."""
    out: list[Plan] = []
    with scope.saved("vars", "tainted"):
        scope.vars = dict(scope.vars)
        try:
            domains = _items(_expanded(driver.dkim_domain, "dkim_domain", scope))
        except _Problem as problem:
            _give_up(driver, scope, problem)
            return []
        for domain in dict.fromkeys(domains):
            scope.vars["dkim_domain"] = domain
            scope.vars.pop("dkim_selector", None)
            try:
                for selector in _items(_expanded(driver.dkim_selector, "dkim_selector", scope), fold=False):
                    scope.vars["dkim_selector"] = selector
                    plan = _plan(driver, domain, selector, scope)
                    if plan is not None:
                        out.append(plan)
            except _Problem as problem:
                _give_up(driver, scope, problem)
    return out


def _items(text: str, *, fold: bool = True) -> list[str]:
    """The items that are not empty, in lower case with ``fold``, with the taint of the whole."""
    found = [lower(item) if fold else item for item in split_list(text) if item]
    return [Tainted(item) for item in found] if isinstance(text, Tainted) else found


def _give_up(driver: Smtp, scope: Scope, problem: _Problem) -> None:
    """Go without the signature, or wait (dkim_strict)."""
    scope.services.log_panic(str(problem))
    try:
        strict = lower(_expanded(driver.dkim_strict, "dkim_strict", scope))
    except _Problem as worse:
        scope.services.log_panic(str(worse))
        strict = "true"
    if strict in ("1", "true"):
        scope.services.log_main(STRICT)
        raise Unsigned(STRICT) from None


def _plan(driver: Smtp, domain: str, selector: str, scope: Scope) -> Plan | None:
    from mta.emailauth.dkim_keys import BadPrivateKey, private_key
    from mta.emailauth.dkim_sign import SIGN_HEADERS, Plan

    text = _expanded(driver.dkim_private_key, "dkim_private_key", scope)
    if text in ("", "0", "false"):
        return None
    if text.startswith("/") and isinstance(text, Tainted):
        scope.services.log_panic(f"Tainted filename '{text}'")
        raise _Problem(f"unable to open file for reading: {text}")
    cache: dict[Any, Any] = scope.services.state.setdefault("emailauth.private_keys", {})
    try:
        key = private_key(text, cache)
    except BadPrivateKey as error:
        what = str(error)
        raise _Problem(what if what.startswith("unable") else f"DKIM: signing failed: {what}") from None
    canon = lower(_expanded(driver.dkim_canon, "dkim_canon", scope)) or "relaxed"
    if canon not in ("relaxed", "simple"):
        scope.services.log_main(f"DKIM: unknown canonicalization method '{canon}', defaulting to 'relaxed'.")
        canon = "relaxed"
    hash_name = lower(_expanded(driver.dkim_hash, "dkim_hash", scope)) or "sha256"
    if hash_name not in ("sha1", "sha256", "sha512"):
        raise _Problem(f"DKIM: unrecognised hashname '{hash_name}'")
    if key.algorithm(hash_name).startswith("ed25519-"):
        hash_name = "sha256"  # RFC 8463 knows no other
    lifetime = _expanded(driver.dkim_timestamps, "dkim_timestamps", scope)
    seconds = strict_int(lifetime) if lifetime else -1
    if seconds is None:
        raise _Problem(f"DKIM: dkim_timestamps is no number: {lifetime}")
    headers = _expanded(driver.dkim_sign_headers, "dkim_sign_headers", scope) or SIGN_HEADERS
    identity = _expanded(driver.dkim_identity, "dkim_identity", scope)
    for name, value in (("dkim_domain", domain), ("dkim_selector", selector), ("dkim_identity", identity)):
        if any(not " " < char <= "\xff" or char in ";\x7f" for char in value):
            raise _Problem(f"DKIM: {name} holds what a tag cannot: {value}")
    return Plan(domain, selector, key, canon == "relaxed", hash_name, split_list(headers), identity, seconds)


def _dkim(driver: Smtp, plans: list[Plan], lines: list[str], hashes: Any, scope: Scope) -> list[str]:
    from mta.emailauth import dkim_sign
    from mta.emailauth.dkim_keys import BadPrivateKey

    now = time.time()
    out = []
    for plan in plans:
        try:
            out.append(dkim_sign.sign(plan, lines, hashes, now))
        except BadPrivateKey as error:
            _give_up(driver, scope, _Problem(f"DKIM: signing failed: {error}"))
    return out


def _seal_text(driver: Smtp, scope: Scope) -> str:
    if driver.arc_sign is None:
        return ""
    try:
        return _expanded(driver.arc_sign, "arc_sign", scope)
    except _Problem as problem:
        scope.services.log_panic(str(problem))
        return ""


def _arc(text: str, content: Content, lines: list[str], hashes: Any, scope: Scope) -> list[str]:
    """The three lines of an ARC set, or none, with the reason in the main log."""
    from mta.emailauth.arc_seal import CannotSeal, parse_options, seal

    cache: dict[Any, Any] = scope.services.state.setdefault("emailauth.private_keys", {})
    try:
        options = parse_options(text, time.time(), cache)
        return seal(options, lines, hashes, scope.services.resolver, lambda: _body(content))
    except CannotSeal as error:
        scope.services.log_main(f"ARC: {error}")
        return []


def _body(content: Content) -> Iterator[bytes]:
    pieces = shaped(content.pieces(), SMTP_BDAT)
    _, first = _header(pieces)
    return _chain(first, pieces)
