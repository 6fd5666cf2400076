"""Addresses as Exim reads them; the tables hold the answers of ``exim4 -bv`` (Exim 4.96)."""

import json
import shutil
import subprocess
from pathlib import Path

import pytest

from mta.mail.address import (
    Address,
    AddressError,
    domain_of,
    local_part_of,
    lower_domain,
    parse_address,
    parse_address_list,
    qualify,
    quote_local_part,
    split_header_addresses,
    strip_angle_brackets,
    unquote_local_part,
)

HERE = Path(__file__).parent
STRICT: list[list[str]] = json.loads((HERE / "addresses_exim.json").read_text())
LENIENT: list[list[str]] = json.loads((HERE / "addresses_exim_lenient.json").read_text())


def said(parsed: Address | AddressError) -> str:
    """The parse as -bv prints it on a host called oracle.test."""
    if isinstance(parsed, AddressError):
        return f"syntax error: {parsed.message}"
    return f"{parsed.text}{'' if parsed.domain else '@oracle.test'} verified"


@pytest.mark.parametrize(("text", "answer"), STRICT)
def test_exims_answers(text: str, answer: str) -> None:
    assert said(parse_address(text)) == answer


@pytest.mark.parametrize(("text", "answer"), LENIENT)
def test_exims_answers_with_every_leniency(text: str, answer: str) -> None:
    found = parse_address(text, allow_domain_literals=True, allow_utf8=True, strip_trailing_dot=True)
    assert said(found) == answer


@pytest.mark.parametrize("text", ["a@\xc0\xaf", "a@\xf5\x9f\x98\x80", "a@\xed\xa0\xff"])
def test_utf8_that_rfc_3629_forbids_is_refused_where_exim_takes_it(text: str) -> None:
    assert parse_address(text, allow_utf8=True) == AddressError("invalid UTF-8 byte sequence", text, 0, len(text))


@pytest.mark.parametrize("text", ['"a\nb"@c', '"a\r\n b"@c', "a\\\nb@c"])
def test_line_ends_never_get_into_an_address_though_exim_lets_them(text: str) -> None:
    assert isinstance(parse_address(text), AddressError)


def test_a_folded_quoted_phrase_is_no_harm() -> None:
    found = parse_address('"Ford\n Prefect" <a@b>')
    assert isinstance(found, Address)
    assert found.text == "a@b"


def test_the_null_address_is_an_address_only_when_allowed() -> None:
    assert parse_address("<>", allow_null=True) == Address("", "", "", 1, 1, 0, 2)
    assert isinstance(parse_address("<>"), AddressError)


def test_zero_bytes_are_refused() -> None:
    found = parse_address("a\0@b")
    assert isinstance(found, AddressError)
    assert "\0" not in found.message


def test_excess_brackets_go_only_when_told() -> None:
    assert isinstance(parse_address("<<a@b>>"), AddressError)
    found = parse_address("<<a@b>>", strip_excess_brackets=True)
    assert isinstance(found, Address)
    assert found.text == "a@b"


def test_source_routes_can_be_refused() -> None:
    assert isinstance(parse_address("<@x:a@b>", source_route_ok=False), AddressError)


@pytest.mark.parametrize(
    ("text", "place", "item"),
    [
        ("a@b", "a@b", "a@b"),
        ("Ford Prefect <fp@x> (c)", "fp@x", "Ford Prefect <fp@x> (c)"),
        ("(c) f (d) @ a.test (e)", "f (d) @ a.test", "(c) f (d) @ a.test (e)"),
        ("(c) <@r:q@a.test>", "@r:q@a.test", "(c) <@r:q@a.test>"),
    ],
)
def test_the_bounds_of_what_rewriting_replaces(text: str, place: str, item: str) -> None:
    found = parse_address(text)
    assert isinstance(found, Address)
    assert text[found.start : found.end] == place
    assert text[found.item_start : found.item_end] == item


@pytest.mark.parametrize(
    ("text", "addresses"),  # ${addresses:...} of Exim 4.96
    [
        ('"x, y" <c@d>, (z) e', ["c@d", "e"]),
        ("G: a@b, c@d; e@f", ["a@b", "c@d"]),
        ("bad@, a@b", ["a@b"]),
        ("a@b, , c@d", ["a@b", "c@d"]),
        ("undisclosed-recipients:;", []),
        ("G:;, a@b", ["a@b"]),
        ("x: y: z@w; a@b", []),
        ("foo (x, y) <a@b>, c@d", ["a@b", "c@d"]),
        ("<@x,@y:a@b>, c", ["a@b", "c"]),
        ("@x,@y:a@b, c", ["a@b", "c"]),
        ("a\\,b@c", ["a\\,b@c"]),
        ('a@b, "x', ["a@b"]),
        ("x <a@b>;", []),
    ],
)
def test_lists_of_addresses(text: str, addresses: list[str]) -> None:
    assert [found.text for found in parse_address_list(text) if isinstance(found, Address)] == addresses


def test_list_bounds_count_from_the_start_of_the_whole_text() -> None:
    text = " G: x <a@b> , bad@@c"
    good, bad = parse_address_list(text)
    assert text[good.start : good.end] == "a@b"
    assert isinstance(bad, AddressError)
    assert text[bad.start : bad.end] == "bad@@c"


def test_pieces_of_a_list() -> None:
    text = ' a , "b,c" , (d,e) f ,'
    assert [text[start:end] for start, end in split_header_addresses(text)] == ["a", '"b,c"', "(d,e) f"]


def test_the_rightmost_at_sign_splits() -> None:
    assert local_part_of('"a@b"@C') == '"a@b"'
    assert domain_of('"a@b"@C') == "C"
    assert lower_domain("A@B.C\xc9") == "A@b.c\xc9"
    assert (local_part_of("x"), domain_of("x")) == ("x", "")


@pytest.mark.parametrize(("text", "whole"), [("a", "a@d"), ("a@b", "a@b"), ("", ""), ('"x@y"@z', '"x@y"@z')])
def test_qualifying(text: str, whole: str) -> None:
    assert qualify(text, "d") == whole


@pytest.mark.parametrize(("text", "bare"), [("<a@b>", "a@b"), (" < a > ", "a"), ("a@b", "a@b"), ("<>", "")])
def test_stripping_brackets(text: str, bare: str) -> None:
    assert strip_angle_brackets(text) == bare


@pytest.mark.parametrize("value", ["abc", "a b", 'a"b', "a\\b", ".a", "", "a@b"])
def test_quoting_a_local_part_is_undone(value: str) -> None:
    assert unquote_local_part(quote_local_part(value)) == value


@pytest.mark.oracle
@pytest.mark.parametrize("text", ["<@a:b@c@d>", "a@b c", "first.last <a@b>", "a@[1.2.3.4", '<"a"b@c>', "x <a@b> y"])
def test_a_live_exim_agrees(text: str) -> None:
    exim = shutil.which("exim4")
    if exim is None:
        pytest.skip("exim4 is not installed")
    asked = subprocess.run([exim, "-be", f"${{address:\\N{text}\\N}}"], capture_output=True, check=False)
    found = parse_address(text)
    assert asked.stdout.decode().rstrip("\n") == (found.text if isinstance(found, Address) else "")
