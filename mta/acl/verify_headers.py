"""verify = header_syntax, header_names_ascii, not_blind: looks at the header lines of the message."""

from __future__ import annotations

from mta.acl.log_lines import log_text
from mta.acl.run import Run
from mta.acl.statements import Result
from mta.acl.verify_address import run_log
from mta.mail.address import Address, AddressError, parse_address_list
from mta.text.ascii import lower

ADDRESS_HEADERS = frozenset(
    f"{prefix}{name}" for prefix in ("", "resent-") for name in ("from", "to", "cc", "bcc", "sender", "reply-to")
)
VISIBLE = ("to", "cc", "resent-to", "resent-cc")
MAX_ADDRESSES = 100_000  # of the header lines of one message


def verify_header_syntax(run: Run) -> Result:
    """Every address in the header lines that hold addresses must be one; unqualified where the client may send such."""
    message, peer = run.scope.message, run.scope.peer
    for header in message.headers:
        name = lower(header.name)
        if name not in ADDRESS_HEADERS:
            continue
        is_sender = name.removeprefix("resent-") in ("from", "sender", "reply-to")
        unqualified = message.allow_unqualified_sender if is_sender else message.allow_unqualified_recipient
        for parsed in parse_address_list(header.value, allow_domain_literals=True):
            fault = ""
            if isinstance(parsed, AddressError):
                fault = parsed.message
            elif not parsed.domain and not unqualified and peer.address:
                fault = "unqualified address not permitted"
            if fault:
                shown = _shown(header.value, parsed)
                return run_log(run, f'{log_text(fault)}: failing address in "{header.name}:" header is: {shown}')
    return Result.OK


def _shown(value: str, parsed: Address | AddressError) -> str:
    if isinstance(parsed, Address):
        text = value[parsed.start : parsed.end]
        if value[max(parsed.start - 1, 0) : parsed.end + 1] == f"<{text}>":
            text = f"<{text}>"
    else:
        text = parsed.text
    return log_text(text.strip(" \t\n")[:256])


def verify_header_names_ascii(run: Run) -> Result:
    """Bytes above 126 have no place in header names."""
    for header in run.scope.message.headers:
        if any(not "\x01" <= char <= "~" for char in header.name):
            return run_log(run, f'Invalid character in header "{header.name}" found')
    return Result.OK


def verify_not_blind(run: Run, case_insensitive: bool) -> Result:
    """Every recipient of the envelope stands in To: or Cc:."""
    fold = lower if case_insensitive else _domain_lower
    visible: set[str] = set()
    for name in VISIBLE:
        for header in run.scope.message.headers.named(name):
            for parsed in parse_address_list(header.value, allow_domain_literals=True)[:MAX_ADDRESSES]:
                if isinstance(parsed, Address):
                    visible.add(fold(parsed.text))
    for recipient in run.scope.message.recipients:
        if fold(recipient.address) not in visible:
            return run_log(run, "bcc recipient detected")
    return Result.OK


def _domain_lower(address: str) -> str:
    local, at, domain = address.rpartition("@")
    return f"{local}{at}{lower(domain)}"
