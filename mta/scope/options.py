"""The main options (manual chapter 14) that mta acts on, each under Exim's name; our own come last.

This is the one table of what is declared: a name of ``settings.names`` that is not here is refused at load as not
implemented. The annotation is the type after conversion, the kind says what the file may hold. Defaults are Exim's,
with Debian's paths. Options that have no effect by their nature are in ``HARMLESS``.
"""

from __future__ import annotations

from dataclasses import dataclass

from mta.scope.expansion import AddressList, DomainList, Expansion, HostList
from mta.settings.options import option

RECEIVED_HEADER_TEXT = (
    "Received: ${if def:sender_rcvhost {from $sender_rcvhost\\n\\t}"
    "{${if def:sender_ident {from ${quote_local_part:$sender_ident} }}"
    "${if def:sender_helo_name {(helo=$sender_helo_name)\\n\\t}}}}"
    "by $primary_hostname ${if def:received_protocol {with $received_protocol }}"
    "${if def:tls_in_ver        { ($tls_in_ver)}}"
    "${if def:tls_in_cipher_std { tls $tls_in_cipher_std\\n\\t}}"
    "(Exim $version_number)\\n\\t${if def:sender_address {(envelope-from <$sender_address>)\\n\\t}}"
    "id $message_exim_id${if def:received_for {\\n\\tfor $received_for}}"
)
DELAY_WARNING_CONDITION = (
    "${if or {{ !eq{$h_list-id:$h_list-post:$h_list-subscribe:}{} }"
    "{ match{$h_precedence:}{(?i)bulk|list|junk} }"
    "{ match{$h_auto-submitted:}{(?i)auto-generated|auto-replied} }} {no}{yes}}"
)
UUCP_FROM_PATTERN = (
    r"^From\s+(\S+)\s+(?:[a-zA-Z]{3},?\s+)?(?:[a-zA-Z]{3}\s+\d?\d|\d?\d\s+[a-zA-Z]{3}\s+\d\d(?:\d\d)?)\s+\d\d?:\d\d?"
)
DNS_CHECK_NAMES_PATTERN = r"(?i)^(?>(?(1)\.|())[^\W](?>[a-z0-9/_-]*[^\W])?)+(\.?)$"

# Why nothing acts on them, and why that loses nothing.
HARMLESS = {
    "debug_store": "checks Exim's own memory pools",
    "disable_fsync": "would give up durability; mta always syncs",
    "dns_csa_search_limit": "only client SMTP authorisation reads it",
    "dns_csa_use_reverse": "only client SMTP authorisation reads it",
    "drop_cr": "obsolete in Exim itself",
    "exim_path": "mta never executes itself by a path",
    "lookup_open_max": "lookups keep no files open between messages",
    "notifier_socket": "the daemon's own socket is submission_socket",
    "perl_taintmode": "there is no embedded Perl",
    "queue_run_max": "queue runs of the daemon never overlap: there is one queue manager",
    "print_topbitchars": "what counts as printing is decided where text is printed",
}
# Names of the past that the manual still lists.
ALIASES = {"return_size_limit": "bounce_return_size_limit"}


