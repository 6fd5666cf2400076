"""ACL text to typed statements (manual chapter 44, "Format of an ACL"); every fault found is collected.

``parse_acls`` reads the acl section's logical lines, ``parse_inline`` the text of an option or a file.
"""

from __future__ import annotations

import re

from mta.acl.statements import VERBS, Acl, Clause, Kind, Statement, conditions, modifiers
from mta.acl.texts import compiled
from mta.errors import ConfigError, Where
from mta.registry import nearest
from mta.text.ascii import WHITESPACE, strip

# Names of Exim's that mta does not act on yet.
PLANNED = frozenset({"atrn_domains", "dcc"})
# What ACLs may set beside their own variables (manual section 58.3).
DKIM_VARIABLES = ("dkim_verify_status", "dkim_verify_reason")
_LABEL = re.compile(r"([A-Za-z][A-Za-z0-9_]*)[ \t]*:")
_WORD = re.compile(r"[a-z_]+")
_CLAUSE = re.compile(r"(![ \t]*)?([A-Za-z_]*)[ \t]*")
_VARIABLE = re.compile(r"(\S*?)[ \t]*(=|\Z|[ \t])")


def parse_acls(lines: list[tuple[str, Where]], errors: list[ConfigError]) -> dict[str, Acl]:
    """The ACLs of the section by name. What follows a label's colon on its line is ignored, as Exim does."""
    found: dict[str, Acl] = {}
    current: Acl | None = None
    for text, where in lines:
        line = strip(text)
        if not line:
            continue
        label = _LABEL.match(line)
        if label:
            current = Acl(label.group(1), where)
            if current.name in found:
                errors.append(ConfigError(f'there are two ACLs called "{current.name}"', where))
            found[current.name] = current
        elif current is None or not (line[0].isalpha() or line[0] == "!"):
            errors.append(ConfigError("missing or malformed ACL name", where))
        else:
            _add_line(current, line, where, errors)
    return found


def parse_inline(text: str, where: Where) -> Acl:
    """An ACL without a name, from text with newlines, comments and continuations; raises ConfigError."""
    acl = Acl("", where)
    errors: list[ConfigError] = []
    for line in _logical_lines(text):
        _add_line(acl, line, where, errors)
        if errors:
            raise errors[0]
    return acl


def _logical_lines(text: str) -> list[str]:
    lines: list[str] = []
    pending = ""
    for physical in text.split("\n"):
        line = physical.strip(WHITESPACE)
        if line.startswith("#") or (not line and not pending):
            continue
        if line.endswith("\\"):
            pending += line[:-1]
            continue
        if pending + line:
            lines.append(pending + line)
        pending = ""
    if pending:
        lines.append(pending)
    return lines


def _add_line(acl: Acl, line: str, where: Where, errors: list[ConfigError]) -> None:
    try:
        rest = _verb(acl, line, where)
        if rest:
            acl.statements[-1].clauses.append(_clause(acl.statements[-1].verb, line, rest, where))
    except ConfigError as error:
        errors.append(error)


def _verb(acl: Acl, line: str, where: Where) -> str:
    """Begin a statement when the line begins with a verb; gives the rest of the line."""
    word = _WORD.match(line)
    verb = word.group(0) if word else ""
    if verb in VERBS and (len(line) == len(verb) or not (line[len(verb)].isalnum() or line[len(verb)] == "_")):
        acl.statements.append(Statement(verb, where))
        return line[len(verb) :].lstrip(" \t")
    if acl.statements:
        return line
    name = re.match(r"[A-Za-z0-9_]*", line)
    if not name or not name.group(0):
        raise ConfigError(f'error in ACL: malformed ACL line "{line}"', where)
    near = nearest(name.group(0), list(VERBS))
    hint = f' (did you mean "{near}"?)' if near else ""
    raise ConfigError(f'error in ACL: unknown ACL verb "{name.group(0)}" in "{line}"{hint}', where)


def _clause(verb: str, line: str, rest: str, where: Where) -> Clause:
    match = _CLAUSE.match(rest)
    assert match is not None
    negated, name = match.group(1) is not None, match.group(2)
    kind, what = _kind(name, line, where)
    clause = Clause(name, "", where, negated, points=kind.points, is_modifier=what == "modifier", expands=kind.expands)
    if negated and what == "modifier":
        raise ConfigError(f'error in ACL: ACL error: negation is not allowed with "{name}"', where)
    if name == "endpass" and verb not in ("accept", "discard"):
        raise ConfigError(f'error in ACL: ACL error: "endpass" is not allowed with "{verb}"', where)
    after = rest[match.end() :]
    if name == "set":
        if after.startswith("$"):  # as an example of the manual's DMARC chapter has it; Exim refuses it
            after = after[1:]
            clause.note = 'no "$" is wanted after "set"'
        clause.variable, after = _set_variable(after, where)
    if kind.needs_value:
        if not after.startswith("="):
            raise ConfigError(f'error in ACL: "=" missing after ACL "{name}" {what}', where)
        clause.source = after[1:].strip(WHITESPACE)
        clause.text = compiled(clause.source, where) if clause.expands else None
    clause.act = kind.make(clause)
    return clause


def _kind(name: str, line: str, where: Where) -> tuple[Kind, str]:
    for find in ("quick", "get"):
        for what, registry in (("condition", conditions), ("modifier", modifiers)):
            kind = getattr(registry, find)(name)
            if kind is not None:
                return kind, what
    if name in PLANNED:
        raise ConfigError(f'ACL condition "{name}" is not implemented in mta yet', where)
    near = nearest(name, [*conditions, *modifiers, *PLANNED]) if name else None
    hint = f' (did you mean "{near}"?)' if near else ""
    raise ConfigError(f'error in ACL: unknown ACL condition/modifier in "{line}"{hint}', where)


_BAD_SET = 'error in ACL: invalid variable name after "set" in ACL modifier "set {0}" ({1})'


def _set_variable(after: str, where: Where) -> tuple[str, str]:
    """The name after ``set`` and what follows it."""
    match = _VARIABLE.match(after)
    name = match.group(1) if match else ""
    if name in DKIM_VARIABLES:
        return name, after[len(name) :].lstrip(" \t")
    if not name.startswith(("acl_c", "acl_m")):
        raise ConfigError(_BAD_SET.format(after, 'must start "acl_c" or "acl_m"'), where)
    if not (name[5:6] == "_" or (name[5:6].isascii() and name[5:6].isdigit())):
        raise ConfigError(_BAD_SET.format(after, "digit or underscore must follow acl_c or acl_m"), where)
    bad = re.search(r"[^A-Za-z0-9_]", name)
    if bad:
        message = f'error in ACL: invalid character "{bad.group(0)}" in variable name in ACL modifier "set {after}"'
        raise ConfigError(message, where)
    return name, after[len(name) :].lstrip(" \t")
