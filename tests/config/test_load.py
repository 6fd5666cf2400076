"""Loading whole configurations: what they become, and every fault with its place."""

from pathlib import Path
from typing import Any

import pytest

from mta.config.config import Config
from mta.config.load import find_file, load
from mta.errors import ConfigError, ConfigErrors

BASE = """\
primary_hostname = mail.example
domainlist local_domains = @ : example.org
hostlist relay = 10.0.0.0/8
acl_smtp_rcpt = check
begin acl
check:
  accept domains = +local_domains
begin routers
local:
  driver = accept
  domains = +local_domains
  no_verify
  transport = box
begin transports
box:
  driver = appendfile
  file = /var/mail/$local_part_data
begin retry
* quota_3d
*@example.org * F,1h,10m
"""


def written(tmp_path: Path, text: str, **macros: str) -> Config:
    path = tmp_path / "mta.conf"
    path.write_bytes(text.encode("latin-1"))
    return load(str(path), macros)


def faults(tmp_path: Path, text: str) -> list[str]:
    with pytest.raises(ConfigErrors) as caught:
        written(tmp_path, text)
    return [f"{error.where.line}: {error.message}" for error in caught.value.errors]


def test_a_whole_file(tmp_path: Path) -> None:
    config = written(tmp_path, BASE)
    assert config.main.primary_hostname == config.main.qualify_domain == config.main.qualify_recipient == "mail.example"
    assert [router.name for router in config.routers] == ["local"]
    options = config.routers[0].options
    assert (options.verify_sender, options.verify_recipient) == (False, False)
    assert list(config.transports) == ["box"]
    assert list(config.acls) == ["check"]
    assert [rule.pattern for rule in config.retry_rules] == ["*", "*@example.org"]
    assert set(config.site.lists.domain) == {"local_domains"}
    assert config.site.config_dir == str(tmp_path)


VALUES: list[tuple[str, str, Any]] = [
    ("recipients_max = 2K", "recipients_max", 2048),
    ("smtp_accept_max = 0x10", "smtp_accept_max", 16),
    ("smtp_accept_max = 010", "smtp_accept_max", 8),
    ("check_spool_space = 5000", "check_spool_space", 5000),
    ("check_spool_space = 5M", "check_spool_space", 5120),
    ("check_spool_space = 1025K", "check_spool_space", 1025),
    ("auto_thaw = 1h30m", "auto_thaw", 5400.0),
    ("delay_warning = 4h:8h:11h", "delay_warning", (14400.0, 28800.0, 39600.0)),
    ("delay_warning = 0s", "delay_warning", ()),
    ("", "delay_warning", (86400.0,)),
    ("queue_only", "queue_only", True),
    ("queue_only = yes", "queue_only", True),
    ("no_write_rejectlog", "write_rejectlog", False),
    ("write_rejectlog = FALSE", "write_rejectlog", False),
    ("queue_only_load = 8.125", "queue_only_load", 8.125),
    ("", "queue_only_load", None),
    ("trusted_users = root : 12345", "trusted_users", (0, 12345)),
    ("admin_groups = ${if eq{a}{a}{root}}", "admin_groups", (0,)),
    ("daemon_smtp_ports = 25 : 587", "daemon_smtp_ports", ("25", "587")),
    ("local_interfaces = <; ::1 ; 127.0.0.1", "local_interfaces", ("::1", "127.0.0.1")),
    ("", "keep_environment", None),
    ("keep_environment =", "keep_environment", ()),
    ("return_size_limit = 5K", "bounce_return_size_limit", 5120),
    ("dns_nameservers = 127.0.0.1::5353", "dns_nameservers", ("127.0.0.1:5353",)),
]


@pytest.mark.parametrize(("line", "name", "value"), VALUES)
def test_main_options(tmp_path: Path, line: str, name: str, value: Any) -> None:
    assert getattr(written(tmp_path, f"{line}\n").main, name) == value


