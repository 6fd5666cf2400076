"""The variables: all there, empty before anything happened as in ``exim4 -be``, right where there is something."""

import os
import time
from collections.abc import Callable
from typing import Any

import pytest

from mta.errors import ExpansionFailed
from mta.expand.base import variables
from mta.expand.references import find_variable
from mta.expand.variables.peer import full_host, received_host
from mta.mail.headers import Headers
from mta.mail.host import Host
from mta.mail.message import EnvelopeRecipient
from mta.mail.peer import Peer, TlsInfo
from mta.mail.recipient import Recipient
from mta.scope.expansion import Tainted
from mta.scope.scope import Scope
from tests.expand.scopes import empty_scope

# what Exim 4.96 said of "$name" in -be; the names of newer releases and of its optional parts have no answer there
EMPTY = [
    "acl_arg1",
    "acl_arg9",
    "acl_verify_message",
    "address_data",
    "address_file",
    "address_pipe",
    "auth1",
    "auth4",
    "authenticated_fail_id",
    "bounce_recipient",
    "callout_address",
    "csa_status",
    "dkim_algo",
    "dkim_canon_body",
    "dkim_canon_headers",
    "dkim_copiedheaders",
    "dkim_cur_signer",
    "dkim_domain",
    "dkim_headernames",
    "dkim_identity",
    "dkim_key_notes",
    "dkim_selector",
    "dkim_signers",
    "dkim_verify_reason",
    "dkim_verify_status",
    "dnslist_domain",
    "dnslist_matched",
    "dnslist_text",
    "dnslist_value",
    "domain",
    "domain_data",
    "event_data",
    "event_name",
    "headers_added",
    "home",
    "host",
    "host_address",
    "host_data",
    "interface_address",
    "item",
    "ldap_dn",
    "local_part",
    "local_part_data",
    "local_part_prefix",
    "local_part_prefix_v",
    "local_part_suffix",
    "local_part_suffix_v",
    "local_scan_data",
    "lookup_dnssec_authenticated",
    "mailstore_basename",
    "malware_name",
    "message_body",
    "message_body_end",
    "message_exim_id",
    "message_headers",
    "message_headers_raw",
    "message_id",
    "mime_anomaly_text",
    "mime_boundary",
    "mime_charset",
    "mime_content_description",
    "mime_content_disposition",
    "mime_content_id",
    "mime_content_transfer_encoding",
    "mime_content_type",
    "mime_decoded_filename",
    "mime_filename",
    "original_domain",
    "original_local_part",
    "parent_domain",
    "parent_local_part",
    "proxy_external_address",
    "proxy_local_address",
    "prvscheck_address",
    "prvscheck_keynum",
    "prvscheck_result",
    "queue_name",
    "received_for",
    "received_ip_address",
    "received_protocol",
    "recipient_data",
    "recipient_verify_failure",
    "recipients",
    "regex_match_string",
    "reply_address",
    "return_path",
    "router_name",
    "self_hostname",
    "sender_address_data",
    "sender_data",
    "sender_fullhost",
    "sender_helo_name",
    "sender_host_address",
    "sender_host_authenticated",
    "sender_host_name",
    "sender_rate",
    "sender_rate_limit",
    "sender_rate_period",
    "sender_rcvhost",
    "sender_verify_failure",
    "sending_ip_address",
    "smtp_command",
    "smtp_command_argument",
    "smtp_command_history",
    "smtp_notquit_reason",
    "spam_action",
    "spam_bar",
    "spam_report",
    "spam_score",
    "spam_score_int",
    "spf_header_comment",
    "spf_received",
    "spf_result",
    "spf_smtp_comment",
    "srs_recipient",
    "thisaddress",
    "tls_cipher",
    "tls_in_cipher",
    "tls_in_cipher_std",
    "tls_in_ourcert",
    "tls_in_peercert",
    "tls_in_peerdn",
    "tls_in_sni",
    "tls_in_ver",
    "tls_out_cipher",
    "tls_out_cipher_std",
    "tls_out_ourcert",
    "tls_out_peercert",
    "tls_out_peerdn",
    "tls_out_sni",
    "tls_out_ver",
    "tls_peerdn",
    "tls_sni",
    "transport_name",
    "value",
    "verify_mode",
    "warn_message_delay",
    "warn_message_recipient",
    "warn_message_recipients",
    "warnmsg_delay",
    "warnmsg_recipient",
    "warnmsg_recipients",
    "acl_c0",
    "acl_c_name",
    "acl_m0",
    "acl_m_name",
    "r_name",
    "regex1",
]
DEFAULTS = {
    "0": """acl_narg authentication_failed av_failed body_linecount body_zerocount dkim_created dkim_key_length
        dkim_key_nosubdomains dkim_key_testing event_defer_errno host_lookup_deferred host_lookup_failed host_port
        inode localhost_number max_received_linelength message_age message_body_size message_linecount message_size
        mime_anomaly_level mime_content_size mime_is_coverletter mime_is_multipart mime_is_rfc822 proxy_external_port
        proxy_local_port rcpt_count rcpt_defer_count rcpt_fail_count received_count received_time recipients_count
        runrc sender_host_port smtp_count_at_connection_start tls_bits tls_certificate_verified tls_in_bits
        tls_in_certificate_verified tls_in_ocsp tls_in_resumption tls_out_bits tls_out_certificate_verified
        tls_out_ocsp tls_out_resumption tls_out_tlsa_usage""",
    "-1": "interface_port mime_part_count received_port sending_port",
    "no": """message_smtputf8 prdr_requested proxy_session sender_helo_dnssec sender_host_dnssec spf_result_guessed
        tls_out_dane""",
    "*": "dkim_key_granularity dkim_key_srvtype",
    "9999999999999": "dkim_bodylength dkim_expires",
    "102400": "bounce_return_size_limit return_size_limit",
    "4294967295": "local_user_gid local_user_uid",
    "oracle.test": "primary_hostname qualify_domain qualify_recipient smtp_active_hostname",
    "v=spf1 a/24 mx/24 ptr ?all": "spf_guess",
}
# marked "Tainted" in manual section 11.9
TAINTED = [
    "authenticated_sender",
    "domain",
    "local_part",
    "message_body",
    "message_body_end",
    "message_headers",
    "message_headers_raw",
    "original_domain",
    "original_local_part",
    "parent_domain",
    "parent_local_part",
    "received_for",
    "recipients",
    "reply_address",
    "sender_address",
    "sender_address_domain",
    "sender_address_local_part",
    "sender_helo_name",
    "sender_host_name",
    "smtp_command",
    "smtp_command_argument",
    "tls_in_sni",
]


