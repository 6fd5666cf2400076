"""One loaded configuration: immutable by convention, replaced whole at HUP."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from mta.route.base import Router
from mta.scope.options import MainOptions
from mta.scope.site import Site
from mta.settings.sections import RawConfig
from mta.transport.base import Transport

if TYPE_CHECKING:
    from mta.acl.statements import Acl


@dataclass(slots=True)
class Config:
    """``retry_rules`` and ``rewrite_rules`` in the order of the file; ``hidden`` names (section, option) under
    ``hide``: section "main", "routers" ... The compiled ACLs are by name."""

    file: str
    raw: RawConfig
    main: MainOptions
    site: Site
    acls: dict[str, Acl] = field(default_factory=dict)
    routers: list[Router] = field(default_factory=list)
    transports: dict[str, Transport] = field(default_factory=dict)
    retry_rules: list[Any] = field(default_factory=list)
    rewrite_rules: list[Any] = field(default_factory=list)
    authenticators: list[Any] = field(default_factory=list)
    hidden: frozenset[tuple[str, str]] = frozenset()
