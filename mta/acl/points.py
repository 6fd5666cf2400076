"""The points at which ACLs run, and which conditions, modifiers and controls may be used at which.

Tables only. A point's key is ``scope.acl_point`` and the end of the option's name
(``acl_smtp_rcpt``: "rcpt"; ``acl_smtp_data_prdr``: "prdr"; ``acl_not_smtp``: "not_smtp").
"""

from __future__ import annotations

# How Exim names the point in its messages.
WORDS = {
    "connect": "connection",
    "helo": "EHLO or HELO",
    "starttls": "STARTTLS",
    "auth": "AUTH",
    "mail": "MAIL",
    "mailauth": "MAILAUTH",
    "rcpt": "RCPT",
    "predata": "PREDATA",
    "mime": "MIME",
    "dkim": "DKIM",
    "data": "DATA",
    "prdr": "PRDR",
    "quit": "QUIT",
    "notquit": "NOTQUIT",
    "vrfy": "VRFY",
    "expn": "EXPN",
    "etrn": "ETRN",
    "not_smtp": "non-SMTP",
    "not_smtp_start": "non-SMTP-start",
    "not_smtp_mime": "MIME",
    "wellknown": "WELLKNOWN",
    "atrn": "ATRN",
    "": "unknown",
}
OPTION_OF = {
    point: f"acl_{point}" if point.startswith("not_smtp") else f"acl_smtp_{'data_prdr' if point == 'prdr' else point}"
    for point in WORDS
    if point
}
# "" is the point of an ACL that ${acl} runs outside any other: there everything is allowed.
EVERYWHERE = frozenset(WORDS)
_LOCAL = frozenset({"not_smtp", "not_smtp_start", "not_smtp_mime", ""})
_ENVELOPE = frozenset({"mail", "rcpt", "predata"})
_CONTENT = frozenset({"mime", "dkim", "data", "prdr"})

MESSAGE = _ENVELOPE | _CONTENT | _LOCAL  # where a message is being received
HEADERS = MESSAGE - {"not_smtp_start"}
CLIENT = EVERYWHERE - {"not_smtp", "not_smtp_start", "not_smtp_mime"}
AUTHENTICATED = CLIENT - {"connect", "helo"}
ENCRYPTED = CLIENT - {"helo"}
ADDRESS = frozenset({"rcpt", "vrfy", "prdr", ""})
RECIPIENT = frozenset({"rcpt", "prdr", ""})
SENDER = HEADERS | {"notquit"}
BODY = frozenset({"mime", "data", "dkim", "prdr", "not_smtp", "not_smtp_mime", ""})
QUEUE = EVERYWHERE - {"data", "not_smtp", "dkim", "prdr"}
# spf, spf_guess: from MAIL on, and not for messages that no host sent
SENDER_POLICY = MESSAGE - {"not_smtp", "not_smtp_start", "not_smtp_mime"} | {"quit", "notquit"}
DMARC = frozenset({"data", ""})
# Controls of DMARC, which must come before the DATA ACL.
BEFORE_DATA = EVERYWHERE - {"data", "prdr", "dkim", "mime", "not_smtp", "not_smtp_start", "not_smtp_mime"}
RCPT = frozenset({"rcpt", ""})
SUBMISSION = _ENVELOPE | _LOCAL
DISCARD = HEADERS - {"predata"}

# verify = ...; header checks need only that the headers are there.
VERIFY_SENDER = HEADERS - {"mime", "dkim", "not_smtp_mime"}
VERIFY_HEADERS = frozenset({"mime", "dkim", "data", "prdr", "quit", "notquit", "not_smtp", "not_smtp_mime", ""})
