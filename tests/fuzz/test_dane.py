"""Whatever records and certificates there are: a verdict, never an exception, and "verified" only with a match.

The same for OCSP responses: a reason or a proof.
"""

from __future__ import annotations

import time

from hypothesis import given, settings
from hypothesis import strategies as st

from mta.net.records import Tlsa
from mta.tls.dane import parse_record, verify_chain
from mta.tls.ocsp import Proof, examine, from_file, servable
from tests.tls.test_dane import FULL, LEAF, MIDDLE, ROOT

SMALL = st.integers(0, 4)
RECORDS = st.lists(st.builds(Tlsa, SMALL, SMALL, SMALL, st.binary(max_size=70) | st.sampled_from(FULL)), max_size=6)


@st.composite
def damaged(draw: st.DrawFn) -> bytes:
    data = bytearray(draw(st.sampled_from(FULL)))
    for at, byte in draw(st.lists(st.tuples(st.integers(0, len(data) - 1), st.integers(0, 255)), max_size=4)):
        data[at] = byte
    return bytes(data[: draw(st.integers(0, len(data)))]) if draw(st.booleans()) else bytes(data)


@given(RECORDS, st.lists(damaged() | st.binary(max_size=50), max_size=4), st.lists(st.text(max_size=9), max_size=2))
@settings(max_examples=150, deadline=None)
def test_any_records_and_chain(records: list[Tlsa], chain: list[bytes], names: list[str]) -> None:
    known = [ROOT.record(2, 1, 0), MIDDLE.record(2, 0, 1)]
    for given_records in (records, [*records, *known]):
        verdict = verify_chain(given_records, chain, names, time.time())
        assert verdict.ok == (verdict.record is not None) == (not verdict.reason)
        assert str(verdict)


@given(st.text(max_size=30) | st.text(alphabet="0123 abf", max_size=30))
@settings(max_examples=100, deadline=None)
def test_any_presentation_form(text: str) -> None:
    found = parse_record(text)
    assert found is None or max(found[:3]) < 256


@given(st.binary(max_size=200))
@settings(max_examples=150, deadline=None)
def test_any_response(data: bytes) -> None:
    assert not isinstance(examine(data, LEAF.certificate, MIDDLE.certificate, time.time()), Proof)
    assert servable(data, LEAF.certificate, None, time.time())
    assert isinstance(from_file(data, pem=True), bytes)
