"""What a finished handshake tells: ``TlsInfo`` for the variables and the log, and the names in a certificate."""

from __future__ import annotations

import ipaddress

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import NameOID
from OpenSSL import SSL

from mta.mail.peer import TlsInfo
from mta.text.ascii import lower
from mta.tls.ciphers import one_line, session_cipher

EXPORTER = b"EXPORTER-Channel-Binding"  # RFC 9266


def tls_info(connection: SSL.Connection, *, verified: bool, sni: str = "") -> TlsInfo:
    """The session's facts; certificates as DER."""
    cipher, standard, version, bits = session_cipher(connection)
    info = TlsInfo(
        cipher=cipher, cipher_std=standard, version=version, bits=bits, certificate_verified=verified, sni=sni
    )
    # pyOpenSSL offers this nowhere in public
    info.resumed = bool(SSL._lib.SSL_session_reused(connection._ssl))  # type: ignore[attr-defined]
    peer = connection.get_peer_certificate(as_cryptography=True)
    if peer is not None:
        info.peer_certificate = peer.public_bytes(Encoding.DER)
        try:
            info.peer_dn = one_line(peer.subject)
        except ValueError:  # a name that is not DER as it should be
            info.peer_dn = ""
    ours = connection.get_certificate(as_cryptography=True)
    if ours is not None:
        info.our_certificate = ours.public_bytes(Encoding.DER)
    if version == "TLS1.3":
        info.channel_binding = connection.export_keying_material(EXPORTER, 32, b"")
    return info


def names_host(certificate: x509.Certificate, host: str, *, common_name: bool = True) -> bool:
    """Whether the certificate is for this host name or address (RFC 6125: one wildcard, whole leftmost label).

    ``common_name``: the subject's name counts where there is no subjectAltName with names.
    """
    try:
        alternatives = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
        names = alternatives.get_values_for_type(x509.DNSName)
        addresses = alternatives.get_values_for_type(x509.IPAddress)
    except (x509.ExtensionNotFound, ValueError):
        names, addresses = [], []
    try:
        return ipaddress.ip_address(host) in addresses
    except ValueError:
        pass
    if not names and common_name:
        common = certificate.subject.get_attributes_for_oid(NameOID.COMMON_NAME)
        names = [str(attribute.value) for attribute in common]
    return any(_same(name, host) for name in names)


def _same(pattern: str, host: str) -> bool:
    pattern, host = lower(pattern.rstrip(".")), lower(host.rstrip("."))
    if pattern == host:
        return True
    if not pattern.startswith("*."):
        return False
    label, dot, rest = host.partition(".")
    return bool(label and dot) and rest == pattern[2:] and "." in rest
