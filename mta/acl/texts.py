"""Texts of ACLs compiled at load: a fault in one is a fault of its line in the configuration."""

from __future__ import annotations

from mta.errors import ConfigError, ExpansionFailed, Where
from mta.expand.compiler import compile_text
from mta.scope.expansion import Expansion
from mta.scope.scope import Scope


def compiled(source: str, where: Where) -> Expansion:
    """The expansion; ConfigError with Exim's words when it cannot be one."""
    try:
        return compile_text(source)
    except ExpansionFailed as error:
        raise ConfigError(f'failed to expand ACL string "{source}": {error.message}', where, error) from None


def compiled_word(word: str) -> Expansion:
    """A word of a text that may be expanded whole instead: one that is no expansion fails when it is used."""
    try:
        return compile_text(word)
    except ExpansionFailed as error:
        return _Broken(word, error.message)


class _Broken:
    __slots__ = ("constant", "message", "source")

    def __init__(self, source: str, message: str) -> None:
        self.source, self.message = source, message
        self.constant: str | None = None

    def __call__(self, scope: Scope) -> str:
        raise ExpansionFailed(self.message)
