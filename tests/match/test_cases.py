"""Lists against the answers that Exim 4.96 gave (cases.txt: kind|subject|list TAB answer).

An answer is "n", "F" (no answer, or an error) or ``y:data:$0:$1:$2``.
"""

from collections.abc import Iterator
from pathlib import Path

import pytest

from mta.errors import Deferred
from mta.match.compile import address_list, domain_list, host_list_ip, local_part_list
from tests.match.site import DATA, make_scope

MAKE = {"domain": domain_list, "address": address_list, "local_part": local_part_list, "ip": host_list_ip}

# Where we differ on purpose: Exim cuts the pattern's local part at the length of the subject's, for the data only.
OURS = {
    'address|"a@b"@dom.ex|*@dom.ex': "y:*@dom.ex:::",
    "address|a@b@dom.ex|*@dom.ex": "y:*@dom.ex:::",
    "address|user@dom.ex|*er@^dom": "y:*er@^dom:::",
    "address|user@our.host.ex|*@@": "y:*@Our.Host.ex:::",
    "address|user@[127.0.0.1]|*@@[]": "y:*@@[]:::",
    'address|"x y"@dom.ex|*y"@dom.ex': 'y:*y"@dom.ex:::',
    "address|user@dom.ex|*user@dom.ex": "y:*user@dom.ex:::",
    "address|user@dom.ex|*@partial-lsearch*;DIR/star": "y:*@default:::",
    # match_ip is the condition's to refuse; in a list of ours it is no address and matches "*" only
    "ip|notanip|*": "y::::",
    "ip|notanip|10.0.0.1": "n",
    "ip|10.1.2.3|netx-lsearch;DIR/netls": "F",
    # net- lookups may have defaults here
    "ip|10.1.2.3|net-lsearch*;DIR/star": "y:default:::",
    "ip|10.1.2.3|partial-lsearch;DIR/star": "n",
}


def cases() -> Iterator[tuple[str, str]]:
    for line in (Path(__file__).parent / "cases.txt").read_text("latin-1").split("\n"):
        if line:
            question, answer = line.split("\t")
            yield question, answer


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("lists")
    for file in DATA.iterdir():
        (path / file.name).write_text(file.read_text("latin-1").replace("DIR", str(path)), "latin-1")
    return path


def answer(question: str, folder: Path) -> str:
    kind, subject, text = question.replace("DIR", str(folder)).split("|", 2)
    text, subject = text.replace("\\N", ""), subject.replace("\\N", "")
    scope = make_scope()
    try:
        matched = MAKE[kind](text).match(scope, subject)
    except Deferred:
        return "F"
    if matched is None:
        return "n"
    captures = [*scope.captures, "", "", ""][:3]
    return ":".join(["y", matched.data or "", *captures]).replace(str(folder), "DIR")


@pytest.mark.parametrize(("question", "expected"), list(cases()))
def test_case(question: str, expected: str, folder: Path) -> None:
    assert answer(question, folder) == OURS.get(question, expected)
