"""The conditions of ``if`` (filter manual 3.21 to 3.30): ``read_condition``, and ``show`` for filter tests."""

from __future__ import annotations

from mta.filter.actions import FilterError
from mta.filter.exim.lexer import Lexer
from mta.filter.exim.tree import Condition, ConditionKind
from mta.text.ascii import lower

MAX_DEPTH = 100  # of brackets
_TEXT = {
    "begin": "begins", "begins": "begins", "contain": "contains", "contains": "contains", "end": "ends", "ends": "ends",
    "is": "is", "match": "matches", "matches": "matches",
}  # fmt: skip
_NUMBER = ("above", "below")
_STATES: dict[str, ConditionKind] = {
    "delivered": "delivered",
    "error_message": "error_message",
    "first_delivery": "first_delivery",
    "manually_thawed": "manually_thawed",
}


def read_condition(lexer: Lexer) -> Condition:
    """A whole condition and the ``then`` behind it."""
    found = _alternatives(lexer, 0)
    word = lexer.peek(brackets=True)
    if word == "then":
        lexer.word(brackets=True)
        return found
    if lexer.char == ")":
        raise FilterError(f'unexpected ")" in line {lexer.line} of filter file')
    raise _expected(lexer, "then")


def _expected(lexer: Lexer, what: str) -> FilterError:
    word = lexer.word(brackets=True) or lexer.char
    near = f"near line {lexer.line} of filter file"
    return FilterError(f'"and" or "or" or "{what}" expected {near}, but found "{word}"')


def _alternatives(lexer: Lexer, depth: int) -> Condition:
    """Tests joined by ``or``, which binds less than ``and``; joined from the left."""
    found = _together(lexer, depth)
    while lexer.peek(brackets=True) == "or":
        lexer.word(brackets=True)
        found = Condition("or", parts=(found, _together(lexer, depth)))
    return found


def _together(lexer: Lexer, depth: int) -> Condition:
    found = _single(lexer, depth)
    while lexer.peek(brackets=True) == "and":
        lexer.word(brackets=True)
        found = Condition("and", parts=(found, _single(lexer, depth)))
    return found


def _bracketed(lexer: Lexer, depth: int) -> Condition:
    """What stands behind an opening bracket, and its closing one."""
    if depth >= MAX_DEPTH:
        raise lexer.near("conditions are nested too deeply")
    found = _alternatives(lexer, depth + 1)
    if lexer.char == ")":
        lexer.position += 1
        lexer.skip()
        return found
    if lexer.peek(brackets=True) == "then":
        lexer.word(brackets=True)
        raise lexer.near('missing ")" at end of condition')
    raise _expected(lexer, ")")


def _single(lexer: Lexer, depth: int) -> Condition:
    negated = False
    while True:
        if not lexer.char:
            raise FilterError('"then" missing at end of filter file')
        if lexer.char == "(":
            lexer.position += 1
            lexer.skip()
            found = _bracketed(lexer, depth)
            found.negated ^= negated
            return found
        if lexer.char == ")":
            raise FilterError(f'unexpected ")" in line {lexer.line} of filter file')
        word = lexer.item(brackets=True)
        if word != "not":
            break
        negated = not negated
    if word == "then":
        raise lexer.near('unexpected "then"')
    if word in _STATES:
        return Condition(_STATES[word], negated)
    if word == "personal":
        return Condition("personal", negated, aliases=_aliases(lexer))
    if word == "foranyaddress":
        text = lexer.item(brackets=True)
        if lexer.char != "(":
            raise lexer.near('"(" expected after "foranyaddress"')
        lexer.position += 1
        lexer.skip()
        return Condition("any", negated, first=text, parts=(_bracketed(lexer, depth),))
    return _comparison(lexer, word, negated)


def _aliases(lexer: Lexer) -> tuple[str, ...]:
    found: list[str] = []
    while lexer.peek(brackets=True) == "alias":
        lexer.word(brackets=True)
        found.append(lexer.item(brackets=True))
    return tuple(found)


def _comparison(lexer: Lexer, first: str, negated: bool) -> Condition:
    """``does [not] WORD``, ``is [not] [WORD]`` or ``WORD`` alone, then the second text."""
    word = lexer.word(brackets=True)
    opening = lower(word)
    if opening in ("is", "does"):
        following = lexer.peek(brackets=True)
        if lower(following) == "not":
            lexer.word(brackets=True)
            negated = not negated
            following = lexer.peek(brackets=True)
        if opening == "does" or _known(following):
            word = lexer.word(brackets=True)
    if not _known(word):
        raise lexer.near(f'unrecognized condition word "{word}"')
    if lexer.char in ("(", ")"):
        raise FilterError(f'unexpected "{lexer.char}" in line {lexer.line} of filter file')
    second = lexer.item(brackets=True)
    if word in _NUMBER:
        return Condition("number", negated, word, first=first, second=second)
    return Condition("text", negated, _TEXT[lower(word)], caseful=word[0].isupper(), first=first, second=second)


def _known(word: str) -> bool:
    """Lower case, or upper case for a test that minds case; ``is`` in any."""
    return word in _NUMBER or word in _TEXT or (lower(word) in _TEXT and (word.isupper() or lower(word) == "is"))


# ---- for filter tests


def show(condition: Condition, *, top: bool = True) -> str:
    """The condition as -v shows it."""
    kind = condition.kind
    prefix = "not " if condition.negated else ""
    if kind == "and" or kind == "or":
        text = f" {kind} ".join(show(part, top=False) for part in condition.parts)
        if condition.negated:
            return f"not ({text})"
        return f"({text})" if kind == "or" and not top else text
    if kind == "any":
        return f"{prefix}foranyaddress {condition.first} ({show(condition.parts[0])})"
    if kind in ("text", "number"):
        return f"{condition.first} {_shown_test(condition)} {condition.second}"
    return prefix + kind


def _shown_test(condition: Condition) -> str:
    word = condition.word.upper() if condition.caseful else condition.word
    if not condition.negated:
        return word
    if condition.kind == "number":
        return f"not {word}"
    if condition.word == "is":
        return f"{word} not"
    return "does not " + word[: -2 if condition.word == "matches" else -1]
