"""A policy file or record is understood or none: never an exception, and what is understood has hosts and an age."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from mta.tls.sts import MAX_AGE, parse_policy, record_id

LINES = st.sampled_from(["version: STSv1", "mode: enforce", "mode: none", "mx: a.ex", "mx: *.ex", "max_age: 5", "x"])


@given(st.binary(max_size=300) | st.lists(LINES, max_size=8).map(lambda lines: "\n".join(lines).encode()))
@settings(max_examples=200, deadline=None)
def test_any_policy(data: bytes) -> None:
    policy = parse_policy(data)
    if policy is not None:
        assert policy.mode in ("enforce", "testing", "none")
        assert 0 <= policy.max_age <= MAX_AGE
        assert policy.hosts or policy.mode == "none"
        assert not policy.allows("..") or not policy.allows("")


@given(st.lists(st.lists(st.text(max_size=20) | st.sampled_from(["v=STSv1;", "id=a;"]), max_size=3), max_size=3))
@settings(max_examples=150, deadline=None)
def test_any_record(texts: list[list[str]]) -> None:
    found = record_id(texts)
    assert found is None or (found.isalnum() and len(found) <= 32)
