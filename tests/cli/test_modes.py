"""Whole calls of the command in this process. Outputs are those of Debian's Exim 4.96 for the same configuration."""

import io
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from mta.cli import call as call_module
from mta.cli.main import MODES, main
from mta.cli.options import parse

CONFIG = """\
primary_hostname = h.example
domainlist local_domains = h.example
hide hostlist secret = 10.0.0.1
hide smtp_banner = secret $tod_full
trusted_users = mail : 0 : uucp
admin_groups = mail : 8
queue_only_load = 8.5
delay_warning = 4h:8h:11h
local_interfaces = 127.0.0.1 : ::::1
recipients_max = 2048
message_size_limit = 51200K
retry_interval_max = 90m
log_selector = +all
header_maxsize = 2M
check_spool_space = 1G
SPOOLDIR = /x/y
begin routers
al:
  driver = redirect
  domains = +local_domains
  data = ${lookup{$local_part}lsearch{ALIASES}}
  allow_fail
  allow_defer
  file_transport = f
  pipe_transport = f
man:
  driver = manualroute
  domains = !+local_domains
  transport = smtp
  self = send
  route_list = remote.example 10.0.0.1:127.0.0.2::26:192.168.100.200::2525 byname
loc:
  driver = accept
  domains = +local_domains
  local_parts = joe : mary
  transport = f
x:
  driver = accept
  verify_only
  domains = none.example
  condition = a
  condition = b
  headers_add = X: 1
  headers_add = Y: 2
  set = r_a = 1
  set = r_b = 2
  unseen = ${if eq{a}{b}}
  user = root
  more = false
begin transports
f:
  driver = appendfile
  file = /dev/null
  mode = 600
smtp:
  driver = smtp
begin retry
a.example quota_3d F,1h,10m
a.example timeout_connect F,2h,15m; G,16h,1h,1.5
b.example *
c.example * senders=: F,2h,15m
* * F,2h,15m; G,16h,1h,1.5; F,4d,6h
"""
ALIASES = "a: joe, mary\nb: a, x@remote.example\nc: :fail: go away\nd: :defer: later\ne: :blackhole:\nf: /tmp/file\n"
ALIASES += "h: loop\nloop: h\nmult: a, c, nosuch\n"


@pytest.fixture
def mta(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):  # type: ignore[no-untyped-def]
    (tmp_path / "aliases").write_text(ALIASES)
    config = tmp_path / "mta.conf"
    config.write_text(CONFIG.replace("ALIASES", f"{tmp_path}/aliases"))

    def run(*argv: str, given: str = "", conf: str | None = None, uid: int = 0) -> tuple[int, str, str]:
        if conf is not None:
            config.write_text(conf)
        out, err = io.BytesIO(), io.BytesIO()
        real = call_module.Call

        def make(arguments: object, program: str) -> call_module.Call:
            return real(arguments, program, uid, uid, io.BytesIO(given.encode("latin-1")), out, err)  # type: ignore[arg-type]

        monkeypatch.setattr("mta.cli.main.Call", make)
        monkeypatch.setattr("mta.cli.main.give_up_rights", lambda _call: None)
        monkeypatch.setattr("os.getgroups", lambda: [uid])
        code = main("mta", ["-C", str(config), *argv])
        return code, out.getvalue().decode("latin-1"), err.getvalue().decode("latin-1")

    return run


