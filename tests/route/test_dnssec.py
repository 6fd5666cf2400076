"""What routers say of DNSSEC: MX, address and CNAME records all secure, or not (DANE-02, DANE-07)."""

from __future__ import annotations

from pathlib import Path

import pytest

from mta.config.load import load
from mta.mail.recipient import Recipient
from mta.route.base import Asking, RouteDeferred
from mta.scope.scope import Scope
from mta.scope.services import Services
from tests.fakes.dns import FakeResolver

CONFIGURATION = """
primary_hostname = us.ex
spool_directory = {folder}
log_file_path = {folder}/%slog
begin routers
one:
  driver = {driver}
  {options}
  transport = t
begin transports
t:
  driver = smtp
"""
RECORDS = {
    ("secure.ex", "MX"): ["10 mx.secure.ex.", "20 mx.open.ex."],
    ("mx.secure.ex", "A"): ["198.51.100.1"],
    ("mx.open.ex", "A"): ["198.51.100.2"],
    ("open.ex", "MX"): ["10 mx.secure.ex."],
    ("bare.ex", "A"): ["198.51.100.3"],
    ("alias.ex", "MX"): ["10 cname.ex."],
    ("cname.ex", "CNAME"): ["mx.open.ex."],
}
SECURE = ("secure.ex", "mx.secure.ex", "bare.ex", "alias.ex", "cname.ex")


def routed(folder: Path, driver: str, options: str, domain: str) -> list[tuple[str, str]] | str:
    file = folder / "conf"
    file.write_text(CONFIGURATION.format(folder=folder, driver=driver, options=options))
    config = load(str(file), {})
    scope = Scope(config.site, Services(resolver=FakeResolver(RECORDS, authenticated=SECURE)))
    recipient = Recipient(f"a@{domain}", local_part="a", domain=domain)
    scope.recipient = recipient
    router = config.routers[0]
    answer = router.driver.route(router, recipient, scope, Asking())
    if isinstance(answer, RouteDeferred):
        return answer.message
    return [(host.address, host.dnssec) for host in recipient.hosts]


@pytest.mark.parametrize(
    ("driver", "options", "domain", "expected"),
    [
        ("dnslookup", "", "secure.ex", [("198.51.100.1", "yes"), ("198.51.100.2", "no")]),
        ("dnslookup", "", "open.ex", [("198.51.100.1", "no")]),
        ("dnslookup", "", "bare.ex", [("198.51.100.3", "yes")]),
        ("dnslookup", "", "alias.ex", [("198.51.100.2", "no")]),
        (
            "dnslookup",
            "dnssec_request_domains = !secure.ex : *",
            "secure.ex",
            [("198.51.100.1", ""), ("198.51.100.2", "")],
        ),
        ("dnslookup", "dnssec_require_domains = secure.ex", "secure.ex", [("198.51.100.1", "yes")]),
        (
            "dnslookup",
            "dnssec_require_domains = open.ex",
            "open.ex",
            "host lookup for open.ex done insecurely",
        ),
        ("manualroute", "route_list = * mx.secure.ex:mx.open.ex bydns", "x.ex", None),
        ("manualroute", "route_list = * secure.ex/mx", "x.ex", [("198.51.100.1", "yes"), ("198.51.100.2", "no")]),
    ],
)
def test_hosts(
    tmp_path: Path, driver: str, options: str, domain: str, expected: list[tuple[str, str]] | str | None
) -> None:
    found = routed(tmp_path, driver, options, domain)
    assert found == (expected or [("198.51.100.1", "yes"), ("198.51.100.2", "no")])
