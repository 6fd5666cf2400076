"""The grammar of expansions: text into nodes. Items and conditions bring their own parse functions.

An item's function is called as ``parse(parser, name)`` with the parser behind the name and consumes its
closing bracket; a condition's likewise stops behind its last argument. All refusals are ExpansionFailed.
"""

from __future__ import annotations

import re

from mta.errors import ExpansionFailed
from mta.expand import base, references
from mta.expand.cursor import Cursor
from mta.expand.nodes import EMPTY, Branches, Condition, Node, concat, forced_fail, literal

# Each level costs a few Python frames, both here and when the closures run.
MAX_DEPTH = 100
MAX_TEXT = 16 << 20
_PLAIN = re.compile(r"[^\\$}]+")
_HEADER = re.compile(r"([rbl]?)h(?:eader)?_")
_COLON_HINT = " - could be header name not terminated by colon"


class Parser(Cursor):
    """One text on its way to a node."""

    __slots__ = ("deepest", "depth")

    def __init__(self, text: str) -> None:
        super().__init__(text)
        self.depth = self.deepest = 0
        if len(text) > MAX_TEXT:
            self.fail("string to expand is too long")

    # ---- text

    def whole(self) -> Node:
        """The node of the whole text; closing brackets outside items are plain characters."""
        nodes: list[Node] = []
        while True:
            nodes.append(self._run_of_text())
            if not self.take("}"):
                return concat(nodes)
            nodes.append(literal("}"))

    def braced(self) -> Node:
        """The node of ``{text}``; the cursor is at the opening bracket."""
        self.pos += 1
        return self.closing(self._run_of_text())

    def closing(self, node: Node) -> Node:
        """``node``, once the closing bracket behind its text has been consumed."""
        if not self.take("}"):
            self.fail("missing } at end of string" + (_COLON_HINT if self.header_unclosed else ""))
        return node

    def literal_braced(self) -> str:
        """The value of ``{text}`` in which dollars are ordinary, as in the lists of ``match_domain``."""
        self.pos += 1
        out: list[str] = []
        while (char := self.next) and char != "}":
            self.pos += 1
            out.append(self.escape() if char == "\\" else char)
        self.closing(EMPTY)
        return "".join(out)

    def source_braced(self) -> str | None:
        """The source text of ``{text}``, which is checked for its brackets only; None when it does not close."""
        self.pos += 1
        start = self.pos
        self._run_of_text()
        return self.text[start : self.pos - 1] if self.take("}") else None

    def _run_of_text(self) -> Node:
        """Text up to a closing bracket (not consumed) or the end."""
        self._descend()
        nodes: list[Node] = []
        text = self.text
        while char := self.next:
            if char == "}":
                break
            if char == "\\":
                outer, self.started = self.started, self.pos
                self.pos += 1
                nodes.append(literal(self.escape()))
                self.started = outer
            elif char == "$":
                outer, self.started = self.started, self.pos
                self.pos += 1
                nodes.append(self._dollar())
                self.started = outer
            else:
                plain = _PLAIN.match(text, self.pos)
                assert plain is not None
                self.pos = plain.end()
                nodes.append(literal(plain.group()))
        self.depth -= 1
        return nodes[0] if len(nodes) == 1 else concat(nodes)

    def _descend(self) -> None:
        self.depth += 1
        if self.depth > self.deepest:
            self.deepest = self.depth
            if self.depth > MAX_DEPTH:
                self.fail(f"expansion is nested too deeply (more than {MAX_DEPTH} levels)")

    # ---- what a dollar starts

    def _dollar(self) -> Node:
        char = self.next
        if char == "{":
            self.pos += 1
            return self._item()
        if char.isascii() and char.isdigit():
            return references.capture(self.digits())
        if not (char.isascii() and char.isalpha()):
            self.fail("$ not followed by letter, digit, or {")
        header = _HEADER.match(self.text, self.pos)
        if header:
            self.pos = header.end()
            return references.header(header.group(1), self.header_name())
        name = self.word()
        node = references.variable(name)
        if node is None:
            self.fail(f'unknown variable name "{name}"' + references.acl_hint(name))
        return node

    def _item(self) -> Node:
        if self.next.isascii() and self.next.isdigit():
            number = self.digits()
            if not self.take("}"):
                self.fail("} expected after number")
            return references.capture(number)
        name = self.item_name() if self.next.isascii() and self.next.isalpha() else ""
        if not name:
            self.fail("letter or digit expected after ${")
        # a colon or a bracket behind the name: an operator or a variable, for which not every item need be loaded
        parse = base.items.quick(name) if self.next in (":", "}") else base.items.get(name)
        if parse is not None:
            node: Node = parse(self, name)
            return node
        if self.take(":"):
            return self._operator(name)
        if not self.take("}"):
            self.fail(f'"${{{name}" is not a known operator (or a }} is missing in a variable reference)')
        found = references.variable(name)
        if found is None:
            self.fail(f'unknown variable in "${{{name}}}"' + references.acl_hint(name))
        return found

    def _operator(self, name: str) -> Node:
        stem, mark, rest = name.partition("_")
        if stem == "expand":
            from mta.expand.compiler import compile_cached  # the compiler stands above the grammar

            return references.reexpand(self.closing(self._run_of_text()), compile_cached)
        found = base.operators.get(name)
        argument = None
        if found is None:
            found = base.operators.get(stem)
            if found is None:
                self.fail(f'unknown expansion operator "{name}"')
            name, argument = stem, rest if mark else None
        return references.operator(found, name, argument, self.closing(self._run_of_text()))

    # ---- arguments of items

    def arguments(self, name: str, least: int, most: int) -> list[Node]:
        """``{a}{b}...`` and the item's closing bracket."""
        found: list[Node] = []
        while self.skip_space() == "{":
            if len(found) == most:
                self.fail(f"Too many arguments for '{name}' (max is {most})")
            found.append(self.braced())
        if len(found) < least:
            self.fail(f"Not enough arguments for '{name}' (min is {least})")
        if not self.take("}"):
            self.fail(f"missing '}}' after '{name}'")
        return found

    def argument(self, what: str) -> Node:
        """One ``{text}`` that must be there; ``what`` completes ``missing '{' for``."""
        if self.skip_space() != "{":
            self.fail(f"missing '{{' for {what}")
        return self.braced()

    def branches(self, name: str) -> Branches:
        """The ``{yes}{no}``, ``{yes}fail``, ``{yes}`` or nothing that ends an item, and its closing bracket."""
        if self.skip_space() == "}":
            self.pos += 1
            return Branches(None, EMPTY)
        if self.next != "{":
            self._bracket_problem("'yes' part did not start with '{'")
        yes = self.braced()
        no = EMPTY
        if self.skip_space() == "{":
            no = self.braced()
        elif self.next != "}":
            if self.letters() != "fail":
                self.fail(f'syntax error in "{name}" item - "fail" expected')
            no = forced_fail(name)
        if self.skip_space() != "}":
            self._bracket_problem("did not close with '}'")
        self.pos += 1
        return Branches(yes, no)

    def _bracket_problem(self, what: str) -> None:
        self.fail(f"curly-bracket problem in conditional yes/no parsing: {what}\n remaining string is '{self.rest}'")

    # ---- conditions

    def condition(self) -> Condition:
        """One condition with its negations and arguments."""
        negated = False
        while self.skip_space() == "!":
            self.pos += 1
            negated = not negated
        outer, self.started = self.started, self.pos
        name = self._condition_name()
        parse = base.conditions.get(name)
        if parse is None:
            self.fail(f'unknown condition "{name}"')
        self._descend()
        found: Condition = parse(self, name)
        self.depth -= 1
        self.started = outer
        if negated:
            test = found.test
            return Condition(lambda scope: not test(scope), found.sets)
        return found

    def _condition_name(self) -> str:
        if self.next and self.next in "=<>":
            start = self.pos
            self.pos += 1
            self.take("=")
            return self.text[start : self.pos]
        name = self.word()
        if not name:
            self.fail(f'condition name expected, but found "{self.rest}"')
        return name

    def condition_arguments(self, name: str, count: int) -> list[Node]:
        """The ``{text}`` arguments of a condition, exactly ``count``."""
        return [self.condition_argument(name, number) for number in range(count)]

    def condition_argument(self, name: str, number: int) -> Node:
        self.condition_bracket(name, number)
        return self.braced()

    def condition_bracket(self, name: str, number: int) -> None:
        """Refuse unless an argument's opening bracket is next."""
        if self.skip_space() != "{":
            self.fail(f'missing {{ after "{name}"' if number == 0 else f'missing 2nd string in {{}} after "{name}"')

    def within(self, suffix: str) -> Within:
        """A context in which failures get `` inside "map" item`` and the like added to their words."""
        return Within(suffix)


class Within:
    """Adds to the message of an ExpansionFailed that goes through it."""

    __slots__ = ("suffix",)

    def __init__(self, suffix: str) -> None:
        self.suffix = suffix

    def __enter__(self) -> None:
        return None

    def __exit__(self, _kind: object, error: BaseException | None, _trace: object) -> None:
        if isinstance(error, ExpansionFailed):
            error.message = f"{error.message} {self.suffix}"
            error.args = (error.message,)
