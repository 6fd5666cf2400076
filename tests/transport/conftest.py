"""A scope, and a folder for mailboxes."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from mta.scope.scope import Scope
from mta.transport.remote.pool import close_idle
from tests.transport.building import make_scope


@pytest.fixture
def scope() -> Iterator[Scope]:
    made = make_scope()
    yield made
    close_idle(made.services)


@pytest.fixture
def mail(tmp_path: Path) -> Path:
    folder = tmp_path / "mail"
    folder.mkdir()
    return folder
