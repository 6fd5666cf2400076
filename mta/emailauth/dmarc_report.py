"""Aggregate reports (RFC 9990): the XML of one policy domain and span, its name, and who may be sent it."""

from __future__ import annotations

import gzip
import re
from xml.etree import ElementTree

from mta.emailauth.dmarc_record import is_dmarc, mail_address
from mta.emailauth.dmarc_results import Published, Row
from mta.emailauth.dmarc_walk import Discovery

NAMESPACE = "urn:ietf:params:xml:ns:dmarc-2.0"
_RESULTS = {"invalid": "permerror", "(invalid)": "permerror"}
_DKIM = ("none", "pass", "fail", "policy", "neutral", "temperror", "permerror")
_SPF = ("none", "neutral", "pass", "fail", "softfail", "temperror", "permerror")
_NOT_XML = re.compile(r"[^\t\n\r\x20-\x7e\xa0-\xff]")


def report_xml(
    published: Published, rows: list[Row], *, organization: str, email: str, report_id: str, begin: int, end: int
) -> bytes:
    """The feedback document; ``begin`` and ``end`` in seconds since the epoch, the span's first and last second."""
    top = ElementTree.Element("feedback", {"xmlns": NAMESPACE})
    _add(top, "version", "1.0")
    metadata = _add(top, "report_metadata")
    for name, text in (("org_name", organization), ("email", email), ("report_id", report_id)):
        _add(metadata, name, text)
    span = _add(metadata, "date_range")
    _add(span, "begin", str(begin))
    _add(span, "end", str(end))
    _add(metadata, "generator", "mta")
    _policy(top, published)
    for row in rows:
        _record(top, row)
    ElementTree.indent(top)
    document: bytes = ElementTree.tostring(top, encoding="utf-8", xml_declaration=True)
    return document + b"\n"


def _policy(top: ElementTree.Element, published: Published) -> None:
    policy = _add(top, "policy_published")
    rows = (
        ("domain", published.domain),
        ("discovery_method", published.method),
        ("p", published.p),
        ("sp", published.sp),
        ("np", published.np),
        ("fo", published.fo),
        ("adkim", published.adkim),
        ("aspf", published.aspf),
        ("testing", published.testing),
    )
    for name, text in rows:
        if text:
            _add(policy, name, text)


def _record(top: ElementTree.Element, row: Row) -> None:
    record = _add(top, "record")
    about = _add(record, "row")
    _add(about, "source_ip", row.source_ip)
    _add(about, "count", str(row.count))
    evaluated = _add(about, "policy_evaluated")
    for name, text in (("disposition", row.disposition), ("dkim", row.dkim), ("spf", row.spf)):
        _add(evaluated, name, text)
    if row.reason:
        reason = _add(evaluated, "reason")
        _add(reason, "type", row.reason)
    identifiers = _add(record, "identifiers")
    _add(identifiers, "header_from", row.header_from)
    _add(identifiers, "envelope_from", row.envelope_from)
    results = _add(record, "auth_results")
    for domain, selector, result in row.signatures:
        dkim = _add(results, "dkim")
        _add(dkim, "domain", domain)
        _add(dkim, "selector", selector)
        word = _RESULTS.get(result, result)
        _add(dkim, "result", word if word in _DKIM else "permerror")
    spf = _add(results, "spf")
    _add(spf, "domain", row.spf_domain)
    _add(spf, "scope", row.spf_scope)
    word = _RESULTS.get(row.spf_result, row.spf_result)
    _add(spf, "result", word if word in _SPF else "permerror")


def _add(parent: ElementTree.Element, name: str, text: str | None = None) -> ElementTree.Element:
    child = ElementTree.SubElement(parent, name)
    if text is not None:
        child.text = _NOT_XML.sub("?", text)
    return child


def file_name(receiver: str, domain: str, begin: int, end: int) -> str:
    """RFC 9990 2.6.1: ``receiver!domain!begin!end.xml.gz``."""
    return f"{receiver}!{domain}!{begin}!{end}.xml.gz"


def compressed(document: bytes) -> bytes:
    """gzip without a time stamp: the same report is the same bytes."""
    return gzip.compress(document, mtime=0)


def destinations(published_domain: str, uris: list[str], search: Discovery) -> tuple[list[str], list[str]]:
    """Mailboxes that may get reports about a domain, and those that have not agreed to (RFC 9990 4).

    A destination outside the organizational domain agrees by a record at ``DOMAIN._report._dmarc.DESTINATION``.
    Raises dmarc_walk.NoAnswer.
    """
    good, refused = [], []
    organization = search.organization(published_domain)
    for address in dict.fromkeys(mail_address(uri) for uri in uris):
        if not address:
            continue
        domain = address.rpartition("@")[2]
        if search.organization(domain) == organization or _agrees(search, published_domain, domain):
            good.append(address)
        else:
            refused.append(address)
    return good, refused


def _agrees(search: Discovery, about: str, destination: str) -> bool:
    return any(is_dmarc(text) for text in search.text_records(f"{about}._report._dmarc.{destination}"))
