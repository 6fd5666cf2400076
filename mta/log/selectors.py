"""The ``log_selector`` option (manual section 53.15).

``parse_selectors(text)`` gives the frozenset of the names in force.
"""

from __future__ import annotations

from mta.errors import NOWHERE, ConfigError, Where
from mta.registry import nearest
from mta.text.ascii import WHITESPACE

DEFAULT = frozenset(
    [
        "acl_warn_skipped",
        "connection_reject",
        "delay_delivery",
        "dkim",
        "dnslist_defer",
        "etrn",
        "host_lookup_failed",
        "lost_incoming_connection",
        "msg_id",
        "outgoing_interface",
        "queue_run",
        "rejected_header",
        "retry_defer",
        "sender_verify_fail",
        "size_reject",
        "skip_delivery",
        "smtp_confirmation",
        "tls_certificate_verified",
        "tls_cipher",
    ]
)
NAMES = DEFAULT | frozenset(
    [
        "8bitmime",
        "address_rewrite",
        "all_parents",
        "arguments",
        "connection_id",
        "deliver_time",
        "delivery_size",
        "dkim_verbose",
        "dmarc",
        "dmarc_verbose",
        "dnssec",
        "ident_timeout",
        "incoming_interface",
        "incoming_port",
        "millisec",
        "msg_id_created",
        "outgoing_port",
        "pid",
        "pipelining",
        "protocol_detail",
        "proxy",
        "queue_time",
        "queue_time_exclusive",
        "queue_time_overall",
        "receive_time",
        "received_recipients",
        "received_sender",
        "return_path_on_delivery",
        "sender_on_delivery",
        "smtp_connection",
        "smtp_incomplete_transaction",
        "smtp_mailauth",
        "smtp_no_mail",
        "smtp_protocol_error",
        "smtp_syntax_error",
        "spf",
        "spf_verbose",
        "subject",
        "tls_on_connect",
        "tls_peerdn",
        "tls_resumption",
        "tls_sni",
        "unknown_in_list",
    ]
)
ALIASES = {  # older spellings that files still hold
    "incoming_interface_on_delivery": "incoming_interface",
    "sender_in_delivery": "sender_on_delivery",
}

Selectors = frozenset[str]
SELECTORS = tuple(sorted(NAMES))


def parse_selectors(text: str, where: Where = NOWHERE) -> Selectors:
    """``+name -name ...`` applied from left to right to the default; ``all`` is every name."""
    chosen = set(DEFAULT)
    position = 0
    while position < len(text):
        if text[position] in WHITESPACE:
            position += 1
            continue
        sign = text[position]
        if sign not in "+-":
            raise ConfigError(f'malformed log_selector setting: + or - expected but found "{text[position:]}"', where)
        end = position + 1
        while end < len(text) and text[end] not in WHITESPACE and text[end] not in "+-":
            end += 1
        name = ALIASES.get(text[position + 1 : end], text[position + 1 : end])
        names = NAMES if name == "all" else {name}
        if not names <= NAMES:
            near = nearest(name, sorted(NAMES))
            hint = f' (did you mean "{near}"?)' if near else ""
            raise ConfigError(f"unknown log_selector setting: {sign}{name}{hint}", where)
        chosen = chosen | names if sign == "+" else chosen - names
        position = end
    return frozenset(chosen)