def scope_of() -> Scope:
    scope = empty_scope()
    scope.site.options.primary_hostname = "oracle.test"
    scope.site.options.bounce_return_size_limit = 102400
    return scope


def read(scope: Scope, name: str) -> str | None:
    found = find_variable(name)
    assert found is not None, name
    return found.get(scope)


@pytest.mark.parametrize("name", EMPTY)
def test_empty_before_anything_happened(name: str) -> None:
    assert read(scope_of(), name) == ""


@pytest.mark.parametrize(
    ("value", "name"), [(value, name) for value, names in DEFAULTS.items() for name in names.split()]
)
def test_defaults_before_anything_happened(value: str, name: str) -> None:
    assert read(scope_of(), name) == value


@pytest.mark.parametrize("name", TAINTED)
def test_what_a_peer_wrote_is_tainted(name: str) -> None:
    found = find_variable(name)
    assert found is not None
    assert found.tainted or isinstance(found.get(scope_of()), Tainted)


@pytest.mark.parametrize("name", ["local_part", "domain"])
@pytest.mark.parametrize("tainted", [True, False])
def test_an_address_of_the_administrators_is_not_tainted(name: str, tainted: bool) -> None:
    scope = scope_of()
    scope.recipient = Recipient("a@b", local_part="a", domain="b", tainted=tainted)
    found = find_variable(name)
    assert found is not None
    assert isinstance(found.get(scope), Tainted) is tainted


def test_every_variable_can_be_read_anywhere() -> None:
    scope = scope_of()
    for name in variables:
        value = read(scope, name)
        assert value is None or isinstance(value, str), name


@pytest.mark.parametrize("name", ["acl_cx", "acl_mname", "regex0", "regexx", "auth5", "n10", "acl_arg0", "nonsense"])
def test_names_that_are_none(name: str) -> None:
    assert find_variable(name) is None


PEER = {"address": "1.2.3.4", "port": 99}


@pytest.mark.parametrize(
    ("facts", "ports", "full", "received"),
    [  # -bs with -oMa, -oMs and -oMt, and -bh, of Exim 4.96
        ({"helo_name": "foo"}, False, "(foo) [1.2.3.4]", "[1.2.3.4] (helo=foo)"),
        ({}, False, "[1.2.3.4]", "[1.2.3.4]"),
        ({"helo_name": "[1.2.3.4]"}, False, "([1.2.3.4]) [1.2.3.4]", "[1.2.3.4]"),
        ({"helo_name": "foo"}, True, "(foo) [1.2.3.4]:99", "[1.2.3.4] (port=99 helo=foo)"),
        ({"helo_name": "foo", "ident": "idy"}, True, "(foo) [1.2.3.4]:99", "[1.2.3.4] (port=99 helo=foo ident=idy)"),
        (
            {"helo_name": "foo", "ident": "idx", "host_name": "foo.bar"},
            False,
            "foo.bar (foo) [1.2.3.4]",
            "foo.bar\n\t([1.2.3.4] helo=foo ident=idx)",
        ),
        (
            {"helo_name": "foo", "ident": "x", "host_name": "FOO"},
            True,
            "FOO [1.2.3.4]:99",
            "FOO ([1.2.3.4]:99 ident=x)",
        ),
        ({"helo_name": "foo", "host_name": "a.b"}, False, "a.b (foo) [1.2.3.4]", "a.b ([1.2.3.4] helo=foo)"),
    ],
)
def test_the_sending_host_in_one_string(facts: dict[str, Any], ports: bool, full: str, received: str) -> None:
    peer = Peer(**PEER, **facts)
    assert full_host(peer, ports=ports) == full
    assert received_host(peer, ports=ports) == received
    scope = scope_of()
    scope.peer = peer
    scope.site.options.log_selector = "+incoming_port" if ports else ""
    assert (read(scope, "sender_fullhost"), read(scope, "sender_rcvhost")) == (full, received)


