"""Lists beyond single answers: expansion, taint, caching, names, files that change, and cost."""

import time
from pathlib import Path

import pytest

from mta.errors import ConfigError, Deferred
from mta.mail.message import Message
from mta.match.compile import (
    address_list,
    check_names,
    domain_list,
    host_list,
    host_list_ip,
    local_part_list,
    string_list,
)
from mta.match.core import Hit
from mta.scope.expansion import Tainted
from mta.scope.scope import Scope
from tests.match.site import Text, failing, forced, make_scope


def tainted(value: str) -> Text:
    def expand(scope: Scope) -> str:
        scope.tainted = True
        return value

    return Text("$tainted", expand)


def test_a_list_is_expanded_at_each_match() -> None:
    texts = iter(["a.ex", "b.ex", "a.ex"])
    names = domain_list(Text("${x}", lambda _: next(texts)))
    assert [names.match(make_scope(), "a.ex") is not None for _ in range(3)] == [True, False, True]


def test_forced_failure_means_not_in_the_list_and_others_defer() -> None:
    assert domain_list(Text("x", forced)).match(make_scope(), "x") is None
    with pytest.raises(Deferred, match="unknown expansion operator"):
        domain_list(Text("x", failing)).match(make_scope(), "x")


def test_data_is_as_tainted_as_the_list() -> None:
    for kind, subject in ((domain_list, "a.ex"), (local_part_list, "a.ex"), (address_list, "x@a.ex")):
        clean = kind("a.ex : *.ex").match(make_scope(), Tainted(subject))
        assert clean is not None
        assert not isinstance(clean.data, Tainted)
        dirty = kind(tainted("a.ex : *.ex")).match(make_scope(), subject)
        assert dirty is not None
        assert isinstance(dirty.data, Tainted)
    scope = make_scope()
    domain_list(tainted("a.ex")).match(scope, "a.ex")
    assert not scope.tainted


def test_captures_are_as_tainted_as_the_subject() -> None:
    scope = make_scope()
    for text in ("*.ex", "^(a)", "a.ex", "+dom : *.ex"):
        assert domain_list(text).match(scope, Tainted("a.ex")) is not None
        assert scope.captures
        assert all(isinstance(capture, Tainted) for capture in scope.captures)
        assert domain_list(text).match(scope, "a.ex") is not None
        assert not any(isinstance(capture, Tainted) for capture in scope.captures)


@pytest.mark.parametrize("text", ["/etc/passwd", "lsearch;/etc/passwd", "dsearch;/etc"])
def test_tainted_files_are_refused(text: str) -> None:
    for make, subject in ((domain_list, "root"), (local_part_list, "root"), (address_list, "root@x")):
        with pytest.raises(Deferred, match="Tainted filename"):
            make(tainted(text)).match(make_scope(), subject)


def test_a_loop_of_named_lists_ends() -> None:
    with pytest.raises(Deferred, match="loop"):
        domain_list("+loops").match(make_scope(), "x")


def test_named_lists_are_asked_once_for_a_message(monkeypatch: pytest.MonkeyPatch) -> None:
    scope = make_scope()
    asked: list[str] = []
    named = scope.site.lists.domain["dom"]
    original = type(named).found

    def found(self: object, scope: Scope, subject: object, depth: int = 0) -> Hit | None:
        if self is named:
            asked.append(str(subject))
        return original(self, scope, subject, depth)  # type: ignore[arg-type]

    monkeypatch.setattr(type(named), "found", found)
    names = domain_list("+dom")
    for _ in range(3):
        assert names.match(scope, "a.dom.ex") is not None
    assert len(asked) == 1
    assert scope.captures == ["a.dom.ex"]
    assert names.match(scope, "z.z") is None
    assert names.match(scope, "z.z") is None
    assert len(asked) == 2
    scope.message = Message()
    assert names.match(scope, "a.dom.ex") is not None
    assert len(asked) == 3


def test_named_lists_that_expand_are_asked_each_time_unless_told() -> None:
    scope = make_scope()
    for cache, times in ((False, 3), (True, 1)):
        count: list[int] = []
        text = Text("$x", lambda _, count=count: count.append(1) or "a.ex")  # type: ignore[misc]
        scope.site.lists.domain["moving"] = domain_list(text, cache=cache)
        scope.message = Message()
        for _ in range(3):
            assert domain_list("+moving").match(scope, "a.ex") is not None
        assert len(count) == times


