"""Invariant: LDAP queries, Redis commands and server items are read or refused; what was quoted stays one value."""

from __future__ import annotations

import contextlib
import re

from hypothesis import given, settings
from hypothesis import strategies as st

from mta.errors import Deferred
from mta.lookup.ldap_query import decode_percent, parse_query, parse_url, quote_dn, quote_filter
from mta.lookup.servers import Refused, read_item, shown_query
from mta.lookup.types.pgsql import DRIVER as PGSQL
from mta.lookup.types.redis import DRIVER as REDIS
from mta.lookup.types.redis import quote, words_of

BYTES = st.text(st.characters(max_codepoint=255), max_size=60)
PIECES = ["ldap://", "ldaps:///", "user=", "pass=", "servers=", "size=9", "o=base", "::1", "999999", "sub", "%41"]
TEXT = st.one_of(BYTES, st.lists(st.sampled_from([*PIECES, *'"\\?/:[]()% =,']), max_size=14).map("".join))


@settings(max_examples=200, deadline=None)
@given(TEXT)
def test_queries_and_items(text: str) -> None:
    with contextlib.suppress(Deferred):
        parse_query(text)
    with contextlib.suppress(Deferred):
        parse_query(f"ldap://{text}")
    for driver in (PGSQL, REDIS):
        with contextlib.suppress(Deferred, Refused):
            read_item(driver, text).address(1)
    words_of(text)
    shown_query(text)


@settings(max_examples=200, deadline=None)
@given(BYTES, BYTES)
def test_quoted_text_stays_one_value(text: str, other: str) -> None:
    words = [b"set", text.encode("latin-1"), b"x"] if text else [b"set", b"x"]
    assert words_of(f"set {quote(text, None)} x") == words
    url = parse_url(f"ldap:///cn={quote_dn(text)},o=base?a?sub?(uid={quote_filter(other)})")
    assert (url.attributes, url.scope) == (["a"], 2)
    inner = url.filter.removeprefix("(uid=").removesuffix(")")
    assert not set(inner) & set("()*\0")
    assert re.sub(r"\\(..)", lambda found: chr(int(found.group(1), 16)), inner) == other
    assert url.dn == decode_percent(f"cn={quote_dn(text)},o=base")


@settings(max_examples=200, deadline=None)
@given(st.text(st.characters(min_codepoint=97, max_codepoint=122), min_size=3, max_size=12))
def test_passwords_are_not_shown(word: str) -> None:
    secret = f"{word}SECRET"
    for query in (
        f"user=x pass={secret} ldap:///o=base",
        f'PASS="{secret} \\" {secret}" user=x ldap:///o=base',
        f"servers=h/db/user/{secret}:h2/db/user/{secret}; select 1",
        f" servers=h/db/user/{secret}",
    ):
        assert secret not in shown_query(query)
    assert shown_query("servers=h1:h2 ldap:///o=base?a") == "servers=h1:h2 ldap:///o=base?a"
