"""The administrator's Python functions: ``call(scope, "module.function", arguments)``.

``python_startup`` names their files; they are loaded with the configuration, so that workers find them ready.
Whatever a function raises is an ExpansionFailed that says what it was.
"""

from __future__ import annotations

import os
import types
from typing import Any

from mta.errors import ExpansionFailed, MtaError
from mta.scope.expansion import Tainted
from mta.scope.scope import Scope
from mta.text.ascii import to_bytes


def load(path: str) -> types.ModuleType:
    """The module of a file, run once under the file's name without ``.py``; it stays out of ``sys.modules``.

    ImportError with a sentence for a file that cannot be read, has no usable name or raises anything.
    """
    name = os.path.basename(path).removesuffix(".py")
    if not path.startswith("/"):
        raise ImportError(f"{path} is no absolute path")
    if not name.isidentifier():
        raise ImportError(f"{name} cannot be the name of a module")
    module = types.ModuleType(name)
    module.__file__ = path
    try:
        with open(to_bytes(path), "rb") as file:
            code = compile(file.read(), path, "exec")
        exec(code, module.__dict__)  # noqa: S102 an import would leave a __pycache__ beside the administrator's file
    except OSError as error:
        raise ImportError(f"{path}: {error.strerror or error}") from None
    except (Exception, SystemExit) as error:
        raise ImportError(f"{path}: {_told(error, path)}") from None
    return module


def call(scope: Scope, name: str, arguments: list[Any]) -> Any:
    """What the function gave. A name that a peer chose, or that no file has, is refused."""
    if isinstance(name, Tainted):
        scope.services.log_panic(f"attempt to use tainted python function name '{name}'")
        raise ExpansionFailed(f"attempt to use tainted python function name '{name}'")
    module, _, function = name.partition(".")
    found = scope.site.modules.get(module)
    if found is None:
        known = ", ".join(scope.site.modules) or "none"
        raise ExpansionFailed(f'no python module "{module}": python_startup loads {known}')
    target = getattr(found, function, None) if not function.startswith("_") else None
    if not callable(target):
        raise ExpansionFailed(f'python module "{module}" has no function "{function}"')
    try:
        return target(*arguments)
    except MtaError:
        raise
    except (Exception, SystemExit) as error:
        raise ExpansionFailed(f"python function {name} failed: {_told(error, str(found.__file__))}") from None


def given(text: str) -> str:
    """Byte text as a function reads it: UTF-8 where it is, other bytes as surrogates."""
    return to_bytes(text).decode("utf-8", "surrogateescape")


def taken(value: object) -> str:
    """A function's result as byte text: bytes as they are, ``true`` and ``false``, others as ``str`` has them."""
    if isinstance(value, bytes):
        return value.decode("latin-1")
    text = str(value).lower() if isinstance(value, bool) else str(value)
    return text.encode("utf-8", "surrogateescape").decode("latin-1")


def _told(error: BaseException, path: str) -> str:
    """The exception, and the line of the administrator's file where it came from."""
    trace, line = error.__traceback__, 0
    while trace is not None:
        if trace.tb_frame.f_code.co_filename == path:
            line = trace.tb_lineno
        trace = trace.tb_next
    text = f"{type(error).__name__}: {error}" if str(error) else type(error).__name__
    where = f" (line {line})" if line else ""
    return (text.encode("utf-8", "backslashreplace").decode("latin-1")) + where
