"""Invariant: any words are arguments or a UsageError; never any other exception."""

from contextlib import suppress

from hypothesis import given, settings
from hypothesis import strategies as st

from mta.cli.arguments import Arguments, UsageError
from mta.cli.options import MODES, REFUSED, SWITCHES, VALUES, parse

FLAGS = sorted(
    {*MODES, *REFUSED, *SWITCHES, *VALUES, "-q", "-R", "-S", "-d", "-C", "-D", "-M", "-Mset", "-E", "-bd", "-f"}
)
WORD = st.one_of(
    st.sampled_from(FLAGS),
    st.tuples(st.sampled_from(FLAGS), st.text(st.characters(max_codepoint=255), max_size=6)).map("".join),
    st.text(st.characters(max_codepoint=255), max_size=12),
)


@settings(max_examples=300, deadline=None)
@given(st.lists(WORD, max_size=6))
def test_parse_never_breaks(words: list[str]) -> None:
    with suppress(UsageError):
        assert isinstance(parse("mta", words), Arguments)
