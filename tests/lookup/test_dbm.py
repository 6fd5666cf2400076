"""Berkeley DB hash files as Debian's exim_dbmbuild writes them: many keys, long values, damage."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest

from mta.errors import Deferred, ExpansionFailed
from mta.lookup import berkeley
from mta.lookup.find import lookup
from tests.lookup.asking import make_scope

DATA = Path(__file__).parent / "data"
SIZES = (0, 1, 100, 2000, 4096, 5000, 19000)


def value_of(number: int) -> str:
    return f"{number}" + "x" * SIZES[number % len(SIZES)]


@pytest.fixture(scope="module")
def big(tmp_path_factory: pytest.TempPathFactory) -> Path:
    program = shutil.which("exim_dbmbuild")
    if program is None:
        pytest.skip("exim_dbmbuild is not installed")
    folder = tmp_path_factory.mktemp("dbm")
    lines = [f"key{number}: {value_of(number)}\n" for number in range(700)]
    lines += [f"short{number}: {number}\n" for number in range(20000)]
    (folder / "src").write_text("".join(lines))
    done = subprocess.run([program, folder / "src", folder / "big.db"], capture_output=True, check=False)
    assert b"entries written" in done.stdout + done.stderr
    return folder / "big.db"


def test_every_key_of_a_large_file(big: Path) -> None:
    scope = make_scope()
    assert all(lookup(scope, "dbm", str(big), f"key{number}") == value_of(number) for number in range(700))
    assert all(lookup(scope, "dbm", str(big), f"short{number}") == str(number) for number in range(0, 20000, 37))
    assert lookup(scope, "dbm", str(big), "none") is None


def test_a_key_costs_few_pages_however_large_the_file(big: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    reads = []
    real = os.pread
    monkeypatch.setattr(os, "pread", lambda fd, size, at: reads.append(at) or real(fd, size, at))
    fd = os.open(big, os.O_RDONLY)
    try:
        assert berkeley.fetch(fd, b"short777\0") == b"777\0"
    finally:
        os.close(fd)
    assert len(reads) < 8


def test_a_file_of_another_hash_function_is_read_whole(tmp_path: Path) -> None:
    data = bytearray((DATA / "t.db").read_bytes())
    data[92] ^= 0xFF
    (tmp_path / "t.db").write_bytes(data)
    assert lookup(make_scope(), "dbm", str(tmp_path / "t.db"), "k1") == "v1"
    assert lookup(make_scope(), "dbm", str(tmp_path / "t.db"), "none") is None


@pytest.mark.parametrize("cut", [300, 4096, 5000, 8192])
def test_a_cut_file_is_a_defer(cut: int, tmp_path: Path) -> None:
    (tmp_path / "t.db").write_bytes((DATA / "t.db").read_bytes()[:cut])
    outcomes = set()
    for key in ("k1", "k2", "k3", "k4", "long"):
        try:
            outcomes.add(lookup(make_scope(), "dbm", str(tmp_path / "t.db"), key) is None)
        except Deferred as failure:
            outcomes.add(failure.message)
    assert any("page" in str(found) and "is missing" in str(found) for found in outcomes)


def test_damage_never_raises_anything_else(tmp_path: Path) -> None:
    whole = (DATA / "t.db").read_bytes()
    path = tmp_path / "t.db"
    for at in [*range(12, 128), *range(4096, 4096 + 60), *range(8192, 8192 + 60), len(whole) - 1]:
        data = bytearray(whole)
        data[at] ^= 0xFF
        path.write_bytes(data)
        for key in ("k1", "long"):
            try:
                lookup(make_scope(), "dbm", str(path), key)
            except (Deferred, ExpansionFailed):
                continue


def test_a_folder_is_no_file(tmp_path: Path) -> None:
    with pytest.raises((Deferred, ExpansionFailed), match=r"failed to open .* as a db \(v4.1\+\) file: Is a directory"):
        lookup(make_scope(), "dbm", str(tmp_path), "k")
