"""LMDB files, written by the library's own writer in another process and in this one."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import lmdb
import pytest

from tests.lookup.asking import answer, make_scope

WRITE = """\
import lmdb, sys
environment = lmdb.open(sys.argv[1], subdir=False, map_size=1 << 23)
with environment.begin(write=True) as transaction:
    transaction.put(sys.argv[2].encode(), sys.stdin.buffer.read())
environment.close()
"""


def write(path: Path, key: str, value: str) -> None:
    command = [sys.executable, "-c", WRITE, str(path), key]
    subprocess.run(command, input=value.encode(), check=True, timeout=30)


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "aliases.mdb"
    write(path, "k1", "v1")
    return path


def test_values(file: Path) -> None:
    write(file, "host.example", "of example")
    scope = make_scope()
    assert answer(scope, f"${{lookup{{k1}}lmdb{{{file}}}{{<$value>}}{{no}}}}") == "<v1>"
    assert answer(scope, f"${{lookup{{K1}}lmdb{{{file}}}{{<$value>}}{{no}}}}") == "no"
    assert answer(scope, f"${{lookup{{{'k' * 600}}}lmdb{{{file}}}{{<$value>}}{{no}}}}") == "no"
    assert answer(scope, f"${{lookup{{a.host.example}}partial-lmdb{{{file}}}{{<$value>}}{{no}}}}") == "no"
    write(file, "*.example", "wild")
    assert answer(scope, f"${{lookup{{a.b.example}}partial1-lmdb{{{file}}}{{<$value>}}{{no}}}}") == "<wild>"


def test_commits_of_others_are_seen(file: Path) -> None:
    scope = make_scope()
    look = f"${{lookup{{k2}}lmdb{{{file}}}{{<$value>}}{{no}}}}"
    assert answer(scope, look) == "no"
    write(file, "k2", "later")
    assert answer(scope, look) == "<later>"
    write(file, "k2", "x" * 400_000)  # more than the file had
    assert answer(scope, look) == f"<{'x' * 400_000}>"
    replaced = file.with_suffix(".new")
    write(replaced, "k2", "replaced")
    replaced.rename(file)
    assert answer(scope, look) == "<replaced>"


def test_a_child_opens_its_own(file: Path) -> None:
    scope = make_scope()
    look = f"${{lookup{{k1}}lmdb{{{file}}}}}"
    assert answer(scope, look) == "v1"
    child = os.fork()
    if child == 0:
        os._exit(0 if answer(scope, look) == "v1" else 1)
    assert os.waitpid(child, 0)[1] == 0


def test_folders_and_faults(tmp_path: Path) -> None:
    with lmdb.open(str(tmp_path / "folder")) as environment, environment.begin(write=True) as transaction:
        transaction.put(b"k", b"in folder")
    scope = make_scope()
    assert answer(scope, f"${{lookup{{k}}lmdb{{{tmp_path}/folder}}}}") == "in folder"
    failed = answer(scope, f"${{lookup{{k}}lmdb{{{tmp_path}/none}}}}")
    assert failed == f"Failed: failed to open {tmp_path}/none for lmdb lookup: No such file or directory"
    (tmp_path / "junk").write_bytes(b"junk" * 5000)
    assert answer(scope, f"${{lookup{{k}}lmdb{{{tmp_path}/junk}}}}").startswith("Failed: failed to open")
    assert answer(scope, "${lookup{k}lmdb{relative}}").startswith("Failed: absolute file name expected")
