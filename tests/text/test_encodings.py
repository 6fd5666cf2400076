"""Codings of numbers, bytes, words and names."""

import time

import pytest

from mta.text import encodings


def test_base_32_and_62() -> None:
    assert (encodings.to_base32(0), encodings.to_base32(1234567890)) == ("", "bezmaws")
    assert encodings.from_digits("bezmaws", encodings.BASE32) == 1234567890
    assert encodings.to_base62(1234567890) == "1LY7VK"
    assert encodings.from_digits("1LY7VK", encodings.BASE62) == 1234567890
    assert encodings.from_digits("-", encodings.BASE62) is None


@pytest.mark.parametrize("text", ["YQ", "YQ=", "YQ===", "=A==", "YQ==YQ==", "Y Q==", "YQ==\n", "YWJj\xe9", "!!!!"])
def test_base64_is_strict(text: str) -> None:
    assert encodings.decode_base64(text) is None


def test_base64_with_white_space_by_choice() -> None:
    assert encodings.decode_base64("Y W\nJj", white_space=True) == "abc"
    assert encodings.decode_base64(encodings.encode_base64("\0\xff")) == "\0\xff"


@pytest.mark.parametrize(
    ("text", "clean"),
    [
        ("\xc3\xa9", "\xc3\xa9"),
        ("a\xc3b", "a?b"),
        ("\xe2\x82", "?"),
        ("\xc0\xaf", "??"),  # overlong
        ("\xed\xa0\x80", "?"),  # surrogate
        ("\xf4\x90\x80\x80", "?"),  # beyond the last code point
        ("\x80\x80", "??"),
        ("\xe2\x28\xa1", "?(?"),
        ("\xe2\x82\xe2\x82\xac", "?\xe2\x82\xac"),
    ],
)
def test_cleaning_utf8(text: str, clean: str) -> None:
    assert encodings.clean_utf8(text) == clean
    assert encodings.is_utf8(clean)


@pytest.mark.parametrize(
    ("text", "decoded"),  # ${rfc2047d: of Exim 4.96
    [
        ("=?iso-8859-1?q?=E9?=", "\xc3\xa9"),
        ("=?iso-8859-1?q?a_b?= =?iso-8859-1?q?c?=", "a bc"),
        ("=?iso-8859-1?q?a?= x =?iso-8859-1?q?b?=", "a x b"),
        ("=?koi8-r?b?8PLJ18XU?=", "\xd0\x9f\xd0\xa0\xd0\xb8\xd0\xb2\xd0\xb5\xd1\x82"),
        ("=?utf-8?b?AA==?=", "?"),
        ("=?utf-8?q?=ZZ?=", "=?utf-8?q?=ZZ?="),
        ("=?utf-8?q?" + "x" * 80 + "?=", "=?utf-8?q?" + "x" * 80 + "?="),
        ("=?us-ascii?q?=E9?=", "\xe9"),
    ],
)
def test_encoded_words(text: str, decoded: str) -> None:
    assert encodings.decode_rfc2047(text) == (decoded, "")


@pytest.mark.parametrize(
    "charset", ["unknown", "rot13", "hex", "zip", "idna", "punycode", "unicode_escape", "undefined"]
)
def test_pythons_own_codecs_are_no_character_sets(charset: str) -> None:
    found = encodings.decode_rfc2047(f"=?{charset}?q?abc?=")
    assert found.error == f'iconv_open("UTF-8", "{charset}") failed: Invalid argument (maybe unsupported conversion)'


def test_long_words_by_choice() -> None:
    assert encodings.decode_rfc2047("=?utf-8?q?" + "x" * 80 + "?=", check_lengths=False).text == "x" * 80


def test_encoding_keeps_words_short_and_characters_whole() -> None:
    text = "\xe2\x82\xac" * 40
    coded = encodings.encode_rfc2047(text)
    words = coded.split(" ")
    assert all(word.count("=E2") == word.count("=AC") for word in words)
    assert encodings.decode_rfc2047(coded, check_lengths=False).text == text


def test_a_field_of_bad_bytes_costs_linear_time() -> None:
    started = time.perf_counter()
    encodings.recode("\xff" * 200_000, "utf-8", "iso-8859-1")
    encodings.decode_rfc2047("=?" * 100_000)
    assert time.perf_counter() - started < 5


@pytest.mark.parametrize(
    ("domain", "label"),
    [
        ("b\xc3\xbccher.example", "xn--bcher-kva.example"),
        ("B\xc3\x9cCHER.DE", "xn--bcher-kva.de"),
        ("\xc3\x9f.de", "xn--zca.de"),  # non-transitional
        ("a_b.c", "a_b.c"),
        ("\xc3\xa9_x.y", "xn--_x-9ia.y"),
    ],
)
def test_domains_to_a_labels(domain: str, label: str) -> None:
    assert encodings.domain_to_alabel(domain) == (label, "")


@pytest.mark.parametrize("domain", ["\xff", "\xe2\x98\xba.net", "-\xc3\xa9.x", "a" * 70 + ".\xc3\xa9"])
def test_domains_that_have_no_a_labels(domain: str) -> None:
    found = encodings.domain_to_alabel(domain)
    assert found.text == domain
    assert found.error


def test_back_from_a_labels() -> None:
    assert encodings.domain_from_alabel("xn--bcher-kva.xn--fa-hia") == ("b\xc3\xbccher.fa\xc3\x9f", "")
    assert encodings.localpart_from_alabel(encodings.localpart_to_alabel("b\xc3\xbc").text).text == "b\xc3\xbc"
    assert encodings.localpart_from_alabel("abc").error == "bad alabel prefix"
