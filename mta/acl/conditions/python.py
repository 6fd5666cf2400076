"""python: ``module.function arg ...``, a function of a file of ``python_startup``; mta's own.

Without arguments the function is given one dict of facts. True and false, or texts that ``condition`` would take,
are its answers; None is false, and whatever it raises is a defer.
"""

from __future__ import annotations

import re
from typing import Any

from mta.acl.run import Run
from mta.acl.statements import Act, Clause, Result, condition
from mta.acl.texts import compiled
from mta.errors import ConfigError, Deferred, ExpansionFailed, ForcedFail
from mta.expand.compiler import truth_acl
from mta.scope.expansion import Expansion
from mta.scope.functions import call, given, taken
from mta.scope.scope import Scope

_NAME = re.compile(r"[A-Za-z_]\w*\.[A-Za-z]\w*\Z", re.ASCII)


@condition("python", expands=False)
def make(clause: Clause) -> Act:
    name, *texts = words(clause.source) or [""]
    if not _NAME.match(name):
        raise ConfigError(f'module.function expected after "python =", not "{name}"', clause.where)
    arguments = [compiled(text, clause.where) for text in texts]

    def act(run: Run, _argument: str) -> Result:
        try:
            truth = _answer(run.scope, name, arguments)
        except ForcedFail:
            return Result.OK  # as for every condition: it is ignored
        except (ExpansionFailed, Deferred) as error:
            return run.defer(error.message)
        if truth is None:
            return run.defer(f"python function {name} returned what is neither true nor false")
        return Result.OK if truth else Result.FAIL

    return act


def words(source: str) -> list[str]:
    """Words between white space that is in no brackets, so that a word may be ``${lookup{a b}...}``."""
    found, depth, start = [], 0, -1
    for place, char in enumerate(source):
        depth += (char == "{") - (char == "}")
        if char in " \t\n" and depth <= 0:
            if start >= 0:
                found.append(source[start:place])
            start = -1
        elif start < 0:
            start = place
    return found + ([source[start:]] if start >= 0 else [])


def _answer(scope: Scope, name: str, arguments: list[Expansion]) -> bool | None:
    values: list[Any] = [given(argument(scope)) for argument in arguments]
    result = call(scope, name, values or [facts(scope)])
    return bool(result) if result is None or isinstance(result, (bool, int)) else truth_acl(taken(result))


def facts(scope: Scope) -> dict[str, str | list[str]]:
    """What an ACL knows of connection and message by now; "" for what has not happened."""
    peer, message, recipient = scope.peer, scope.message, scope.recipient
    found = {
        "point": scope.acl_point,
        "host_address": peer.address,
        "host_name": peer.host_name,
        "helo_name": peer.helo_name,
        "interface_address": peer.interface_address,
        "interface_port": str(peer.interface_port),
        "protocol": peer.received_protocol,
        "authenticated_id": peer.authenticated_id,
        "tls_cipher": peer.tls.cipher,
        "smtp_command": peer.smtp_command,
        "message_id": message.id,
        "sender": message.sender,
        "recipient": recipient.address if recipient is not None else "",
        "local_part": recipient.local_part if recipient is not None else "",
        "domain": recipient.domain if recipient is not None else "",
    }
    told: dict[str, str | list[str]] = {key: given(value) for key, value in found.items()}
    told["recipients"] = [given(each.address) for each in message.recipients]
    told["headers"] = [given(line.text) for line in message.headers]
    return told