@dataclass(slots=True, repr=False, eq=False)
class MainOptions:
    # naming and qualifying
    primary_hostname: str = option("string", "")
    qualify_domain: str = option("string", "")
    qualify_recipient: str = option("string", "")
    sender_unqualified_hosts: HostList | None = option("host_list")
    recipient_unqualified_hosts: HostList | None = option("host_list")
    localhost_number: Expansion | None = option("expanded")
    allow_domain_literals: bool = option("bool", False)
    allow_mx_to_ip: bool = option("bool", False)
    allow_utf8_domains: bool = option("bool", False)
    percent_hack_domains: DomainList | None = option("domain_list")
    strip_excess_angle_brackets: bool = option("bool", False)
    strip_trailing_dot: bool = option("bool", False)
    hosts_treat_as_local: DomainList | None = option("domain_list")
    headers_charset: str = option("string", "UTF-8")
    check_rfc2047_length: bool = option("bool", True)
    print_topbitchars: bool = option("bool", False)
    timezone: str | None = option("string")
    # access control lists
    acl_not_smtp: Expansion | None = option("acl")
    acl_not_smtp_mime: Expansion | None = option("acl")
    acl_not_smtp_start: Expansion | None = option("acl")
    acl_smtp_auth: Expansion | None = option("acl")
    acl_smtp_connect: Expansion | None = option("acl")
    acl_smtp_data: Expansion | None = option("acl")
    acl_smtp_data_prdr: Expansion | None = option("acl", "accept")
    acl_smtp_dkim: Expansion | None = option("acl")
    acl_smtp_etrn: Expansion | None = option("acl")
    acl_smtp_expn: Expansion | None = option("acl")
    acl_smtp_helo: Expansion | None = option("acl")
    acl_smtp_mail: Expansion | None = option("acl")
    acl_smtp_mailauth: Expansion | None = option("acl")
    acl_smtp_mime: Expansion | None = option("acl")
    acl_smtp_notquit: Expansion | None = option("acl")
    acl_smtp_predata: Expansion | None = option("acl")
    acl_smtp_quit: Expansion | None = option("acl")
    acl_smtp_rcpt: Expansion | None = option("acl")
    acl_smtp_starttls: Expansion | None = option("acl")
    acl_smtp_vrfy: Expansion | None = option("acl")
    strict_acl_vars: bool = option("bool", False)
    # the SMTP service
    accept_8bitmime: bool = option("bool", True)
    auth_advertise_hosts: HostList | None = option("host_list", "*")
    chunking_advertise_hosts: HostList | None = option("host_list", "*")
    dsn_advertise_hosts: HostList | None = option("host_list")
    pipelining_advertise_hosts: HostList | None = option("host_list", "*")
    # Exim's default is everybody, which makes a client that talks too early look honest
    pipelining_connect_advertise_hosts: HostList | None = option("host_list")
    enhancedstatuscodes_advertise_hosts: HostList | None = option("host_list")
    hosts_xclient: HostList | None = option("host_list")
    limits_advertise_hosts: HostList | None = option("host_list")
    prdr_enable: bool = option("bool", False)
    smtputf8_advertise_hosts: HostList | None = option("host_list", "*")
    helo_accept_junk_hosts: HostList | None = option("host_list")
    helo_allow_chars: str = option("string", "")
    helo_lookup_domains: DomainList | None = option("domain_list", "@ : @[]")
    helo_try_verify_hosts: HostList | None = option("host_list")
    helo_verify_hosts: HostList | None = option("host_list")
    hosts_require_helo: HostList | None = option("host_list", "*")
    host_lookup: HostList | None = option("host_list")
    host_lookup_order: tuple[str, ...] = option("string_list", "bydns:byaddr")
    host_reject_connection: HostList | None = option("host_list")
    hosts_proxy: HostList | None = option("host_list")
    proxy_protocol_timeout: float = option("time", 3.0)
    smtp_ratelimit_hosts: HostList | None = option("host_list")
    smtp_ratelimit_mail: str | None = option("string")
    smtp_ratelimit_rcpt: str | None = option("string")
    hosts_connection_nolog: HostList | None = option("host_list")
    rfc1413_hosts: HostList | None = option("host_list", "@[]")
    rfc1413_query_timeout: float = option("time", 0.0)
    smtp_active_hostname: Expansion | None = option("expanded")
    smtp_banner: Expansion = option("expanded", "$smtp_active_hostname ESMTP Exim $version_number $tod_full")
    smtp_enforce_sync: bool = option("bool", True)
    smtp_return_error_details: bool = option("bool", False)
    smtp_receive_timeout: Expansion = option("time_expanded", "5m")
    receive_timeout: float = option("time", 0.0)
    # limits
    header_maxsize: int = option("int", 1 << 20)
    header_line_maxsize: int = option("int", 0)
    message_size_limit: Expansion = option("int_expanded", "50M")
    received_headers_max: int = option("int", 30)
    recipients_max: int = option("int", 50000)
    recipients_max_reject: bool = option("bool", False)
    smtp_accept_keepalive: bool = option("bool", True)
    smtp_accept_max: int = option("int", 20)
    smtp_accept_max_nonmail: int = option("int", 10)
    smtp_accept_max_nonmail_hosts: HostList | None = option("host_list", "*")
    smtp_accept_max_per_connection: Expansion = option("int_expanded", "1000")
    smtp_accept_max_per_host: Expansion | None = option("int_expanded")
    smtp_accept_queue: int = option("int", 0)
    smtp_accept_queue_per_connection: int = option("int", 10)
    smtp_accept_reserve: int = option("int", 0)
    smtp_connect_backlog: int = option("int", 20)
    smtp_load_reserve: float | None = option("fixed")
    smtp_max_synprot_errors: int = option("int", 3)
    smtp_max_unknown_commands: int = option("int", 3)
    smtp_reserve_hosts: HostList | None = option("host_list")
    smtp_check_spool_space: bool = option("bool", True)
    check_log_inodes: int = option("int", 100)
    check_log_space: int = option("kilobytes", 10 << 10)
    check_spool_inodes: int = option("int", 100)
    check_spool_space: int = option("kilobytes", 10 << 10)
    # TLS
    tls_advertise_hosts: HostList | None = option("host_list", "*")
    tls_alpn: Expansion | None = option("string_list_expanded", "smtp:esmtp")
    hosts_require_alpn: HostList | None = option("host_list")
    tls_certificate: Expansion | None = option("string_list_expanded")
    tls_crl: Expansion | None = option("expanded")
    tls_dh_max_bits: int = option("int", 2236)
    tls_dhparam: Expansion | None = option("expanded")
    tls_eccurve: Expansion | None = option("expanded", "auto")
    tls_ocsp_file: Expansion | None = option("string_list_expanded")
    tls_on_connect_ports: tuple[str, ...] = option("string_list", ())
    tls_privatekey: Expansion | None = option("string_list_expanded")
    tls_remember_esmtp: bool = option("bool", False)
    tls_require_ciphers: Expansion | None = option("expanded")
    tls_resumption_hosts: HostList | None = option("host_list")
    tls_try_verify_hosts: HostList | None = option("host_list")
    tls_verify_certificates: Expansion | None = option("expanded", "system")
    tls_verify_hosts: HostList | None = option("host_list")
    openssl_options: str = option("string", "+no_sslv2 +no_sslv3 +single_dh_use +no_ticket +no_renegotiation")
    # local submission
    admin_groups: tuple[int, ...] = option("gids", ())
    trusted_groups: tuple[int, ...] = option("gids", ())
    trusted_users: tuple[int, ...] = option("uids", ())
    never_users: tuple[int, ...] = option("uids", ())
    commandline_checks_require_admin: bool = option("bool", False)
    prod_requires_admin: bool = option("bool", True)
    queue_list_requires_admin: bool = option("bool", True)
    extract_addresses_remove_arguments: bool = option("bool", True)
    gecos_name: Expansion | None = option("expanded")
    gecos_pattern: str | None = option("string")
    max_username_length: int = option("int", 0)
    unknown_login: Expansion | None = option("expanded")
    unknown_username: str | None = option("string")
    local_from_check: bool = option("bool", True)
    local_from_prefix: str | None = option("string")
    local_from_suffix: str | None = option("string")
    local_sender_retain: bool = option("bool", False)
    untrusted_set_sender: AddressList | None = option("address_list")
    ignore_fromline_hosts: HostList | None = option("host_list")
    ignore_fromline_local: bool = option("bool", False)
    uucp_from_pattern: str = option("string", UUCP_FROM_PATTERN)
    uucp_from_sender: Expansion = option("expanded", "$1")
    bi_command: str | None = option("string")
    # headers of messages that come in
    delivery_date_remove: bool = option("bool", True)
    envelope_to_remove: bool = option("bool", True)
    return_path_remove: bool = option("bool", True)
    message_id_header_domain: Expansion | None = option("expanded")
    message_id_header_text: Expansion | None = option("expanded")
    received_header_text: Expansion = option("expanded", RECEIVED_HEADER_TEXT)
    message_body_newlines: bool = option("bool", False)
    message_body_visible: int = option("int", 500)
    # who sent it
    dkim_verify_hashes: tuple[str, ...] = option("string_list", "sha256 : sha512")
    dkim_verify_keytypes: tuple[str, ...] = option("string_list", "ed25519 : rsa")
    dkim_verify_min_keysizes: tuple[str, ...] = option("string_list", "rsa=1024 : ed25519=250")
    dkim_verify_minimal: bool = option("bool", False)
    dkim_verify_signers: Expansion = option("expanded", "$dkim_signers")
    spf_guess: str | None = option("string", "v=spf1 a/24 mx/24 ptr ?all")
    spf_smtp_comment_template: Expansion | None = option("expanded", "Please%_see%_http://www.open-spf.org/Why")
    dmarc_forensic_sender: Expansion | None = option("expanded")
    dmarc_history_file: Expansion | None = option("expanded")
    dmarc_tld_file: Expansion | None = option("expanded")
    # content scanners; expanded when they begin with a dollar
    av_scanner: str = option("string", "sophie:/var/run/sophie")
    spamd_address: str = option("string", "127.0.0.1 783")
    # the log
    log_file_path: Expansion = option("expanded", "/var/log/exim4/%slog")
    log_selector: str = option("log_selector", "")
    log_timezone: bool = option("bool", False)
    message_logs: bool = option("bool", True)
    preserve_message_logs: bool = option("bool", False)
    slow_lookup_log: int = option("int", 0)
    syslog_duplication: bool = option("bool", True)
    syslog_facility: str | None = option("string")
    syslog_pid: bool = option("bool", True)
    syslog_processname: str = option("string", "exim")
    syslog_timestamp: bool = option("bool", True)
    write_rejectlog: bool = option("bool", True)
    # the spool and the queue
    spool_directory: Expansion = option("expanded", "/var/spool/exim4")
    split_spool_directory: bool = option("bool", False)
    keep_malformed: float = option("time", 4 * 86400.0)
    queue_domains: DomainList | None = option("domain_list")
    queue_smtp_domains: DomainList | None = option("domain_list")
    hold_domains: DomainList | None = option("domain_list")
    queue_only: bool = option("bool", False)
    queue_only_file: str | None = option("string")
    queue_only_load: float | None = option("fixed")
    queue_only_load_latch: bool = option("bool", True)
    queue_only_override: bool = option("bool", True)
    queue_run_in_order: bool = option("bool", False)
    queue_run_max: Expansion = option("int_expanded", "5")
    deliver_queue_load_max: float | None = option("fixed")
    auto_thaw: float = option("time", 0.0)
    timeout_frozen_after: float = option("time", 0.0)
    ignore_bounce_errors_after: float = option("time", 10 * 604800.0)
    freeze_tell: str | None = option("string")
    # delivery, retrying, bounces and warnings
    system_filter: Expansion | None = option("expanded")
    system_filter_directory_transport: Expansion | None = option("expanded")
    system_filter_file_transport: Expansion | None = option("expanded")
    system_filter_group: Expansion | None = option("group")
    system_filter_pipe_transport: Expansion | None = option("expanded")
    system_filter_reply_transport: Expansion | None = option("expanded")
    system_filter_user: Expansion | None = option("user")
    remote_max_parallel: int = option("int", 2)
    remote_sort_domains: DomainList | None = option("domain_list")
    retry_data_expire: float = option("time", 7 * 86400.0)
    retry_interval_max: float = option("time", 86400.0)
    bounce_message_file: Expansion | None = option("expanded")
    bounce_message_text: str | None = option("string")
    bounce_return_body: bool = option("bool", True)
    bounce_return_linesize_limit: int = option("int", 998)
    bounce_return_message: bool = option("bool", True)
    bounce_return_size_limit: int = option("int", 100 << 10)
    bounce_sender_authentication: str | None = option("string")
    delay_warning: tuple[float, ...] = option("time_list", "24h")
    delay_warning_condition: Expansion = option("expanded", DELAY_WARNING_CONDITION)
    dsn_from: Expansion = option("expanded", "Mail Delivery System <Mailer-Daemon@$qualify_domain>")
    errors_copy: Expansion | None = option("string_list_expanded")
    errors_reply_to: str | None = option("string")
    warn_message_file: Expansion | None = option("expanded")
    callout_domain_negative_expire: float = option("time", 3 * 3600.0)
    callout_domain_positive_expire: float = option("time", 7 * 86400.0)
    callout_negative_expire: float = option("time", 2 * 3600.0)
    callout_positive_expire: float = option("time", 86400.0)
    callout_random_local_part: Expansion = option("expanded", "$primary_hostname-$tod_epoch-testing")
    # the DNS and the network
    dns_again_means_nonexist: DomainList | None = option("domain_list")
    dns_check_names_pattern: str = option("string", DNS_CHECK_NAMES_PATTERN)
    dns_cname_loops: int = option("int", 1)
    dns_csa_search_limit: int = option("int", 5)
    dns_csa_use_reverse: bool = option("bool", True)
    dns_dnssec_ok: int = option("int", -1)
    dns_ipv4_lookup: DomainList | None = option("domain_list")
    dns_retrans: float = option("time", 0.0)
    dns_retry: int = option("int", 0)
    dns_trust_aa: DomainList | None = option("domain_list")
    dns_use_edns0: int = option("int", -1)
    disable_ipv6: bool = option("bool", False)
    local_interfaces: tuple[str, ...] = option("string_list", "<; ::0 ; 0.0.0.0")
    extra_local_interfaces: tuple[str, ...] = option("string_list", ())
    tcp_nodelay: bool = option("bool", True)
    # processes, users, environment
    daemon_smtp_ports: tuple[str, ...] = option("string_list", "smtp")
    daemon_startup_retries: int = option("int", 9)
    daemon_startup_sleep: float = option("time", 30.0)
    pid_file_path: Expansion = option("expanded", "/run/exim4/exim.pid")
    process_log_path: Expansion | None = option("expanded")
    exim_user: Expansion | None = option("user")
    exim_group: Expansion | None = option("group")
    exim_path: str = option("string", "/usr/sbin/exim4")
    deliver_drop_privilege: bool = option("bool", False)
    finduser_retries: int = option("int", 0)
    add_environment: tuple[str, ...] = option("string_list", ())
    keep_environment: tuple[str, ...] | None = option("string_list")
    # lookups
    sqlite_dbfile: str | None = option("string")
    sqlite_lock_timeout: float = option("time", 5.0)
    lookup_open_max: int = option("int", 25)
    redis_servers: tuple[str, ...] = option("string_list", (), hide=True)  # they hold passwords
    pgsql_servers: tuple[str, ...] = option("string_list", (), hide=True)
    mysql_servers: tuple[str, ...] = option("string_list", (), hide=True)
    ldap_default_servers: tuple[str, ...] = option("string_list", ())
    ldap_version: int = option("int", -1)
    ldap_start_tls: bool = option("bool", False)
    ldap_require_cert: str | None = option("string")
    ldap_ca_cert_dir: str | None = option("string")
    ldap_ca_cert_file: str | None = option("string")
    ldap_cert_file: str | None = option("string")
    ldap_cert_key: str | None = option("string")
    ldap_cipher_suite: str | None = option("string")
    # without effect: HARMLESS says why
    debug_store: bool = option("bool", False)
    disable_fsync: bool = option("bool", False)
    drop_cr: bool = option("bool", False)
    notifier_socket: Expansion | None = option("expanded", "$spool_directory/exim_daemon_notify")
    perl_taintmode: bool = option("bool", False)
    # events
    event_action: Expansion | None = option("expanded")
    # mta's own
    python_startup: tuple[str, ...] = option("string_list", ())  # files whose functions ${python and python = call
    event_python: str | None = option("string")  # module.function, called with a dict for each event
    event_log: Expansion | None = option("expanded")  # a file that gets one JSON line an event
    dns_nameservers: tuple[str, ...] = option("string_list", ())  # host or host::port; () those of resolv.conf
    smtp_workers: int = option("int", 0)  # processes; 0: as many as there are cores
    smtp_threads_min_spare: int = option("int", 4)  # idle threads that each worker keeps
    smtp_threads_max: int = option("int", 0)  # threads a worker; 0: from smtp_accept_max
    delivery_workers: int = option("int", 0)  # processes; 0: as many as there are cores
    delivery_threads: int = option("int", 8)  # threads in each delivery worker
    local_delivery_processes: int = option("int", 0)  # deliveries to mailboxes at a time; 0: no limit of its own
    submission_socket: Expansion = option("expanded", "$spool_directory/submit.sock")
    hints_database: Expansion = option("expanded", "$spool_directory/db/hints.sqlite")
    srs_chains: bool = option("bool", False)  # ${srs_encode} makes SRS1 of senders that are SRS already
    dmarc_report_database: Expansion | None = option("expanded")  # where results for aggregate reports are kept
    dmarc_report_sender: Expansion | None = option("expanded")  # From: of aggregate reports; dsn_from's without it
    dmarc_forensic_format: str = option("string", "text")  # "text" as Exim writes them, "arf" as RFC 9991


OWN_OPTIONS = frozenset(
    {
        "dns_nameservers",
        "enhancedstatuscodes_advertise_hosts",
        "event_log",
        "event_python",
        "python_startup",
        "smtp_workers",
        "smtp_threads_min_spare",
        "smtp_threads_max",
        "delivery_workers",
        "delivery_threads",
        "local_delivery_processes",
        "submission_socket",
        "hints_database",
        "srs_chains",
        "dmarc_report_database",
        "dmarc_report_sender",
        "dmarc_forensic_format",
    }
)
