"""DMARC records (RFC 9989 4.7): ``parse_record(text)`` gives a DmarcRecord, or None for what counts as no record."""

from __future__ import annotations

import re
from dataclasses import dataclass, field

from mta.text.ascii import lower, strict_int, strip

POLICIES = ("none", "quarantine", "reject")
MAX_RECORD = 16_384  # bytes that are read
MAX_URIS = 20  # of one tag
_VERSION = re.compile(r"v[ \t]*=[ \t]*DMARC1[ \t]*(?:;|\Z)")
_NAME = re.compile(r"[A-Za-z][A-Za-z0-9_]*\Z")
_URI = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*:[^\s,;]+\Z")
_SIZE = re.compile(r"![0-9]+[kmgtKMGT]?\Z")


@dataclass(slots=True)
class DmarcRecord:
    """Tags with their defaults; "" where a tag is not there. ``domain`` is where the record was found."""

    p: str
    sp: str = ""
    np: str = ""
    adkim: str = "r"
    aspf: str = "r"
    rua: list[str] = field(default_factory=list)
    ruf: list[str] = field(default_factory=list)
    fo: str = "0"
    psd: str = "u"
    t: bool = False
    pct: int = 100  # RFC 7489; only the public suffix way looks at it
    domain: str = ""


def is_dmarc(text: str) -> bool:
    """Whether a TXT record is one of DMARC's: the version comes first."""
    return _VERSION.match(text) is not None


def parse_record(text: str, domain: str = "") -> DmarcRecord | None:
    """None: no version, a tag twice, text that is no tag list, or neither a policy nor an address for reports."""
    if not is_dmarc(text) or len(text) > MAX_RECORD:
        return None
    tags: dict[str, str] = {}
    for part in text.split(";"):
        part = strip(part)
        if not part:
            continue
        name, equals, value = part.partition("=")
        name = lower(strip(name))
        if not equals or _NAME.match(name) is None or name in tags:
            return None
        tags[name] = strip(value)
    rua = uris(tags.get("rua", ""))
    policy = lower(tags.get("p", ""))
    if policy not in POLICIES:
        if not rua:
            return None
        policy = "none"
    return DmarcRecord(
        policy,
        sp=_one_of(tags, "sp", POLICIES, ""),
        np=_one_of(tags, "np", POLICIES, ""),
        adkim=_one_of(tags, "adkim", ("r", "s"), "r"),
        aspf=_one_of(tags, "aspf", ("r", "s"), "r"),
        rua=rua,
        ruf=uris(tags.get("ruf", "")),
        fo=lower(tags.get("fo", "0")),
        psd=_one_of(tags, "psd", ("y", "n", "u"), "u"),
        t=lower(tags.get("t", "n")) == "y",
        pct=_percent(tags.get("pct", "")),
        domain=domain,
    )


def _one_of(tags: dict[str, str], name: str, known: tuple[str, ...], default: str) -> str:
    value = lower(tags.get(name, default))
    return value if value in known else default


def _percent(text: str) -> int:
    number = strict_int(text, maximum=100)
    return 100 if number is None else number


def uris(text: str) -> list[str]:
    """The URIs of rua or ruf, without the size limits of RFC 7489; what is no URI is left out."""
    found = []
    for item in text.split(",")[:MAX_URIS]:
        uri = _SIZE.sub("", strip(item))
        if _URI.match(uri):
            found.append(uri)
    return found


def mail_address(uri: str) -> str:
    """The address of a ``mailto:`` URI, lower case; "" for other schemes and for what is no address."""
    scheme, _, rest = uri.partition(":")
    if lower(scheme) != "mailto":
        return ""
    address = lower(rest.partition("?")[0])
    local, at, domain = address.rpartition("@")
    safe = re.fullmatch(r"[!#$&'*+\-./0-9=?^_`a-z{|}~]+", local) and re.fullmatch(r"[a-z0-9.-]+", domain)
    return address if at and safe else ""
