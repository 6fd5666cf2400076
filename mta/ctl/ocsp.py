"""``mtactl ocsp fetch|status``: keep the proofs of tls_ocsp_file fresh, and show what they are worth.

``fetch`` takes the options of Exim's ocsp_fetch.pl; meant for a timer, it asks only when it is due or told to.
"""

from __future__ import annotations

import argparse
import time
from datetime import UTC, datetime
from typing import Any, TextIO

from mta.errors import MtaError


def add_verbs(parser: argparse.ArgumentParser) -> None:
    kinds = parser.add_subparsers(dest="kind", required=True, metavar="KIND")
    fetch = kinds.add_parser("fetch", help="fetch a proof when it is due", description="Fetch a proof when it is due.")
    fetch.add_argument("-i", dest="issuer", metavar="FILE", help="the issuer's certificate (else the rest of -c)")
    fetch.add_argument("-c", dest="certificate", metavar="FILE", required=True, help="the server's certificate")
    fetch.add_argument("-u", dest="url", default="", help="the responder (else as the certificate says)")
    fetch.add_argument("-a", dest="anchors", metavar="FILE", help="CA certificates that the issuer must lead to")
    fetch.add_argument("-o", dest="output", metavar="FILE", required=True, help="where the proof goes")
    fetch.add_argument("-m", dest="margin", type=_percent, default=10.0, metavar="PERCENT", help="fetch again so much")
    fetch.add_argument("-v", dest="verbose", action="store_true", help="say what is done")
    fetch.add_argument("-f", dest="force", action="store_true", help="fetch even when it is not due")
    fetch.set_defaults(run=run_fetch)
    text = "show what proof files are worth"
    status = kinds.add_parser("status", help=text, description=text.capitalize() + ".")
    status.add_argument("proof", metavar="PROOF", nargs="*", help="proof files, DER (else those of the configuration)")
    status.add_argument("-c", dest="certificate", metavar="FILE", help="the certificate, with its issuer behind it")
    status.set_defaults(run=run_status)


def _percent(text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text} is not a number") from None
    if not 0 <= value < 100:
        raise argparse.ArgumentTypeError(f"{text} is not between 0 and 100")
    return value


def run_fetch(arguments: argparse.Namespace, out: TextIO) -> int:
    """Exit code 1 when a proof that is due could not be had; the old one stays."""
    from mta.tls.ocsp_fetch import FetchFailed, Order, due, fetch, issuer_of, read_certificates

    now = time.time()
    if not arguments.force and not due(arguments.output, now):
        if arguments.verbose:
            print(f"{arguments.output}: not due", file=out)
        return 0
    chain = read_certificates(arguments.certificate)
    others = read_certificates(arguments.issuer) if arguments.issuer else chain[1:]
    issuer = issuer_of(chain[0], others)
    if issuer is None:
        raise FetchFailed(f"{arguments.issuer or arguments.certificate}: the issuer's certificate is not there")
    anchors = tuple(read_certificates(arguments.anchors)) if arguments.anchors else ()
    order = Order(chain[0], issuer, arguments.output, arguments.url, arguments.margin / 100, anchors)
    again = fetch(order, now)
    if arguments.verbose:
        print(f"{arguments.output}: fetched; next on {_shown(datetime.fromtimestamp(again, UTC))}", file=out)
    return 0


def run_status(arguments: argparse.Namespace, out: TextIO) -> int:
    """One line a proof; exit code 1 when one is not fit to be stapled."""
    pairs = [(path, False, arguments.certificate) for path in arguments.proof] or _configured(arguments)
    good = True
    for path, pem, certificate in pairs:
        fault, facts = _look(path, pem, certificate)
        print(f"{path}: {fault or 'good'}{facts}", file=out)
        good = good and not fault
    return 0 if good else 1


def _look(path: str, pem: bool, certificate: str | None) -> tuple[str, str]:
    from mta.tls.ocsp import MAX_BYTES, from_file, read, servable
    from mta.tls.ocsp_fetch import issuer_of, read_certificates

    try:
        with open(path, "rb") as file:
            data = from_file(file.read(MAX_BYTES), pem=pem)
    except OSError as error:
        return error.strerror or "unreadable", ""
    response = read(data)
    if isinstance(response, str):
        return response, ""
    single: Any = next(iter(response.responses))
    end = single.next_update_utc
    facts = f"; status {single.certificate_status.name.lower()}, this update {_shown(single.this_update_utc)}"
    facts += f", next update {_shown(end) if end else 'unknown'}"
    facts += "".join(f", signer until {_shown(one.not_valid_after_utc)}" for one in response.certificates)
    if certificate is None:
        return "no certificate to compare with (-c)", facts
    chain = read_certificates(certificate)
    issuer = issuer_of(chain[0], chain[1:])
    facts += "" if issuer is not None else "; signature not checked: no issuer in the certificate's file"
    return servable(data, chain[0], issuer, time.time()), facts


def _configured(arguments: argparse.Namespace) -> list[tuple[str, bool, str | None]]:
    from mta.config.load import load
    from mta.config.runtime import Runtime
    from mta.ctl.main import macros
    from mta.scope.scope import Scope
    from mta.text.lists import split_list
    from mta.tls.contexts import file_option
    from mta.tls.stapling import proof_files

    runtime = Runtime.start(load(arguments.config, macros(arguments), trusted=False))
    main, scope = runtime.config.main, Scope(runtime.config.site, runtime.services)
    proofs = proof_files(split_list(file_option(main.tls_ocsp_file, scope, "tls_ocsp_file")))
    if not proofs:
        raise MtaError("tls_ocsp_file is not set")
    files = split_list(file_option(main.tls_certificate, scope, "tls_certificate"))
    files += [files[0]] * (len(proofs) - len(files)) if files else []
    return [(proof.path, proof.pem, files[n] if files else None) for n, proof in enumerate(proofs)]


def _shown(moment: datetime) -> str:
    return f"{moment:%Y-%m-%d %H:%M:%S} UTC"
