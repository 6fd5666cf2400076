"""What an expansion, a list or a condition can see: pointers to the objects of the moment, no copies.

One Scope a session or a delivery; never shared between threads.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from mta.mail.host import Host
from mta.mail.message import Message
from mta.mail.peer import Peer, TlsInfo
from mta.mail.recipient import Recipient
from mta.scope.services import Services
from mta.scope.site import Site


@dataclass(slots=True)
class Scope:
    """``vars`` holds what conditions and drivers set by Exim's variable name without the dollar
    (``dnslist_domain``, ``acl_verify_message``, ``domain_data`` in an ACL ...), Tainted where a peer's."""

    site: Site
    services: Services
    peer: Peer = field(default_factory=Peer)
    message: Message = field(default_factory=Message)
    recipient: Recipient | None = None  # the address under way: $local_part, $domain
    host: Host | None = None  # $host, $host_address, in a transport
    tls_out: TlsInfo | None = None
    tainted: bool = False
    captures: list[str] = field(default_factory=list)  # $0 $1 ..., Tainted where the subject was
    item: str | None = None
    value: str | None = None
    acl_args: list[str] = field(default_factory=list)  # $acl_arg1 ...
    acl_point: str = ""  # "connect", "rcpt", "not_smtp" ...; "" outside ACLs
    verify_mode: str = ""  # "S", "R" or ""
    router: str = ""
    transport: str = ""
    body: Callable[[int, int], bytes] | None = None  # (start, size) bytes of the body; negative start from its end
    trace: Callable[[str, str], None] | None = None  # debug output: (selector, line); None when not debugging
    vars: dict[str, str] = field(default_factory=dict)
    flush: Callable[[], None] | None = None  # send the pending replies of an SMTP session, before an ACL's delay
    sleep: Callable[[float], None] | None = None  # instead of time.sleep: a session's wait that ends with the session
    host_checking: bool = False  # -bh: nothing is waited for, nothing is delivered
    caches: dict[str, Any] = field(default_factory=dict)  # lookup.find.message_cache
    depth: int = 0  # nesting of acl=, ${acl}, ${expand:}
    # What a user's filter may not use: existstest, lookup, readfile, readsocket, run, perl, dlfunc (forbid_filter_...).
    forbidden: frozenset[str] = frozenset()

    @contextmanager
    def saved(self, *names: str) -> Iterator[None]:
        """Restore the named slots on leaving, as items that set ``$item`` or ``$1`` must."""
        kept = [(name, getattr(self, name)) for name in names]
        try:
            yield
        finally:
            for name, was in kept:
                setattr(self, name, was)
