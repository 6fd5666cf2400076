"""Accepted or refused as damage, never any other exception; and what is written is what is read."""

from hypothesis import given, settings
from hypothesis import strategies as st

from mta.errors import SpoolError
from mta.mail.headers import Header
from mta.mail.message import EnvelopeRecipient, Message
from mta.mail.peer import Peer
from mta.spool.codec import decode, encode

ID = "1xVIlm-000335-1x"
TEXT = st.text(st.characters(max_codepoint=255), max_size=30)
LINE = st.text(st.characters(max_codepoint=255, exclude_characters="\n\r\0"), min_size=1, max_size=30)
ADDRESS = LINE.filter(lambda text: "#" not in text and " " not in text)
GOOD = encode(
    Message(id=ID, originator_login="u", originator_uid=1, originator_gid=1, delivered={"a", "b", "c"}), Peer(), 12
)


def check(error: SpoolError) -> None:
    assert error.damaged


@settings(max_examples=200, deadline=None)
@given(st.binary(max_size=400))
def test_any_bytes(data: bytes) -> None:
    for whole in (data, ID.encode() + b"-H\n" + data, ID.encode() + b"-H\nu 1 1\n<>\n1 0\n" + data):
        try:
            decode(whole, ID)
        except SpoolError as error:
            check(error)


@settings(max_examples=200, deadline=None)
@given(st.integers(0, len(GOOD)), st.integers(0, 40), st.binary(max_size=40))
def test_a_changed_file(at: int, size: int, data: bytes) -> None:
    try:
        decode(GOOD[:at] + data + GOOD[at + size :], ID)
    except SpoolError as error:
        check(error)


@settings(max_examples=100, deadline=None)
@given(st.lists(st.tuples(ADDRESS, ADDRESS | st.none(), TEXT, st.integers(0, 31)), max_size=4), TEXT, st.lists(TEXT))
def test_round_trip(recipients: list[tuple[str, str | None, str, int]], variable: str, headers: list[str]) -> None:
    message = Message(id=ID, originator_login="u", originator_uid=1, originator_gid=1, acl_m={"_x": variable})
    message.recipients = [EnvelopeRecipient(a, e, notify=n, orcpt=o) for a, e, o, n in recipients]
    message.headers.lines = [Header(f"X: {text}\n") for text in headers]
    back, _ = decode(encode(message, Peer(), 5), ID)
    assert back.acl_m == message.acl_m
    assert back.headers == message.headers
    for was, now in zip(message.recipients, back.recipients, strict=True):
        assert (now.address, now.errors_to, now.notify) == (was.address, was.errors_to, was.notify)