JOE_AND_MARY = """\
mary@h.example
    <-- a@h.example
    <-- {0}@h.example
  router = loc, transport = f
joe@h.example
    <-- a@h.example
    <-- {0}@h.example
  router = loc, transport = f
"""
REMOTE = """\
  router = man, transport = smtp
  host 10.0.0.1        [10.0.0.1]       
  host 127.0.0.2       [127.0.0.2]       port=26
  host 192.168.100.200 [192.168.100.200] port=2525
"""  # noqa: W291
ADDRESS_TESTS = [
    ("joe", 0, "joe@h.example\n  router = loc, transport = f\n"),
    ("b", 0, JOE_AND_MARY.format("b") + "x@remote.example\n    <-- b@h.example\n" + REMOTE),
    ("c", 2, "c@h.example is undeliverable: go away\n"),
    ("d", 1, "d@h.example cannot be resolved at this time: later\n"),
    ("e", 0, "mail to e@h.example is discarded\n"),
    ("f", 0, "f@h.example -> /tmp/file\n  transport = f\n"),
    (
        "h",
        2,
        "h@h.example is undeliverable: Unrouteable address\n    <-- loop@h.example\n    <-- h@h.example\n",
    ),
    (
        "mult",
        2,
        "c@h.example is undeliverable: go away\n    <-- mult@h.example\n"
        "nosuch@h.example is undeliverable: Unrouteable address\n    <-- mult@h.example\n"
        + JOE_AND_MARY.format("mult"),
    ),
    ("<>", 2, "syntax error: missing or malformed local part\n"),
    ("a b", 2, 'syntax error: missing or malformed local part (expected word or "<")\n'),
    ("joe@", 2, "syntax error: domain missing or malformed\n"),
]


@pytest.mark.parametrize(("address", "code", "output"), ADDRESS_TESTS)
def test_address_tests(mta, address: str, code: int, output: str) -> None:  # type: ignore[no-untyped-def]
    assert mta("-bt", address)[:2] == (code, output)


VERIFICATIONS = [
    ("joe", 0, "joe@h.example verified\n"),
    ("b", 0, "b@h.example verified\n"),
    ("c", 2, "c@h.example failed to verify: go away\n"),
    ("d", 1, "d@h.example cannot be resolved at this time: later\n"),
    ("nosuch", 2, "nosuch@h.example failed to verify: Unrouteable address\n"),
]


@pytest.mark.parametrize(("address", "code", "output"), VERIFICATIONS)
def test_verification(mta, address: str, code: int, output: str) -> None:  # type: ignore[no-untyped-def]
    assert mta("-bv", address)[:2] == (code, output)


def test_addresses_from_standard_input(mta) -> None:  # type: ignore[no-untyped-def]
    code, out, _ = mta("-bt", given="joe\n\nmary  \n")
    joe, mary = ("joe@h.example\n  router = loc, transport = f\n", "mary@h.example\n  router = loc, transport = f\n")
    assert out == f"> {joe}> syntax error: empty address\n> {mary}> \n"
    assert code == 2


def test_ordinary_users_learn_no_reasons(mta) -> None:  # type: ignore[no-untyped-def]
    assert mta("-bv", "c", uid=65534)[1] == "c@h.example failed to verify\n"
    assert mta("-bt", "c", uid=65534)[1] == "c@h.example is undeliverable\n"


SHOWN = [
    ("delay_warning", "delay_warning = 4h:8h:11h\n"),
    ("trusted_users", "trusted_users = mail:root:uucp\n"),
    ("admin_groups", "admin_groups = mail:mail\n"),
    ("queue_only_load", "queue_only_load = 8.5\n"),
    ("deliver_queue_load_max", "deliver_queue_load_max =\n"),
    ("never_users", "never_users =\n"),
    ("errors_copy", "errors_copy = \n"),
    ("local_interfaces", "local_interfaces = 127.0.0.1 : ::::1\n"),
    ("recipients_max", "recipients_max = 2048\n"),
    ("message_size_limit", "message_size_limit = 51200K\n"),
    ("retry_interval_max", "retry_interval_max = 1h30m\n"),
    ("header_maxsize", "header_maxsize = 2097152\n"),
    ("check_spool_space", "check_spool_space = 1G\n"),
    ("bounce_return_size_limit", "bounce_return_size_limit = 100K\n"),
    ("host_lookup_order", "host_lookup_order = bydns:byaddr\n"),
    ("qualify_domain", "qualify_domain = h.example\n"),
    ("queue_only", "no_queue_only\n"),
    ("write_rejectlog", "write_rejectlog\n"),
    ("+local_domains", "domainlist local_domains = h.example\n"),
    ("router_list", "al\nman\nloc\nx\n"),
    ("transport_list", "f\nsmtp\n"),
    ("smtp_banner", "smtp_banner = secret $tod_full\n"),
]


