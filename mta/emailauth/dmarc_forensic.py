"""DMARC failure reports: when one is due, to whom, and its text, as Exim writes it or as ARF (RFC 9991, RFC 5965)."""

from __future__ import annotations

from dataclasses import dataclass

from mta.emailauth.dmarc import DmarcResult
from mta.emailauth.dmarc_record import mail_address
from mta.text.dates import rfc5322_date

MAX_HEADERS = 65_536  # bytes of the message's header that are sent
_INTRO = "A message claiming to be from you has failed the published DMARC\npolicy for your domain.\n\n"


@dataclass(slots=True)
class Facts:
    """What a report says of the message. ``header`` is its whole header; the body is never sent."""

    ip: str
    received: float  # seconds since the epoch
    header: str
    sender: str = ""
    message_id: str = ""
    receiver: str = ""


def is_due(result: DmarcResult) -> bool:
    """The record asks for reports (ruf), and the policy it declares was the outcome; ``fo`` may narrow that."""
    record = result.record
    if record is None or not record.ruf or result.policy == "none" or result.status != result.policy:
        return False
    wants = {option.strip(" \t") for option in record.fo.split(":")}
    if wants & {"0", "1"} or not wants & {"d", "s"}:
        return True
    dkim_failed = any(one.status != "pass" for one in result.dkim)
    spf_failed = result.spf is not None and result.spf.result != "pass"
    return ("d" in wants and dkim_failed) or ("s" in wants and spf_failed)


def addresses(result: DmarcResult) -> list[str]:
    """The mailboxes of ruf; other URIs are passed over."""
    assert result.record is not None
    found = (mail_address(uri) for uri in result.record.ruf)
    return list(dict.fromkeys(address for address in found if address))


def subject(result: DmarcResult, facts: Facts) -> str:
    return f"DMARC Forensic Report for {result.author_domain} from IP {facts.ip}"


def fields(result: DmarcResult, facts: Facts) -> str:
    """The report's lines: two spaces, name, value."""
    rows = (
        ("Sender Domain", result.author_domain),
        ("Sender IP Address", facts.ip),
        ("Received Date", rfc5322_date(facts.received)),
        ("SPF Alignment", "yes" if result.spf_aligned else "no"),
        ("DKIM Alignment", "yes" if result.dkim_aligned else "no"),
        ("DMARC Results", result.text),
    )
    return "".join(f"  {name}: {value}\n" for name, value in rows)


def text_report(result: DmarcResult, facts: Facts, sender: str, to: str) -> tuple[str, str]:
    """Header and body in Exim's form."""
    head = (
        f"Auto-Submitted: auto-generated\nFrom: {sender}\nTo: {to}\nSubject: {subject(result, facts)}\n"
        "MIME-Version: 1.0\nContent-Type: text/plain; charset=utf-8\nContent-Transfer-Encoding: 8bit\n"
    )
    return head, f"{_INTRO}{fields(result, facts)}\nThe header of the message:\n\n{facts.header[:MAX_HEADERS]}"


def arf_report(result: DmarcResult, facts: Facts, sender: str, to: str, boundary: str) -> tuple[str, str]:
    """Header and body as a feedback report of type auth-failure (RFC 6591)."""
    head = (
        f"Auto-Submitted: auto-generated\nFrom: {sender}\nTo: {to}\nSubject: {subject(result, facts)}\n"
        f'MIME-Version: 1.0\nContent-Type: multipart/report; report-type=feedback-report;\n boundary="{boundary}"\n'
    )
    failed = "dmarc"
    aligned = ",".join(name for name, good in (("spf", result.spf_aligned), ("dkim", result.dkim_aligned)) if good)
    feedback = [
        "Feedback-Type: auth-failure",
        "User-Agent: mta",
        "Version: 1",
        f"Auth-Failure: {failed}",
        f"Identity-Alignment: {aligned or 'none'}",
        f"Original-Mail-From: <{facts.sender}>",
        f"Source-IP: {facts.ip}",
        f"Arrival-Date: {rfc5322_date(facts.received)}",
        f"Reported-Domain: {result.author_domain}",
        f"Delivery-Result: {'reject' if result.status == 'reject' else 'policy'}",
    ]
    if facts.receiver:
        feedback.append(f"Reporting-MTA: dns; {facts.receiver}")
    body = (
        f"--{boundary}\nContent-Type: text/plain; charset=utf-8\n\n{_INTRO}{fields(result, facts)}\n"
        f"--{boundary}\nContent-Type: message/feedback-report\n\n" + "\n".join(feedback) + "\n\n"
        f"--{boundary}\nContent-Type: text/rfc822-headers\n\n{facts.header[:MAX_HEADERS]}\n--{boundary}--\n"
    )
    return head, body
