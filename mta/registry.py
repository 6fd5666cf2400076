"""Registries of drivers: filled by decorators at import, never written after.

``get`` imports the modules that have the name it is asked for, and every module of the package when none has it;
``discover`` imports them all, once. An import error comes through.
"""

from __future__ import annotations

import importlib
import os
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
    import difflib

    found = difflib.get_close_matches(name, known, n=1, cutoff=0.6)
    return found[0] if found else None


def _sources(package: str) -> dict[str, bytes]:
    """The text of each module of a package; nothing where only compiled files are."""
    found = {}
    for folder in importlib.import_module(package).__path__:
        for entry in sorted(os.listdir(folder)):
            if entry.endswith(".py") and entry != "__init__.py":
                with open(os.path.join(folder, entry), "rb") as file:
                    found[entry.removesuffix(".py")] = file.read()
    return found


class Registry(Generic[T]):
    """Names to things of one kind, e.g. ``routers = Registry[type[Driver]]("router driver", "mta.route.drivers")``."""

    def __init__(self, kind: str, package: str | None = None) -> None:
        self.kind = kind
        self._package = package
        self._found: dict[str, T] = {}
        self._discovered = package is None
        self._sources: dict[str, bytes] | None = None

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

    def quick(self, name: str) -> T | None:
        """What ``get`` finds without importing everything: in the module called ``name``, or one that quotes it."""
        if name not in self._found and not self._discovered:
            assert self._package is not None
            if self._sources is None:
                self._sources = _sources(self._package)
            for module in (name, f"{name}_"):
                if module in self._sources:
                    importlib.import_module(f"{self._package}.{module}")
            if name not in self._found:
                quoted = b'"' + name.encode() + b'"'
                for module, source in self._sources.items():
                    if quoted in source:
                        importlib.import_module(f"{self._package}.{module}")
        return self._found.get(name)

    def get(self, name: str) -> T | None:
        found = self.quick(name)
        if found is None and not self._discovered:
            self.discover()
            return self._found.get(name)
        return found

    def __getitem__(self, name: str) -> T:
        found = self.get(name)
        if found is None:
            raise UnknownName(self.kind, name, sorted(self._found))
        return found

    def __contains__(self, name: object) -> bool:
        return isinstance(name, str) and self.get(name) is not None

    def __iter__(self) -> Iterator[str]:
        self.discover()
        return iter(sorted(self._found))

    def names(self) -> list[str]:
        """All registered names, sorted."""
        return list(self)
