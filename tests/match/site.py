"""A site for the tests of lists: the named lists of cases.txt, a fake expander, the data files' folder."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from mta.errors import ExpansionFailed, ForcedFail
from mta.match.compile import address_list, domain_list, host_list, local_part_list
from mta.scope.scope import Scope
from mta.scope.services import Services
from mta.scope.site import NamedLists, Site
from tests.fakes.dns import FakeResolver

DATA = Path(__file__).parent / "data"


@dataclass(slots=True)
class Text:
    """An Expansion whose value a function gives; without one its source is constant."""

    source: str
    value: Callable[[Scope], str] | None = None

    @property
    def constant(self) -> str | None:
        return self.source if self.value is None else None

    def __call__(self, scope: Scope) -> str:
        return self.source if self.value is None else self.value(scope)


def forced(_scope: Scope) -> str:
    raise ForcedFail("fail")


def failing(_scope: Scope) -> str:
    raise ExpansionFailed('unknown expansion operator "nosuch"')


NAMED = {
    "domain": {
        "dom": "a.dom.ex : *.sub.dom.ex",
        "neg": "!x.neg.ex",
        "negs": "+neg : *.neg.ex",
        "re": r"^r\d+\.(ex)$",
        "exp": Text("${lc:EXP.EX} : other.ex", lambda _: "exp.ex : other.ex"),
        "ff": Text("${if eq{a}{b}{x}fail}", forced),
        "bad": Text("${nosuch:x}", failing),
        "loops": "+loops",
        "empty": "",
    },
    "address": {"al": "user@al.ex : *@al2.ex : :", "alc": "+caseful : User@al.ex"},
    "local_part": {"lp": "alice : bob", "lpc": "+caseful : Carol : ^D"},
    "host": {
        "hl": "10.0.0.0/8 : !11.1.1.1 : 11.0.0.0/8",
        "names": "*.ex : 192.168.1.1",
        "inc": "+include_unknown : *.ex",
    },
}
MAKE: dict[str, Callable[..., Any]] = {
    "domain": domain_list,
    "address": address_list,
    "local_part": local_part_list,
    "host": host_list,
}


def make_scope(resolver: FakeResolver | None = None, **options: Any) -> Scope:
    """A scope with everything that lists look at."""
    settings = {"primary_hostname": "Our.Host.ex", "hosts_treat_as_local": None, "host_lookup_order": None, **options}
    lists = NamedLists(
        **{kind: {name: MAKE[kind](text) for name, text in named.items()} for kind, named in NAMED.items()}
    )
    site = Site(SimpleNamespace(**settings), lists, interface_addresses=lambda: ["127.0.0.1"])  # type: ignore[arg-type]
    return Scope(site, Services(resolver=resolver or FakeResolver({})))