def test_list_files_are_seen_as_they_are_now(tmp_path: Path) -> None:
    file = tmp_path / "list"
    file.write_text("a.ex\n")
    names = domain_list(f"{file}")
    scope = make_scope()
    assert names.match(scope, "b.ex") is None
    file.write_text("a.ex\nb.ex # now\n")
    matched = names.match(scope, "b.ex")
    assert matched is not None
    assert matched.data == "b.ex"


@pytest.mark.parametrize(
    ("made", "message"),
    [
        (domain_list("+nosuch"), 'unknown named domain list "+nosuch"'),
        (address_list("*@+nosuch"), 'unknown named domain list "+nosuch"'),
        (address_list("+nosuch"), 'unknown named address list "+nosuch"'),
        (local_part_list("+nosuch"), 'unknown named local part list "+nosuch"'),
        (host_list("!+nosuch"), 'unknown named host list "+nosuch"'),
        (domain_list("z;x"), 'unknown lookup type "z"'),
        (host_list("net24-z;x"), 'unknown lookup type "z"'),
        (domain_list("^("), "regular expression"),
    ],
)
def test_faults_are_told_at_load(made: object, message: str) -> None:
    with pytest.raises(ConfigError) as caught:
        check_names(made, make_scope().site)
    assert message in caught.value.message


def test_good_lists_pass_at_load() -> None:
    for made in (
        domain_list("+dom : ^a"),
        address_list("+al : *@+dom"),
        host_list("+hl"),
        domain_list(Text("$x", forced)),
    ):
        check_names(made, make_scope().site)


def test_caseful_start() -> None:
    for text, subject, caseless, caseful in (
        ("alice", "Alice", True, False), ("Alice", "Alice", True, True), ("^a", "Alice", True, False),
        ("*CE", "alice", True, False), ("+lp", "Alice", True, False), ("x : +caseful : alice", "Alice", False, False),
    ):  # fmt: skip
        names = local_part_list(text)
        assert (names.match(make_scope(), subject) is not None) == caseless
        assert (names.match(make_scope(), subject, caseful=True) is not None) == caseful


def test_string_list() -> None:
    words = string_list("one : *two : !three : ^f")
    assert [words.match(make_scope(), word) is not None for word in ("ONE", "twotwo", "three", "Four", "x;y")] == [
        True, True, False, True, False,
    ]  # fmt: skip


def test_first_match_wins_between_indexed_and_other_items() -> None:
    names = domain_list("!^bad : a.ex : *.ex : !good.org : *.org : good.org : ^z")
    answers = {"bad.ex": False, "a.ex": True, "b.ex": True, "good.org": False, "x.org": True, "z": True, "q": False}
    assert {name: names.match(make_scope(), name) is not None for name in answers} == answers


@pytest.mark.parametrize(
    ("make", "item", "subject"),
    [
        (domain_list, "name{}.example.com", "name{}.example.com"),
        (domain_list, "*.name{}.example.com", "x.name{}.example.com"),
        (address_list, "user{}@example.com", "User{}@Example.com"),
        (address_list, "name{}.example.com", "any@name{}.example.com"),
        (local_part_list, "user{}", "USER{}"),
        (host_list_ip, "10.{}.0.0/16", "10.{}.3.4"),
    ],
)
def test_cost_does_not_grow_with_the_list(make, item: str, subject: str) -> None:
    size = 250 if make is host_list_ip else 30_000
    scope = make_scope()
    small = make(item.format(1))
    large = make(" : ".join(item.format(number) for number in range(size)))
    last = subject.format(size - 1)
    assert large.match(scope, last) is not None

    def cost(made: object) -> float:
        best = 1.0
        for _ in range(5):
            start = time.perf_counter()
            for _ in range(200):
                made.match(scope, last)
            best = min(best, time.perf_counter() - start)
        return best

    # A walk over the items would be thousands of times dearer.
    assert cost(large) < 20 * cost(small)
