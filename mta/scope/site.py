"""What is fixed for one loaded configuration and visible to expansions and lists."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from types import ModuleType
from typing import TYPE_CHECKING

from mta.scope.expansion import AddressList, DomainList, HostList

if TYPE_CHECKING:
    from mta.scope.options import MainOptions


@dataclass(slots=True)
class NamedLists:
    """The file's named lists by kind; compiled once by ``config``."""

    domain: dict[str, DomainList] = field(default_factory=dict)
    host: dict[str, HostList] = field(default_factory=dict)
    address: dict[str, AddressList] = field(default_factory=dict)
    local_part: dict[str, DomainList] = field(default_factory=dict)


@dataclass(slots=True)
class Site:
    """``options`` has every main option as an attribute under Exim's name."""

    options: MainOptions
    lists: NamedLists = field(default_factory=NamedLists)
    config_file: str = ""
    config_dir: str = ""
    uid: int = -1  # exim_user, resolved
    gid: int = -1
    modules: dict[str, ModuleType] = field(default_factory=dict)  # of python_startup, by name
    # "@" and "@[]" in lists: our interfaces' addresses, found once
    interface_addresses: Callable[[], list[str]] = lambda: ["127.0.0.1", "::1"]
