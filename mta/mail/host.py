"""A host to deliver to, as a router found it."""

from __future__ import annotations

from dataclasses import dataclass

DEFAULT_PORT = 0


@dataclass(slots=True)
class Host:
    """``addresses`` are tried in order; an empty address is one still to be looked up."""

    name: str
    address: str = ""
    port: int = DEFAULT_PORT  # 0: the transport's
    mx: int = -1  # MX preference, -1 when it came otherwise
    sort_key: int = 0  # hosts of equal key may be tried in any order
    dnssec: str = ""  # "yes" when the look-up was authenticated, "no", "" unknown
    certname: str = ""

    @property
    def from_mx(self) -> bool:
        return self.mx >= 0
