"""XCLIENT arguments are refused with a text or give values fit for log lines and headers; nothing is raised."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from mta.receive.xclient import ATTRIBUTES, parse
from mta.smtp.commands import is_ip_address

VALUES = st.one_of(
    st.sampled_from(
        ["1.2.3.4", "IPV6:::1", "[UNAVAILABLE]", "[tempunavail]", "25", "65536", "a.example", "a+40b", "+0A"]
    ),
    st.text(st.characters(max_codepoint=255), max_size=20),
)
PAIRS = st.tuples(st.sampled_from([*ATTRIBUTES, "addr", "HELO", ""]), st.sampled_from(["=", "", "=="]), VALUES)


@given(st.lists(PAIRS.map("".join), max_size=8).map(" ".join))
@settings(max_examples=400, deadline=None)
def test_parse(argument: str) -> None:
    found = parse(argument)
    if isinstance(found, str):
        assert found
        return
    for name, value in found.items():
        assert all(" " <= char != "\x7f" for char in value)
        if value and name in ("ADDR", "DESTADDR"):
            assert is_ip_address(value)
        if value and name in ("PORT", "DESTPORT"):
            assert 0 <= int(value) <= 65535
