"""Registries of drivers: filled by decorators at import, never written after.

``discover`` imports every module of a package once; an import error comes through.
"""

from __future__ import annotations

import difflib
import importlib
import pkgutil
from collections.abc import Callable, Iterator
from typing import Generic, TypeVar

T = TypeVar("T")


class UnknownName(KeyError):
    """``registry[name]`` for a name that nobody registered; ``str()`` is a sentence for the operator."""

    def __init__(self, kind: str, name: str, known: list[str]) -> None:
        super().__init__(name)
        near = nearest(name, known)
        self.message = f'unknown {kind} "{name}"' + (f' (did you mean "{near}"?)' if near else "")

    def __str__(self) -> str:
        return self.message


def nearest(name: str, known: list[str]) -> str | None:
    """The known name most like ``name``, or None when nothing is near."""
    found = difflib.get_close_matches(name, known, n=1, cutoff=0.6)
    return found[0] if found else None


class Registry(Generic[T]):
    """Names to things of one kind, e.g. ``routers = Registry[type[Driver]]("router driver", "mta.route.drivers")``."""

    def __init__(self, kind: str, package: str | None = None) -> None:
        self.kind = kind
        self._package = package
        self._found: dict[str, T] = {}
        self._discovered = package is None

    def register(self, *names: str) -> Callable[[T], T]:
        """A decorator that registers its object under each of ``names``; a name taken twice is an error."""

        def add(thing: T) -> T:
            for name in names:
                if name in self._found:
                    raise ValueError(f"{self.kind} {name!r} is registered twice")
                self._found[name] = thing
            return thing

        return add

    def discover(self) -> None:
        """Import every module of the registry's package, once."""
        if self._discovered:
            return
        self._discovered = True
        assert self._package is not None
        package = importlib.import_module(self._package)
        for module in pkgutil.iter_modules(package.__path__):
            importlib.import_module(f"{self._package}.{module.name}")

    def __getitem__(self, name: str) -> T:
        self.discover()
        try:
            return self._found[name]
        except KeyError:
            raise UnknownName(self.kind, name, sorted(self._found)) from None

    def get(self, name: str) -> T | None:
        self.discover()
        return self._found.get(name)

    def __contains__(self, name: object) -> bool:
        self.discover()
        return name in self._found

    def __iter__(self) -> Iterator[str]:
        self.discover()
        return iter(sorted(self._found))

    def names(self) -> list[str]:
        """All registered names, sorted."""
        return list(self)
