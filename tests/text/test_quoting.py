"""Escapes and quotes of byte text."""

import pytest

from mta.text.quoting import decode_plus_hex, decode_xtext, encode_xtext, escape_8bit, hexquote, printing


@pytest.mark.parametrize(
    ("text", "shown"),
    [("abc", "abc"), ("a\nb\tc", "a\\nb\tc"), ("\0\x07\x1b\x7f", "\\000\\007\\033\\177"), ("\xe9\\", "\\351\\")],
)
def test_printing(text: str, shown: str) -> None:
    assert printing(text) == shown


def test_printing_of_top_bits_and_tabs_by_choice() -> None:
    assert printing("\xe9\n\t", top_bit_prints=True) == "\xe9\\n\t"
    assert printing("\xe9\n\t", tabs_too=True) == "\\351\\n\\t"


def test_escapes_of_single_kinds() -> None:
    assert escape_8bit("\x01\xff\\") == "\x01\\377\\134"
    assert hexquote("a b\x7f") == "a\\x20b\\x7f"


@pytest.mark.parametrize("text", ["", "abc", "a b+c=d", "".join(map(chr, range(256)))])
def test_xtext_comes_back(text: str) -> None:
    coded = encode_xtext(text)
    assert set(coded) <= set(map(chr, range(33, 127))) - {"="}
    assert decode_xtext(coded) == text


@pytest.mark.parametrize("text", ["a b", "a=b", "a+", "a+2", "a+zz", "a+2b", "\xe9", "a\n", "+0A\r"])
def test_xtext_is_strict(text: str) -> None:
    assert decode_xtext(text) is None


def test_the_lax_decoder_leaves_what_is_no_hex() -> None:
    assert decode_plus_hex("a+2b+zz+") == "a++zz+"
