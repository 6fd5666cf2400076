"""``mtactl tlsa CERT``: the TLSA records to publish for a certificate file (manual section 43.18; RFC 7671 5)."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING, TextIO

from mta.errors import MtaError

if TYPE_CHECKING:
    from cryptography import x509

Kinds = tuple[tuple[int, int, int], ...]
SERVER_KINDS: Kinds = ((3, 1, 1), (3, 1, 2))
AUTHORITY_KINDS: Kinds = ((2, 1, 1), (2, 1, 2))


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("certificate", metavar="CERT", help="a PEM or DER file; further certificates in it are its CAs")
    parser.add_argument("--name", help="the mail host: print whole zone file lines")
    parser.add_argument("--port", type=int, default=25, help="the port for --name (25)")


def run_tlsa(arguments: argparse.Namespace, out: TextIO) -> int:
    """Usage 3 for the first certificate, usage 2 for every CA, which it may be itself."""
    from cryptography import x509

    from mta.tls.dane import to_publish
    from mta.tls.paths import extension

    prefix = f"_{arguments.port}._tcp.{arguments.name.rstrip('.')}. IN TLSA " if arguments.name else ""
    for number, certificate in enumerate(_certificates(arguments.certificate)):
        basic = extension(certificate, x509.BasicConstraints)
        kinds = SERVER_KINDS if number == 0 else ()
        if number or (basic is not None and basic.ca):
            kinds += AUTHORITY_KINDS
        for record in to_publish(certificate, kinds):
            print(prefix + record, file=out)
    return 0


def _certificates(path: str) -> list[x509.Certificate]:
    from cryptography import x509

    try:
        with open(path, "rb") as file:
            data = file.read()
        return (
            x509.load_pem_x509_certificates(data) if b"-----BEGIN" in data else [x509.load_der_x509_certificate(data)]
        )
    except OSError as error:
        raise MtaError(f"{path}: {error.strerror}") from None
    except ValueError as error:
        raise MtaError(f"{path}: not a certificate: {error}") from None