def test_the_host_name_is_looked_up_when_it_is_asked_for() -> None:
    scope = scope_of()
    scope.peer = Peer(**PEER)
    asked = []

    def look(asking: Scope) -> None:
        asked.append(asking.peer.address)
        asking.peer.host_name, asking.peer.host_lookup_done = "a.b", True

    scope.services.lookup_host_name = look
    assert (read(scope, "sender_host_name"), read(scope, "sender_host_name"), asked) == ("a.b", "a.b", ["1.2.3.4"])


def message_scope() -> Scope:
    scope = scope_of()
    message = scope.message
    message.sender = '"x@y"@Snd.test'
    message.recipients = [EnvelopeRecipient("a@b"), EnvelopeRecipient("c:c@d")]
    headers = Headers()
    for line in ("Received: x", "Received: y", "From:  me <m@x>", "Reply-To: ", "Subject: =?utf-8?q?=C3=A9?="):
        headers.add(line)
    message.headers = headers
    return scope


def test_the_envelope() -> None:
    scope = message_scope()
    assert read(scope, "sender_address_local_part") == '"x@y"'
    assert read(scope, "sender_address_domain") == "Snd.test"
    assert read(scope, "recipients_count") == "2"
    assert read(scope, "recipients") == ""  # kept from users' filters
    scope.acl_point = "data"
    assert read(scope, "recipients") == "a@b, c:c@d"
    assert read(scope, "recipients_list") == "a@b:c::c@d"
    assert read(scope, "received_for") == ""
    del scope.message.recipients[1]
    assert read(scope, "received_for") == "a@b"


def test_the_headers() -> None:
    scope = message_scope()
    assert read(scope, "received_count") == "2"
    assert read(scope, "reply_address") == "me <m@x>"
    raw = read(scope, "message_headers_raw")
    assert raw is not None
    assert raw.endswith("Subject: =?utf-8?q?=C3=A9?=\n")
    assert read(scope, "message_headers") == raw.replace("=?utf-8?q?=C3=A9?=", "\xc3\xa9").rstrip("\n")


def test_the_body_is_cut_and_its_line_ends_are_spaces() -> None:
    scope = message_scope()
    body = b"one\ntwo\0three\n"

    def part(start: int, size: int) -> bytes:
        begin = start if start >= 0 else max(len(body) + start, 0)
        return body[begin : begin + size]

    scope.body = part
    scope.site.options.message_body_visible = 5
    assert (read(scope, "message_body"), read(scope, "message_body_end")) == ("one t", "hree ")
    scope.site.options.message_body_newlines = True
    assert (read(scope, "message_body"), read(scope, "message_body_end")) == ("one\nt", "hree\n")


def test_return_path_follows_errors_to() -> None:
    scope = message_scope()
    assert read(scope, "return_path") == ""
    scope.recipient = Recipient("a@b")
    assert read(scope, "return_path") == '"x@y"@Snd.test'
    scope.recipient.errors_to = ""
    assert read(scope, "return_path") == ""
    scope.vars["return_path"] = "e@f"
    assert read(scope, "return_path") == "e@f"


def test_the_recipient_and_its_ancestors() -> None:
    scope = scope_of()
    top = Recipient("Pre-Top-x@First.test", "Top", "first.test", prefix="Pre-", suffix="-x")
    middle = Recipient("mid@second.test", "mid", "second.test", parent=top)
    scope.recipient = Recipient("low@third.test", "low", "third.test", parent=middle, address_data="ad")
    scope.recipient.set_vars["name"] = "set"
    names = "local_part domain parent_local_part parent_domain original_local_part original_domain address_data r_name"
    assert [read(scope, name) for name in names.split()] == [
        "low", "third.test", "mid", "second.test", "Pre-Top-x", "first.test", "ad", "set",
    ]  # fmt: skip


