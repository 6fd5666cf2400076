"""``-bP``: the values of options, drivers, named lists, macros and the file itself, laid out as Exim prints them."""

from __future__ import annotations

import grp
import os
import re
from collections.abc import Callable, Iterable
from dataclasses import fields
from typing import Any, NamedTuple

from mta.cli.call import Call
from mta.config.config import Config
from mta.scope.options import ALIASES, MainOptions
from mta.settings.options import OptionInfo, RawOption, option_fields, option_value
from mta.settings.sections import RawDriver
from mta.system.users import find_user
from mta.text.units import format_size, format_time

SECRET = "<value not displayable>"
KINDS = ("router", "transport", "authenticator")
LIST_WORDS = {"domain": "domainlist", "host": "hostlist", "address": "addresslist", "local_part": "localpartlist"}
# Printed with K or M where they divide; other integers as they are.
_SCALED = frozenset({"bounce_return_size_limit", "max_output", "once_file_size"})


def run(call: Call) -> int:
    """Each argument in turn; the exit code is 1 when one of them is not known."""
    words = call.arguments.words
    if not words:
        show_main(call)
        return 0
    code, position = 0, 0
    while position < len(words):
        word = words[position]
        position += 1
        if word in (*KINDS, "macro") and position < len(words):
            known = show_named(call, word, words[position])
            position += 1
        else:
            known = show_word(call, word)
        code = code if known else 1
    return code


def show_word(call: Call, word: str) -> bool:
    """One argument by itself; False, after a message, when it means nothing."""
    config = call.config()
    act = _WORDS.get(word)
    if act is not None:
        return act(call)
    if word.startswith("+"):
        return show_list(call, word[1:])
    name = ALIASES.get(word, word)
    info = option_fields(MainOptions).get(name)
    if info is None:
        call.write(f"{word} is not a known option\n")
        return False
    _print(call, info, name, Given(config.main, config.raw.main), "main")
    return True


def show_main(call: Call) -> bool:
    """All main options by name, mta's own among them."""
    config = call.config()
    for name, info in sorted(option_fields(MainOptions).items()):
        _print(call, info, name, Given(config.main, config.raw.main), "main")
    return True


def show_list(call: Call, name: str) -> bool:
    """Every named list of this name, whatever its kind."""
    found = [item for item in call.config().raw.lists if item.name == name]
    for item in found:
        word = f"{LIST_WORDS[item.kind]} {item.name} = "
        text = SECRET if item.hide and not call.is_admin() else item.text
        call.write(f"{'' if call.arguments.terse else word}{text}\n")
    if not found:
        call.write(f'no address, domain, host, or local part list called "{name}" exists\n')
    return bool(found)


def show_named(call: Call, kind: str, name: str) -> bool:
    """``-bP router NAME`` and kin."""
    if kind == "macro":
        return show_macro(call, name)
    if name not in {instance.name for instance in instances(call.config(), kind)}:
        call.write(f"{kind} {name} not found\n")
        return False
    show_driver(call, kind, name)
    return True


def instances(config: Config, kind: str) -> list[RawDriver]:
    found: list[RawDriver] = getattr(config.raw, f"{kind}s")
    return found


def show_drivers(call: Call, kind: str) -> bool:
    """All instances, each under its own title."""
    for instance in instances(call.config(), kind):
        call.write(f"\n{instance.name} {kind}:\n")
        show_driver(call, kind, instance.name)
    return True


def show_driver(call: Call, kind: str, name: str) -> None:
    """Generic options first, then the driver's own."""
    config = call.config()
    held: Iterable[Any] = getattr(config, f"{kind}s")
    if isinstance(held, dict):
        held = held.values()
    found = next(item for item in held if item.name == name)
    raw = next(instance.options for instance in instances(config, kind) if instance.name == name)
    for owner in (found.options, found.driver):
        for option, info in sorted(option_fields(type(owner)).items()):
            _print(
                call,
                info,
                option,
                Given(owner, raw, getattr(found.driver, "local", False)),
                f"{kind}s/{found.driver_name}",
            )


def show_names(call: Call, kind: str) -> bool:
    for instance in instances(call.config(), kind):
        call.write(f"{instance.name}\n")
    return True


def show_file(call: Call) -> bool:
    call.write(f"{call.config().file}\n")
    return True


