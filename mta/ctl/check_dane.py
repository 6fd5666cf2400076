"""``mtactl check dane``: a certificate chain against TLSA records, from files or from a host as a sender would see it.

The last line printed is the verdict. Exit codes: 0 verified, 1 not, 2 the command line.
"""

from __future__ import annotations

import argparse
import time
from typing import TYPE_CHECKING, Any, TextIO

from mta.errors import MtaError
from mta.text.ascii import lower, strict_int

if TYPE_CHECKING:
    from mta.net.records import Tlsa
    from mta.net.resolver import Resolver

TIMEOUT = 30.0


def add_verb(kinds: Any) -> None:
    """``dane`` among the kinds of ``mtactl check``."""
    text = "check a server's certificates by DANE (RFC 7672): a host, or --tlsa with --chain"
    made = kinds.add_parser("dane", help=text, description=text)
    made.add_argument("host", nargs="?", metavar="HOST[:PORT]", help="a mail host to look up and connect to (port 25)")
    made.add_argument(
        "--tlsa", action="append", default=[], type=_record, metavar="'U S M HEX'", help="a record; may be repeated"
    )
    made.add_argument("--chain", type=_chain, metavar="FILE", help="PEM certificates as the server sends them")
    made.add_argument("--name", action="append", default=[], help="a name that the certificate may have")
    made.add_argument("--at", type=_time, metavar="TIME", help="the time to take for now: seconds or ISO 8601")
    made.add_argument("--dns", metavar="HOST:PORT", help="ask this validating name server")
    made.set_defaults(run=lambda arguments, out: run(arguments, out, made))


def run(arguments: argparse.Namespace, out: TextIO, parser: argparse.ArgumentParser) -> int:
    """Judge and print."""
    from mta.tls.dane import verify_chain

    at = time.time() if arguments.at is None else arguments.at
    if arguments.host is not None:
        if arguments.chain is not None:
            parser.error("HOST and --chain exclude each other")
        return _check_host(arguments, at, out, parser)
    if not arguments.tlsa or arguments.chain is None:
        parser.error("HOST is wanted, or --tlsa with --chain")
    verdict = verify_chain(arguments.tlsa, arguments.chain, arguments.name, at)
    print(verdict, file=out)
    return 0 if verdict.ok else 1


def _record(text: str) -> Tlsa:
    from mta.tls.dane import parse_record

    found = parse_record(text)
    if found is None:
        raise argparse.ArgumentTypeError(f'"{text}" is not a record of the form U S M HEX')
    return found


def _chain(path: str) -> list[bytes]:
    from cryptography import x509
    from cryptography.hazmat.primitives.serialization import Encoding

    try:
        with open(path, "rb") as file:
            found = x509.load_pem_x509_certificates(file.read())
    except OSError as error:
        raise argparse.ArgumentTypeError(f"{path}: {error.strerror}") from None
    except ValueError as error:
        raise argparse.ArgumentTypeError(f"{path}: no PEM certificates: {error}") from None
    return [certificate.public_bytes(Encoding.DER) for certificate in found]


def _time(text: str) -> float:
    from mta.ctl.check import time_of

    try:
        return time_of(text)
    except MtaError as error:
        raise argparse.ArgumentTypeError(str(error)) from None


def _check_host(arguments: argparse.Namespace, at: float, out: TextIO, parser: argparse.ArgumentParser) -> int:
    name, colon, port_text = arguments.host.partition(":")
    port = strict_int(port_text, maximum=65535) if colon else 25
    if not name or not port:
        parser.error(f"{arguments.host} is not HOST or HOST:PORT")
    records, names, addresses = _look_up(_resolver(arguments), lower(name), port, arguments.tlsa, out)
    good = True
    for address in addresses:
        try:
            verdict = _ask(address, port, records, [*names, *arguments.name], at)
            text, ok = str(verdict), verdict.ok
        except (MtaError, OSError) as error:
            text, ok = str(error) or type(error).__name__, False
        print(f"{name} [{address}]:{port} {text}", file=out)
        good = good and ok
    return 0 if good else 1


def _resolver(arguments: argparse.Namespace) -> Resolver:
    """The server of --dns, the configuration's of -C, or the machine's, which is trusted as the operator asks."""
    from mta.net.resolv_conf import parse_nameservers
    from mta.net.resolver import Resolver

    if arguments.dns:
        return Resolver(parse_nameservers([arguments.dns]))
    if arguments.config:
        from mta.config.load import load
        from mta.config.runtime import Runtime
        from mta.ctl.main import macros

        found = Runtime.start(load(arguments.config, macros(arguments), trusted=False)).services.resolver
        if found is not None:
            return found
    return Resolver(trust_ad=True)


def _look_up(
    resolver: Resolver, name: str, port: int, given: list[Tlsa], out: TextIO
) -> tuple[list[Tlsa], list[str], list[str]]:
    """Records, names for the certificate, addresses; every answer printed. MtaError where DANE is not to be had."""
    from mta.net import records

    hosts = records.addresses(resolver, name)
    if not hosts.ok:
        raise MtaError(f"{name}: no addresses: {hosts.error or hosts.status}")
    print(f"{name} addresses {' '.join(hosts.values)} ({_security(hosts.authenticated)})", file=out)
    names = list(dict.fromkeys([hosts.name or name, name]))
    if given:
        return given, names, hosts.values
    if not hosts.authenticated:
        raise MtaError(f"{name} lookup not DNSSEC")
    for base in names:
        found = records.tlsa(resolver, f"_{port}._tcp.{base}")
        if found.status == "again":
            raise MtaError(f"TLSA lookup of _{port}._tcp.{base}: {found.error}")
        for record in found.values:
            shown = f"{record.usage} {record.selector} {record.matching} {record.data.hex()}"
            print(f"_{port}._tcp.{base} TLSA {shown} ({_security(found.authenticated)})", file=out)
        if found.ok and found.authenticated:
            return found.values, list(dict.fromkeys([base, *names])), hosts.values
    raise MtaError(f"{name}: no secure TLSA records for port {port}")


def _security(authenticated: bool) -> str:
    return "secure" if authenticated else "not secure"


def _ask(address: str, port: int, records: list[Tlsa], names: list[str], at: float) -> Any:
    """The verdict on the chain that the host sends after STARTTLS, or at once on port 465."""
    from cryptography.hazmat.primitives.serialization import Encoding
    from OpenSSL import SSL

    from mta.mail.host import Host
    from mta.net import sockets
    from mta.tls.dane import verify_chain
    from mta.tls.errors import reason
    from mta.tls.stream import TlsSocket
    from mta.transport.remote.connection import Connection

    sock = sockets.connect(address, port, TIMEOUT)
    with sock:
        sock.settimeout(None)
        if port != 465:
            connection = Connection(Host(names[0], address), port, sock)
            connection.reply(TIMEOUT, "the connection")
            for command in ("EHLO mtactl", "STARTTLS"):
                reply = connection.command(command, TIMEOUT)
                if reply.code // 100 != 2:
                    raise MtaError(f"{command}: {reply.code} {reply.text}")
        session = SSL.Connection(SSL.Context(SSL.TLS_CLIENT_METHOD), sock)
        session.set_tlsext_host_name(names[0].encode("latin-1"))
        session.set_connect_state()
        sock.setblocking(False)
        try:
            TlsSocket(sock, session).handshake(TIMEOUT)
        except SSL.Error as error:
            raise MtaError(f"TLS handshake: {reason(error)}") from None
        chain = session.get_peer_cert_chain(as_cryptography=True) or []
        return verify_chain(records, [one.public_bytes(Encoding.DER) for one in chain], names, at)
