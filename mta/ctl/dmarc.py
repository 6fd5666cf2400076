"""``mtactl dmarc report``: aggregate reports (RFC 9990) of what dmarc_report_database holds, sent or written to files.

A report covers whole days (UTC) of one policy domain. What has been sent, or has nowhere to go, is forgotten.
"""

from __future__ import annotations

import argparse
import base64
import secrets
import sqlite3
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, TextIO

from mta.emailauth import dmarc_results
from mta.emailauth.dmarc_report import compressed, destinations, file_name, report_xml
from mta.emailauth.dmarc_walk import Discovery, NoAnswer
from mta.errors import MtaError
from mta.mail.address import Address, parse_address

if TYPE_CHECKING:
    from mta.config.runtime import Runtime

DAY = 86_400
MAX_DAYS = 8  # results of longer ago are not reported any more


@dataclass(slots=True)
class Report:
    """One domain's report, ready to go. ``begin`` and ``end``: first and last second."""

    domain: str
    begin: int
    end: int
    uris: list[str]
    name: str
    report_id: str
    document: bytes


def add_verbs(parser: argparse.ArgumentParser) -> None:
    """The sub-verbs of ``mtactl dmarc``."""
    kinds = parser.add_subparsers(dest="kind", required=True, metavar="WHAT")
    text = "send the aggregate reports that are due: for the days before today, by policy domain"
    report = kinds.add_parser("report", help=text, description=text)
    report.add_argument("--domain", help="only this policy domain")
    report.add_argument("--until", metavar="TIME", help="report what came before this time instead of before today")
    report.add_argument("--out", metavar="FOLDER", help="write the files here instead; nothing is sent or forgotten")


def run_dmarc(arguments: argparse.Namespace, out: TextIO) -> int:
    """Compose each report, then send it or write it down."""
    from mta.config.load import load
    from mta.config.runtime import Runtime, settled
    from mta.ctl.check import time_of
    from mta.ctl.main import macros

    runtime = Runtime.start(load(arguments.config, macros(arguments), trusted=False))
    scope = runtime.scope()
    path = settled(runtime.config.main.dmarc_report_database, "dmarc_report_database", scope)
    if not path:
        raise MtaError("dmarc_report_database is not set: no results are kept")
    end = int(time_of(arguments.until)) if arguments.until else int(time.time()) // DAY * DAY
    failed = 0
    try:
        for report in reports(runtime, path, end - MAX_DAYS * DAY, end, arguments.domain):
            if arguments.out:
                (Path(arguments.out) / report.name).write_bytes(compressed(report.document))
                print(report.name, file=out)
            elif _send(runtime, report, out):
                dmarc_results.forget(path, report.domain, report.begin, report.end + 1)
            else:
                failed += 1
    except (sqlite3.Error, OSError) as error:
        raise MtaError(f"{path}: {error}") from None
    return 1 if failed else 0


def reports(runtime: Runtime, path: str, begin: int, end: int, only: str | None = None) -> Iterator[Report]:
    """The reports for results received in ``[begin, end)``, seconds since the epoch."""
    receiver = runtime.config.main.primary_hostname
    _, email = _sender(runtime)
    for domain in dmarc_results.domains(path, begin, end):
        if only and domain != only:
            continue
        published, rows = dmarc_results.rows(path, domain, begin, end)
        first = max(begin, dmarc_results.earliest(path, domain, begin) // DAY * DAY)
        report_id = f"{first}.{secrets.token_hex(6)}@{receiver}"
        document = report_xml(
            published, rows, organization=receiver, email=email, report_id=report_id, begin=first, end=end - 1
        )
        name = file_name(receiver, domain, first, end - 1)
        yield Report(domain, first, end - 1, published.rua, name, report_id, document)


def _send(runtime: Runtime, report: Report, out: TextIO) -> bool:
    """Whether the report is done with: False keeps its results for another try."""
    from mta.deliver.spooling import Generated, put, reserve

    resolver = runtime.services.resolver
    assert resolver is not None
    try:
        people, refused = destinations(report.domain, report.uris, Discovery(resolver))
    except NoAnswer as error:
        print(f"{report.domain}: not sent, {error}", file=out)
        return False
    for address in refused:
        print(f"{report.domain}: {address} has not agreed to reports", file=out)
    if not people:
        print(f"{report.domain}: nobody to send to", file=out)
        return True
    sender, envelope = _sender(runtime)
    boundary = f"=_{secrets.token_hex(16)}"
    headers = [
        f"From: {sender}",
        f"To: {', '.join(people)}",
        f"Subject: Report Domain: {report.domain} Submitter: {runtime.config.main.primary_hostname}"
        f" Report-ID: <{report.report_id}>",
        "Auto-Submitted: auto-generated",
        "MIME-Version: 1.0",
        f'Content-Type: multipart/mixed; boundary="{boundary}"',
    ]
    with reserve(runtime) as incoming:
        made = put(runtime, incoming, Generated(people, headers, _body(report, boundary), sender=envelope))
    print(f"{report.domain}: {made} to {', '.join(people)}", file=out)
    return True


def _body(report: Report, boundary: str) -> Iterator[bytes]:
    text = f"This is a DMARC aggregate report for {report.domain}.\n"
    yield f"--{boundary}\nContent-Type: text/plain; charset=us-ascii\n\n{text}\n".encode("latin-1")
    yield (
        f'--{boundary}\nContent-Type: application/gzip; name="{report.name}"\nContent-Transfer-Encoding: base64\n'
        f'Content-Disposition: attachment; filename="{report.name}"\n\n'
    ).encode("latin-1")
    yield base64.encodebytes(compressed(report.document))
    yield f"--{boundary}--\n".encode("latin-1")


def _sender(runtime: Runtime) -> tuple[str, str]:
    """From: and its address: dmarc_report_sender, or dsn_from's and the null sender for the envelope."""
    main, scope = runtime.config.main, runtime.scope()
    option = main.dmarc_report_sender or main.dsn_from
    text = option(scope).replace("\r", " ").replace("\n", " ")
    parsed = parse_address(text)
    return text, parsed.text if main.dmarc_report_sender is not None and isinstance(parsed, Address) else ""
