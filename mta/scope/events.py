"""Events (manual chapter 61): ``main_event`` and ``transport_event`` tell a configuration what has just happened.

Beside ``event_action`` two options of our own hear of each event: ``event_python = module.function`` is called with
a dict, ``event_log`` is a file that gets one JSON line. An option that is not set costs a comparison.
"""

from __future__ import annotations

import importlib
import json
import os
import time
from collections.abc import Callable, Mapping
from types import ModuleType
from typing import TYPE_CHECKING, Any, Protocol

from mta.errors import MtaError
from mta.text.ascii import to_bytes

if TYPE_CHECKING:
    from mta.scope.expansion import Expansion
    from mta.scope.scope import Scope

NO_CONNECTION = -58  # Exim's number for a connection that an event forbade
_LOG_MODE = 0o640
_OLD_DELIVERY = "msg:delivery"
_OLD_DEFER = "msg:host:defer"


class Actions(Protocol):
    """The options of the main section or of one transport that events are told to."""

    event_action: Expansion | None
    event_python: str | None
    event_log: Expansion | None


def main_event(scope: Scope, name: str, data: str = "", errno: int = 0) -> str:
    """Tell the main section; what its expansion forces, "" normally."""
    options: Any = scope.site.options
    if options.event_action is None and options.event_python is None and options.event_log is None:
        return ""
    return _tell(options, scope, name, data, errno, "main")


def transport_event(scope: Scope, transport: str, name: str, data: str = "", errno: int = 0) -> str:
    """Tell the transport of this name; what its expansion forces, "" normally. Nothing happens for one that is gone."""
    found = scope.services.state.get("transports")
    instance = found.get(transport) if found else None
    if instance is None:
        return ""
    options = instance.options
    old: Expansion | None = None
    if name == _OLD_DELIVERY:
        old = options.tpda_delivery_action
    elif name == _OLD_DEFER:
        old = getattr(instance.driver, "tpda_host_defer_action", None)
    if old is not None:
        _tell_as_of_old(old, scope, name, data, errno, transport)
    if options.event_action is None and options.event_python is None and options.event_log is None:
        return ""
    with scope.saved("router", "transport"):
        scope.transport = transport
        if scope.recipient is not None:
            scope.router = scope.recipient.router
        return _tell(options, scope, name, data, errno, transport)


def _tell(options: Actions, scope: Scope, name: str, data: str, errno: int, where: str) -> str:
    if options.event_log is not None:
        _log(options.event_log, scope, name, data, errno, where)
    forced = ""
    if options.event_python is not None:
        forced = _call(options.event_python, scope, name, data, errno, where)
    if options.event_action is not None:
        variables = {"event_name": name, "event_data": data, "event_defer_errno": str(errno)}
        forced = _expand(options.event_action, scope, variables, f"event_action {name} in {where}") or forced
    return forced


def _expand(text: Expansion, scope: Scope, variables: dict[str, str], what: str) -> str:
    """The result of an expansion that may fail without consequence; nothing that it sets stays."""
    with scope.saved("vars", "tainted", "captures", "item", "value"):
        scope.vars = {**scope.vars, **variables}
        try:
            return text(scope)
        except MtaError as error:
            _panic(scope, f"failed to expand {what}: {error}")
            return ""


def _tell_as_of_old(text: Expansion, scope: Scope, name: str, data: str, errno: int, where: str) -> None:
    """tpda_delivery_action and tpda_host_defer_action, with the variables that they had before events had names."""
    host, recipient = scope.host, scope.recipient
    variables = {
        "event_name": name,
        "event_data": data,
        "event_defer_errno": str(errno),
        "tpda_delivery_ip": host.address if host is not None else "",
        "tpda_delivery_port": str(host.port or scope.vars.get("host_port", "0")) if host is not None else "0",
        "tpda_delivery_fqdn": host.name if host is not None else "",
        "tpda_delivery_local_part": recipient.local_part if recipient is not None else "",
        "tpda_delivery_domain": recipient.domain if recipient is not None else "",
        "tpda_delivery_confirmation": data if name == _OLD_DELIVERY else "",
        "tpda_defer_errno": str(errno),
        "tpda_defer_errstr": data if name == _OLD_DEFER else "",
    }
    option = "tpda_delivery_action" if name == _OLD_DELIVERY else "tpda_host_defer_action"
    _expand(text, scope, variables, f"{option} in {where}")


def facts(scope: Scope, name: str, data: str, errno: int, where: str) -> dict[str, Any]:
    """An event as event_python and event_log are told of it; texts are UTF-8 where they can be."""
    recipient, host, tls = scope.recipient, scope.host, scope.tls_out
    found: dict[str, Any] = {
        "time": round(time.time(), 6),
        "event": name,
        "data": data,
        "defer_errno": errno,
        "where": where,
        "message_id": scope.message.id,
        "sender": scope.message.sender,
        "router": (recipient.router if recipient is not None else "") or scope.router,
        "transport": scope.transport,
        "address": recipient.address if recipient is not None else "",
        "local_part": recipient.local_part if recipient is not None else "",
        "domain": recipient.domain if recipient is not None else "",
        "host": host.name if host is not None else "",
        "host_address": host.address if host is not None else "",
        "host_port": (host.port or _number(scope.vars.get("host_port", ""))) if host is not None else 0,
        "sending_ip_address": scope.vars.get("sending_ip_address", ""),
        "sending_port": _number(scope.vars.get("sending_port", "")),
        "tls_out_cipher": tls.cipher if tls is not None else "",
        "tls_out_dane": tls.dane if tls is not None else "",
        "verify_mode": scope.verify_mode,
        "peer_address": scope.peer.address,
    }
    return {key: _readable(value) if isinstance(value, str) else value for key, value in found.items()}


def _number(text: str) -> int:
    return int(text) if text.isascii() and text.isdigit() else 0


def _readable(text: str) -> str:
    return to_bytes(text).decode("utf-8", "backslashreplace")


def _log(path: Expansion, scope: Scope, name: str, data: str, errno: int, where: str) -> None:
    line = json.dumps(facts(scope, name, data, errno, where), ensure_ascii=False) + "\n"
    file = _expand(path, scope, {"event_name": name}, f"event_log in {where}")
    if not file:
        return
    try:
        flags = os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC
        fd = os.open(to_bytes(file), flags, _LOG_MODE)
        try:
            os.write(fd, line.encode("utf-8", "surrogatepass"))  # one write: lines of several processes do not mix
        finally:
            os.close(fd)
    except OSError as error:
        _panic(scope, f"cannot write event_log {file}: {error.strerror}")


def _call(path: str, scope: Scope, name: str, data: str, errno: int, where: str) -> str:
    try:
        result = function_of(path, scope.site.modules)(facts(scope, name, data, errno, where))
    except Exception as error:  # the operator's own code: whatever it raises is for the operator to read
        _panic(scope, f"event_python {path} failed for {name} in {where}: {error!r}")
        return ""
    return str(result) if result else ""


def function_of(path: str, loaded: Mapping[str, ModuleType]) -> Callable[[dict[str, Any]], Any]:
    """The function that ``module.function`` names, of a file of python_startup or of an installed module.

    ImportError or AttributeError when there is none.
    """
    module, _, function = path.rpartition(".")
    home = loaded[module] if module in loaded else importlib.import_module(module)
    found: Callable[[dict[str, Any]], Any] = getattr(home, function)
    return found


def _panic(scope: Scope, line: str) -> None:
    scope.services.log_panic(f"{scope.message.id} {line}" if scope.message.id else line)
