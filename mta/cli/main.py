"""The command ``mta``: parses the command line and hands over to the one mode it names, imported when needed."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from importlib import import_module
from importlib.util import find_spec

from mta.cli.arguments import Arguments, UsageError
from mta.cli.call import Call
from mta.cli.options import MESSAGE_MODES, USAGE, parse
from mta.errors import ConfigError, ExpansionFailed, MtaError

# Mode -> module of mta.cli.modes; each has ``run(call: Call) -> int``.
MODES = {
    "bV": "version",
    "bP": "show",
    "bt": "address",
    "bv": "address",
    "bvs": "address",
    "brw": "rewrite",
    "brt": "retry",
    "bi": "aliases",
    "be": "evaluate",
    "bem": "evaluate",
    "bf": "filter",
    "bI:sieve": "filter",
    "bh": "session",
    "bhc": "session",
    "bs": "submit",
    "bS": "submit",
    "bm": "submit",
    "bd": "daemon",
    "q": "daemon",
    "oPX": "daemon",
    "z": "logline",
    **dict.fromkeys(("bp", "bpa", "bpc", "bpi", "bpr", "bpra", "bpri", "bpru", "bpu"), "queue"),
    **dict.fromkeys(MESSAGE_MODES, "message"),
}
OK, FAILED = 0, 1


def entry() -> int:
    """The console script: the process's own arguments and streams."""
    argv = [os.fsencode(word).decode("latin-1") for word in sys.argv]
    code = main(argv[0], argv[1:], own_process=True)
    try:
        sys.stdout.flush()
    except BrokenPipeError:
        # the reader went away; the interpreter must not find that out again at exit
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
    return code


def main(program: str, argv: list[str], *, own_process: bool = False) -> int:
    """Run one call; the exit code. Faults of the caller and of the configuration go to standard error."""
    call = Call(Arguments(), program)
    call.own_process = own_process
    try:
        call.arguments = parse(program, argv)
    except UsageError as error:
        call.error(str(error))
        return FAILED
    if call.arguments.mode in ("", "help"):
        call.error(USAGE.rstrip("\n"))
        return FAILED
    give_up_rights(call)
    try:
        return _run(call)
    except ConfigError as error:
        for line in error.shown().split("\n"):
            call.error(f"mta: configuration error: {line}")
        return FAILED
    except (ExpansionFailed, MtaError) as error:
        call.error(f"mta: {error}")
        return FAILED
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
        return FAILED
    except PermissionError as error:
        call.error(f"mta: {error.strerror or error}" + (f": {error.filename}" if error.filename else ""))
        return FAILED
    except KeyboardInterrupt:
        return 130
    finally:
        _flush(call)


def give_up_rights(call: Call) -> None:
    """-C and -D of an ordinary caller cost a set-uid wrapper's rights (manual section 6.1)."""
    arguments = call.arguments
    if (arguments.config_file is not None or arguments.macros) and not call.may_use_config():
        os.setgroups([]) if os.geteuid() == 0 else None
        os.setresgid(call.gid, call.gid, call.gid)
        os.setresuid(call.uid, call.uid, call.uid)


def _run(call: Call) -> int:
    mode = call.arguments.mode
    module = f"mta.cli.modes.{MODES[mode]}"
    if find_spec(module) is None:
        raise UsageMissing(f"option -{mode} is not implemented in mta yet")
    run: Callable[[Call], int] = import_module(module).run
    return run(call)


class UsageMissing(MtaError):
    """A mode that has no module yet."""


def _flush(call: Call) -> None:
    try:
        call.stdout.flush()
    except (BrokenPipeError, ValueError):
        return
