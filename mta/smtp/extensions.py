"""ESMTP keywords (RFC 5321 4.1.1.1): the list that a server answers EHLO with, and a client's view of one."""

from __future__ import annotations

from dataclasses import dataclass, field

from mta.smtp.replies import Reply
from mta.text.ascii import strict_int, upper


@dataclass(slots=True)
class Offer:
    """What a server offers to this client, in the order in which Exim lists it."""

    size: int | None = None  # bytes; 0: no limit; None: not listed
    limits: str = ""
    eight_bit: bool = False
    dsn: bool = False
    etrn: bool = False
    vrfy: bool = False
    expn: bool = False
    pipelining: bool = False
    pipe_connect: bool = False
    auth: list[str] = field(default_factory=list)  # mechanisms
    chunking: bool = False
    starttls: bool = False
    prdr: bool = False
    smtputf8: bool = False
    enhanced: bool = False  # status codes (RFC 2034)
    xclient: str = ""  # the attributes that are taken

    def lines(self) -> list[str]:
        """The reply's lines after the greeting."""
        out = []
        if self.size is not None:
            out.append(f"SIZE {self.size}" if self.size > 0 else "SIZE")
        if self.limits:
            out.append(f"LIMITS {self.limits}")
        if self.eight_bit:
            out.append("8BITMIME")
        if self.dsn:
            out.append("DSN")
        if self.etrn:
            out.append("ETRN")
        if self.vrfy:
            out.append("VRFY")
        if self.expn:
            out.append("EXPN")
        if self.pipelining:
            out.append("PIPELINING")
        if self.pipe_connect:
            out.append("PIPECONNECT")
        if self.auth:
            out.append("AUTH " + " ".join(self.auth))
        if self.chunking:
            out.append("CHUNKING")
        if self.starttls:
            out.append("STARTTLS")
        if self.prdr:
            out.append("PRDR")
        if self.smtputf8:
            out.append("SMTPUTF8")
        if self.enhanced:
            out.append("ENHANCEDSTATUSCODES")
        if self.xclient:
            out.append(f"XCLIENT {self.xclient}")
        out.append("HELP")
        return out


@dataclass(slots=True)
class Extensions:
    """What a server has said that it can do; none of it before EHLO."""

    keywords: dict[str, str] = field(default_factory=dict)  # capital keyword -> its parameters

    def __contains__(self, keyword: str) -> bool:
        return keyword in self.keywords

    @property
    def size(self) -> int:
        """SIZE in bytes; 0 when there is no limit or none was told."""
        return strict_int(self.keywords.get("SIZE", "")) or 0

    @property
    def auth(self) -> list[str]:
        """AUTH mechanisms in capitals, in the server's order."""
        return [upper(word) for word in self.keywords.get("AUTH", "").split()]

    def limit(self, name: str) -> int:
        """A value of LIMITS (RFC 9422), e.g. MAILMAX; 0 when there is none."""
        for word in self.keywords.get("LIMITS", "").split():
            key, _, value = word.partition("=")
            if upper(key) == name:
                return strict_int(value) or 0
        return 0


def parse_ehlo(reply: Reply) -> Extensions:
    """The keywords of a 250 reply to EHLO; the first line is the greeting. ``AUTH=LOGIN`` counts as ``AUTH LOGIN``."""
    found = Extensions()
    for line in reply.text.split("\n")[1:]:
        keyword, _, parameters = line.strip(" \t").partition(" ")
        keyword = upper(keyword)
        if keyword.startswith("AUTH="):
            keyword, parameters = "AUTH", f"{keyword[5:]} {parameters}"
        if not keyword:
            continue
        if keyword == "AUTH" and "AUTH" in found.keywords:
            parameters = f"{found.keywords['AUTH']} {parameters}"
        found.keywords[keyword] = parameters.strip(" \t")
    return found
