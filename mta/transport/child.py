"""Running a command with a message on its standard input, and catching what it says.

Safe in a process of many threads: the child's umask, directory and process group are set by the child's start,
nothing of ours is touched.
"""

from __future__ import annotations

import os
import signal
import subprocess
import threading
from collections.abc import Iterable
from dataclasses import dataclass


@dataclass(slots=True)
class Finished:
    """How it ended: ``code`` as subprocess has it, negative for a signal."""

    code: int
    output: bytes
    timed_out: bool = False
    exec_failed: bool = False
    input_error: BaseException | None = None  # composing the message failed, not the command


def run(
    command: list[str],
    pieces: Iterable[bytes],
    *,
    environment: dict[str, str],
    directory: str = "",
    umask: int = 0o022,
    timeout: float = 0.0,
    max_output: int = 20480,
) -> Finished:
    """Run to the end, or kill the whole process group after ``timeout`` seconds or ``max_output`` bytes.

    Standard output and error are one stream. A command that does not read all its input has done nothing wrong.
    """
    try:
        process = subprocess.Popen(
            [word.encode("latin-1") for word in command],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            env={key.encode("latin-1"): value.encode("latin-1") for key, value in environment.items()},
            cwd=directory or None,
            umask=umask,
            start_new_session=True,
            close_fds=True,
        )
    except (OSError, ValueError):
        return Finished(127, b"", exec_failed=True)
    return _Run(process, timeout, max_output).finish(pieces)


class _Run:
    def __init__(self, process: subprocess.Popen[bytes], timeout: float, max_output: int) -> None:
        self.process = process
        self.timeout = timeout
        self.max_output = max_output
        self.timed_out = False
        self.input_error: BaseException | None = None
        self.output = bytearray()
        self.too_much = False

    def finish(self, pieces: Iterable[bytes]) -> Finished:
        process = self.process
        reader = threading.Thread(target=self._read, daemon=True)
        reader.start()
        timer = threading.Timer(self.timeout, self._expire) if self.timeout > 0 else None
        if timer is not None:
            timer.start()
        try:
            self._write(pieces)
            code = process.wait()
            # Grandchildren may hold the pipe open: what the command itself said is there by now, or soon.
            reader.join(self.timeout if self.timeout > 0 else None)
        finally:
            if timer is not None:
                timer.cancel()
            if process.poll() is None:
                self._kill()
                process.wait()
            if process.stdin is not None and not process.stdin.closed:
                self._close_input()
        return Finished(code, bytes(self.output), self.timed_out, False, self.input_error)

    def _write(self, pieces: Iterable[bytes]) -> None:
        pipe = self.process.stdin
        assert pipe is not None
        try:
            for piece in pieces:
                pipe.write(piece)
            pipe.flush()
        except BrokenPipeError:
            pass
        except Exception as error:
            self.input_error = error
            self._kill()
        self._close_input()

    def _close_input(self) -> None:
        assert self.process.stdin is not None
        try:
            self.process.stdin.close()
        except BrokenPipeError:
            return

    def _read(self) -> None:
        pipe = self.process.stdout
        assert pipe is not None
        with pipe:
            while data := os.read(pipe.fileno(), 16384):
                if len(self.output) + len(data) > self.max_output:
                    if not self.too_much:
                        self.too_much = True
                        self.output += data[: self.max_output - len(self.output)]
                        self._kill()
                    continue
                self.output += data

    def _expire(self) -> None:
        self.timed_out = True
        self._kill()

    def _kill(self) -> None:
        try:
            os.killpg(self.process.pid, signal.SIGKILL)
        except (ProcessLookupError, PermissionError):
            return
