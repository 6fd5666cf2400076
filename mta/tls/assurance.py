"""What a TLS session with a server has to be worth beyond the transport's options: DANE or an MTA-STS policy."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from mta.net.records import Tlsa


@dataclass(frozen=True, slots=True)
class Assurance:
    """``names``: the server's certificate must have one of them; the first is sent as SNI. Clear text is no option.

    ``dane``: ``records`` are usable TLSA records and decide alone. ``sts``: the certificate must hold by
    tls_verify_certificates (RFC 8461 4.1). Hashable: a session that was good for one is good for an equal one.
    """

    kind: Literal["dane", "sts"]
    names: tuple[str, ...]
    records: tuple[Tlsa, ...] = ()
