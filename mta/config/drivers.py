"""Router, transport and authenticator instances from their options: generic ones and the driver's own.

One faulty instance is left out, its faults are kept, and the others are still made.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from mta.config.converters import CONVERTERS
from mta.errors import ConfigError, ExpansionFailed
from mta.expand.compiler import compile_text
from mta.registry import Registry, nearest
from mta.route.base import Router, RouterOptions, routers
from mta.route.chain import parse_sets
from mta.settings import names
from mta.settings.options import RawOption, bind, option_fields, unknown_option
from mta.settings.sections import RawDriver
from mta.transport.base import Transport, TransportOptions, transports

# One word that sets two options (manual chapter 15).
BOTH = {
    "verify": ("verify_recipient", "verify_sender"),
    "fail_verify": ("fail_verify_recipient", "fail_verify_sender"),
}


@dataclass(slots=True)
class Made:
    """What one instance became: its driver's name, generic options and driver."""

    driver_name: str
    options: Any
    driver: Any


def load_routers(instances: list[RawDriver], errors: list[ConfigError]) -> list[Router]:
    """In the order of the file."""
    found = []
    for instance in instances:
        instance.options = spread(instance.options)
        made = make("routers", instance, RouterOptions, routers, errors)
        if made is None:
            continue
        try:
            sets = parse_sets(made.options.set, compile_text)
        except ExpansionFailed as error:
            where = next((option.where for option in instance.options if option.name == "set"), instance.where)
            errors.append(ConfigError(f"{instance.name} router: {error.message}", where, error))
            continue
        found.append(Router(instance.name, made.driver_name, made.options, made.driver, sets))
    return found


def load_transports(instances: list[RawDriver], errors: list[ConfigError]) -> dict[str, Transport]:
    """By name."""
    found = {}
    for instance in instances:
        made = make("transports", instance, TransportOptions, transports, errors)
        if made is not None:
            found[instance.name] = Transport(instance.name, made.driver_name, made.options, made.driver)
    return found


def load_authenticators(instances: list[RawDriver], errors: list[ConfigError]) -> list[Any]:
    """In the order of the file."""
    if not instances:
        return []
    from mta.sasl.base import Authenticator, AuthenticatorOptions, mechanisms

    found = []
    for instance in instances:
        made = make("authenticators", instance, AuthenticatorOptions, mechanisms, errors)
        if made is not None:
            found.append(Authenticator(instance.name, made.driver_name, made.options, made.driver))
    return found


def spread(options: list[RawOption]) -> list[RawOption]:
    """``verify`` and ``fail_verify`` as the two options that each stands for; one set by itself wins."""
    given = {option.name for option in options}
    found = []
    for option in options:
        if option.name not in BOTH:
            found.append(option)
            continue
        for name in BOTH[option.name]:
            if name not in given:
                found.append(RawOption(name, option.value, option.where, option.hide, option.negated))
    return found


def make(
    section: str, instance: RawDriver, generic: type, registry: Registry[Any], errors: list[ConfigError]
) -> Made | None:
    """The options and the driver of one instance, or None when it cannot be made."""
    kind = section.removesuffix("s")
    chosen = instance.driver()
    if chosen is None or not chosen.value:
        errors.append(ConfigError(f'no driver defined for {kind} "{instance.name}"', instance.where))
        return None
    cls = registry.get(chosen.value)
    if cls is None:
        errors.append(ConfigError(_no_driver(section, kind, instance.name, chosen.value, registry), chosen.where))
        return None
    before = len(errors)
    mine, own = option_fields(generic), option_fields(cls)
    planned = names.driver_options(section, chosen.value)
    for option in instance.options:
        if option.name not in mine and option.name not in own:
            errors.append(unknown_option(option.name, [*mine, *own], planned, option.where))
    try:
        options: Any = bind(generic, instance.options, CONVERTERS, errors)
        driver: Any = bind(cls, [o for o in instance.options if o.name not in mine], CONVERTERS, errors)
    except (ConfigError, ExpansionFailed) as error:
        if len(errors) == before:
            where = error.where if isinstance(error, ConfigError) and error.where.file else instance.where
            errors.append(ConfigError(f"{instance.name} {kind}: {error.message}", where))
        return None
    return Made(chosen.value, options, driver) if len(errors) == before else None


def _no_driver(section: str, kind: str, instance: str, name: str, registry: Registry[Any]) -> str:
    planned = names.drivers(section)
    if name in planned:
        return f'{kind} driver "{name}" is not implemented in mta yet'
    near = nearest(name, sorted({*registry.names(), *planned}))
    hint = f' (did you mean "{near}"?)' if near else ""
    return f'{kind} {instance}: cannot find {kind} driver "{name}"{hint}'
