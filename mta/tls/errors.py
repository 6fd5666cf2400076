"""What goes wrong with TLS, as one exception whose message is for the log, in the words of Exim's OpenSSL build."""

from __future__ import annotations

from mta.errors import PeerGone

MAX_SHOWN = 300


class TlsFailed(PeerGone):
    """No TLS session came about, and the connection is good for nothing more.

    ``message``: ``(SSL_accept): reason`` and the like, without the peer; ``reason`` is "tls-failed";
    ``result`` the result type of RFC 8460 4.3 where a policy was not satisfied.
    """

    def __init__(self, message: str, result: str = "") -> None:
        super().__init__("tls-failed", message)
        self.message = message
        self.result = result


def reason(error: Exception) -> str:
    """An OpenSSL error's own words; it keeps a queue of (library, function, reason)."""
    parts = error.args[0] if error.args else ""
    if isinstance(parts, list):
        text = "; ".join(": ".join(str(word) for word in part if word) for part in parts)
    else:
        text = " ".join(str(part) for part in error.args)
    return (text or type(error).__name__)[:MAX_SHOWN]
