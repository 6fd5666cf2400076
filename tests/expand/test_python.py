"""``${python...}``, the ACL condition and the option python_startup, with real files."""

from __future__ import annotations

from pathlib import Path

import pytest

from mta.cli.modes.expand import expand_once
from mta.config.load import load as load_config
from mta.errors import ConfigErrors, ForcedFail
from mta.expand.compiler import compile_text
from mta.mail.verdict import Ruling
from mta.scope.functions import load
from mta.scope.scope import Scope
from tests.acl.acls import session
from tests.expand.scopes import empty_scope, scope_with_message

POLICY = """\
import sys
calls = []
def join(*words):
    return "-".join(words)
def upper(text):
    return text.upper()
def nothing():
    return None
def broken(*_):
    raise ValueError("n\\u00e4h")
def leaves():
    sys.exit(3)
def number():
    return 42
def truth():
    return True
def raw():
    return b"\\xff"
def lone():
    return "\\ud800"
def endless():
    return endless()
def facts(given):
    calls.append(given)
    return given["host_address"] == "192.0.2.1" and given["sender"] == "good@test.ex"
def says(word):
    return word
def _hidden():
    return "x"
constant = "x"
"""


@pytest.fixture
def policy(tmp_path: Path) -> Path:
    path = tmp_path / "policy.py"
    path.write_text(POLICY)
    return path


@pytest.fixture
def scope(policy: Path) -> Scope:
    made = scope_with_message()
    made.site.modules = {"policy": load(str(policy))}
    return made


@pytest.mark.parametrize(
    ("text", "answer"),
    [
        ("${python{policy.join}}", ""),
        ("<${python{policy.join}{a}{${uc:b}}{}}>", "<a-B->"),
        ("${python {policy.join} {1}{2}{3}{4}{5}{6}{7}{8}}", "1-2-3-4-5-6-7-8"),
        ("${python{policy.join}{1}{2}{3}{4}{5}{6}{7}{8}{9}}", "Failed: Too many arguments for 'python' (max is 9)"),
        ("${python}", "Failed: Not enough arguments for 'python' (min is 1)"),
        ("${python{policy.upper}{\xc3\xa4}}", "\xc3\x84"),
        ("${python{policy.upper}{\xe4}}", "\xe4"),
        ("${python{policy.number}}", "42"),
        ("${if bool{${python{policy.truth}}}{y}{n}}", "y"),
        ("${python{policy.raw}}", "\xff"),
        ("${python{policy.lone}}", "Failed: python function policy.lone returned text that is no UTF-8: "),
        ("${python{policy.nothing}}", "Failed: python function policy.nothing returned None"),
        ("${python{policy.broken}}", "Failed: python function policy.broken failed: ValueError: n\xc3\xa4h (line 10)"),
        ("${python{policy.leaves}}", "Failed: python function policy.leaves failed: SystemExit: 3 (line 12)"),
        ("${python{policy.endless}}", "Failed: python function policy.endless failed: RecursionError: "),
        ("${python{policy.upper}}", "Failed: python function policy.upper failed: TypeError: upper() missing 1 "),
        ("${python{policy.none}}", 'Failed: python module "policy" has no function "none"'),
        ("${python{policy._hidden}}", 'Failed: python module "policy" has no function "_hidden"'),
        ("${python{policy.constant}}", 'Failed: python module "policy" has no function "constant"'),
        ("${python{policy.__doc__.upper}}", 'Failed: python module "policy" has no function "__doc__.upper"'),
        ("${python{os.getpid}}", 'Failed: no python module "os": python_startup loads policy'),
        ("${python{$h_x-key:.f}}", "Failed: attempt to use tainted python function name 'key1.f'"),
        (
            "${perl{f}}",
            "Failed: ${perl} cannot be used: mta has no embedded Perl: use ${python{module.function}...} with ",
        ),
        (
            "${dlfunc{f}{g}}",
            "Failed: ${dlfunc} cannot be used: mta loads no C functions: use ${python{module.function}",
        ),
    ],
)
def test_calls(scope: Scope, text: str, answer: str) -> None:
    got = expand_once(scope, text)
    assert got.startswith(answer) if answer.startswith("Failed") else got == answer


def test_none_is_a_forced_failure(scope: Scope) -> None:
    with pytest.raises(ForcedFail):
        compile_text("${python{policy.nothing}}")(scope)


