"""Every file of tests/dialogs is a conversation that must go exactly so; their replies are the oracle's."""

from __future__ import annotations

import fnmatch
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.receive.conftest import log_lines

DIALOGS = sorted((Path(__file__).parent.parent / "dialogs").glob("*.dialog"))
_ESCAPES = {"\\r": b"\r", "\\n": b"\n", "\\0": b"\0"}


def to_bytes(text: str) -> bytes:
    out = b""
    whole = not text.endswith("\\")
    for piece in re.findall(r"\\x[0-9a-f]{2}|\\[rn0]|.", text if whole else text[:-1]):
        out += _ESCAPES.get(piece) or (bytes([int(piece[2:], 16)]) if piece.startswith("\\x") else piece.encode())
    return out + b"\r\n" if whole else out


def like(text: str, pattern: str) -> bool:
    return fnmatch.fnmatchcase(text, pattern.replace("[", "[[]"))


@pytest.mark.parametrize("path", DIALOGS, ids=lambda path: path.stem)
def test_dialog(path: Path, make_runtime: Callable[..., Any], connect: Callable[..., Any]) -> None:
    lines = path.read_text().splitlines()
    main = "\n".join(line[7:] for line in lines if line.startswith("config "))
    acl = "\n".join(line[4:] for line in lines if line.startswith("acl "))
    runtime = make_runtime(main, acl)
    client = connect(runtime)
    pending = b""
    for line in lines:
        if line.startswith("C:"):
            pending += to_bytes(line[3:])
            continue
        if pending:
            client.sock.sendall(pending)
            pending = b""
        if line.startswith("S: "):
            said = client.line()
            assert like(said, line[3:]), f"{said!r} is not {line[3:]!r}"
        elif line == "EOF":
            assert client.line() == ""
    client.close()
    logged = log_lines(runtime)
    for line in lines:
        if line.startswith("L: "):
            assert any(like(found, line[3:]) for found in logged), f"{line[3:]!r} is not in {logged!r}"
    assert not [line for line in log_lines(runtime, "panic") if "configured error code" not in line]