@pytest.mark.parametrize(("word", "output"), SHOWN)
def test_options_shown(mta, word: str, output: str) -> None:  # type: ignore[no-untyped-def]
    assert mta("-bP", word)[:2] == (0, output)


def test_options_shown_by_value_only(mta) -> None:  # type: ignore[no-untyped-def]
    assert (
        mta("-n", "-bP", "qualify_domain", "queue_only", "+local_domains")[1] == "h.example\nno_queue_only\nh.example\n"
    )


def test_unknown_things_are_not_shown(mta) -> None:  # type: ignore[no-untyped-def]
    code, out, _ = mta("-bP", "nosuch", "qualify_domain", "router", "nosuch", "+nosuch")
    assert code == 1
    assert out == (
        "nosuch is not a known option\nqualify_domain = h.example\nrouter nosuch not found\n"
        'no address, domain, host, or local part list called "nosuch" exists\n'
    )


def test_hidden_values(mta) -> None:  # type: ignore[no-untyped-def]
    secret = "<value not displayable>"
    assert mta("-bP", "smtp_banner", "+secret", uid=65534)[1] == f"smtp_banner = {secret}\nhostlist secret = {secret}\n"
    assert "secret $tod" not in mta("-bP", "config", uid=65534)[1]
    assert "secret $tod" not in mta("-bP", uid=65534)[1]


def test_driver_options_shown(mta) -> None:  # type: ignore[no-untyped-def]
    lines = mta("-bP", "router", "x")[1].split("\n")
    for line in (
        "condition = ${if and{{bool_lax{a}}{bool_lax{b}}}}",
        "headers_add = X: 1\\nY: 2",
        "set = r_a = 1;r_b = 2",
        "unseen = ${if eq{a}{b}}",
        "user = root",
        "no_more",
        "dnssec_request_domains = *",
        "no_caseful_local_part",
        "driver = accept",
    ):
        assert line in lines
    transports = mta("-bP", "transports")[1]
    assert transports.startswith("\nf transport:\nno_body_only\n")
    assert "\nmode = 0600\n" in transports
    assert "\nsmtp transport:\n" in transports


def test_macros_shown(mta) -> None:  # type: ignore[no-untyped-def]
    assert mta("-bP", "macro", "SPOOLDIR")[:2] == (0, "SPOOLDIR=/x/y\n")
    assert mta("-n", "-bP", "macro", "SPOOLDIR")[1] == "/x/y\n"
    assert mta("-bP", "macro", "NO")[:2] == (1, "macro NO not found\n")
    assert mta("-bP", "macro", "SPOOLDIR", uid=65534) == (1, "", "mta: permission denied\n")
    assert mta("-bP", "macros")[1].endswith("SPOOLDIR=/x/y\n")
    lines = mta("-bP", "macro_list")[1].split("\n")
    for name in ("_OPT_MAIN_TLS_CERTIFICATE", "_DRIVER_ROUTER_REDIRECT", "_OPT_TRANSPORT_SMTP_HOSTS", "_LOG_SUBJECT"):
        assert name in lines
    assert "_OPT_MAIN_SPOOL_WIREFORMAT" not in lines


@pytest.mark.oracle
@pytest.mark.skipif(shutil.which("exim4") is None, reason="exim4 is not installed")
def test_debians_configuration_shown_as_exim_does(mta) -> None:  # type: ignore[no-untyped-def]
    file = "/var/lib/exim4/config.autogenerated"
    theirs = subprocess.run(["exim4", "-C", file, "-bP", "config"], check=True, capture_output=True, text=True).stdout
    ours = mta("-bP", "config", conf=f".include {file}\n")[1]

    def lines(text: str) -> list[str]:
        return [line for line in text.split("\n") if line.strip() and not line.startswith("# ")]

    assert lines(ours) == lines(theirs)


def test_config_shown(mta) -> None:  # type: ignore[no-untyped-def]
    out = mta("-bP", "config", conf="qualify_domain = a \\\n  b\n# c\nbegin acl\nx:\n accept\n  hosts = *\n")[1]
    head, _, rest = out.partition("\n")
    assert head == "# Exim Configuration (mta)"
    assert rest.partition("\n")[2] == "qualify_domain = a b\n\nbegin acl\n\n  x:\n    accept\n    hosts = *\n"


