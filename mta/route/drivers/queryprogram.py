"""The queryprogram router (manual chapter 21): a command says in one line what becomes of an address."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from dataclasses import dataclass
from typing import IO, Any

from mta.errors import ConfigError, ExpansionFailed
from mta.expand.items.extract import find_named
from mta.mail.recipient import Recipient
from mta.route.base import Accepted, Answer, Asking, Declined, Failed, Passed, RouteDeferred, Router, routers
from mta.route.drivers.manualroute import ManualRoute
from mta.route.drivers.redirect import Redirect
from mta.route.hosts import Wanted, parse_host_list
from mta.scope.expansion import Expansion
from mta.scope.scope import Scope
from mta.settings.options import option
from mta.system import users
from mta.system.readiness import readable
from mta.text.ascii import WHITESPACE, is_digits, lower, strip
from mta.transport.command import BadCommand, command_line

MAX_LINE = 1023
_LOOKUPS = {"": Wanted(), "byname": Wanted(by_name=True), "bydns": Wanted(by_dns=True)}


@routers.register("queryprogram")
@dataclass(slots=True)
class QueryProgram:
    command: str | None = option("string")  # split into arguments before it is expanded
    command_group: Expansion | None = option("group")
    command_user: Expansion | None = option("user")
    current_directory: str = option("string", "/")
    timeout: float = option("time", 3600.0)

    def __post_init__(self) -> None:
        if self.command is None:
            raise ConfigError("a command specification is required")
        if self.command_user is None:
            raise ConfigError("command_user must be specified")
        if is_digits(self.command_user.source) and self.command_group is None:
            raise ConfigError("no gid set for queryprogram router: command_group must go with a numerical command_user")

    def route(self, router: Router, recipient: Recipient, scope: Scope, asking: Asking) -> Answer:
        assert self.command is not None
        try:
            arguments = command_line(self.command, scope, "queryprogram router", [])
            output = _run(arguments, self, router.name, scope)
        except (BadCommand, ExpansionFailed) as error:
            return RouteDeferred(str(error))
        except _Broken as error:
            return RouteDeferred(f"{router.name} router: {error}", freeze=error.freeze)
        line = output[:MAX_LINE].partition(b"\n")[0].decode("latin-1").rstrip(WHITESPACE)
        word, _, rest = line.partition(" ")
        rest = rest.lstrip(WHITESPACE)
        return self._obey(lower(word), rest, line, router, recipient, scope, asking)

    def _obey(
        self, word: str, rest: str, line: str, router: Router, recipient: Recipient, scope: Scope, asking: Asking
    ) -> Answer:
        match word:
            case "accept":
                return _accept(rest, router, recipient, scope, asking)
            case "decline":
                return Declined("the command said so")
            case "pass":
                return Passed()
            case "fail":
                return Failed(rest, smtp_message=rest)
            case "defer":
                return RouteDeferred(rest)
            case "freeze":
                return RouteDeferred(rest, freeze=not scope.message.frozen)
            case "redirect":
                return _redirect(rest, router, recipient, scope, asking)
        text = f"bad command yield: {line.partition(' ')[0]} {rest}"
        scope.services.log_panic(f"{router.name} router: {text}")
        return RouteDeferred(text)


def _accept(rest: str, router: Router, recipient: Recipient, scope: Scope, asking: Asking) -> Answer:
    """``transport= hosts= lookup= data=``, each of them if it is there."""
    found = {key: find_named(rest, key) for key in ("transport", "hosts", "lookup", "data")}
    transport = found["transport"] or ""
    if transport and asking.transports and transport not in asking.transports:
        text = f"unknown transport name {transport} yielded by command"
        scope.services.log_panic(f"{router.name} router: {text}")
        return RouteDeferred(text)
    wanted = _LOOKUPS.get(found["lookup"] or "")
    if wanted is None:
        text = f'bad lookup type "{found["lookup"]}" yielded by command'
        scope.services.log_panic(f"{router.name} router: {text}")
        return RouteDeferred(text)
    if found["data"] is not None:
        recipient.address_data = found["data"]
    if not found["hosts"]:
        return Accepted(transport)
    items = parse_host_list(found["hosts"], randomize=False)
    return _HOSTS.look_up(router, recipient, scope, items, wanted, transport)


_HOSTS = ManualRoute(route_list="*", host_find_failed="defer")


def _redirect(rest: str, router: Router, recipient: Recipient, scope: Scope, asking: Asking) -> Answer:
    if not rest:
        return RouteDeferred("error in redirect data: no addresses supplied")
    driver = Redirect(
        data=_Text(rest, rest),
        allow_fail=True,
        allow_defer=True,
        forbid_pipe=True,
        forbid_file=True,
        forbid_include=True,
    )
    answer = driver.route(router, recipient, scope, asking)
    if isinstance(answer, RouteDeferred) and answer.message.endswith(" forbidden"):
        answer.message = answer.message.removeprefix("error in redirect data: ")
    return answer


@dataclass(slots=True)
class _Text:
    """What the command wrote, as the redirect router takes its data."""

    source: str
    constant: str | None

    def __call__(self, scope: Scope) -> str:
        return self.source


class _Broken(Exception):
    """The command did not end as it should."""

    def __init__(self, message: str, *, freeze: bool = False) -> None:
        super().__init__(message)
        self.freeze = freeze


def _run(arguments: list[str], driver: QueryProgram, name: str, scope: Scope) -> bytes:
    """What the command wrote to standard output or error. Raises _Broken, ExpansionFailed."""
    ids: dict[str, Any] = _ids(driver, name, scope)
    try:
        process = subprocess.Popen(
            [argument.encode("latin-1") for argument in arguments],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            cwd=driver.current_directory,
            env={},
            start_new_session=True,
            **ids,
        )
    except (OSError, ValueError):
        raise _Broken("command returned non-zero code 127") from None
    try:
        output = _read(process, driver.timeout)
    except subprocess.TimeoutExpired:
        raise _Broken("command timed out", freeze=True) from None
    finally:
        assert process.stdout is not None
        process.stdout.close()
    if process.returncode > 0:
        raise _Broken(f"command returned non-zero code {process.returncode}")
    if process.returncode < 0:
        raise _Broken(f"command killed by signal {-process.returncode}")
    if not output:
        raise _Broken("command failed to return data")
    return output


def _read(process: subprocess.Popen[bytes], timeout: float) -> bytes:
    """The first bytes of what it writes; the rest is read and thrown away, so that it can end."""

    stream: IO[bytes] | None = process.stdout
    assert stream is not None
    end = time.monotonic() + timeout if timeout > 0 else None
    kept = b""
    try:
        while True:
            left = None if end is None else end - time.monotonic()
            if (left is not None and left <= 0) or not readable(stream, left):
                raise subprocess.TimeoutExpired(process.args, timeout)
            piece = os.read(stream.fileno(), 65536)
            if not piece:
                break
            kept = (kept + piece)[: MAX_LINE + 1]
        process.wait(None if end is None else max(0.0, end - time.monotonic()))
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()
        raise
    return kept


def _ids(driver: QueryProgram, name: str, scope: Scope) -> dict[str, object]:
    """Who the command runs as: command_user when we may choose, ourselves otherwise (the manual's warning)."""
    if os.geteuid() != 0:
        return {}
    assert driver.command_user is not None
    text = strip(driver.command_user(scope))
    user = users.find_user(text)
    if user is None and not is_digits(text):
        raise ExpansionFailed(f'{name} router: command_user "{text}" is not a user')
    uid = user.uid if user is not None else int(text)
    gid: int | None = user.gid if user is not None else None
    if driver.command_group is not None:
        gid = users.find_group(strip(driver.command_group(scope)))
    if gid is None:
        raise ExpansionFailed(f"{name} router: command_group is not a group")
    return {"user": uid, "group": gid, "extra_groups": []}
