"""acl: run another ACL, by name with arguments, from a file, or given as text."""

from __future__ import annotations

import re

from mta.acl.run import MAX_ARGUMENTS, Run, run_text
from mta.acl.statements import Act, Clause, Result, condition
from mta.acl.texts import compiled, compiled_word
from mta.errors import Deferred, ExpansionFailed, ForcedFail
from mta.scope.expansion import expand_with_taint

_SPACES = re.compile(r"[ \t\n]+")


@condition("acl", expands=False)
def make(clause: Clause) -> Act:
    """The name and each argument are expanded apart, split at white space before that, as Exim does."""
    words = [word for word in _SPACES.split(clause.source) if word]
    whole = compiled(clause.source, clause.where)
    name = compiled_word(words[0]) if words else whole
    arguments = [compiled_word(word) for word in words[1 : 1 + MAX_ARGUMENTS]]

    def act(run: Run, _argument: str) -> Result:
        try:
            text = expand_with_taint(name, run.scope)
            if text in run.acls:
                args = [expand_with_taint(argument, run.scope) for argument in arguments]
            else:
                text, args = (expand_with_taint(whole, run.scope) if arguments else text), []
        except ForcedFail:
            return Result.OK
        except (ExpansionFailed, Deferred) as error:
            return run.error(f'failed to expand ACL string "{name.source}": {error.message}')
        return _nested(run, text, args, clause)

    return act


def _nested(run: Run, text: str, args: list[str], clause: Clause) -> Result:
    result = run_text(run, text, args, clause.where)
    if result is Result.DISCARD and run.verb not in ("accept", "discard"):
        return run.error(
            f'nested ACL returned "discard" for "{run.verb}" command (only allowed with "accept" or "discard")'
        )
    return result
