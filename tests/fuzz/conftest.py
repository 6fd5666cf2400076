"""How long fuzzing takes. With FUZZ_SECONDS (make fuzz) the hypothesis tests share that time, each with new examples
until its share is spent; without it each runs once, always with the same examples."""

from __future__ import annotations

import os
import time

import pytest
from hypothesis import settings

SECONDS = float(os.environ.get("FUZZ_SECONDS") or 0)
_SHARE = pytest.StashKey[float]()

settings.register_profile("short", derandomize=True, database=None)
settings.register_profile("long", derandomize=False, print_blob=True)
settings.load_profile("long" if SECONDS else "short")


def _is_fuzz(item: pytest.Item) -> bool:
    return getattr(getattr(item, "obj", None), "is_hypothesis_test", False) is True


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    fuzzing = sum(_is_fuzz(item) for item in items)
    config.stash[_SHARE] = SECONDS / fuzzing if fuzzing else 0.0


@pytest.hookimpl(tryfirst=True)
def pytest_pyfunc_call(pyfuncitem: pytest.Function) -> bool | None:
    if not SECONDS or not _is_fuzz(pyfuncitem):
        return None
    end = time.monotonic() + pyfuncitem.config.stash[_SHARE]
    given = {name: pyfuncitem.funcargs[name] for name in pyfuncitem._fixtureinfo.argnames}
    rounds = 0
    while rounds == 0 or time.monotonic() < end:
        pyfuncitem.obj(**given)
        rounds += 1
    pyfuncitem.user_properties.append(("rounds", rounds))
    return True