def test_an_affix_is_a_peers_text_only_where_a_wildcard_matched() -> None:
    scope = scope_of()
    scope.recipient = Recipient("a-b@c", "b", "c", prefix="a-")
    assert not isinstance(read(scope, "local_part_prefix"), Tainted)
    scope.recipient.prefix_variable = "a"
    assert isinstance(read(scope, "local_part_prefix"), Tainted)


def test_data_comes_from_the_acl_where_the_recipient_has_none() -> None:
    scope = scope_of()
    scope.vars["domain_data"] = "from acl"
    assert read(scope, "domain_data") == "from acl"
    scope.recipient = Recipient("a@b")
    assert read(scope, "domain_data") == "from acl"
    scope.recipient.domain_data = "from router"
    assert read(scope, "domain_data") == "from router"


def test_acl_variables() -> None:
    scope = scope_of()
    scope.peer.acl_c = {"0": "c0", "_x": "cx"}
    scope.message.acl_m = {"9": "m9"}
    scope.acl_args = ["one", "two"]
    names = ("acl_c0", "acl_c_x", "acl_m9", "acl_arg2", "acl_arg3", "acl_narg")
    assert [read(scope, name) for name in names] == ["c0", "cx", "m9", "two", "", "2"]
    scope.site.options.strict_acl_vars = True
    with pytest.raises(ExpansionFailed) as raised:
        read(scope, "acl_m_nope")
    assert raised.value.message == 'unknown variable name "acl_m_nope" (strict_acl_vars is set)'


def test_a_filters_counters_exist_only_after_a_filter() -> None:
    scope = scope_of()
    assert read(scope, "n3") is None
    scope.recipient = Recipient("a@b", filter_n=[0, 0, 0, 7])
    assert (read(scope, "n3"), read(scope, "sn3")) == ("7", None)
    scope.vars["sn3"] = "5"
    assert read(scope, "sn3") == "5"


def test_tls_in_both_directions() -> None:
    scope = scope_of()
    scope.peer.tls = TlsInfo(cipher="IN", bits=256, certificate_verified=True, sni="s", resumed=True)
    names = (
        "tls_in_cipher",
        "tls_in_bits",
        "tls_in_certificate_verified",
        "tls_in_resumption",
        "tls_cipher",
        "tls_sni",
    )
    assert [read(scope, name) for name in names] == ["IN", "256", "1", "21", "IN", "s"]
    scope.tls_out = TlsInfo(cipher="OUT", dane="yes", peer_certificate=b"abc")
    assert [read(scope, name) for name in ("tls_cipher", "tls_out_dane")] == ["OUT", "yes"]
    assert read(scope, "tls_out_peercert") == "-----BEGIN CERTIFICATE-----\nYWJj\n-----END CERTIFICATE-----\n"


def test_the_next_host() -> None:
    scope = scope_of()
    scope.host = Host("mx.test", "9.8.7.6", 25)
    assert [read(scope, name) for name in ("host", "host_address", "host_port")] == ["mx.test", "9.8.7.6", "25"]


def test_times(monkeypatch: pytest.MonkeyPatch) -> None:
    scope = scope_of()
    scope.site.options.timezone = "UTC"
    monkeypatch.setattr(time, "time", lambda: 1795398079.241988)
    answers = {
        "tod_bsdinbox": "Mon Nov 23 01:41:19 2026",
        "tod_epoch": "1795398079",
        "tod_epoch_l": "1795398079241988",
        "tod_full": "Mon, 23 Nov 2026 01:41:19 +0000",
        "tod_log": "2026-11-23 01:41:19",
        "tod_logfile": "20261123",
        "tod_zone": "+0000",
        "tod_zulu": "20261123014119Z",
    }
    assert {name: read(scope, name) for name in answers} == answers


@pytest.mark.parametrize(
    ("name", "check"),
    [
        ("pid", lambda value: value == str(os.getpid())),
        ("load_average", lambda value: int(value) >= 0),
        ("spool_space", lambda value: int(value) > 0),
        ("spool_inodes", lambda value: int(value) >= 0),
        ("log_space", lambda value: int(value) > 0),
        ("caller_uid", lambda value: value == str(os.getuid())),
        ("version_number", lambda value: float(value) >= 4.96),
        ("queue_size", lambda value: value == "17"),
    ],
)
def test_the_machine(name: str, check: Callable[[str], bool], tmp_path: Any) -> None:
    scope = scope_of()
    scope.site.options.spool_directory = str(tmp_path)  # type: ignore[assignment]
    scope.services.queue_size = lambda: 17
    value = read(scope, name)
    assert value is not None
    assert check(value)


def test_space_of_a_folder_that_is_not_there() -> None:
    scope = scope_of()
    scope.site.options.spool_directory = "/nowhere/at/all"  # type: ignore[assignment]
    assert read(scope, "spool_space") == "-1"
