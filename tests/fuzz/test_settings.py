"""Invariant: any bytes are read into a RawConfig or faults with places; no other exception, bounded output."""

import tempfile
from pathlib import Path

from hypothesis import given, settings
from hypothesis import strategies as st

from mta.errors import ConfigError
from mta.settings.reader import read

LINES = st.one_of(
    st.binary(max_size=40),
    st.sampled_from(
        [
            b"AB = x\\",
            b"AB == ABAB",
            b".ifdef AB",
            b".elifndef C",
            b".else",
            b".endif",
            b".include a.conf",
            b".include_if_exists /x",
            b"begin acl",
            b"begin routers",
            b"x:",
            b"hide no_a = b",
            b'a = "b\\',
            b'  c\\x4" ',
            b"domainlist_cache a = b",
            b"# \\",
            b"",
            b"begin retry",
        ]
    ),
)


@settings(max_examples=150, deadline=None)
@given(st.lists(LINES, max_size=30))
def test_reader_never_breaks(lines: list[bytes]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "a.conf")
        path.write_bytes(b"\n".join(lines))
        raw = read(str(path), {"D": "given"})
    assert all(isinstance(error, ConfigError) and error.where.file for error in raw.errors)
    assert all(len(line.text) <= 2 << 20 for line in raw.lines)
    assert raw.macros["D"] == "given"
