"""Fields of an X.509 certificate as text, for ``${certextract`` (manual 11.5)."""

from __future__ import annotations

import datetime

from mta.errors import ExpansionFailed

_TAGS = {"dns": "DNS", "uri": "URI", "mail": "MAIL"}


def field_of(der: bytes, selector: str) -> str | None:
    """The field that ``selector`` names, modifiers after commas; None when the certificate lacks it."""
    from cryptography import x509  # brings the TLS library in, which few expansions need

    name, *modifiers = [part.strip() for part in selector.split(",")]
    try:
        certificate = x509.load_der_x509_certificate(der)
        return _field(certificate, name, modifiers)
    except ValueError:
        return None


def _field(certificate, name: str, modifiers: list[str]) -> str | None:  # type: ignore[no-untyped-def]
    if name == "version":
        return str(certificate.version.value + 1)
    if name == "serial_number":
        return f"{certificate.serial_number:x}"
    if name in ("subject", "issuer"):
        return _name(getattr(certificate, name), modifiers)
    if name == "notbefore":
        return _time(certificate.not_valid_before_utc, modifiers)
    if name == "notafter":
        return _time(certificate.not_valid_after_utc, modifiers)
    if name == "sig_algorithm":
        return str(certificate.signature_algorithm_oid._name)
    if name == "signature":
        return str(certificate.signature.hex())
    if name == "subj_altname":
        return _alternatives(certificate, modifiers)
    if name in ("ocsp_uri", "crl_uri"):
        return _uris(certificate, name, modifiers)
    raise ExpansionFailed(f'unknown field "{name}" of "certextract"')


def _separator(modifiers: list[str]) -> str:
    for modifier in modifiers:
        if modifier.startswith(">") and len(modifier) > 1:
            return modifier[1]
    return "\n"


def _name(name, modifiers: list[str]) -> str | None:  # type: ignore[no-untyped-def]
    text = name.rfc4514_string()
    wanted = [modifier for modifier in modifiers if not modifier.startswith(">")]
    if not wanted:
        return _bytes(text)
    found = [a.value for a in name if a.rfc4514_attribute_name.lower() == wanted[0].lower()]
    return _bytes(_separator(modifiers).join(str(value) for value in found)) if found else None


def _time(moment: datetime.datetime, modifiers: list[str]) -> str:
    if "int" in modifiers:
        return str(int(moment.timestamp()))
    return moment.strftime("%b %e %T %Y GMT")


def _alternatives(certificate, modifiers: list[str]) -> str | None:  # type: ignore[no-untyped-def]
    from cryptography import x509

    try:
        names = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except x509.ExtensionNotFound:
        return None
    kinds = {x509.DNSName: "DNS", x509.UniformResourceIdentifier: "URI", x509.RFC822Name: "MAIL"}
    only = next((_TAGS[m] for m in modifiers if m in _TAGS), None)
    out = []
    for entry in names:
        tag = kinds.get(type(entry))
        if tag is None or (only and tag != only):
            continue
        out.append(entry.value if only else f"{tag}={entry.value}")
    return _bytes(_separator(modifiers).join(out)) if out else None


def _uris(certificate, name: str, modifiers: list[str]) -> str | None:  # type: ignore[no-untyped-def]
    from cryptography import x509
    from cryptography.x509.oid import AuthorityInformationAccessOID

    out: list[str] = []
    try:
        if name == "ocsp_uri":
            access = certificate.extensions.get_extension_for_class(x509.AuthorityInformationAccess).value
            out = [e.access_location.value for e in access if e.access_method == AuthorityInformationAccessOID.OCSP]
        else:
            points = certificate.extensions.get_extension_for_class(x509.CRLDistributionPoints).value
            out = [n.value for p in points for n in p.full_name or [] if isinstance(n, x509.UniformResourceIdentifier)]
    except x509.ExtensionNotFound:
        return None
    return _bytes(_separator(modifiers).join(out)) if out else None


def _bytes(text: str) -> str:
    return text.encode("utf-8").decode("latin-1")
