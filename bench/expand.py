"""Expansions: mta's run time beside the time that Exim's -be takes a line (its own start and reading subtracted).

    python -m bench.expand [--lines N]

Exim parses the text at each use, mta once at load; both do that here as they do it in service.
"""

from __future__ import annotations

import argparse
import subprocess
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from mta.config.load import load
from mta.config.runtime import Runtime
from mta.mail.headers import Headers
from tests.peers import programs

CONFIG = """\
primary_hostname = bench.example
keep_environment =
tls_advertise_hosts =
domainlist big = {domains}
hostlist nets = {networks}
"""
MESSAGE = "From: Some Body <some.body@client.example>\nTo: user@bench.example\nSubject: hello there\n\nbody\n"
# name, the text with @ for what changes from line to line, and the subjects
CASES: list[tuple[str, str, Callable[[int], str]]] = [
    (
        "ACL condition",
        "${if and{{match{@}{\\N^[a-z]+\\d*\\.example$\\N}}{!eq{${lc:@}}{x}}{>{${strlen:@}}{3}}}{yes}{no}}",
        lambda number: f"host{number}.example",
    ),
    (
        "header rewrite",
        "${if match_domain{@}{*.example}{${sg{$h_from:}{client}{server}} ${length_10:$h_subject:}}{$h_from:}}",
        lambda number: f"mail{number}.example",
    ),
    ("10,000 domains", "${if match_domain{@}{+big}{y}{n}}", lambda number: f"domain{number * 7 % 20000}.example"),
    (
        "10,000 networks",
        "${if match_ip{@}{+nets}{y}{n}}",
        lambda number: f"10.{number * 13 % 80}.{number * 7 % 256}.{number % 250 + 1}",
    ),
]


def configuration(folder: Path) -> Path:
    """A file with the two long lists."""
    domains = " : ".join(f"domain{number}.example" for number in range(10000))
    networks = " : ".join(f"10.{number // 256}.{number % 256}.0/25" for number in range(10000))
    path = folder / "configure"
    path.write_text(CONFIG.format(domains=domains, networks=networks))
    path.chmod(0o644)
    return path


def time_mta(config: Path, text: str, subject: Callable[[int], str], lines: int) -> float:
    """Microseconds an expansion, compiled once, over changing subjects."""
    runtime = Runtime.start(load(str(config), trusted=False))
    scope = runtime.scope()
    scope.message.headers = Headers()
    for line in MESSAGE.partition("\n\n")[0].split("\n"):
        scope.message.headers.add(line)
    run = runtime.services.compile_text(text.replace("@", "$acl_m_subject"))
    subjects = [subject(number) for number in range(1000)]
    held = scope.message.acl_m
    run(scope)
    start = time.perf_counter()
    for number in range(lines):
        held["_subject"] = subjects[number % 1000]
        run(scope)
    return (time.perf_counter() - start) * 1e6 / lines


def time_exim(exim: str, config: Path, text: str, subject: Callable[[int], str], lines: int) -> float:
    """Microseconds a line of -bem's standard input, less what a line without an expansion takes."""
    message = config.parent / "message"
    message.write_text(MESSAGE)

    def run(given: str) -> float:
        start = time.perf_counter()
        subprocess.run(
            [exim, "-C", str(config), "-bem", str(message)],
            input=given.encode(),
            stdout=subprocess.DEVNULL,
            check=False,
        )
        return time.perf_counter() - start

    work = "".join(text.replace("@", subject(number % 1000)) + "\n" for number in range(lines))
    return max(0.0, run(work) - run("x\n" * lines)) * 1e6 / lines


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--lines", type=int, default=100_000)
    given = parser.parse_args()
    exim = programs.exim()
    print(f"expand: microseconds an expansion, {given.lines} lines")
    with tempfile.TemporaryDirectory(prefix="mta-bench-") as folder:
        Path(folder).chmod(0o755)
        config = configuration(Path(folder))
        for name, text, subject in CASES:
            ours = time_mta(config, text, subject, given.lines)
            # lists of this length take Exim long; fewer lines give the same figure
            lines = min(given.lines, 2_000) if "10,000" in name else given.lines
            theirs = time_exim(exim, config, text, subject, lines) if exim else 0.0
            ratio = f"  ratio exim/mta: {theirs / ours:.1f}" if exim else ""
            print(f"  {name:<16} mta {ours:8.2f}   exim {theirs:8.2f}{ratio}")


if __name__ == "__main__":
    main()
