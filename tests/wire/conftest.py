"""Each test here runs on both twins of its module."""

from __future__ import annotations

import importlib
from types import ModuleType

import pytest


def twins(name: str) -> list[ModuleType]:
    return [importlib.import_module(f"mta.wire.{name}_py"), importlib.import_module(f"mta.wire._{name}")]


@pytest.fixture(params=["py", "c"])
def lines(request: pytest.FixtureRequest) -> ModuleType:
    return twins("lines")[request.param == "c"]


@pytest.fixture(params=["py", "c"])
def proxy(request: pytest.FixtureRequest) -> ModuleType:
    return twins("proxy")[request.param == "c"]


@pytest.fixture(params=["py", "c"])
def dane(request: pytest.FixtureRequest) -> ModuleType:
    return twins("dane")[request.param == "c"]
