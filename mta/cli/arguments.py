"""What a command line asks for, as plain values; ``cli.options`` fills it, the modes read it."""

from __future__ import annotations

from dataclasses import dataclass, field


class UsageError(Exception):
    """A command line that makes no sense; the text is for standard error, the exit code is 1."""


@dataclass(slots=True)
class Selection:
    """``-R`` or ``-S``: which messages of the queue, by a text or pattern in their addresses."""

    text: str
    regex: bool = False
    force: bool = False  # f: every selected message
    force_frozen: bool = False  # ff


@dataclass(slots=True)
class QueueRun:
    """One ``-q``. ``interval`` None is a single run, otherwise seconds between runs of a daemon."""

    interval: float | None = None
    two_pass: bool = False  # qq
    first_only: bool = False  # i: only messages never tried before
    force: bool = False  # f
    force_frozen: bool = False  # ff
    local_only: bool = False  # l
    queue_name: str = ""  # G
    start_id: str = ""
    stop_id: str = ""
    recipients: Selection | None = None
    senders: Selection | None = None


@dataclass(slots=True)
class Arguments:
    """``mode`` is the flag that chooses what to do, without its hyphen ("bd", "bP", "Mrm", "q" ...), "" for none.

    All text is byte text.
    """

    mode: str = ""
    words: list[str] = field(default_factory=list)  # what is left: recipients, message ids, option names
    config_file: str | None = None  # -C
    macros: dict[str, str] = field(default_factory=dict)  # -D
    value: str = ""  # what the mode's flag came with: the address of -bh, the file of -bem
    debug: str | None = None  # -d: its selectors
    verbose: bool = False
    terse: bool = False  # -n
    no_delivery: bool = False  # -N
    # submission
    sender: str | None = None  # -f; "" is <>
    full_name: str | None = None  # -F
    dot_ends: bool = True  # false after -i
    extract: bool = False  # -t
    delivery: str = ""  # b, f, i, q, qs: -od
    errors: str = "m"  # e m p q w: -oe
    local_error: str | None = None  # -E, with an id or ""
    suppress_fixups: bool = False  # -G
    host_address: str | None = None  # -oMa
    authenticator: str | None = None  # -oMaa
    authenticated_id: str | None = None  # -oMai
    authenticated_sender: str | None = None  # -oMas
    interface_address: str | None = None  # -oMi
    message_reference: str | None = None  # -oMm
    protocol: str | None = None  # -oMr
    host_name: str | None = None  # -oMs
    ident: str | None = None  # -oMt
    receive_timeout: float | None = None  # -or
    smtp_timeout: float | None = None  # -os
    syslog_tag: str | None = None  # -L
    log_line: str | None = None  # -z
    tls_on_connect: bool = False
    unqualified: bool = True  # false after -bnq
    aliases_file: str = ""  # -oA
    message_variables: str | None = None  # -Mset: the id
    # filter tests
    user_filter: str | None = None  # -bf: the file
    system_filter: str | None = None  # -bF
    filter_domain: str | None = None  # -bfd and on: parts of the made-up recipient
    filter_local_part: str | None = None
    filter_prefix: str = ""
    filter_suffix: str = ""
    # daemon and queue
    foreground: bool = False  # -bdf
    listen: bool = False  # -bd
    queue_runs: list[QueueRun] = field(default_factory=list)
    interfaces: list[str] = field(default_factory=list)  # -oX
    pid_file: str | None = None  # -oP
    remove_pid_file: bool = False  # -oPX
    no_socket: bool = False  # -oY
