"""``mtactl``, the operator's own tool: the first word is a verb. One function a verb, imports where they are needed.

Exit codes: 0 fine, 1 something is wrong with what was looked at, 2 the command line.
"""

from __future__ import annotations

import argparse
import os
import signal
import sys
import time
from collections import Counter
from collections.abc import Callable
from typing import TextIO

from mta import __version__
from mta.ctl import check, dmarc, ocsp, tlsa
from mta.errors import ConfigError, ConfigErrors, MtaError

STATUS_WAIT = 5.0


def parser() -> argparse.ArgumentParser:
    """The whole command line."""
    top = argparse.ArgumentParser(prog="mtactl", description="Look after a mail server that runs mta.")
    top.add_argument("--version", action="version", version=f"mtactl {__version__}")
    verbs = top.add_subparsers(dest="verb", required=True, metavar="VERB")

    def verb(name: str, run: Callable[[argparse.Namespace, TextIO], int], text: str) -> argparse.ArgumentParser:
        made = verbs.add_parser(name, help=text, description=text)
        made.set_defaults(run=run)
        made.add_argument("-C", dest="config", metavar="FILE", help="the configuration file (as mta -C)")
        made.add_argument("-D", dest="macros", action="append", default=[], metavar="NAME=VALUE", help="as mta -D")
        return made

    lint = verb("lint", run_lint, "read a configuration and say everything that is wrong with it, with file and line")
    lint.add_argument("file", nargs="?", help="the file; without it, the one that mta would read")
    verb("status", run_status, "show what the daemon's processes and sessions are doing")
    queue = verb("queue", run_queue, "sum the queue up by recipient domain: messages, frozen ones, oldest")
    queue.add_argument("--limit", type=int, default=20, help="how many domains to show (20)")
    check.add_verbs(verb("check", check.run_check, "check a sender or a message: spf, dmarc ..."))
    dmarc.add_verbs(verb("dmarc", dmarc.run_dmarc, "send DMARC aggregate reports"))
    tlsa.add_arguments(verb("tlsa", tlsa.run_tlsa, "print the TLSA records to publish for a certificate (DANE)"))
    ocsp.add_verbs(verb("ocsp", ocsp.run_status, "fetch OCSP proofs for stapling, and show their state"))
    verbs.add_parser("help", help="show this text").set_defaults(run=None)
    return top


def main(argv: list[str], out: TextIO) -> int:
    """Run one verb; messages about failures go to standard error."""
    arguments = parser().parse_args(argv)
    if arguments.run is None:
        parser().print_help(out)
        return 0
    try:
        code: int = arguments.run(arguments, out)
        return code
    except ConfigErrors as error:
        for line in error.errors:
            print(f"mtactl: {line}", file=sys.stderr)
        return 1
    except MtaError as error:
        print(f"mtactl: {error}", file=sys.stderr)
        return 1
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
        return 1


def entry() -> None:
    """The console script."""
    sys.exit(main(sys.argv[1:], sys.stdout))


def macros(arguments: argparse.Namespace) -> dict[str, str]:
    """The macros of -D; a bare name is empty."""
    pairs = (text.partition("=") for text in arguments.macros)
    return {name.strip(): value.strip() for name, _, value in pairs}


def run_lint(arguments: argparse.Namespace, out: TextIO) -> int:
    """Load, and print each fault; nothing is started."""
    from mta.acl.lint import notes
    from mta.config.advice import advice
    from mta.config.load import load

    path = arguments.file or arguments.config
    try:
        config = load(path, macros(arguments), trusted=False)
    except ConfigErrors as error:
        for fault in error.errors:
            print(fault.shown(), file=out)
        count = len(error.errors)
        print(f"{count} fault{'s' if count != 1 else ''}", file=out)
        return 1
    except ConfigError as error:
        print(error.shown(), file=out)
        return 1
    for note in [*notes(config.acls), *advice(config)]:
        print(f"{note.where}: warning: {note.message}", file=out)
    parts = [(config.acls, "ACLs"), (config.routers, "routers"), (config.transports, "transports")]
    summary = ", ".join(f"{len(found)} {name}" for found, name in parts)
    print(f"{config.file}: no faults found ({summary})", file=out)
    return 0


def run_status(arguments: argparse.Namespace, out: TextIO) -> int:
    """Ask the master to write what everybody does (SIGUSR1, as exiwhat) and show it."""
    from mta.config.load import load
    from mta.config.runtime import Runtime
    from mta.daemon.places import pid_file, process_log

    runtime = Runtime.start(load(arguments.config, macros(arguments), trusted=False))
    path, pids = process_log(runtime), pid_file(runtime)
    try:
        with open(pids, encoding="ascii") as file:
            pid = int(file.read())
        before = os.stat(path).st_mtime_ns if os.path.exists(path) else 0
        os.kill(pid, signal.SIGUSR1)
    except (OSError, ValueError) as error:
        raise MtaError(f"no daemon found by {pids}: {error}") from None
    deadline = time.monotonic() + STATUS_WAIT
    while not os.path.exists(path) or os.stat(path).st_mtime_ns == before:
        if time.monotonic() > deadline:
            raise MtaError(f"process {pid} did not write {path}")
        time.sleep(0.02)
    with open(path, encoding="latin-1") as file:
        out.write(file.read())
    return 0


def run_queue(arguments: argparse.Namespace, out: TextIO) -> int:
    """Messages that wait, by the domains they wait for."""
    from mta.config.load import load
    from mta.config.runtime import Runtime
    from mta.errors import SpoolError

    spool = Runtime.start(load(arguments.config, macros(arguments), trusted=False)).spool
    waiting: Counter[str] = Counter()
    frozen: Counter[str] = Counter()
    oldest: dict[str, float] = {}
    for message_id in spool.ids():
        try:
            message, _ = spool.read(message_id)
        except (SpoolError, OSError):
            waiting["(unreadable)"] += 1
            continue
        left = {r.address for r in message.recipients if r.address not in message.delivered}
        for domain in {address.rpartition("@")[2].lower() for address in left}:
            waiting[domain] += 1
            frozen[domain] += message.frozen
            oldest[domain] = min(oldest.get(domain, message.received_time), message.received_time)
    print(f"{'messages':>8} {'frozen':>7} {'oldest':>8}  domain", file=out)
    for domain, count in waiting.most_common(arguments.limit):
        print(f"{count:8d} {frozen[domain]:7d} {age(oldest.get(domain, 0.0)):>8}  {domain}", file=out)
    return 0


def age(since: float) -> str:
    """``3h``: how long ago, in the largest unit that gives a whole number."""
    seconds = max(0.0, time.time() - since)
    for unit, length in (("d", 86400), ("h", 3600), ("m", 60)):
        if seconds >= length:
            return f"{seconds / length:.0f}{unit}"
    return f"{seconds:.0f}s"
