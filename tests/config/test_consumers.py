"""Every declared main option is acted on somewhere, or is harmless by nature, or stands here as still to be done."""

import re
from pathlib import Path

from mta.scope.options import HARMLESS, OWN_OPTIONS, MainOptions
from mta.settings.names import main_options
from mta.settings.options import option_fields

ROOT = Path(__file__).parents[2] / "mta"
# Declared for parts that are being written; a name goes from here when its consumer comes.
PENDING = frozenset(
    {
        "add_environment",
        "bounce_return_linesize_limit",
        "bounce_sender_authentication",
        "check_log_inodes",
        "check_log_space",
        "deliver_drop_privilege",
        "deliver_queue_load_max",
        "finduser_retries",
        "hosts_require_alpn",
        "ignore_fromline_local",
        "keep_environment",
        "keep_malformed",
        "local_delivery_processes",
        "max_username_length",
        "percent_hack_domains",
        "queue_run_max",
        "queue_smtp_domains",
        "received_headers_max",
        "rfc1413_hosts",
        "rfc1413_query_timeout",
        "slow_lookup_log",
        "smtp_accept_keepalive",
        "smtp_return_error_details",
        "tcp_nodelay",
        "tls_dh_max_bits",
        "tls_eccurve",
        "tls_ocsp_file",
        "tls_remember_esmtp",
        "tls_resumption_hosts",
    }
)


def test_every_option_has_a_consumer() -> None:
    text = ""
    for path in ROOT.rglob("*.py"):
        if str(path.relative_to(ROOT)) not in ("scope/options.py", "config/checks.py", "cli/modes/show.py"):
            text += path.read_text(encoding="utf-8")
    used = set(re.findall(r"\.([a-z][a-z_0-9]+)\b", text)) | set(re.findall(r"[\"']([a-z][a-z_0-9]+)[\"']", text))
    unused = set(option_fields(MainOptions)) - used - set(HARMLESS)
    assert unused <= PENDING


def test_declared_options_are_exims_or_our_own() -> None:
    assert set(option_fields(MainOptions)) <= main_options() | OWN_OPTIONS
    assert set(HARMLESS) <= set(option_fields(MainOptions))