RULES = [
    (["a.example"], "*  *  F,2h,15m; G,16h,1h,1.5; F,4d,6h; "),
    (["a.example", "timeout_connect"], "a.example  timeout_connect  F,2h,15m; G,16h,1h,1.5; "),
    (["a.example", "b.example", "quota_5d"], "a.example  quota_3d  F,1h,10m; "),
    (["b.example"], "b.example  *  "),
    (["x@c.example"], "*  *  F,2h,15m; G,16h,1h,1.5; F,4d,6h; "),
]


@pytest.mark.parametrize(("words", "rule"), RULES)
def test_retry_rules(mta, words: list[str], rule: str) -> None:  # type: ignore[no-untyped-def]
    assert mta("-brt", *words)[:2] == (0, f"Retry rule: {rule}\n")


def test_no_retry_rule(mta) -> None:  # type: ignore[no-untyped-def]
    code, out, _ = mta("-brt", "zz", conf="begin retry\n")
    assert code == 0
    assert out.startswith("Warning: \"zz\" contains no '@' and no '.' characters.")
    assert out.endswith("\nNo retry information found\n")
    assert mta("-brt", "a.example", "foo")[0] == 1


def test_expansion(mta) -> None:  # type: ignore[no-untyped-def]
    assert mta("-be", "${lc:ABC} $primary_hostname", "${if foo}")[:2] == (
        0,
        'abc h.example\nFailed: unknown condition "foo"\n',
    )
    assert mta("-be", given="${uc:x}\n")[1] == "> X\n> \n"


def test_version(mta) -> None:  # type: ignore[no-untyped-def]
    code, out, _ = mta("-bV")
    assert code == 0
    for start in (
        "mta version ",
        "Support for: ",
        "Lookups (built-in): ",
        "Routers: accept ",
        "Transports: appendfile/maildir/mailstore ",
    ):
        assert f"\n{start}" in f"\n{out}"
    assert out.endswith("/mta.conf\n")


def test_configuration_faults_name_file_and_line(mta) -> None:  # type: ignore[no-untyped-def]
    code, out, err = mta("-bV", conf="foo = bar\nbar\n")
    assert (code, out) == (1, "")
    lines = err.split("\n")
    assert lines[0].startswith("mta: configuration error: /")
    assert lines[0].endswith('/mta.conf:1: main option "foo" unknown')
    assert '/mta.conf:2: main option "bar" unknown' in lines[1]


def test_usage(mta) -> None:  # type: ignore[no-untyped-def]
    assert mta("--help")[2].startswith("mta is a Mail Transfer Agent.")
    assert mta("-zzz")[:2] == (1, "")


def test_newaliases_runs_bi_command(mta, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    assert mta("-bi", conf="")[:2] == (0, "")
    assert mta("-bi", "-oA", f"{tmp_path}/made", conf="bi_command = /usr/bin/touch\n")[0] == 0
    assert (tmp_path / "made").exists()
    assert mta("-bi", conf="bi_command = touch\n")[0] == 1


def test_every_mode_of_the_parser_has_a_module() -> None:
    for flag in (
        "-bV",
        "-bP",
        "-bt",
        "-bv",
        "-bvs",
        "-brw",
        "-brt",
        "-bi",
        "-be",
        "-bs",
        "-bS",
        "-bm",
        "-bpc",
        "-q",
        "-bd",
    ):
        assert parse("mta", [flag]).mode in MODES


def test_start_is_quick_because_little_is_loaded(tmp_path: Path) -> None:
    """-be must not pay for DNS, TLS, daemon or delivery."""
    (tmp_path / "mta.conf").write_text(CONFIG)
    code = (
        f"import sys; from mta.cli.main import main; main('mta', ['-C', '{tmp_path}/mta.conf', '-be', 'x']);"
        "print(sorted(m for m in ('dns.message', 'OpenSSL', 'cryptography', 'psutil', 'mta.daemon.master', 'asyncio',"
        " 'mta.deliver.message', 'email.message') if m in sys.modules))"
    )
    done = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    assert done.stdout == "x\n[]\n"
