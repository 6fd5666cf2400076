from __future__ import annotations

from mta.smtp.commands import parse_command
from mta.smtp.extensions import Offer
from mta.smtp.server import ServerSession
from mta.smtp.states import Phase


def refusal(session: ServerSession, line: str) -> str:
    found = session.refusal(parse_command(line))
    return "" if found is None else f"{found.code} {found.text}"


def test_the_order_of_a_transaction() -> None:
    session = ServerSession()
    assert refusal(session, "MAIL FROM:<a@b>") == "503 HELO or EHLO required"
    assert refusal(session, "RCPT TO:<a@b>") == "503 sender not yet given"
    session.helo(True, Offer(pipelining=True))
    assert refusal(session, "MAIL FROM:<a@b>") == ""
    session.mail()
    assert refusal(session, "MAIL FROM:<a@b>") == "503 sender already given"
    assert refusal(session, "DATA") == "503 valid RCPT command must precede DATA"
    session.rcpt_refused("no")
    assert refusal(session, "DATA").startswith("503 All RCPT commands were rejected with this error:\nno\n")
    session.rcpt_refused("other")
    assert refusal(session, "DATA") == "503 valid RCPT command must precede DATA"
    session.rcpt()
    assert refusal(session, "DATA") == ""
    session.reset()
    assert session.phase == Phase.READY


def test_chunks_allow_nothing_between() -> None:
    session = ServerSession()
    session.helo(True, Offer())
    session.mail()
    session.rcpt()
    session.chunk(last=False)
    assert refusal(session, "BDAT 1") == ""
    assert refusal(session, "RSET") == ""
    assert refusal(session, "MAIL FROM:<a@b>") == "503 only BDAT permissible after non-LAST BDAT"
    assert refusal(session, "BDAT 1 LAST") == "503 only RSET accepted now"
    assert refusal(session, "NOOP") == "503 only RSET accepted now"
    session.reset()
    assert refusal(session, "MAIL FROM:<a@b>") == ""


def test_what_must_be_last_of_a_group() -> None:
    session = ServerSession()
    assert session.must_be_last("MAIL")
    assert session.must_be_last("EHLO")
    assert not session.must_be_last("QUIT")
    session.helo(True, Offer(pipelining=True))
    assert not session.must_be_last("MAIL")
    assert session.must_be_last("DATA")
    session.forget_helo()
    assert session.must_be_last("RCPT")


def test_the_list_of_ehlo() -> None:
    offer = Offer(size=10, eight_bit=True, dsn=True, pipelining=True, auth=["PLAIN"], chunking=True, starttls=True)
    assert offer.lines() == ["SIZE 10", "8BITMIME", "DSN", "PIPELINING", "AUTH PLAIN", "CHUNKING", "STARTTLS", "HELP"]
    assert Offer(size=0).lines() == ["SIZE", "HELP"]
