"""mtactl check dane with files, and mtactl tlsa (DANE-13)."""

from __future__ import annotations

import io
import subprocess
from pathlib import Path

import pytest

from mta.ctl.main import main
from tests.tls.certificates import Authority


def run(*words: str) -> tuple[int, str]:
    out = io.StringIO()
    return main(list(words), out), out.getvalue()


@pytest.fixture
def chain(tmp_path: Path) -> Path:
    authority = Authority(tmp_path)
    leaf, _ = authority.issue("mx.example")
    leaf.write_bytes(leaf.read_bytes() + authority.ca.read_bytes())
    return leaf


def records(chain: Path) -> list[str]:
    return run("tlsa", str(chain))[1].splitlines()


def test_DANE_13_records_are_those_of_the_openssl_pipe(chain: Path) -> None:
    found = records(chain)
    assert [line[:6] for line in found] == ["3 1 1 ", "3 1 2 ", "2 1 1 ", "2 1 2 "]
    pipe = f"openssl x509 -in {chain} -pubkey -noout | openssl pkey -pubin -outform der | openssl sha512 -r"
    expected = subprocess.run(["sh", "-c", pipe], capture_output=True, text=True, check=True).stdout
    assert found[1] == f"3 1 2 {expected.split(' ')[0]}"


def test_zone_file_lines(chain: Path) -> None:
    lines = run("tlsa", str(chain), "--name", "mx.example.", "--port", "465")[1]
    assert lines.startswith("_465._tcp.mx.example. IN TLSA 3 1 1 ")


def test_der_file_and_one_that_is_none(chain: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    der = tmp_path / "der"
    subprocess.run(["openssl", "x509", "-in", chain, "-outform", "der", "-out", der], check=True)
    assert run("tlsa", str(der)) == (0, "\n".join(records(chain)[:2]) + "\n")
    der.write_bytes(b"junk")
    assert run("tlsa", str(der))[0] == 1
    assert "not a certificate" in capsys.readouterr().err


def test_verified(chain: Path) -> None:
    found = records(chain)
    at = ["--chain", str(chain)]
    assert run("check", "dane", "--tlsa", found[0], *at) == (0, "verified depth 0 by 3 1 1\n")
    assert run("check", "dane", "--tlsa", found[2], *at, "--name", "mx.example") == (0, "verified depth 1 by 2 1 1\n")
    two = ["--tlsa", "3 1 1 " + "00" * 32, "--tlsa", found[2], "--name", "mx.example"]
    assert run("check", "dane", *two, *at) == (0, "verified depth 1 by 2 1 1\n")


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (["--name", "other.example"], "certificate is not for other.example\n"),
        ([], "certificate is not for any name that was asked for\n"),
        (["--name", "mx.example", "--at", "946684800"], "certificate at depth 0 is not valid before"),
        (["--name", "mx.example", "--at", "2999-01-01T00:00:00Z"], "certificate at depth 0 has expired"),
    ],
)
def test_not_verified(chain: Path, words: list[str], expected: str) -> None:
    code, text = run("check", "dane", "--tlsa", records(chain)[2], "--chain", str(chain), *words)
    assert (code, text[: len(expected)]) == (1, expected)


@pytest.mark.parametrize(
    "words",
    [
        [],
        ["--tlsa", "3 1 1 00"],
        ["--tlsa", "junk", "--chain", "CHAIN"],
        ["--tlsa", "3 1 1 00", "--chain", "/nonexistent"],
        ["--tlsa", "3 1 1 00", "--chain", "/dev/null"],
        ["--tlsa", "3 1 1 00", "--chain", "CHAIN", "--at", "never"],
        ["mx.example", "--chain", "CHAIN"],
        ["mx.example:port"],
    ],
)
def test_usage(chain: Path, words: list[str]) -> None:
    with pytest.raises(SystemExit) as error:
        run("check", "dane", *(str(chain) if word == "CHAIN" else word for word in words))
    assert error.value.code == 2
