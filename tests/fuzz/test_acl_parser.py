"""Invariant: texts of ACLs, verify, ratelimit, dnslists and AUTH are read or refused, never anything else."""

from __future__ import annotations

import contextlib

from hypothesis import given, settings
from hypothesis import strategies as st

from mta.acl.conditions.dnslists import parse as parse_dnslists
from mta.acl.conditions.ratelimit import parse as parse_ratelimit
from mta.acl.parser import parse_acls, parse_inline
from mta.acl.statements import VERBS
from mta.acl.verify_options import BadVerify, parse_verify
from mta.errors import ConfigError, Where
from mta.sasl.base import BadBase64, decode

_PUNCTUATION = ["!", "=", ":", "/", "$", "{", "}", "${", "${if", "\\", "\n", "#", "+x", ",", "&", "=="]
_NAMES = ["set acl_m0", "acl_c_x", "hosts", "domains", "condition", "verify", "sender", "control", "freeze", "message"]
_MORE = ["endpass", "delay", "acl", "ratelimit", "1h", "10", "per_rcpt", "dnslists", "callout", "log_message"]
WORDS = st.sampled_from([*VERBS, *_PUNCTUATION, *_NAMES, *_MORE])
TEXT = st.one_of(st.lists(WORDS, max_size=12).map(" ".join), st.text(st.characters(max_codepoint=255), max_size=60))


@settings(max_examples=100, deadline=None)
@given(st.lists(TEXT, max_size=6))
def test_section(texts: list[str]) -> None:
    parse_acls([(text, Where("f", number)) for number, text in enumerate(["r:", *texts], 1)], [])


@settings(max_examples=100, deadline=None)
@given(TEXT)
def test_texts(text: str) -> None:
    with contextlib.suppress(ConfigError):
        parse_inline(text, Where("f", 1))
    with contextlib.suppress(BadVerify):
        parse_verify(text)
    with contextlib.suppress(BadBase64):
        decode(text)
    parse_ratelimit(text)
    parse_dnslists(text)
