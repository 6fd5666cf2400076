"""Any bytes from a name server: an Answer, never an exception; any text as a name or an endpoint likewise."""

import contextlib

import dns.message
from hypothesis import given, settings
from hypothesis import strategies as st

from mta.errors import ConfigError
from mta.lookup.types.dnsdb import parse_query
from mta.net.exchange import NoAnswer, _parse
from mta.net.resolv_conf import parse_nameservers
from mta.net.resolver import Resolver
from mta.net.sockets import endpoints
from tests.fakes.dns import FakeResolver

QUESTION = dns.message.make_query("host.example", "A", id=4711)
GOOD = dns.message.make_response(QUESTION).to_wire()
BYTE_TEXT = st.text(st.characters(max_codepoint=255), max_size=80)


@settings(max_examples=300, deadline=None)
@given(st.binary(max_size=120), st.integers(0, len(GOOD)))
def test_any_packet(data: bytes, keep: int) -> None:
    resolver = Resolver([("127.0.0.1", 9)], resolv_conf="/nonexistent")
    for wire in (data, GOOD[:keep] + data, GOOD[:2] + data):
        with contextlib.suppress(NoAnswer):
            answer = _parse(wire, QUESTION)
            if answer is not None:
                resolver._read(answer, "host.example", "A")


@settings(max_examples=300, deadline=None)
@given(BYTE_TEXT, st.sampled_from(["A", "MX", "TLSA", "nonsense"]))
def test_any_name(name: str, rdtype: str) -> None:
    Resolver([], resolv_conf="/nonexistent", cache_size=0).nameservers.clear()
    resolver = Resolver([], resolv_conf="/nonexistent")
    assert resolver.query(name, rdtype).status in ("again", "nxdomain")
    assert FakeResolver({}).query(name, "A", qualify_single=True).status == "nxdomain"


@settings(max_examples=200, deadline=None)
@given(st.text("0123456789.:[]<;x \n", max_size=30) | BYTE_TEXT)
def test_any_configuration_text(text: str) -> None:
    for parse in (
        lambda: endpoints(text, text),
        lambda: endpoints("::0", "25", text),
        lambda: parse_nameservers([text]),
    ):
        with contextlib.suppress(ConfigError):
            parse()


@settings(max_examples=200, deadline=None)
@given(st.text(">,;: =_adefrmnvxtyc0", max_size=30) | BYTE_TEXT)
def test_any_dnsdb_query(text: str) -> None:
    from mta.errors import Deferred

    with contextlib.suppress(Deferred):
        parse_query(text)
