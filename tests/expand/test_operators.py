"""The operators; operators_exim.json holds what ``exim4 -be`` (4.96) said of each operator and operand."""

import base64
import hashlib
import json
import shutil
import subprocess
from pathlib import Path

import pytest

from mta.errors import ExpansionFailed
from mta.expand.base import operators
from mta.expand.operators.arithmetic import evaluate_expression
from mta.expand.operators.quoting import wrap_header
from mta.expand.variables.tls import pem
from mta.match.compile import address_list, domain_list, host_list, local_part_list
from mta.scope.scope import Scope
from tests.expand.scopes import empty_scope

ANSWERS: list[list[str]] = json.loads((Path(__file__).parent / "operators_exim.json").read_text())
# the operators of the manual and of its newer releases
NAMES = [
    "address",
    "addresses",
    "base32",
    "base32d",
    "base62",
    "base62d",
    "base64",
    "base64d",
    "domain",
    "escape",
    "escape8bit",
    "eval",
    "eval10",
    "from_utf8",
    "h",
    "hash",
    "headerwrap",
    "hex2b64",
    "hexquote",
    "ipv6denorm",
    "ipv6norm",
    "l",
    "lc",
    "length",
    "listcount",
    "listnamed",
    "local_part",
    "mask",
    "mask_n",
    "md5",
    "nh",
    "nhash",
    "quote",
    "quote_local_part",
    "randint",
    "reverse_ip",
    "rfc2047",
    "rfc2047d",
    "rxquote",
    "s",
    "sha1",
    "sha2",
    "sha256",
    "sha3",
    "stat",
    "str2b64",
    "strlen",
    "substr",
    "time_eval",
    "time_interval",
    "uc",
    "utf8_domain_from_alabel",
    "utf8_domain_to_alabel",
    "utf8_localpart_from_alabel",
    "utf8_localpart_to_alabel",
    "utf8clean",
    "xtextd",
]


@pytest.fixture(scope="module")
def scope() -> Scope:
    made = empty_scope()
    made.site.lists.domain["dl"] = domain_list("a.b : c.d")
    made.site.lists.host["hl"] = host_list("1.2.3.4 : x.y")
    made.site.lists.address["al"] = address_list("a@b : c@d")
    made.site.lists.local_part["ll"] = local_part_list("x : y")
    return made


def apply(scope: Scope, name: str, text: str) -> str:
    """The answer as -be prints it; an unknown ``stem_argument`` is split as the parser splits it."""
    found, argument = operators.get(name), None
    if found is None:
        stem, mark, rest = name.partition("_")
        argument = rest if mark else None
        found = operators.get(stem)
        if found is None:
            return f'Failed: unknown expansion operator "{name}"'
    try:
        return found.apply(scope, text, argument)
    except ExpansionFailed as error:
        return f"Failed: {error.message}"


@pytest.mark.parametrize(("name", "text", "answer"), ANSWERS)
def test_exims_answers(scope: Scope, name: str, text: str, answer: str) -> None:
    assert apply(scope, name, text) == answer


def test_every_operator_is_there() -> None:
    assert [name for name in NAMES if name not in operators] == []


@pytest.mark.parametrize("name", [name for name in NAMES if operators[name].pure])
def test_pure_operators_do_without_a_scope(name: str) -> None:
    for text in ("", "x", "1", "1.2.3.4/8", "\xff\0\n"):
        for argument in (None, "", "3", "n"):
            try:
                operators[name].apply(None, text, argument)  # type: ignore[arg-type]
            except ExpansionFailed:
                continue


