"""The results of DMARC that aggregate reports are made from (RFC 9990), in a small SQLite database.

A process opens it for one transaction at a time; writers wait a short while for each other.
sqlite3.Error comes through.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass

from mta.emailauth.dmarc import DmarcResult, dkim_word

BUSY_SECONDS = 2.0
MAX_SIGNATURES = 20  # of one message
MAX_SPAN = 1_000_000  # rows read for one report
_SCHEMA = """CREATE TABLE IF NOT EXISTS result (
  id INTEGER PRIMARY KEY, received INTEGER NOT NULL, domain TEXT NOT NULL, published TEXT NOT NULL,
  row TEXT NOT NULL)"""
_INDEX = "CREATE INDEX IF NOT EXISTS result_domain ON result (domain, received)"


@dataclass(slots=True)
class Row:
    """Equal messages of a report: where from, what was found, what became of them."""

    source_ip: str
    disposition: str  # none, pass, quarantine, reject
    dkim: str  # pass or fail: alignment
    spf: str
    header_from: str
    envelope_from: str
    spf_domain: str
    spf_scope: str  # mfrom or helo
    spf_result: str
    signatures: list[list[str]]  # domain, selector, result
    reason: str = ""  # policy_test_mode, sampled_out
    count: int = 1


@dataclass(slots=True)
class Published:
    """The policy of the record as it was last seen."""

    domain: str
    p: str
    sp: str
    np: str
    adkim: str
    aspf: str
    fo: str
    testing: str
    method: str
    rua: list[str]


@contextmanager
def _open(path: str) -> Iterator[sqlite3.Connection]:
    with closing(sqlite3.connect(path, timeout=BUSY_SECONDS)) as connection, connection:
        connection.execute(_SCHEMA)
        connection.execute(_INDEX)
        yield connection


def keep(path: str, result: DmarcResult, *, ip: str, received: int, mail_from: str) -> None:
    """Remember one message. Nothing is kept where no record asks for reports."""
    record = result.record
    if record is None or not record.rua:
        return
    published = Published(
        record.domain,
        record.p,
        record.sp,
        record.np,
        record.adkim,
        record.aspf,
        record.fo,
        "y" if record.t else "n",
        result.method,
        record.rua,
    )
    spf = result.spf
    row = Row(
        ip,
        {"accept": "pass"}.get(result.status, result.status),
        "pass" if result.dkim_aligned else "fail",
        "pass" if result.spf_aligned else "fail",
        result.author_domain,
        mail_from,
        spf.domain if spf else "",
        "helo" if spf is not None and spf.identity == "helo" else "mfrom",
        spf.result if spf else "none",
        [[one.domain, one.selector, dkim_word(one)] for one in result.dkim[:MAX_SIGNATURES]],
        ("policy_test_mode" if record.t else "sampled_out") if result.sampled_out else "",
    )
    with _open(path) as connection:
        connection.execute(
            "INSERT INTO result (received, domain, published, row) VALUES (?, ?, ?, ?)",
            (received, record.domain, _json(published), _json(row)),
        )


def domains(path: str, begin: int, end: int) -> list[str]:
    """The policy domains with results received in ``[begin, end)``, seconds since the epoch."""
    with _open(path) as connection:
        found = connection.execute(
            "SELECT DISTINCT domain FROM result WHERE received >= ? AND received < ? ORDER BY domain", (begin, end)
        )
        return [name for (name,) in found]


def earliest(path: str, domain: str, begin: int) -> int:
    """When the first result of a domain at or after ``begin`` was received."""
    with _open(path) as connection:
        (found,) = connection.execute(
            "SELECT min(received) FROM result WHERE domain = ? AND received >= ?", (domain, begin)
        ).fetchone()
        return begin if found is None else int(found)


def rows(path: str, domain: str, begin: int, end: int) -> tuple[Published, list[Row]]:
    """The policy last seen, and the results with equal ones counted together."""
    with _open(path) as connection:
        span = (domain, begin, end, MAX_SPAN)
        counted = connection.execute(
            "SELECT row, count(*) FROM"
            " (SELECT row FROM result WHERE domain = ? AND received >= ? AND received < ? LIMIT ?)"
            " GROUP BY row ORDER BY count(*) DESC, row",
            span,
        ).fetchall()
        (published,) = connection.execute(
            "SELECT published FROM result WHERE domain = ? AND received >= ? AND received < ? ORDER BY id DESC LIMIT 1",
            span[:3],
        ).fetchone()
    return Published(**json.loads(published)), [Row(**{**json.loads(text), "count": count}) for text, count in counted]


def forget(path: str, domain: str, begin: int, end: int) -> None:
    """Drop what has been reported."""
    with _open(path) as connection:
        connection.execute(
            "DELETE FROM result WHERE domain = ? AND received >= ? AND received < ?", (domain, begin, end)
        )


def _json(value: Row | Published) -> str:
    return json.dumps({name: getattr(value, name) for name in value.__slots__}, sort_keys=True)
