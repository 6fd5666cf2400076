"""Tag lists and key records give values or their own exception; canonical forms are the same in both twins however the
input is cut; a header of any bytes gives a result for each signature."""

from __future__ import annotations

from contextlib import suppress

from hypothesis import given
from hypothesis import strategies as st

from mta.emailauth.arc import verify_chain
from mta.emailauth.asker import TableAsker
from mta.emailauth.dkim_keys import KeyProblem, parse_record
from mta.emailauth.dkim_report import clauses, failure_line, verbose_line
from mta.emailauth.dkim_signature import parse_signature
from mta.emailauth.dkim_verify import verify_message
from mta.emailauth.message_file import parse_message
from mta.emailauth.tags import BadTags, emptied, parse_tags
from mta.wire import _canon, canon_py

TEXT = st.text(st.characters(max_codepoint=255), max_size=200)
TAGGED = st.lists(
    st.tuples(
        st.sampled_from(["v", "a", "b", "bh", "c", "d", "h", "i", "l", "q", "s", "t", "x", "z", "cv", "p", "k"]), TEXT
    )
).map(lambda pairs: ";".join(f"{name}={value}" for name, value in pairs))
BODIES = st.lists(st.sampled_from([b" ", b"\t", b"\r", b"\n", b"\r\n", b"a", b"\0", b"\xff", b"bc"]), max_size=60)


@given(st.one_of(TEXT, TAGGED))
def test_tag_lists(text: str) -> None:
    try:
        tags = parse_tags(text)
    except BadTags:
        return
    assert all(name and "=" not in name for name in tags)


@given(st.one_of(TEXT, TAGGED))
def test_key_records(text: str) -> None:
    with suppress(KeyProblem):
        assert parse_record(text).bits > 0


@given(st.one_of(TEXT, TAGGED), st.booleans())
def test_signature_lines(text: str, arc: bool) -> None:
    line = f"DKIM-Signature: {text}\n"
    signature = parse_signature(line, arc=arc)
    assert signature.fault or signature.signature
    assert len(emptied(line)) <= len(line)


@given(BODIES, st.booleans())
def test_bodies_are_the_same_in_both_twins(pieces: list[bytes], relaxed: bool) -> None:
    found = []
    for module in (canon_py, _canon):
        for cut in (pieces, [b"".join(pieces)]):
            out: list[bytes] = []
            form = module.Body(relaxed)
            for piece in cut:
                form.feed(piece, out.append)
            form.finish(out.append)
            found.append(b"".join(out))
    assert len(set(found)) == 1


@given(st.one_of(st.binary(max_size=80), BODIES.map(b"".join), BODIES.map(lambda parts: b"Name :" + b"".join(parts))))
def test_header_lines_are_the_same_in_both_twins(line: bytes) -> None:
    assert canon_py.relaxed_header(line) == _canon.relaxed_header(line)
    assert canon_py.simple_header(line) == _canon.simple_header(line)


@given(st.lists(st.one_of(TEXT, TAGGED), max_size=4), st.binary(max_size=50))
def test_any_message_has_results(values: list[str], body: bytes) -> None:
    names = ("DKIM-Signature", "ARC-Seal", "ARC-Message-Signature", "ARC-Authentication-Results")
    head = "".join(f"{name}: {value}\r\n" for value in values for name in names)
    lines, rest = parse_message(head.encode("latin-1") + b"\r\n" + body)
    found = verify_message(lines, lambda: [rest], TableAsker({}), 1000.0)
    for result in found.results:
        assert result.status in ("fail", "invalid")
        assert verbose_line(result).isascii()
        assert "\n" not in verbose_line(result) + failure_line(result)
        assert all(clause.isascii() for clause in clauses([result]))
    assert verify_chain(lines, lambda: [rest], TableAsker({})).state in ("none", "fail")
