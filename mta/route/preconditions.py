"""The tests that decide whether a router runs (manual chapter 3.12), in Exim's order."""

from __future__ import annotations

import errno
import os
from collections.abc import Callable
from dataclasses import dataclass

from mta.errors import Deferred, ExpansionFailed, ForcedFail
from mta.mail.recipient import Recipient
from mta.route.base import Asking, RouteDeferred, Router
from mta.scope.scope import Scope
from mta.system import users
from mta.text.ascii import lower, strip
from mta.text.lists import split_list


@dataclass(slots=True)
class Skip:
    """The router is not run; the next one is asked whatever ``more`` says."""

    reason: str = ""


def check(router: Router, recipient: Recipient, scope: Scope, asking: Asking) -> Skip | RouteDeferred | None:
    """None when the router runs. Fills domain_data, local_part_data, home and the local user's ids on the way."""
    try:
        for test in _TESTS:
            found = test(router, recipient, scope, asking)
            if found is not None:
                return found
    except Deferred as error:
        return RouteDeferred(str(error))
    except ForcedFail as error:
        return Skip(str(error))
    except ExpansionFailed as error:
        return RouteDeferred(f"{error} in {router.name} router preconditions")
    return None


def _affixes(router: Router, recipient: Recipient, scope: Scope, asking: Asking) -> Skip | None:
    options = router.options
    if options.local_part_prefix is not None:
        found = match_prefix(recipient.local_part, split_list(options.local_part_prefix(scope)))
        if found is None:
            if not options.local_part_prefix_optional:
                return Skip("prefix mismatch")
        else:
            length, wild = found
            recipient.prefix, recipient.local_part = recipient.local_part[:length], recipient.local_part[length:]
            recipient.prefix_variable = recipient.prefix[:wild]
    if options.local_part_suffix is not None:
        found = match_suffix(recipient.local_part, split_list(options.local_part_suffix(scope)))
        if found is None:
            if not options.local_part_suffix_optional:
                return Skip("suffix mismatch")
        else:
            length, wild = found
            cut = len(recipient.local_part) - length
            recipient.suffix, recipient.local_part = recipient.local_part[cut:], recipient.local_part[:cut]
            recipient.suffix_variable = recipient.suffix[length - wild :] if wild else ""
    return None


def match_prefix(local_part: str, prefixes: list[str]) -> tuple[int, int] | None:
    """(length of the prefix, length of what its wildcard matched) for the first of ``prefixes`` that fits."""
    folded = lower(local_part)
    for prefix in prefixes:
        if prefix.startswith("*"):
            at = folded.rfind(lower(prefix[1:]))
            if prefix[1:] and at >= 0 and at + len(prefix) - 1 <= len(folded):
                return at + len(prefix) - 1, at
        elif prefix and folded.startswith(lower(prefix)):
            return len(prefix), 0
    return None


def match_suffix(local_part: str, suffixes: list[str]) -> tuple[int, int] | None:
    """The same from the end; a wildcard is the suffix's last character and matches as much as it can."""
    folded = lower(local_part)
    for suffix in suffixes:
        if suffix.endswith("*"):
            at = folded.find(lower(suffix[:-1]))
            if suffix[:-1] and at >= 0:
                return len(folded) - at, len(folded) - at - (len(suffix) - 1)
        elif suffix and folded.endswith(lower(suffix)):
            return len(suffix), 0
    return None


def _purpose(router: Router, recipient: Recipient, scope: Scope, asking: Asking) -> Skip | None:
    options = router.options
    if asking.verify == "S" and not options.verify_sender:
        return Skip("verify_sender is off")
    if asking.verify == "R" and not options.verify_recipient:
        return Skip("verify_recipient is off")
    if asking.address_test and not asking.verify and not options.address_test:
        return Skip("address_test is off")
    if options.verify_only and not asking.verify:
        return Skip("verify_only is set")
    if asking.expn and not options.expn:
        return Skip("no_expn is set")
    return None


def _domains(router: Router, recipient: Recipient, scope: Scope, asking: Asking) -> Skip | None:
    if router.options.domains is None:
        return None
    found = router.options.domains.match(scope, recipient.domain)
    if found is None:
        return Skip("domains mismatch")
    recipient.domain_data = found.data
    return None


def _local_parts(router: Router, recipient: Recipient, scope: Scope, asking: Asking) -> Skip | None:
    if router.options.local_parts is None:
        return None
    found = router.options.local_parts.match(scope, recipient.local_part)
    if found is None:
        return Skip("local_parts mismatch")
    recipient.local_part_data = found.data
    return None


