"""Invariant: a pattern that is given to Python's re finds what PCRE2 finds, groups and all."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from mta.text.patterns import Pattern

ATOMS = st.sampled_from(
    ["a", "b", "@", "-", r"\.", r"\d", r"\w", r"\s", r"\D", r"\W", ".", "[a-c]", "[^@]", "[ab.-]", r"[\w.-]", "[^a-c ]"]
)
QUANTIFIED = st.builds(
    lambda atom, many: atom + many, ATOMS, st.sampled_from(["", "", "", "*", "+", "?", "{2}", "{1,}", "{0,2}"])
)
PIECE = st.one_of(QUANTIFIED, st.lists(QUANTIFIED, min_size=1, max_size=3).map(lambda parts: f"({''.join(parts)})"))
SOURCES = st.builds(
    lambda head, parts, tail: head + "".join(parts) + tail,
    st.sampled_from(["^", ""]),
    st.lists(PIECE, min_size=1, max_size=4),
    st.sampled_from(["$", ""]),
)
SUBJECTS = st.text(alphabet="ab@.-_ 1\n\v\x85\xa0\xe9\xc9C", max_size=12)


@settings(max_examples=400, deadline=None)
@given(SOURCES, SUBJECTS, st.booleans(), st.integers(min_value=0, max_value=3))
def test_both_engines_agree(source: str, subject: str, caseless: bool, start: int) -> None:
    one = Pattern(source, caseless)
    other = Pattern(source, caseless)
    other._simple = other.literal = None
    start = min(start, len(subject))
    assert one.search_span(subject, start) == other.search_span(subject, start)
    assert one.search(subject) == other.search(subject)
    assert one.matches(subject) == other.matches(subject)


def test_what_could_run_away_stays_with_the_library() -> None:
    for source in ("(a+)+$", "a*a*a*b", "x|y", "(?i)a", "a*?", "a++", "(a)*", r"\bx", "(a(b))", "a*.*x*"):
        assert Pattern(source)._simple is None, source
    for source in (r"^[a-z]+\d*\.example$", "^([^@]+)@(.*)$", r"^.*/\.\./", r"^[./|]"):
        assert Pattern(source)._simple is not None, source