def test_a_peers_text_stays_tainted(scope: Scope) -> None:
    compile_text("${python{policy.upper}{$h_x-key:}}")(scope)
    assert scope.tainted
    scope.tainted = False
    compile_text("${python{policy.upper}{x}}")(scope)
    assert not scope.tainted


def test_filters_may_be_forbidden_to_call(scope: Scope) -> None:
    scope.forbidden = frozenset({"perl"})
    assert expand_once(scope, "${python{policy.join}}") == "Failed: Python calls are not permitted"


def test_without_python_startup() -> None:
    got = expand_once(empty_scope(), "${python{policy.join}}")
    assert got == 'Failed: no python module "policy": python_startup loads none'


def test_the_option_loads_its_files_with_the_configuration(policy: Path, tmp_path: Path) -> None:
    other = tmp_path / "other.py"
    other.write_text("def f(): return 'o'\n")
    (tmp_path / "conf").write_text(f"python_startup = {policy} : {other}\n")
    made = empty_scope()
    made.site = load_config(str(tmp_path / "conf"), trusted=False).site
    assert expand_once(made, "${python{policy.join}{a}{b}}${python{other.f}}") == "a-bo"


@pytest.mark.parametrize(
    ("content", "path", "fault"),
    [
        ("x = = 1\n", "bad.py", "bad.py: SyntaxError: invalid syntax (bad.py, line 1)"),
        ("def f():\n  raise KeyError('k')\n\nf()\n", "bad.py", "bad.py: KeyError: 'k' (line 2)"),
        ("import sys\nsys.exit(1)\n", "bad.py", "bad.py: SystemExit: 1 (line 2)"),
        ("", "no-name.py", "no-name cannot be the name of a module"),
        (None, "missing.py", "missing.py: No such file or directory"),
    ],
)
def test_a_file_that_does_not_load_is_a_fault_of_its_line(
    content: str | None, path: str, fault: str, tmp_path: Path
) -> None:
    if content is not None:
        (tmp_path / path).write_text(content)
    (tmp_path / "conf").write_text(f"primary_hostname = x\npython_startup = {tmp_path}/{path}\n")
    with pytest.raises(ConfigErrors) as raised:
        load_config(str(tmp_path / "conf"), trusted=False)
    told = str(raised.value)
    assert told.startswith(f"{tmp_path}/conf:2: python_startup: ")
    assert told.replace(f"{tmp_path}/", "").endswith(fault)


def test_relative_and_equal_names_are_refused(policy: Path, tmp_path: Path) -> None:
    (tmp_path / "conf").write_text(f"python_startup = policy.py : {policy} : {policy}\n")
    with pytest.raises(ConfigErrors) as raised:
        load_config(str(tmp_path / "conf"), trusted=False)
    assert [error.message for error in raised.value.errors] == [
        "python_startup: policy.py is no absolute path",
        "python_startup: two files are called policy",
    ]


@pytest.mark.parametrize(
    ("argument", "ruling"),
    [
        ("policy.facts", Ruling.ACCEPT),
        ("policy.says yes", Ruling.ACCEPT),
        ("policy.says ${if eq {a} {a} {true}{false}}", Ruling.ACCEPT),
        ("policy.says no", Ruling.DENY),
        ("policy.says ${lc:NO}", Ruling.DENY),
        ("policy.nothing ", Ruling.DEFER),  # no argument: called with the facts, which it does not take
        ("policy.says maybe", Ruling.DEFER),
        ("policy.broken", Ruling.DEFER),
        ("policy.says ${if eq{a}{b}{x}fail}", Ruling.ACCEPT),
        ("nosuch.f", Ruling.DEFER),
    ],
)
def test_the_acl_condition(argument: str, ruling: Ruling, policy: Path) -> None:
    made = session()
    made.scope.site.modules = {"policy": load(str(policy))}
    verdict = made.run(f"accept python = {argument}\n")
    assert verdict.ruling is ruling
    if argument == "policy.broken":
        assert verdict.log_message == "python function policy.broken failed: ValueError: n\xc3\xa4h (line 10)"


@pytest.mark.parametrize("argument", ["", "f", "a.b.c", "$x.f x", "m._f"])
def test_the_conditions_argument_is_looked_at_when_loading(argument: str, tmp_path: Path) -> None:
    text = f"acl_smtp_rcpt = r\nbegin acl\nr:\n  accept python = {argument}\n"
    (tmp_path / "conf").write_text(text)
    with pytest.raises(ConfigErrors, match="conf:4: "):
        load_config(str(tmp_path / "conf"), trusted=False)