def show_environment(call: Call) -> bool:
    """What is left of the environment, sorted as it stands."""
    for name, value in sorted(os.environb.items()):
        text = name.decode("latin-1") + ("" if call.arguments.terse else "=" + value.decode("latin-1"))
        call.write(f"{text}\n")
    return True


def show_config(call: Call) -> bool:
    """The file as it was read: inclusions in place, comments and dead branches gone."""
    raw = call.config().raw
    terse = call.arguments.terse
    if not terse:
        call.write(f'# Exim Configuration (mta)\n# 1 "{raw.file}"\n')
    indent, rules = "", False
    for line in raw.lines:
        text = _shown(call, line.text)
        if terse:
            call.write(f"{text}\n")
        elif text.startswith("begin "):
            call.write(f"\n{text}\n\n")
            indent, rules = "  ", text.split()[1] in ("retry", "rewrite")
        elif rules:
            call.write(f"{indent}{' '.join(text.split())}\n")
        elif indent and _LABEL.match(text):
            call.write(f"  {text}\n")
            indent = "    "
        else:
            call.write(f"{indent}{_spaced(text)}\n")
    return True


_LABEL = re.compile(r"[A-Za-z][A-Za-z0-9_]*[ \t]*:", re.ASCII)


def _spaced(text: str) -> str:
    """One space around the equals sign of a setting; macros and lines of other kinds stay as they are."""
    found = _SETTING.match(text)
    return f"{' '.join(found.group(1).split())} = {found.group(2)}".rstrip() if found else text


_SETTING = re.compile(r"(!?[a-z][a-z_0-9 \t!]*?)[ \t]*=[ \t]*(.*)\Z", re.ASCII | re.DOTALL)


def _shown(call: Call, text: str) -> str:
    """A line that begins with ``hide`` keeps its value from ordinary callers."""
    if not text.startswith("hide ") or call.is_admin():
        return text
    return f"{text.partition('=')[0].rstrip()} = {SECRET}"


def show_macro(call: Call, name: str) -> bool:
    """One macro, for admin users: macros hold passwords."""
    if not _may_see_macros(call):
        return False
    from mta.config.builtin_macros import builtin

    value = call.config().raw.macros.get(name, builtin(name))
    if value is None:
        call.write(f"macro {name} not found\n")
        return False
    call.write(f"{value}\n" if call.arguments.terse else f"{name}={value}\n")
    return True


def show_macros(call: Call, *, values: bool) -> bool:
    """All macros, the built-in ones first."""
    if not _may_see_macros(call):
        return False
    from mta.config.builtin_macros import DEFINED, names

    found = {**dict.fromkeys(names(), DEFINED), **call.config().raw.macros}
    for name, value in found.items():
        call.write(f"{name}={value}\n" if values and not call.arguments.terse else f"{name}\n")
    return True


def _may_see_macros(call: Call) -> bool:
    if call.is_admin():
        return True
    call.error("mta: permission denied")
    return False


def show_all(call: Call) -> bool:
    """Main options, then every driver."""
    show_main(call)
    for kind in KINDS:
        show_drivers(call, kind)
    return True


class Given(NamedTuple):
    """An object of options, and the lines of the file that set some of them."""

    owner: Any
    raw: list[RawOption]
    local: bool = False  # of a transport: delivers on this machine

    def text(self, name: str) -> str | None:
        """The option as the file has it, several settings joined as Exim joins them; None where the file is silent."""
        found = [option.value or "" for option in self.raw if option.name == name]
        if not found:
            return None
        if name == "condition" and len(found) > 1:
            return "${if and{" + "".join(f"{{bool_lax{{{text}}}}}" for text in found) + "}}"
        return (";" if name == "set" else "\n").join(found)

    def default(self, name: str) -> Any:
        """The default as the class declares it."""
        return next(field.default for field in fields(self.owner) if field.name.removesuffix("_") == name)


