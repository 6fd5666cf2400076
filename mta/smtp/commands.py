"""SMTP commands: a line becomes a ``Command``, the parameters of MAIL and RCPT become values (RFC 5321 4.1).

Error texts are what Exim says. Nothing here knows what is allowed when: that is ``server``.
"""

from __future__ import annotations

import ipaddress
from dataclasses import dataclass
from typing import NamedTuple

from mta.mail.message import NOTIFY_DELAY, NOTIFY_FAILURE, NOTIFY_NEVER, NOTIFY_SUCCESS, RET_FULL, RET_HDRS
from mta.text.ascii import strict_int, strip, upper

# Those that Exim knows; "MAIL FROM:" and "RCPT TO:" are names of two words and a colon.
VERBS = frozenset(
    ["RSET", "HELO", "EHLO", "AUTH", "STARTTLS", "DATA", "BDAT", "QUIT", "NOOP", "ETRN", "VRFY", "EXPN", "HELP",
     "XCLIENT"]
)  # fmt: skip
WITHOUT_ARGUMENT = frozenset({"RSET", "DATA", "QUIT", "STARTTLS"})
MAX_SIZE = 2**63 - 1  # bytes, of SIZE=
MAX_PARAMETERS = 32
MAX_CHUNK = 2**31 - 1  # bytes, of BDAT


class Command(NamedTuple):
    """``verb`` in capitals, "" for one that is not known; ``argument`` stripped; ``line`` whole."""

    verb: str
    argument: str
    line: str


def parse_command(line: str) -> Command:
    """One line without its end."""
    word, _, argument = line.partition(" ")
    verb = upper(word)
    if verb in VERBS:
        return Command(verb, strip(argument), line)
    head = upper(line[:10])
    if head == "MAIL FROM:":
        return Command("MAIL", strip(line[10:]), line)
    if head[:8] == "RCPT TO:":
        return Command("RCPT", strip(line[8:]), line)
    return Command("", strip(line), line)


class Parameter(NamedTuple):
    """One word after the address: ``value`` is None when there is no equals sign."""

    name: str
    value: str | None


@dataclass(slots=True)
class MailParameters:
    """What stood behind the reverse-path. ``address`` is the text of the path still to be parsed."""

    address: str
    size: int = -1  # SIZE= in bytes, -1 when not given
    body: int = 0  # 7 or 8, 0 when not given
    auth: str | None = None  # decoded; "" is <>
    auth_given: str = ""  # as it came
    ret: int = 0
    envid: str = ""
    prdr: bool = False
    smtputf8: bool = False


@dataclass(slots=True)
class RcptParameters:
    """What stood behind the forward-path."""

    address: str
    notify: int = 0  # NOTIFY_* bits
    orcpt: str = ""


@dataclass(slots=True)
class Offered:
    """The extensions that this client was offered: only their parameters are taken."""

    esmtp: bool = False
    dsn: bool = False
    prdr: bool = False
    smtputf8: bool = False


def _last_word(text: str) -> tuple[str, Parameter] | None:
    # Parameters are taken from the end, as Exim does, so that a quoted local part may hold spaces.
    space = text.rfind(" ")
    if space < 0:
        return None
    word = text[space + 1 :]
    name, equals, value = word.partition("=")
    return text[:space].rstrip(" \t"), Parameter(upper(name), value if equals else None)


def parse_mail(argument: str, offered: Offered) -> MailParameters | str:
    """The parameters of MAIL; a text is the error, for a 501. Words that are not parameters stay with the address."""
    found = MailParameters(argument)
    if not offered.esmtp:
        return found
    for _ in range(MAX_PARAMETERS):
        split = _last_word(found.address)
        if split is None:
            break
        rest, parameter = split
        taken = _take_mail(found, parameter, offered)
        if isinstance(taken, str):
            return taken
        if not taken:
            break
        found.address = rest
    return found


def _take_mail(found: MailParameters, parameter: Parameter, offered: Offered) -> bool | str:
    name, value = parameter
    if name == "SIZE" and value is not None:
        size = strict_int(value)
        if size is None and value.removeprefix("-").isascii() and value.removeprefix("-").isdigit():
            # numbers that are too long or no sizes are over the limit, not malformed
            size = MAX_SIZE
        # what is no number at all is passed over, as by Exim
        found.size = found.size if size is None else size
        return True
    if name == "BODY" and value is not None:
        kind = upper(value)
        if kind not in ("8BITMIME", "7BIT", ""):
            return "invalid data for BODY"
        found.body = {"8BITMIME": 8, "7BIT": 7}.get(kind, 0)
        return True
    if name == "AUTH" and value is not None:
        if value == "<>":
            found.auth = ""
        else:
            decoded = xtext_decode(value)
            if decoded is None:
                return "invalid data for AUTH"
            found.auth, found.auth_given = decoded, value
        return True
    if name == "PRDR" and value is None and offered.prdr:
        found.prdr = True
        return True
    if name == "SMTPUTF8" and value is None and offered.smtputf8:
        found.smtputf8 = True
        return True
    if name in ("SIZE", "BODY"):
        return True
    return _take_dsn_mail(found, name, value) if offered.dsn and value is not None else False


