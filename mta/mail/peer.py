"""Who hands the message in: a host on the network, or a local process. One object a connection."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any


@dataclass(slots=True)
class TlsInfo:
    """What ``$tls_in_*`` or ``$tls_out_*`` tell of one TLS session; all empty without one."""

    cipher: str = ""  # Exim's form, "TLS1.3:TLS_AES_256_GCM_SHA384:256"
    cipher_std: str = ""
    version: str = ""
    bits: int = 0
    certificate_verified: bool = False
    peer_dn: str = ""
    peer_certificate: bytes = b""  # DER
    our_certificate: bytes = b""
    sni: str = ""
    ocsp: int = 0
    resumed: bool = False
    dane: str = ""  # "yes" / "no" / "" for $tls_out_dane
    tlsa_usage: int = 0
    sts: bool = False  # an MTA-STS policy was satisfied
    on_connect: bool = False
    channel_binding: bytes = b""


@dataclass(slots=True)
class Peer:
    """One connection's facts; empty strings stand for "not known"."""

    address: str = ""  # "" for a message handed in by a local process without -bs
    port: int = 0
    interface_address: str = ""
    interface_port: int = 0
    host_name: str = ""  # looked up and confirmed
    host_aliases: list[str] = field(default_factory=list)
    host_lookup_done: bool = False
    host_lookup_failed: bool = False
    host_lookup_deferred: bool = False
    host_dnssec: bool = False
    ident: str = ""  # RFC 1413, or the login of a local caller
    helo_name: str = ""
    helo_verified: bool = False
    helo_verify_failed: bool = False
    esmtp: bool = False
    received_protocol: str = ""  # smtp esmtp esmtps esmtpsa local local-smtp ...
    active_hostname: str = ""
    authenticator: str = ""  # public name, $sender_host_authenticated
    authenticator_public_name: str = ""  # the mechanism's name, when it differs from ``authenticator``
    authenticated_id: str = ""
    authenticated_sender: str = ""
    authenticated_fail_id: str = ""
    authentication_failed: bool = False
    auth_vars: list[str] = field(default_factory=list)  # $auth1.. while an exchange runs
    tls: TlsInfo = field(default_factory=TlsInfo)
    proxy_session: bool = False
    proxy_local_address: str = ""
    proxy_local_port: int = 0
    proxy_external_address: str = ""
    proxy_external_port: int = 0
    caller_uid: int = -1
    caller_gid: int = -1
    caller_login: str = ""
    caller_trusted: bool = False
    is_local: bool = False  # submitted by a process on this machine
    is_smtp: bool = True  # SMTP commands, over TCP or stdin (-bs)
    is_batch: bool = False  # -bS
    started: float = 0.0  # seconds since the epoch
    connection_id: str = ""
    count_at_start: int = 0  # $smtp_count_at_connection_start
    notquit_reason: str = ""
    smtp_command: str = ""  # the command under way, whole
    smtp_command_argument: str = ""
    smtp_history: list[str] = field(default_factory=list)  # last 20 command words
    acl_c: dict[str, str] = field(default_factory=dict)  # name after "acl_c" -> text, Tainted when a peer's
    transactions: int = 0  # messages accepted so far
    enforce_sync: bool | None = None  # control = enforce_sync / no_enforce_sync; None: smtp_enforce_sync
    # lasting controls that ACLs set: no_multiline_responses, no_pipelining, no_delay_flush, no_callout_flush,
    # allow_auth_unadvertised
    controls: set[str] = field(default_factory=set)
    dscp: int = -1  # control = dscp; -1: none
    acl_memory: dict[str, Any] = field(
        default_factory=dict
    )  # what ACL conditions remember of this connection, by owner
