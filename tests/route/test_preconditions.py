"""Affixes (manual chapter 15, local_part_prefix)."""

import pytest

from mta.route.preconditions import match_prefix, match_suffix


@pytest.mark.parametrize(
    ("local_part", "prefixes", "expected"),
    [
        ("real-joe", ["real-"], (5, 0)),
        ("REAL-joe", ["real-"], (5, 0)),
        ("joe", ["real-"], None),
        ("owner-x", ["real-", "owner-"], (6, 0)),
        ("a-b-joe", ["*-"], (4, 3)),
        ("joe", ["*-"], None),
        ("-joe", ["*-"], (1, 0)),
    ],
)
def test_prefix(local_part: str, prefixes: list[str], expected: tuple[int, int] | None) -> None:
    assert match_prefix(local_part, prefixes) == expected


@pytest.mark.parametrize(
    ("local_part", "suffixes", "expected"),
    [
        ("joe-request", ["-request"], (8, 0)),
        ("joe+a+b", ["+*"], (4, 3)),
        ("joe+", ["+*"], (1, 0)),
        ("joe", ["+*"], None),
    ],
)
def test_suffix(local_part: str, suffixes: list[str], expected: tuple[int, int] | None) -> None:
    assert match_suffix(local_part, suffixes) == expected
