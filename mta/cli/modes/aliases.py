"""``-bi`` (newaliases): runs bi_command, with the argument of -oA."""

from __future__ import annotations

import subprocess

from mta.cli.call import Call


def run(call: Call) -> int:
    """Nothing to do without bi_command (manual chapter 5)."""
    command = call.config().main.bi_command
    if not command:
        return 0
    if not command.startswith("/"):
        call.error(f"mta: bi_command {command} is not an absolute path")
        return 1
    words = [command, *([call.arguments.aliases_file] if call.arguments.aliases_file else [])]
    try:
        done = subprocess.run([word.encode("latin-1") for word in words], check=False, stdin=subprocess.DEVNULL)
    except OSError as error:
        call.error(f"mta: exec of {command} failed: {error.strerror}")
        return 1
    return done.returncode
