"""Where a fault in a text is: lint and a load that fails show the text with a mark under the failing item."""

from __future__ import annotations

import io
from pathlib import Path

import pytest

from mta.config.load import load
from mta.ctl.main import main
from mta.errors import ConfigErrors, ExpansionFailed, pointed
from mta.expand.compiler import compile_text


@pytest.mark.parametrize(
    ("text", "failing"),
    [
        ("a $nosuch b", "$nosuch"),
        ("a ${nosuch} b", "${nosuch}"),
        ("a ${lc:${nosuchop:x}}", "${nosuchop"),
        ("x ${if eq{a}{b}{y}{n}", "${if"),
        ("x ${if eq{a}{b}{${uc:y}{n}", "${if"),
        ("${if and{{eq{a}{b}}{nosuch{a}}}{y}}", "nosuch"),
        ("${if !nosuch{a}{y}}", "nosuch"),
        ("${if eq{a}}", "eq{a}"),
        ("${lookup{x}nosuchtype{/x}}", "${lookup"),
        ("ok ${uc:a} ${lookup nosuchtype{x}}", "${lookup"),
        ("ok ${sg{a}{b}{c}} ${sg{a}}", "${sg{a}}"),
        ("a $", "$"),
        ("a \\", "\\"),
        ("${map{a}{${foo:$item}}}", "${foo"),
        ("a ${extract{1}{:}{a}{b}{c}{d}}", "${extract"),
    ],
)
def test_the_failing_item(text: str, failing: str) -> None:
    with pytest.raises(ExpansionFailed) as raised:
        compile_text(text)
    assert raised.value.text == text
    assert text[raised.value.column - 1 :].startswith(failing)


def test_the_mark_stands_under_the_place() -> None:
    text = "a" * 100 + "$x" + "b" * 100 + "\n"
    shown, mark = pointed(text, 101).split("\n")
    assert shown[mark.index("^")] == "$"
    assert mark.endswith("^ column 101")
    assert len(shown) < 100
    assert pointed("\ta$", 3) == "     a$\n      ^ column 3"


CONFIG = """\
primary_hostname = x
domainlist d = a : ${lookup{x}nosuchtype{/x}}
smtp_banner = hello \\
   ${lc:${nosuchop:x}}
acl_smtp_rcpt = r
begin acl
r:
  accept condition = ${if nosuch{a}}
begin routers
one:
  driver = accept
  condition = $bad
begin rewrite
*@a ${bad:x}
"""
SHOWN = """\
2: d: unknown lookup type "nosuchtype"
    a : ${lookup{x}nosuchtype{/x}}
        ^ column 5
3: smtp_banner: unknown expansion operator "nosuchop"
    hello ${lc:${nosuchop:x}}
               ^ column 12
8: failed to expand ACL string "${if nosuch{a}}": unknown condition "nosuch"
    ${if nosuch{a}}
         ^ column 6
12: condition: unknown variable name "bad"
    $bad
    ^ column 1
14: unknown expansion operator "bad"
    ${bad:x}
    ^ column 1
"""


def test_lint_and_load(tmp_path: Path) -> None:
    path = tmp_path / "conf"
    path.write_text(CONFIG)
    out = io.StringIO()
    assert main(["lint", str(path)], out) == 1
    assert out.getvalue().replace(f"{path}:", "") == SHOWN + "5 faults\n"
    with pytest.raises(ConfigErrors) as raised:
        load(str(path), trusted=False)
    assert raised.value.shown().replace(f"{path}:", "") + "\n" == SHOWN
    assert "^" not in str(raised.value)
