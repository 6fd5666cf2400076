"""Clauses that Exim would refuse when they are reached, found without running anything.

Exim loads such ACLs and answers 451 where one is met; one that is never reached at a point does no harm there,
so these are for a lint or a warning, not for refusing a configuration that works.
"""

from __future__ import annotations

from collections.abc import Mapping

from mta.acl.conditions.verify import POINTS as VERIFY_POINTS
from mta.acl.modifiers.control import CONTROLS
from mta.acl.points import DISCARD, OPTION_OF, WORDS
from mta.acl.statements import Acl, Clause
from mta.acl.verify_options import BadVerify, parse_verify
from mta.errors import ConfigError


def notes(acls: Mapping[str, Acl]) -> list[ConfigError]:
    """What works and should be written otherwise."""
    return [
        ConfigError(clause.note, clause.where)
        for acl in acls.values()
        for statement in acl.statements
        for clause in statement.clauses
        if clause.note
    ]


def misplaced(acls: Mapping[str, Acl], options: Mapping[str, str]) -> list[ConfigError]:
    """``options``: point -> name of the ACL that runs there. ACLs that ``acl =`` names are followed."""
    found = []
    for point, name in options.items():
        for acl in _reached(acls, name):
            for statement in acl.statements:
                if statement.verb == "discard" and point not in DISCARD:
                    found.append(ConfigError(_said('"discard" verb', point), statement.where))
                found += [
                    ConfigError(_said(fault, point), clause.where)
                    for clause in statement.clauses
                    if (fault := _fault(clause, point))
                ]
    return found


def _said(what: str, point: str) -> str:
    return f"error in ACL: {what} is not allowed in {WORDS[point]} ACL ({OPTION_OF[point]})"


def _reached(acls: Mapping[str, Acl], name: str) -> list[Acl]:
    names, out = [name], []
    seen: set[str] = set()
    while names:
        current = names.pop()
        if current in seen or current not in acls:
            continue
        seen.add(current)
        out.append(acls[current])
        for statement in acls[current].statements:
            names += [clause.source.split(" ")[0] for clause in statement.clauses if clause.name == "acl"]
    return out


def _fault(clause: Clause, point: str) -> str:
    if point not in clause.points:
        return f"{clause.name} condition" if not clause.is_modifier else f'"{clause.name}" modifier'
    constant = clause.text.constant if clause.text is not None else None
    if constant is None:
        return ""
    if clause.name == "verify":
        try:
            kind = parse_verify(constant).kind
        except BadVerify:
            return ""
        return f"verify = {kind}" if kind in VERIFY_POINTS and point not in VERIFY_POINTS[kind] else ""
    if clause.name == "control":
        control = CONTROLS.get(constant.partition("/")[0])
        return f"control = {constant}" if control is not None and point not in control.points else ""
    return ""
