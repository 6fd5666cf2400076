"""Bytes to values: ``lines``, ``proxy``, ``dane``, ``canon``, each a pure module and a Cython twin.

Which twin runs is chosen here, once: the best there is, or what MTA_SPEEDUPS=c|py says (a missing twin is then an
ImportError). ``IMPL`` says which: {"lines": "c", ...}.
"""

from __future__ import annotations

import importlib
import os
from types import ModuleType
from typing import TYPE_CHECKING


def _choose(name: str, wish: str) -> tuple[ModuleType, str]:
    if wish not in ("", "c", "py"):
        raise ImportError(f'MTA_SPEEDUPS is "{wish}": use "c" or "py", or leave it unset')
    if wish != "py":
        try:
            return importlib.import_module(f"mta.wire._{name}"), "c"
        except ModuleNotFoundError:
            if wish == "c":
                raise ImportError(f"MTA_SPEEDUPS=c, but mta.wire._{name} is not built") from None
    return importlib.import_module(f"mta.wire.{name}_py"), "py"


IMPL: dict[str, str] = {}
if TYPE_CHECKING:
    from mta.wire import canon_py as canon
    from mta.wire import dane_py as dane
    from mta.wire import lines_py as lines
    from mta.wire import proxy_py as proxy
else:
    lines, IMPL["lines"] = _choose("lines", os.environ.get("MTA_SPEEDUPS", ""))
    proxy, IMPL["proxy"] = _choose("proxy", os.environ.get("MTA_SPEEDUPS", ""))
    canon, IMPL["canon"] = _choose("canon", os.environ.get("MTA_SPEEDUPS", ""))
    dane, IMPL["dane"] = _choose("dane", os.environ.get("MTA_SPEEDUPS", ""))

__all__ = ["IMPL", "canon", "dane", "lines", "proxy"]
