"""Interleaved rounds: each MTA in turn, several times, so that a noisy machine is noisy for all; medians and ratios."""

from __future__ import annotations

import statistics
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, field


@dataclass(slots=True)
class Figures:
    """Per round: messages a second, and CPU milliseconds a message."""

    rates: list[float] = field(default_factory=list)
    cpu: list[float] = field(default_factory=list)


def measure(work: Callable[[], None], cpu_seconds: Callable[[], float], count: int) -> tuple[float, float]:
    """(messages a second, CPU ms a message) of one round of ``count`` messages."""
    cpu = cpu_seconds()
    start = time.perf_counter()
    work()
    seconds = time.perf_counter() - start
    return count / seconds, (cpu_seconds() - cpu) * 1000 / count


def interleave(rounds: int, runs: dict[str, Callable[[], tuple[float, float]]]) -> dict[str, Figures]:
    """Run every entry once a round, in turn; the first round warms up and is not counted."""
    figures = {name: Figures() for name in runs}
    for number in range(rounds + 1):
        for name, run in runs.items():
            if sys.stderr.isatty():
                print(f"\rround {number}/{rounds} {name:<10}", end="", file=sys.stderr, flush=True)
            rate, cpu = run()
            if number:
                figures[name].rates.append(rate)
                figures[name].cpu.append(cpu)
    if sys.stderr.isatty():
        print(file=sys.stderr)
    return figures


def report(title: str, figures: dict[str, Figures], base: str) -> None:
    """One line an MTA, then the ratios of the medians to ``base``."""
    print(title)
    for name, found in figures.items():
        low, high = min(found.rates), max(found.rates)
        print(
            f"  {name:<8} {statistics.median(found.rates):8.0f} messages/s  ({low:.0f} to {high:.0f})"
            f"   {statistics.median(found.cpu):6.2f} ms CPU a message"
        )
    reference = statistics.median(figures[base].rates)
    for name, found in figures.items():
        if name != base:
            print(f"  ratio {name}/{base}: {statistics.median(found.rates) / reference:.2f}")