@pytest.mark.parametrize(
    ("name", "text", "answer"),
    [  # where Exim 4.96 crashes, wraps 32 bits, or gives a broken address
        ("nhash_0", "abc", "Failed: zero is no limit for a numeric hash"),
        ("ipv6norm", "::", "::"),
        ("time_interval", "99999999999", "165343w6d9h46m39s"),
        ("time_eval", "99999w", "60479395200"),
        ("utf8_domain_from_alabel", "", ""),
        ("utf8_domain_from_alabel", "XN--BCHER-KVA.x", "B\xc3\xbcCHER.x"),
        ("utf8clean", "\xc3\xc3\xa9", "?\xc3\xa9"),  # newer releases keep the good character too
        ("utf8clean", "\xe0\x9f\xbf", "?"),  # overlong
    ],
)
def test_better_than_the_oracle(scope: Scope, name: str, text: str, answer: str) -> None:
    assert apply(scope, name, text) == answer


@pytest.mark.parametrize(("text", "answer"), [("a+20b", "a b"), ("a+2Bb+", "a+b+"), ("a+zz", "a+zz"), ("", "")])
def test_xtextd(scope: Scope, text: str, answer: str) -> None:
    assert apply(scope, "xtextd", text) == answer


def test_headerwrap_folds_at_white_space_and_cuts_at_the_limit(scope: Scope) -> None:
    text = " ".join(f"word{number}" for number in range(12))
    wrapped = apply(scope, "headerwrap_20", text)
    assert wrapped.replace("\n\t", " ") == text
    assert all(len(line) <= 20 for line in wrapped.split("\n"))
    assert apply(scope, "headerwrap_20_10", "x" * 50) == "x" * 10
    assert wrap_header("x" * 30 + " y", 20, 998) == "x" * 30 + "\n\ty"
    assert apply(scope, "headerwrap", "short") == "short"
    assert apply(scope, "headerwrap_x", "a") == 'Failed: non-digit after underscore in "headerwrap_x"'


def test_digests_of_a_certificate_are_of_its_der_form(scope: Scope) -> None:
    der = bytes(range(256)) * 3
    assert apply(scope, "sha256", pem(der)) == hashlib.sha256(der).hexdigest().upper()
    assert apply(scope, "md5", pem(der)) == hashlib.md5(der).hexdigest().upper()
    assert apply(scope, "base64", pem(der)) == base64.b64encode(der).decode()


def test_stat(scope: Scope, tmp_path: Path) -> None:
    file = tmp_path / "x"
    file.write_bytes(b"12345")
    file.chmod(0o640)
    fields = dict(field.split("=") for field in apply(scope, "stat", str(file)).split(" "))
    assert list(fields) == [
        "mode",
        "smode",
        "inode",
        "device",
        "links",
        "uid",
        "gid",
        "size",
        "atime",
        "mtime",
        "ctime",
    ]
    assert (fields["mode"], fields["smode"], fields["size"]) == ("0640", "-rw-r-----", "5")
    assert apply(scope, "stat", "/nowhere/x") == "Failed: stat(/nowhere/x) failed: No such file or directory"


def test_randint_is_below_its_limit(scope: Scope) -> None:
    assert {apply(scope, "randint", "3") for _ in range(200)} == {"0", "1", "2"}


def test_eval_is_bounded_in_depth() -> None:
    with pytest.raises(ExpansionFailed, match="nested too deeply"):
        evaluate_expression("(" * 5000 + "1" + ")" * 5000)


@pytest.mark.oracle
def test_a_live_exim_agrees(scope: Scope) -> None:
    exim = shutil.which("exim4")
    if exim is None:
        pytest.skip("exim4 is not installed")
    cases = [("eval", "1+2*(3-~4)<<2"), ("nhash_8_64", "supercalifragilistic"), ("mask", "2001:db8::1/33")]
    cases += [("hash_5_62", "monty python"), ("rfc2047", "caf\xc3\xa9 au lait"), ("reverse_ip", "2001:db8::5")]
    for name, text in cases:
        asked = subprocess.run([exim, "-be", f"${{{name}:{text}}}".encode("latin-1")], capture_output=True, check=False)
        assert apply(scope, name, text) == asked.stdout.decode("latin-1").rstrip("\n")
