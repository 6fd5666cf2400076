"""Any bytes are an address or an AddressError, never an exception; what is an address parses to itself again."""

from hypothesis import example, given, settings
from hypothesis import strategies as st

from mta.mail.address import Address, parse_address, parse_address_list, split_header_addresses

PIECES = st.lists(
    st.sampled_from([*'ab.@<>()\\"[],:; \t\n\r\0\x7f-_\xc3\xa9', "a@b", "<@r:", "(c)", "G:", ";"]), max_size=30
)
TEXTS = st.one_of(PIECES.map("".join), st.binary(max_size=60).map(lambda data: data.decode("latin-1")))


@settings(max_examples=400, deadline=None)
@given(TEXTS, st.booleans(), st.booleans())
@example("\\\t", False, False)  # a quoted blank at the end
def test_one_address(text: str, lenient: bool, group: bool) -> None:
    found = parse_address(
        text,
        allow_utf8=lenient,
        allow_domain_literals=lenient,
        strip_trailing_dot=lenient,
        allow_null=lenient,
        allow_group=group,
    )
    if not isinstance(found, Address):
        assert found.message
        return
    assert 0 <= found.item_start <= found.start <= found.end <= found.item_end <= len(text)
    assert not set(found.text) & set("\0\n\r")
    if found.text:
        again = parse_address(found.text, allow_utf8=lenient, allow_domain_literals=True)
        assert isinstance(again, Address)
        assert again.text == found.text


@settings(max_examples=300, deadline=None)
@given(TEXTS)
def test_a_list(text: str) -> None:
    last = 0
    for start, end in split_header_addresses(text):
        assert last <= start < end <= len(text)
        last = end
    for found in parse_address_list(text):
        assert 0 <= found.start <= found.end <= len(text)


def test_nesting_and_length_cost_linear_time() -> None:
    for text in (
        "(" * 200_000,
        "<" * 200_000,
        "[" * 200_000,
        '"' * 200_000,
        "a," * 100_000,
        "@" * 200_000,
        "\\" * 200_000,
    ):
        parse_address_list(text)
        parse_address(text)
