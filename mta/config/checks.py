"""What can only be checked when all sections are there: names that refer to other things of the file.

Exim finds most of these when a message comes by; here they are found at load.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from typing import Any

from mta.config.config import Config
from mta.errors import ConfigError, Where
from mta.match.compile import check_names
from mta.net.resolv_conf import parse_nameservers
from mta.net.sockets import split_port
from mta.registry import nearest
from mta.settings.options import RawOption, option_fields, option_value
from mta.settings.sections import RawDriver
from mta.text.lists import split_list

_WORD = re.compile(r"[A-Za-z][A-Za-z0-9_]*\Z", re.ASCII)
_RATE = re.compile(
    r"\s*\d{1,9}\s*,\s*[\d.]+[smhdw\d]*\s*,\s*[1-9]\d{0,2}(\.\d+)?\s*,\s*[\d.]+[smhdw\d]*\s*\Z", re.ASCII
)
_VERBS = frozenset({"accept", "defer", "deny", "discard", "drop", "require", "warn"})
# options of routers that name a transport, beside the generic one
_TRANSPORT_OPTIONS = ("transport", "directory_transport", "file_transport", "pipe_transport", "reply_transport")


def place(options: Iterable[RawOption], name: str, other: Where) -> Where:
    """Where an option was set."""
    return next((option.where for option in options if option.name == name), other)


def _constant(value: object) -> str | None:
    """The text of an option that does not depend on anything, None for others and for unset ones."""
    if isinstance(value, str):
        return value or None
    constant = getattr(value, "constant", None)
    return constant if isinstance(constant, str) and constant else None


def check_references(config: Config, errors: list[ConfigError]) -> None:
    """Append a fault for each name that leads nowhere."""
    _check_acls(config, errors)
    instances = {instance.name: instance for instance in config.raw.routers}
    _check_routers(config, instances, errors)
    _check_transports(config, errors)
    _check_lists(config, errors)
    _check_addresses(config, errors)
    _check_scanner(config, errors)


def _check_scanner(config: Config, errors: list[ConfigError]) -> None:
    """av_scanner names a type that there is, unless it expands."""
    value = config.main.av_scanner
    if value.startswith("$") or not any(option.name == "av_scanner" for option in config.raw.main):
        return
    from mta.scan.malware import SCANNERS, refusal

    kind = (split_list(value) or [""])[0]
    if kind not in SCANNERS:
        where = place(config.raw.main, "av_scanner", Where(config.file, 0))
        errors.append(ConfigError(f"av_scanner: {refusal(kind)}", where))


def _check_addresses(config: Config, errors: list[ConfigError]) -> None:
    """Options that hold IP addresses, with or without ports."""
    parsers: dict[str, Callable[[str], object]] = {
        "local_interfaces": split_port,
        "extra_local_interfaces": split_port,
        "dns_nameservers": lambda item: parse_nameservers([item]),
    }
    for name in ("smtp_ratelimit_mail", "smtp_ratelimit_rcpt"):
        text = getattr(config.main, name)
        if text is not None and not _RATE.match(text):
            message = f'{name}: "{text}" is not of the form "count,delay,factor,limit"'
            errors.append(ConfigError(message, place(config.raw.main, name, Where(config.file, 0))))
    for name, parse in parsers.items():
        for item in getattr(config.main, name):
            try:
                parse(item)
            except ConfigError as error:
                message = error.message if name in error.message else f'Malformed IP address "{item}" in {name}'
                errors.append(ConfigError(message, place(config.raw.main, name, Where(config.file, 0))))


def _check_lists(config: Config, errors: list[ConfigError]) -> None:
    """Named lists that are mentioned and do not exist, lookups and patterns that cannot work."""
    whole = Where(config.file, 0)

    def check(value: object, where: Where, what: str) -> None:
        try:
            check_names(value, config.site, where)
        except ConfigError as error:
            errors.append(ConfigError(f"{what}: {error.message}", error.where))

    for item in config.raw.lists:
        check(getattr(config.site.lists, item.kind).get(item.name), item.where, item.name)
    for name in option_fields(type(config.main)):
        check(getattr(config.main, name), place(config.raw.main, name, whole), name)
    kinds: list[tuple[str, Iterable[Any], list[RawDriver]]] = [
        ("router", config.routers, config.raw.routers),
        ("transport", config.transports.values(), config.raw.transports),
    ]
    for kind, made, raw in kinds:
        instances = {instance.name: instance for instance in raw}
        for thing in made:
            instance = instances[thing.name]
            for owner in (thing.options, thing.driver):
                for name in option_fields(type(owner)):
                    where = place(instance.options, name, instance.where)
                    check(option_value(owner, name), where, f"{thing.name} {kind}: {name}")


def _check_acls(config: Config, errors: list[ConfigError]) -> None:
    for name, info in option_fields(type(config.main)).items():
        if info.kind != "acl":
            continue
        acl = _constant(getattr(config.main, name))
        if acl is None or not _WORD.match(acl) or acl in _VERBS or acl in config.acls:
            continue
        if any(line.text.startswith(acl) for line in config.raw.acl) and not config.acls:
            continue  # the ACL is there and has a fault of its own
        message = f'{name} refers to the ACL "{acl}", which does not exist' + _hint(acl, list(config.acls))
        errors.append(ConfigError(message, place(config.raw.main, name, Where(config.file, 0))))


def _check_routers(config: Config, instances: dict[str, RawDriver], errors: list[ConfigError]) -> None:
    order = {instance.name: number for number, instance in enumerate(config.raw.routers)}
    known = [instance.name for instance in config.raw.transports]
    for router in config.routers:
        instance = instances[router.name]

        def fault(option: str, message: str, instance: RawDriver = instance) -> None:
            where = place(instance.options, option, instance.where)
            errors.append(ConfigError(f"{instance.name} router: {message}", where))

        for option in _TRANSPORT_OPTIONS:
            name = _constant(getattr(router.options, option, None) or getattr(router.driver, option, None))
            if name is not None and name not in known:
                fault(option, f'transport "{name}" not found' + _hint(name, known))
        for option in ("pass_router", "redirect_router"):
            name = _constant(getattr(router.options, option))
            if name is not None and name not in order:
                fault(option, f'{option} "{name}" not found' + _hint(name, list(order)))
            elif name is not None and option == "pass_router" and order[name] <= order[router.name]:
                fault(option, f'pass_router "{name}" does not follow the "{router.name}" router')
        needs = router.driver_name in ("accept", "dnslookup", "ipliteral") and not router.options.verify_only
        if needs and router.options.transport is None:
            fault("driver", "a transport is required for this router")


def _check_transports(config: Config, errors: list[ConfigError]) -> None:
    instances = {instance.name: instance for instance in config.raw.transports}
    for transport in config.transports.values():
        name = _constant(transport.options.shadow_transport)
        if name is not None and name not in instances:
            instance = instances[transport.name]
            where = place(instance.options, "shadow_transport", instance.where)
            message = f'{transport.name} transport: shadow_transport "{name}" not found'
            errors.append(ConfigError(message + _hint(name, list(instances)), where))


def _hint(name: str, known: list[str]) -> str:
    near = nearest(name, known)
    return f' (did you mean "{near}"?)' if near else ""
