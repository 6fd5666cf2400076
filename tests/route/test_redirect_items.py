"""Redirection lists (manual chapter 22.4-22.6)."""

import pytest

from mta.route.redirect_items import parse_items, split_items, unquote_item


@pytest.mark.parametrize(
    ("text", "items"),
    [
        ("a@b, c@d", ["a@b", "c@d"]),
        ("a@b\nc@d\n", ["a@b", "c@d"]),
        ("# comment, all of it\na@b", ["a@b"]),
        ("a@b, # the rest, ignored\nc@d", ["a@b", "c@d"]),
        ('"|/bin/x a,b", c@d', ['"|/bin/x a,b"', "c@d"]),
        ('"a,b"@c, d@e', ['"a,b"@c', "d@e"]),
        ("a@b (x, y), c@d", ["a@b (x, y)", "c@d"]),
        (":fail: gone, for good\nx@y", [":fail: gone, for good", "x@y"]),
        (",, ,\n", []),
        ("", []),
    ],
)
def test_split(text: str, items: list[str]) -> None:
    assert split_items(text) == items


@pytest.mark.parametrize(
    ("text", "kinds"),
    [
        ("|/bin/cat", ["pipe"]),
        ('"|/bin/cat x"', ["pipe"]),
        ("/home/x/mbox", ["file"]),
        (":include:/etc/list", ["include"]),
        ("a@b,/dev/null,|c", ["address", "file", "pipe"]),
    ],
)
def test_kinds(text: str, kinds: list[str]) -> None:
    assert [item.kind for item in parse_items(text).items] == kinds


@pytest.mark.parametrize(
    ("text", "kind", "message"),
    [
        (":fail: no such user", "fail", "no such user"),
        ("a@b, :defer: later", "defer", "later"),
        (":BLACKHOLE:", "blackhole", ""),
        (":unknown:", "unknown", ""),
    ],
)
def test_special_items_decide_the_whole_list(text: str, kind: str, message: str) -> None:
    special = parse_items(text).special
    assert special is not None
    assert (special.kind, special.text) == (kind, message)


def test_only_a_wholly_quoted_item_loses_its_quotes() -> None:
    assert unquote_item('"|/bin/x \\"y\\""') == '|/bin/x "y"'
    assert unquote_item('"a b"@c') == '"a b"@c'
    assert unquote_item('"a"."b"') == '"a"."b"'
