"""Any list text and any subject: an answer or Deferred, never another exception; indexes agree with a plain walk."""

import ipaddress
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from mta.errors import Deferred
from mta.lookup.index import NetworkIndex, parse_address, parse_network
from mta.lookup.linear import entries
from mta.match.compile import address_list, domain_list, host_list, host_list_ip, local_part_list
from tests.match.site import make_scope

TEXT = st.text(st.sampled_from("ab.*@!+^:;<>/[]\\ \x00\x85\xff0129-") | st.characters(max_codepoint=255), max_size=40)
NAMES = st.lists(st.tuples(st.booleans(), st.booleans(), st.text("ab.", min_size=1, max_size=6)), max_size=12)


@settings(max_examples=300, deadline=None)
@given(TEXT, TEXT)
def test_any_text(text: str, subject: str) -> None:
    scope = make_scope()
    makes: list[Any] = [domain_list, local_part_list, address_list, host_list, host_list_ip]
    for make in makes:
        try:
            make(text).match(scope, subject)
        except Deferred:
            continue


@settings(max_examples=300, deadline=None)
@given(NAMES, st.text("ab.", max_size=8))
def test_first_match_as_a_walk_finds_it(items: list[tuple[bool, bool, str]], subject: str) -> None:
    text = " : ".join(f"{'!' if negated else ''}{'*' if wild else ''}{name}" for negated, wild, name in items)
    expected = bool(items) and items[-1][0]
    for negated, wild, name in items:
        if subject.endswith(name) if wild else subject == name:
            expected = not negated
            break
    assert (domain_list(text).match(make_scope(), subject) is not None) == expected


@settings(max_examples=200, deadline=None)
@given(st.lists(st.tuples(st.integers(0, 2**32 - 1), st.integers(0, 32)), max_size=10), st.integers(0, 2**32 - 1))
def test_networks_as_a_walk_finds_them(networks: list[tuple[int, int]], number: int) -> None:
    index, address = NetworkIndex(), ipaddress.IPv4Address(number)
    expected = -1
    for place, (base, length) in enumerate(networks):
        network = parse_network(f"{ipaddress.IPv4Address(base)}/{length}")
        assert network is not None
        index.add(network, place)
        if expected < 0 and address in network:
            expected = place
    assert index.first(address) == expected


@settings(max_examples=200, deadline=None)
@given(TEXT, st.lists(TEXT, max_size=6))
def test_linear_files(text: str, lines: list[str]) -> None:
    parse_address(text)
    parse_network(text)
    for full in (False, True):
        for key, data in entries(lines, full):
            assert "\n" not in data or "\n" in "".join(lines) or "\\" in "".join(lines)
            assert isinstance(key, str)
