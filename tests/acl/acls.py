"""What the ACL tests share: a session's scope with recorders, and one call that parses and runs an ACL text."""

from __future__ import annotations

from dataclasses import dataclass, field

from mta.acl.parser import parse_acls
from mta.acl.run import acl_service, run_acl
from mta.acl.statements import Acl
from mta.errors import ConfigError, Where
from mta.mail.message import Message
from mta.mail.peer import Peer
from mta.mail.recipient import Recipient
from mta.mail.verdict import Verdict
from mta.scope.expansion import Tainted
from mta.scope.options import MainOptions
from mta.scope.scope import Scope
from mta.scope.services import Services, Verified
from mta.scope.site import Site

ROUTES = {
    "good@test.ex": Verified(True, Recipient("good@test.ex", address_data="ad-good")),
    "other@test.ex": Verified(True, Recipient("other@test.ex", address_data="ad-other")),
    "failing@test.ex": Verified(False, None, "no such person here", "no such person here", "route"),
    "deferring@test.ex": Verified(None, None, "try again sometime", "try again sometime", "route"),
}
UNROUTEABLE = Verified(False, None, "Unrouteable address", "Unrouteable address", "route")


def verify_address(scope: Scope, address: str, **_: object) -> Verified:
    return ROUTES.get(address, UNROUTEABLE)


@dataclass
class Session:
    """A client at 192.0.2.1 that said HELO x, MAIL FROM:<good@test.ex>, RCPT TO:<good@test.ex>."""

    scope: Scope
    main: list[str] = field(default_factory=list)
    reject: list[str] = field(default_factory=list)
    panic: list[str] = field(default_factory=list)
    trace: list[str] = field(default_factory=list)
    acls: dict[str, Acl] = field(default_factory=dict)

    def run(self, text: str, point: str = "rcpt", acl: str = "r") -> Verdict:
        """Run ``acl`` of the section ``text`` (a lone "r:" is put in front when there is no label)."""
        self.acls = section(text)
        self.scope.services.run_acl = acl_service(self.acls)
        return run_acl(self.acls, acl, point, self.scope)


def session(sender: str = "good@test.ex", recipient: str = "good@test.ex") -> Session:
    services = Services(verify_address=verify_address)
    local, _, domain = recipient.rpartition("@")
    scope = Scope(
        Site(MainOptions()),
        services,
        peer=Peer(address="192.0.2.1", helo_name="x", received_protocol="smtp"),
        message=Message(sender=Tainted(sender), sender_set=True),
        recipient=Recipient(
            Tainted(recipient), Tainted(local.lower()), Tainted(domain.lower()), cc_local_part=Tainted(local)
        ),
        host_checking=True,
    )
    made = Session(scope)
    services.log_main = made.main.append
    services.log_reject = made.reject.append
    services.log_panic = lambda line: (made.main.append(line), made.panic.append(line))[0]
    scope.trace = lambda _selector, line: made.trace.append(line)
    return made


def section(text: str) -> dict[str, Acl]:
    """The ACLs of a section's text; an error in it fails the test."""
    errors: list[ConfigError] = []
    found = parse_acls(lines(text), errors)
    assert not errors, [str(error) for error in errors]
    return found


def lines(text: str) -> list[tuple[str, Where]]:
    if not text.startswith(("r:", "r :", "c:")):
        text = "r:\n" + text
    return [(line, Where("CONF", number)) for number, line in enumerate(text.split("\n"), 10)]
