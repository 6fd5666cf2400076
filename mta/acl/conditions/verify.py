"""verify: tests of addresses, header lines and the client; the work is in acl/verify_*.py."""

from __future__ import annotations

from collections.abc import Callable

from mta.acl.points import EVERYWHERE, RCPT, VERIFY_HEADERS, VERIFY_SENDER
from mta.acl.run import Run
from mta.acl.statements import Act, Clause, Result, condition
from mta.acl.verify_address import tell, verify_header_sender, verify_recipient, verify_sender
from mta.acl.verify_arc import verify_arc
from mta.acl.verify_client import verify_certificate, verify_helo, verify_reverse_host_lookup
from mta.acl.verify_headers import verify_header_names_ascii, verify_header_syntax, verify_not_blind
from mta.acl.verify_options import BadVerify, VerifyOptions, parse_verify
from mta.errors import ConfigError

POINTS = {
    "sender": VERIFY_SENDER,
    "recipient": RCPT,
    "header_sender": VERIFY_HEADERS,
    "header_syntax": VERIFY_HEADERS,
    "header_names_ascii": VERIFY_HEADERS,
    "not_blind": VERIFY_HEADERS,
    "arc": frozenset({"data", "prdr", "mime", ""}),
}
CHECKS: dict[str, Callable[[Run, VerifyOptions], Result]] = {
    "sender": verify_sender,
    "recipient": verify_recipient,
    "header_sender": verify_header_sender,
    "header_syntax": lambda run, _: verify_header_syntax(run),
    "header_names_ascii": lambda run, _: verify_header_names_ascii(run),
    "not_blind": lambda run, options: verify_not_blind(run, options.case_insensitive),
    "helo": lambda run, _: verify_helo(run),
    "reverse_host_lookup": verify_reverse_host_lookup,
    "arc": verify_arc,
    "certificate": lambda run, _: verify_certificate(run),
}


@condition("verify")
def make(clause: Clause) -> Act:
    """A constant argument is parsed here; one that Exim would refuse when it is reached is refused then, too."""
    constant = clause.text.constant if clause.text is not None else None
    parsed: VerifyOptions | None = None
    if constant is not None:
        try:
            parsed = parse_verify(constant)
        except BadVerify as error:
            if error.planned:
                raise ConfigError(error.message, clause.where) from None

    def act(run: Run, argument: str) -> Result:
        try:
            options = parsed or parse_verify(argument)
        except BadVerify as error:
            return run.error(error.message)
        if run.point not in POINTS.get(options.kind, EVERYWHERE):
            return run.error(f"cannot verify {options.kind} in ACL for {run.place}")
        result = CHECKS[options.kind](run, options)
        if result is not Result.OK:
            tell(run)
        return result

    return act
