"""``-bf`` and ``-bF``: what a filter file would do with the message on the standard input (filter manual 1.3).

Nothing is done but what an expansion does by itself; the process has no more rights than its caller.
"""

from __future__ import annotations

import os
from dataclasses import dataclass

from mta.cli.call import Call
from mta.cli.modes import filter_message
from mta.filter.actions import FilterError, FilterKind, Outcome, kind_of
from mta.filter.exim.interpreter import interpret
from mta.filter.exim.parser import SYSTEM, Allowed, parse
from mta.filter.exim.world import World
from mta.filter.sieve.capabilities import CAPABILITIES
from mta.filter.sieve.run import Options, SieveFailed, run_sieve
from mta.mail.address import Address, parse_address
from mta.route.redirect_items import Item, parse_items
from mta.scope.scope import Scope

MAX_FILTER = 1 << 20
MAX_INCLUDES = 10
_KINDS = {"": "forward file", "exim": "Exim filter", "sieve": "Sieve filter"}


def run(call: Call) -> int:
    """1 when a filter is in error, otherwise 0."""
    if call.arguments.mode == "bI:sieve":
        call.write("".join(f"{name}\n" for name in sorted(CAPABILITIES)))
        return 0
    _become_caller(call)
    texts: list[tuple[bool, str, str]] = []
    for system, path in ((True, call.arguments.system_filter), (False, call.arguments.user_filter)):
        if path is not None:
            text = _read(call, path)
            if text is None:
                return 1
            texts.append((system, path, text))
    scope = filter_message.read_message(call)
    for system, path, text in texts:
        test = _Test(call, scope, path, text)
        if not (test.system() if system else test.user()):
            return 1
    return 0


def _become_caller(call: Call) -> None:
    if os.geteuid() != call.uid:
        os.setresgid(call.gid, call.gid, call.gid)
        os.setresuid(call.uid, call.uid, call.uid)


def _read(call: Call, path: str) -> str | None:
    try:
        with open(path.encode("latin-1"), "rb") as file:
            return file.read(MAX_FILTER).decode("latin-1")
    except OSError as error:
        call.error(f"mta: failed to open {path}: {error.strerror}")
        return None


@dataclass(slots=True)
class _Test:
    call: Call
    scope: Scope
    path: str
    text: str

    def write(self, line: str) -> None:
        self.call.write(line + "\n")

    def trace(self, line: str) -> None:
        if self.call.arguments.verbose:
            self.call.error(line)

    def announce(self, default: FilterKind = "") -> str:
        kind = kind_of(self.text) or default
        self.write(f'Testing {_KINDS[kind]} file "{self.path}"\n')
        return kind

    def system(self) -> bool:
        self.announce("exim")
        self.scope.vars["system_filter"] = "1"
        try:
            outcome = self._exim(SYSTEM, World(show=self.write, trace=self.trace, system=True))
        finally:
            del self.scope.vars["system_filter"]
        if outcome is None:
            return False
        for number, value in enumerate(outcome.numbers):
            self.scope.vars[f"sn{number}"] = str(0 if outcome.ending else value)
        return True

    def user(self) -> bool:
        kind = self.announce()
        if kind == "exim":
            return self._exim(Allowed(), World(show=self.write, trace=self.trace)) is not None
        return self._sieve() if kind == "sieve" else self._forward()

    def _exim(self, allowed: Allowed, world: World) -> Outcome | None:
        try:
            outcome = interpret(parse(self.text, allowed), self.scope, world)
        except FilterError as error:
            self.write(f"Filter error: {error.message}")
            return None
        if outcome.ending:
            self.write(f'Filtering ended by "{outcome.ending}".')
        elif outcome.seen:
            self.write("Filtering set up at least one significant delivery or other action.")
            self.write("No other deliveries will occur.")
        else:
            self.write("Filtering did not set up a significant delivery.")
            self.write("Normal delivery will occur.")
        return outcome

    def _sieve(self) -> bool:
        options = Options(vacation_directory="", notify=False, trace=self.trace)
        try:
            outcome = run_sieve(self.text, self.scope, options)
        except SieveFailed as error:
            self.write(f"Sieve error: {error}")
            return True
        self.write("No implicit keep" if outcome.seen else "Implicit keep")
        return True

    def _forward(self) -> bool:
        found = parse_items(self.text)
        if found.special is not None and found.special.kind != "blackhole":
            self.write(f'mta: error in forward file: "{found.special.source}" is not permitted')
            return False
        made: list[str] = []
        if found.special is not None:
            self.write('mta: forwardfile contains ":blackhole:"')
        elif not self._generate(found.items, made, 0):
            return False
        if not made:
            self.write("mta: no addresses generated from forward file")
            return True
        self.write("mta: forward file generated:")
        for address in made:
            self.write(f"  {address}")
        return True

    def _generate(self, items: list[Item], made: list[str], depth: int) -> bool:
        for item in items:
            address: str | None = item.text
            if item.kind == "include":
                text = _read(self.call, item.text) if depth < MAX_INCLUDES else None
                if text is None or not self._generate(parse_items(text).items, made, depth + 1):
                    return False
                continue
            if item.kind not in ("pipe", "file"):
                address = self._address(item.text)
            if address is None:
                return False
            made.insert(0, address)
        return True

    def _address(self, text: str) -> str | None:
        parsed = parse_address(text.removeprefix("\\"), allow_domain_literals=True)
        if not isinstance(parsed, Address):
            self.write(f'mta: error in forward file: {parsed.message} in "{text}"')
            return None
        domain = parsed.domain or self.scope.site.options.qualify_recipient
        return f"{parsed.local_part}@{domain}"