def _take_dsn_mail(found: MailParameters, name: str, value: str) -> bool | str:
    if name == "RET":
        if found.ret:
            return "RET can be specified once only"
        found.ret = {"HDRS": RET_HDRS, "FULL": RET_FULL}.get(upper(value), 0)
        return True if found.ret else "Value for RET is invalid"
    if name == "ENVID":
        if found.envid:
            return "ENVID can be specified once only"
        # RFC 3461 4.4: printable, at most 100 characters; kept encoded, as it goes into the spool and out again
        if not value or len(value) > 100 or xtext_decode(value) is None:
            return "Value for ENVID is invalid"
        found.envid = value
        return True
    return False


def parse_rcpt(argument: str, offered: Offered) -> RcptParameters | str:
    """The parameters of RCPT; a text is the error, for a 501."""
    found = RcptParameters(argument)
    if not offered.esmtp:
        return found
    for _ in range(MAX_PARAMETERS):
        split = _last_word(found.address)
        if split is None:
            break
        rest, parameter = split
        taken = _take_rcpt(found, parameter) if offered.dsn else False
        if isinstance(taken, str):
            return taken
        if not taken:
            if parameter.value is None and '"' not in rest:
                # Exim shows a word without a value this way in its error
                found.address = f"{rest}={found.address[found.address.rfind(' ') + 1 :]}"
            break
        found.address = rest
    return found


def _take_rcpt(found: RcptParameters, parameter: Parameter) -> bool | str:
    name, value = parameter
    if value is None:
        return False
    if name == "ORCPT":
        if found.orcpt:
            return "ORCPT can be specified once only"
        if not value or len(value) > 500 or xtext_decode(value) is None:
            return "Invalid value for ORCPT parameter"
        found.orcpt = value
        return True
    if name == "NOTIFY":
        if found.notify:
            return "NOTIFY can be specified once only"
        if upper(value) in ("NEVER", ""):  # with no word at all nothing is asked for (DSN-03)
            found.notify = NOTIFY_NEVER
            return True
        for word in value.split(","):
            bit = _NOTIFY.get(upper(word))
            if bit is None:
                return "Invalid value for NOTIFY parameter"
            found.notify |= bit
        return True
    return False


_NOTIFY = {"SUCCESS": NOTIFY_SUCCESS, "FAILURE": NOTIFY_FAILURE, "DELAY": NOTIFY_DELAY}
_HEX = frozenset("0123456789ABCDEF")


def xtext_decode(text: str) -> str | None:
    """The text that xtext stands for (RFC 3461 section 4); None when it is not xtext, or stands for controls.

    An equals sign is let through: Exim takes it, and ORCPT of real senders has it.
    """
    out: list[str] = []
    position, size = 0, len(text)
    while position < size:
        char = text[position]
        if not "!" <= char <= "~":
            return None
        if char == "+":
            digits = text[position + 1 : position + 3]
            if len(digits) != 2 or not set(digits) <= _HEX:
                return None
            char = chr(int(digits, 16))
            if char < " " or char == "\x7f":
                return None
            position += 2
        out.append(char)
        position += 1
    return "".join(out)


def xtext_encode(text: str) -> str:
    """Any byte text as xtext."""
    return "".join(char if "!" <= char <= "~" and char not in "+=" else f"+{ord(char):02X}" for char in text)


class Chunk(NamedTuple):
    """The argument of BDAT (RFC 3030 section 2)."""

    size: int
    last: bool


def parse_bdat(argument: str) -> Chunk | str:
    """Size in bytes and whether it is the last chunk; a text is the error, for a 501."""
    words = argument.split()
    if not words:
        return "missing size for BDAT command"
    size = strict_int(words[0], maximum=MAX_CHUNK)
    if size is None or len(words) > 2 or (len(words) == 2 and upper(words[1]) != "LAST"):
        return "missing size for BDAT command"
    return Chunk(size, len(words) == 2)


def helo_name(argument: str, allowed: str) -> str | None:
    """The name of HELO or EHLO when its syntax will do (manual, helo_allow_chars), brackets and all; else None.

    ``allowed``: more characters that the site lets through. Letters, digits, hyphens and dots; or a literal of an
    IP address.
    """
    if argument.startswith("["):
        return argument if _literal(argument) else None
    if not argument or len(argument) > 255:
        return None
    for char in argument:
        if not (char.isascii() and char.isalnum()) and char not in "-." and char not in allowed:
            return None
    return argument


def _literal(text: str) -> bool:
    inner = text[1:-1] if text.endswith("]") else ""
    if upper(inner[:5]) == "IPV6:":
        inner = inner[5:]
    return is_ip_address(inner)


def is_ip_address(text: str) -> bool:
    """Whether this is an IPv4 or IPv6 address, written out."""
    if "%" in text or "/" in text:
        return False
    try:
        ipaddress.ip_address(text)
    except ValueError:
        return False
    return True