def _local_user(router: Router, recipient: Recipient, scope: Scope, asking: Asking) -> Skip | RouteDeferred | None:
    if not router.options.check_local_user:
        return None
    user = users.account(scope.site.options, recipient.local_part)
    if user is None:
        return Skip(f"{recipient.local_part} is not a local user")
    recipient.local_part_data = user.name
    recipient.user, recipient.home = user.name, user.home
    recipient.uid = recipient.local_user_uid = user.uid
    recipient.gid = recipient.local_user_gid = user.gid
    recipient.local_user_gecos = user.gecos
    return None


def _home(router: Router, recipient: Recipient, scope: Scope, asking: Asking) -> Skip | RouteDeferred | None:
    if router.options.router_home_directory is None:
        return None
    try:
        home = router.options.router_home_directory(scope)
    except ForcedFail:
        return None
    if not home.startswith("/"):
        return RouteDeferred(f'"{home}" is not an absolute path for router_home_directory in {router.name} router')
    recipient.home = home
    return None


def _debug_print(router: Router, recipient: Recipient, scope: Scope, asking: Asking) -> None:
    if scope.trace is None or router.options.debug_print is None:
        return
    try:
        text = router.options.debug_print(scope)
    except (ExpansionFailed, Deferred) as error:
        text = f"failed to expand debug_output: {error}"
    scope.trace("route", text.rstrip("\n"))


def _senders(router: Router, recipient: Recipient, scope: Scope, asking: Asking) -> Skip | None:
    if router.options.senders is None:
        return None
    if router.options.senders.match(scope, scope.message.sender) is None:
        return Skip("senders mismatch")
    return None


def _require_files(router: Router, recipient: Recipient, scope: Scope, asking: Asking) -> Skip | RouteDeferred | None:
    uid, gid = -1, -1
    for item in router.options.require_files:
        try:
            text = strip(item(scope))
        except ForcedFail:
            continue
        if not text:
            continue
        if "/" not in text:
            ids = _named_ids(scope, text)
            if ids is None:
                return Skip(f"require_files: no user {text}")
            uid, gid = ids
            continue
        found = _one_file(text, uid, gid, scope)
        if found is not None:
            return found
    return None


def _named_ids(scope: Scope, text: str) -> tuple[int, int] | None:
    name, _, group = text.partition(",")
    user = users.account(scope.site.options, strip(name))
    if user is None:
        return None
    if not group:
        return user.uid, user.gid
    gid = users.group(scope.site.options, strip(group))
    return None if gid is None else (user.uid, gid)


def _one_file(text: str, uid: int, gid: int, scope: Scope) -> Skip | RouteDeferred | None:
    wanted, eacces_is_missing = True, False
    while text and text[0] in "!+":
        if text[0] == "!":
            wanted = False
        else:
            eacces_is_missing = True
        text = strip(text[1:])
    if not text.startswith("/"):
        return RouteDeferred(f"require_files: {text!r} is not an absolute path")
    code = probe(text, uid, gid, scope)
    if code in (0, errno.ENOENT, errno.ENOTDIR):
        there = code == 0
    elif code == errno.EACCES and eacces_is_missing:
        there = False
    else:
        return RouteDeferred(f"require_files: error for {text}: {os.strerror(code)}")
    if there == wanted:
        return None
    return Skip(f"require_files: {text} {'does not exist' if wanted else 'exists'}")


def probe(path: str, uid: int, gid: int, scope: Scope) -> int:
    """0 when the file is there (roughly: readable by ``uid``), else an errno; by the agent where we may not look."""
    try:
        os.stat(path.encode("latin-1"))
        return 0 if uid < 0 or users.may_read(path, uid, gid) else errno.ENOENT
    except ValueError:
        return errno.EINVAL
    except OSError as error:
        helper: Callable[[str, int, int], int] | None = scope.services.state.get("probe_file")
        if error.errno == errno.EACCES and helper is not None:
            return helper(path, uid, gid)
        return error.errno or errno.EIO


def _condition(router: Router, recipient: Recipient, scope: Scope, asking: Asking) -> Skip | None:
    for condition in router.options.condition:
        try:
            value = strip(condition(scope))
        except ForcedFail:
            return Skip("condition: forced failure")
        if lower(value) in ("", "0", "no", "false"):
            return Skip("condition is false")
    return None


_TESTS = (
    _affixes,
    _purpose,
    _domains,
    _local_parts,
    _local_user,
    _home,
    _debug_print,
    _senders,
    _require_files,
    _condition,
)
