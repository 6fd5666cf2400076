"""An address on its way through routing and delivery; a redirection makes children with ``parent`` set."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

from mta.mail.host import Host

Kind = Literal["address", "pipe", "file", "directory", "reply"]


@dataclass(slots=True)
class Reply:
    """What a filter's ``mail`` or ``vacation`` command asks an autoreply transport to send."""

    to: str = ""
    cc: str = ""
    bcc: str = ""
    from_: str = ""
    reply_to: str = ""
    subject: str = ""
    headers: str = ""
    text: str = ""
    file: str = ""
    file_expand: bool = False
    return_message: bool = False
    once: str = ""
    once_repeat: float = 0
    log: str = ""
    once_directory: str = ""  # the folder of ``once``, made when missing; old files in it are removed


@dataclass(slots=True)
class Recipient:
    """One address being handled.

    ``address`` is whole, as received or generated; ``local_part`` and ``domain`` are what the
    router works on (lower-cased unless told otherwise, prefix and suffix taken off).
    For ``kind`` other than "address", ``address`` is ``|command``, ``/file``, ``/dir/`` or ``>reply``.
    """

    address: str
    local_part: str = ""
    domain: str = ""
    kind: Kind = "address"
    parent: Recipient | None = None
    unique: str = ""  # what the duplicate check and the journal use
    cc_local_part: str = ""  # the local part in its own case, affixes included
    prefix: str = ""
    suffix: str = ""
    prefix_variable: str = ""  # the part that a wildcard in local_part_prefix matched
    suffix_variable: str = ""
    domain_data: str | None = None
    local_part_data: str | None = None
    errors_to: str | None = None  # None: the message's sender
    router: str = ""  # instance names
    transport: str = ""
    hosts: list[Host] = field(default_factory=list)
    fallback_hosts: list[Host] = field(default_factory=list)
    host_data: str = ""
    self_hostname: str = ""
    address_data: str = ""
    set_vars: dict[str, str] = field(default_factory=dict)  # r_NAME of routers' "set"
    headers_add: list[str] = field(default_factory=list)
    headers_remove: list[str] = field(default_factory=list)
    home: str = ""
    current_directory: str = ""
    user: str = ""  # check_local_user's login
    uid: int = -1  # -1: none chosen
    gid: int = -1
    initgroups: bool = False
    local_user_uid: int = -1  # $local_user_uid
    local_user_gid: int = -1
    local_user_gecos: str = ""
    start_router: str = ""  # begin routing at this router ("" the first)
    pass_router_done: bool = False
    routed_by: frozenset[str] = frozenset()  # routers that this address's ancestors went through, for loops
    reply: Reply | None = None
    pipe_expandn: list[str] | None = None  # $0.. of a filter's pipe command
    filter_n: list[int] | None = None
    file_mode: int = 0
    tainted: bool = True  # a peer had a hand in the address; false for children out of the administrator's data
    unseen: bool = False
    one_time: bool = False
    ignore_error: bool = False
    hide_child: bool = False
    allow_expand: bool = False
    dsn_lasthop: bool = False
    redirected: bool = False  # an address in between was redirected: NOTIFY and ORCPT of the top go no further
    notify: int = 0
    orcpt: str = ""
    verified: bool = False
    data: dict[str, str] = field(default_factory=dict)

    @property
    def top(self) -> Recipient:
        """The address of the envelope that this one came from."""
        found = self
        while found.parent is not None:
            found = found.parent
        return found
