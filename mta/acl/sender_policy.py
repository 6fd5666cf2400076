"""The ``spf`` and ``spf_guess`` conditions' common work: one evaluation a message and record, its variables, the match.

The result stays in ``message.acl_memory["spf"]``, where dmarc_status and authresults look for it.
"""

from __future__ import annotations

import re

from mta.acl.run import Run
from mta.acl.statements import Clause, Result
from mta.emailauth.spf import BEST_GUESS, SpfResult, check_spf, wanted
from mta.scope.expansion import Tainted
from mta.scope.scope import Scope
from mta.text.lists import split_list

MEMORY = "spf"
_CHECKS = "spf.checks"
_MAX_CHECKS = 16  # kept a message; an ACL asks for one or two


def run_spf(run: Run, argument: str, *, best_guess: bool) -> Result:
    """Evaluate (once a message), set ``$spf_...``, and match the result against the list."""
    found = sender_policy(run.scope, best_guess=best_guess)
    return Result.OK if wanted(found.result, split_list(argument)) else Result.FAIL


def note_old_names(clause: Clause) -> None:
    """Names of results that Exim 4.83 replaced and 4.91 removed (they still match)."""
    words = re.findall(r"err_(?:temp|perm)\b", clause.source)
    if words:
        new = {"err_temp": "temperror", "err_perm": "permerror"}[words[0]]
        clause.note = f'"{words[0]}" is deprecated since Exim 4.83 and was removed in 4.91: write "{new}"'


def sender_policy(scope: Scope, *, best_guess: bool) -> SpfResult:
    """The result for the sender under way, with the variables set."""
    message, peer = scope.message, scope.peer
    options = scope.site.options
    guess = (options.spf_guess or BEST_GUESS) if best_guess else ""
    key = (peer.address, message.sender, peer.helo_name, guess)
    kept: dict[tuple[str, ...], SpfResult] = message.acl_memory.setdefault(_CHECKS, {})
    found = kept.get(key)
    if found is None:
        found = _evaluate(scope, guess)
        if len(kept) < _MAX_CHECKS:
            kept[key] = found
    message.acl_memory[MEMORY] = found
    _set_variables(scope, found)
    return found


def checked_policy(scope: Scope) -> SpfResult:
    """The result for DMARC: what the spf condition found, or a check of now; never a guess. No variable is set."""
    found: SpfResult | None = scope.message.acl_memory.get(MEMORY)
    return found if found is not None and not found.guessed else _evaluate(scope, "")


def _evaluate(scope: Scope, guess: str) -> SpfResult:
    peer, options = scope.peer, scope.site.options
    resolver = scope.services.resolver
    if resolver is None or not peer.address:
        return SpfResult("(invalid)", problem="no client address")
    template = options.spf_smtp_comment_template
    return check_spf(
        resolver,
        peer.address,
        scope.message.sender,
        peer.helo_name,
        receiver=options.primary_hostname or "unknown",
        guess=guess,
        comment_template=template(scope) if template is not None else "",
    )


def _set_variables(scope: Scope, found: SpfResult) -> None:
    scope.message.authentication["spf_result"] = found.result
    scope.message.authentication["spf_result_guessed"] = "yes" if found.guessed else "no"
    scope.message.authentication["spf_header_comment"] = Tainted(found.header_comment)
    scope.message.authentication["spf_received"] = Tainted(found.received)
    scope.message.authentication["spf_smtp_comment"] = Tainted(found.smtp_comment)
    scope.message.authentication["spf_used_domain"] = Tainted(found.domain)
