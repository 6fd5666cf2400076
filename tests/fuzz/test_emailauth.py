"""Any record, header, address or answer gives a result word or "no record" in bounded time, never an exception."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from mta.emailauth.asker import TableAsker
from mta.emailauth.dmarc import STATUSES, author_of, evaluate
from mta.emailauth.dmarc_record import mail_address, parse_record
from mta.emailauth.spf import RESULTS, SpfResult, check_spf
from mta.emailauth.srs import NotAnAddress, decode, encode
from mta.mail.authentication import DkimResult
from mta.mail.headers import Headers

BYTES = st.text(st.characters(min_codepoint=0, max_codepoint=255), max_size=200)
TERMS = st.sampled_from(
    ["a", "mx", "ptr", "all", "-all", "~all", "include:example.com", "include:b.example", "redirect=b.example",
     "exp=b.example", "exists:%{i}.%{l}.x", "ip4:1.2.3.4/0", "ip6:::/0", "a:%{s2r-}.x/33//129", "a:%{p}", "%{x}", "=",
     ":", "exists:" + "%" * 9, "ip4:1.2.3", "mx:%{d99999}", "a/", "?all", "include:", "unknown=%{c}"]
)  # fmt: skip
RECORD = st.lists(TERMS | BYTES, max_size=8).map(lambda terms: " ".join(["v=spf1", *terms]))
TAGS = st.lists(
    st.sampled_from(
        ["p=none", "p=reject", "sp=x", "np=reject", "psd=y", "psd=n", "t=y", "pct=1", "rua=mailto:a@b.c!1m", "fo=1:d"]
    )
    | BYTES,
    max_size=6,
).map(lambda tags: ";".join(["v=DMARC1", *tags]))


@settings(max_examples=150, deadline=None)
@given(RECORD, RECORD, BYTES, BYTES)
def test_spf(first: str, second: str, sender: str, helo: str) -> None:
    asker = TableAsker({"example.com": first, "b.example": second})
    for address in (sender, f"{sender}@example.com"):
        found = check_spf(asker, "192.0.2.1", address, helo, guess=second, comment_template=sender)
        assert found.result in RESULTS
        assert not any(char < " " for char in found.received + found.smtp_comment + found.explanation)


@settings(max_examples=200, deadline=None)
@given(TAGS, TAGS, BYTES, BYTES)
def test_dmarc(first: str, second: str, header: str, domain: str) -> None:
    record = parse_record(first)
    assert record is None or record.p in ("none", "quarantine", "reject")
    headers = Headers()
    headers.add(f"From: {header}")
    author, why = author_of(headers)
    assert bool(author) != bool(why)
    asker = TableAsker({"_dmarc.example.com": first, "_dmarc.com": second})
    for name in (author, "example.com", "a.b.example.com"):
        found = evaluate(asker, name, SpfResult("pass", domain), [DkimResult("pass", domain)])
        assert found.status in STATUSES
    for uri in record.rua if record else []:
        assert "\n" not in mail_address(uri)


@settings(max_examples=200, deadline=None)
@given(BYTES, BYTES, BYTES)
def test_srs(local: str, secret: str, domain: str) -> None:
    for text in (local, f"SRS0=abcd=jm={local}", f"SRS1=abcd={local}=={domain}"):
        found = decode(text, secret, now=1795399867.0)
        assert found is None or "@" in found.recipient
    try:
        assert "@" in encode(secret, f"{local}@{domain}", "x.test", now=0.0, chains=True)
    except NotAnAddress:
        pass