FAULTS = [
    ("qualify_domian = x", ['1: main option "qualify_domian" unknown (did you mean "qualify_domain"?)']),
    ("spool_wireformat", ['1: option "spool_wireformat" is not implemented in mta yet']),
    ("oracle_servers = x", ['1: option "oracle_servers" is not implemented in mta yet']),
    ("a = b\nb = c\nqueue_only = maybe", ['1: main option "a" unknown', '2: main option "b" unknown', "3: queue_only"]),
    ("qualify_domain = a\nqualify_domain = b", ['2: "qualify_domain" option set for the second time']),
    ("no_qualify_domain", ['1: negation prefix applied to a non-boolean option "qualify_domain"']),
    ("host_lookup", ["1: unexpected end of line (data missing) after host_lookup"]),
    ("auto_thaw = 0", ['1: auto_thaw: invalid time value "0"']),
    ("auto_thaw = 12x", ['1: auto_thaw: invalid time value "12x"']),
    ("delay_warning = 2h:1h", ['1: delay_warning: time value out of order in "2h:1h"']),
    ("smtp_accept_max = 08", ['1: smtp_accept_max: integer expected, not "08"']),
    ("smtp_accept_max = 99999999999", ["1: smtp_accept_max: absolute value of integer"]),
    ("message_size_limit = 5x", ['1: message_size_limit: invalid integer value "5x"']),
    ("queue_only_load = 1.5x", ['1: queue_only_load: fixed-point number expected, not "1.5x"']),
    ("trusted_users = nosuchuserx", ["1: trusted_users: user nosuchuserx was not found"]),
    ("exim_user = nosuchuserx", ["1: exim_user: user nosuchuserx was not found"]),
    ("admin_groups = nosuchgroupx", ["1: admin_groups: group nosuchgroupx was not found"]),
    ("av_scanner = foo:bar", ["1: av_scanner: unknown scanner type 'foo'"]),
    (
        "av_scanner = drweb:/x",
        [
            "1: av_scanner: scanner type 'drweb' is not supported by mta: its scanner is no longer to be had "
            "(there are clamd, cmdline, sock, sophie)"
        ],
    ),
    ("local_interfaces = 127.0.0.1 : <; ::1", ['1: Malformed IP address "<; :1" in local_interfaces']),
    ("log_selector = +foo", ["1: unknown log_selector setting: +foo"]),
    ("smtp_banner = ${if foo}", ['1: smtp_banner: unknown condition "foo"']),
    ("smtp_banner = $nosuchvariable", ["1: smtp_banner: unknown variable name"]),
    ("hold_domains = +nosuch", ['1: hold_domains: unknown named domain list "+nosuch"']),
    ("domainlist a = +b", ['1: a: unknown named domain list "+b"']),
    ("acl_smtp_rcpt = nosuch", ['1: acl_smtp_rcpt refers to the ACL "nosuch", which does not exist']),
    ("acl_smtp_rcpt = chek\nbegin acl\ncheck:\n accept", ['1: acl_smtp_rcpt refers to the ACL "chek", which does']),
    ("begin acl\nfoo:\n  acept", ['3: error in ACL: unknown ACL verb "acept" in "acept"']),
    (
        "begin routers\nx:\n  driver = acceptt",
        ['3: router x: cannot find router driver "acceptt" (did you mean "accept"?)'],
    ),
    ("begin routers\nx:\n  domains = a", ['2: no driver defined for router "x"']),
    ("begin routers\nx:\n  driver = redirect\n  dota = x", ['4: option "dota" unknown (did you mean "data"?)']),
    ("begin routers\nx:\n  driver = accept", ["3: x router: a transport is required for this router"]),
    ("begin routers\nx:\n  driver = accept\n  transport = t", ['4: x router: transport "t" not found']),
    (
        "begin routers\nx:\n  driver = accept\n  verify_only\n  pass_router = y\n  redirect_router = z",
        ['5: x router: pass_router "y" not found', '6: x router: redirect_router "z" not found'],
    ),
    (
        "begin routers\ny:\n  driver = accept\n  verify_only\nx:\n  driver = accept\n  verify_only\n  pass_router = y",
        ['8: x router: pass_router "y" does not follow the "x" router'],
    ),
    (
        "begin routers\nx:\n  driver = accept\n  verify_only\n  user = nosuchuserx",
        ["5: user nosuchuserx was not found"],
    ),
    (
        "begin routers\nx:\n  driver = accept\n  verify_only\n  driver = accept",
        ['5: "driver" option set for the second'],
    ),
    (
        "begin transports\nx:\n  driver = smtp\n  socks_proxy = x",
        ['4: option "socks_proxy" is not implemented in mta yet'],
    ),
    (
        "begin transports\nx:\n  driver = smtp\n  shadow_transport = y",
        ['4: x transport: shadow_transport "y" not found'],
    ),
    (
        "begin transports\nx:\n  driver = smtp\n  hosts_avoid_tls = +h",
        ["4: x transport: hosts_avoid_tls: unknown named"],
    ),
    ("begin retry\n* foo", ['2: unknown or malformed retry error "foo"']),
    ("begin local_scan\na = b", ["2: local_scan options are not supported"]),
]


@pytest.mark.parametrize(("text", "expected"), FAULTS)
def test_faults(tmp_path: Path, text: str, expected: list[str]) -> None:
    found = faults(tmp_path, text)
    assert len(found) == len(expected), found
    for line, start in zip(found, expected, strict=True):
        assert line.startswith(start), found


def test_faults_of_an_included_file_stand_in_its_place(tmp_path: Path) -> None:
    (tmp_path / "inc").write_text("bad1 = x\n")
    path = tmp_path / "mta.conf"
    path.write_text("bad0 = x\n.include inc\nbad2 = x\n")
    with pytest.raises(ConfigErrors) as caught:
        load(str(path))
    assert [str(error.where) for error in caught.value.errors] == [f"{path}:1", f"{tmp_path}/inc:1", f"{path}:3"]


def test_missing_files(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="failed to open configuration file"):
        load(f"{tmp_path}/none")
    with pytest.raises(ConfigError, match=r"non-existent configuration file\(s\)"):
        find_file(f"{tmp_path}/a:{tmp_path}/b")
    (tmp_path / "b").write_text("")
    assert find_file(f"{tmp_path}/a:{tmp_path}/b") == f"{tmp_path}/b"


def test_verify_by_itself_wins(tmp_path: Path) -> None:
    text = "begin routers\nx:\n  driver = accept\n  verify_only\n  no_verify\n  verify_sender\n  fail_verify\n"
    options = written(tmp_path, text).routers[0].options
    assert (options.verify_sender, options.verify_recipient) == (True, False)
    assert (options.fail_verify_sender, options.fail_verify_recipient) == (True, True)


def test_hidden_options_are_remembered(tmp_path: Path) -> None:
    text = "hide smtp_banner = x\nhide domainlist d = a\nbegin transports\nt:\n  driver = smtp\n  hide helo_data = x\n"
    found = written(tmp_path, text).hidden
    assert found == {("main", "smtp_banner"), ("domain list", "d"), ("transports/smtp", "helo_data")}