def _print(call: Call, info: OptionInfo, name: str, given: Given, section: str) -> None:
    terse = call.arguments.terse
    value = option_value(given.owner, name)
    if (info.hide or (section, name) in call.config().hidden) and not call.is_admin():
        call.write(f"{SECRET}\n" if terse else f"{name} = {SECRET}\n")
        return
    if info.kind in ("bool", "bool_expanded"):
        on = _truth(name, value, given)
        if on is not None:
            call.write(f"{'' if on else 'no_'}{name}\n")
            return
    text = printing(format_value(info, name, given, value))
    if section == "main" and not text and name in ("exim_user", "exim_group"):
        site = call.config().site
        text = _login(site.uid) if name == "exim_user" else _group(site.gid)
    equals = f"{name} =" if info.kind in _NO_SPACE and not text else f"{name} = "
    call.write(f"{text}\n" if terse else f"{equals}{text}\n")


# Exim prints no space after the equals sign of these when they are empty.
_NO_SPACE = frozenset({"uids", "gids", "fixed"})


def _truth(name: str, value: Any, given: Given) -> bool | None:
    """On or off, or None for a condition that expands; what an unset option comes down to is the manual's."""
    if isinstance(value, bool):
        return value
    if value is not None:
        return _BOOLEANS.get(value.constant)
    if name == "retry_use_local_part":
        local = ("check_local_user", "local_parts", "condition", "local_part_prefix", "local_part_suffix")
        return given.local or any(getattr(given.owner, other, None) for other in (*local, "senders", "require_files"))
    if name == "log_as_local":
        return next((option.value == "accept" for option in given.raw if option.name == "driver"), False)
    return name == "more"


_BOOLEANS: dict[str | None, bool] = {"true": True, "yes": True, "false": False, "no": False}


def printing(text: str) -> str:
    """Control characters as escapes."""
    return text.replace("\n", "\\n").replace("\t", "\\t").replace("\r", "\\r")


def format_value(info: OptionInfo, name: str, given: Given, value: Any) -> str:
    """The value as the file could have it: numbers and times in their own notation, all else as it was written."""
    if value is None:
        return ""
    shape = _FORMATS.get(info.kind)
    if shape is not None:
        return shape(name, value)
    text = given.text(name)
    if text is None:
        text = value if info.kind == "string" and not info.joins else given.default(name)
    if isinstance(text, str):
        return text if value != "" or given.text(name) else ""
    return str(getattr(value, "source", "")) or (value if isinstance(value, str) else "")


def _number(name: str, value: int) -> str:
    return format_size(value) if name in _SCALED else str(value)


def _kilobytes(_name: str, value: int) -> str:
    for unit, size in (("G", 1 << 20), ("M", 1 << 10)):
        if value and value % size == 0:
            return f"{value // size}{unit}"
    return f"{value}K" if value else "0"


def _fixed(_name: str, value: float) -> str:
    text = f"{value:.3f}".rstrip("0")
    return text + "0" if text.endswith(".") else text


def _octal(_name: str, value: int) -> str:
    return f"0{value:o}"


def _users(_name: str, value: tuple[int, ...]) -> str:
    return ":".join(_login(number) for number in value)


def _login(number: int) -> str:
    account = find_user(str(number))
    return account.name if account else str(number)


def _groups(_name: str, value: tuple[int, ...]) -> str:
    return ":".join(_group(number) for number in value)


def _group(number: int) -> str:
    try:
        return grp.getgrgid(number).gr_name
    except KeyError:
        return str(number)


_FORMATS: dict[str, Callable[[str, Any], str]] = {
    "int": _number,
    "kilobytes": _kilobytes,
    "octal": _octal,
    "fixed": _fixed,
    "time": lambda _name, value: format_time(value),
    "time_list": lambda _name, value: ":".join(format_time(item) for item in value) or "0s",
    "uids": _users,
    "gids": _groups,
}


def _drivers(kind: str) -> Callable[[Call], bool]:
    return lambda call: show_drivers(call, kind)


def _driver_names(kind: str) -> Callable[[Call], bool]:
    return lambda call: show_names(call, kind)


_WORDS: dict[str, Callable[[Call], bool]] = {
    "all": show_all,
    "config": show_config,
    "config_file": show_file,
    "configure_file": show_file,
    "environment": show_environment,
    "macros": lambda call: show_macros(call, values=True),
    "macro_list": lambda call: show_macros(call, values=False),
    **{f"{kind}s": _drivers(kind) for kind in KINDS},
    **{f"{kind}_list": _driver_names(kind) for kind in KINDS},
}
