"""verify = sender, recipient, header_sender: addresses tested by routing them, and by a callout where one is asked for.

A sender's answer is kept for the message: it is asked for again with every recipient.
"""

from __future__ import annotations

from dataclasses import dataclass

from mta.acl.run import Run
from mta.acl.statements import Result
from mta.acl.verify_options import VerifyOptions
from mta.errors import Deferred, ExpansionFailed
from mta.mail.address import AddressError, parse_address_list
from mta.mail.verdict import Ruling, Verdict
from mta.scope.expansion import Tainted
from mta.scope.services import Verified

MAX_HEADER_ADDRESSES = 100  # addresses of header lines that one condition verifies
# How a reply begins and ends that tells of a sender's callout, by $sender_verify_failure.
_TELLS = {
    "mail": (
        "Callback setup failed while verifying",
        (
            "The initial connection, or a HELO or MAIL FROM:<> command was",
            "rejected. Refusing MAIL FROM:<> does not help fight spam, disregards",
            "RFC requirements, and stops you from receiving standard bounce",
            "messages. This host does not accept mail from domains whose servers",
            "refuse bounces.",
        ),
    ),
    "postmaster": (
        "Postmaster verification failed while checking",
        (
            "Several RFCs state that you are required to have a postmaster",
            "mailbox for each mail domain. This host does not accept mail",
            "from domains whose servers reject the postmaster address.",
        ),
    ),
}


@dataclass(slots=True)
class SenderCheck:
    """A sender's verification, kept in ``message.acl_memory``; ``reported`` once a reply has told of it."""

    address: str
    verified: Verified
    details: bool = True
    reported: bool = False
    tells_why: bool = False  # a deferred callout's reason is for the peer, too

    def report(self, verdict: Verdict, multiline: bool) -> None:
        """Add to a rejection what Exim says of the sender: a line in the log and lines in the reply, once."""
        if self.reported or not self.details:
            return
        self.reported = True
        why = self.verified.log_message
        word = "defer" if self.verified.ok is None else "fail"
        verdict.details_log = f"sender verify {word} for <{self.address}>{': ' + why if why else ''}"
        text = self.verified.user_message or self.verified.log_message
        if multiline and self.tells_why:
            verdict.details = [why]
        elif multiline and text and self.verified.ok is False and verdict.ruling is not Ruling.DEFER:
            head, tail = _TELLS.get(self.verified.failure, ("Verification failed for", ()))
            verdict.details = [f"{head} <{self.address}>", *text.split("\n"), *tail]


def verify_sender(run: Run, options: VerifyOptions) -> Result:
    """The reverse-path, or the address given; the null sender is always right."""
    scope = run.scope
    address = scope.message.sender if options.address is None else options.address
    if not address:
        return Result.OK
    kept: dict[str, SenderCheck] = scope.message.acl_memory.setdefault("acl.senders", {})
    key = f"{address}/{options.callout}/{options.success_on_redirect}"
    check = kept.get(key)
    if check is None:
        check = kept[key] = SenderCheck(address, _verify(run, address, options, is_sender=True))
    else:
        run.trace("using cached sender verify result")
    check.details = not options.no_details
    found = check.verified
    if found.recipient is not None and found.recipient.address_data:
        scope.vars["sender_address_data"] = found.recipient.address_data
    if found.ok:
        if found.failure:
            scope.vars["sender_verify_failure"] = found.failure
        return Result.OK
    scope.vars["sender_verify_failure"] = found.failure
    if found.ok is None and options.defer_ok:
        run.trace("verify defer overridden by defer_ok")
        return Result.OK
    run.failed_sender = check
    if found.ok is None:
        if options.callout is not None and found.user_message:
            check.tells_why = scope.site.options.smtp_return_error_details
            run.user = found.user_message
            return run.defer(found.log_message.partition(": ")[0])
        why = run.user or "Could not complete sender verify"
        if scope.site.options.smtp_return_error_details:
            run.user = "\n".join(filter(None, (found.log_message, why)))
        return run.defer(why)
    return run.fail("Sender verify failed")


def verify_recipient(run: Run, options: VerifyOptions) -> Result:
    """The address of RCPT; the texts of its failure are what the peer reads."""
    scope = run.scope
    if scope.recipient is None:
        return run.error(f"cannot verify recipient in ACL for {run.place}")
    found = _verify(run, scope.recipient.address, options, is_sender=False)
    if found.recipient is not None:
        scope.recipient.address_data = found.recipient.address_data
        scope.recipient.set_vars = dict(found.recipient.set_vars)
    if found.ok:
        if found.failure:
            scope.vars["recipient_verify_failure"] = found.failure
        return Result.OK
    scope.vars["recipient_verify_failure"] = found.failure
    run.user = found.user_message or None
    run.log = found.log_message or None
    if found.ok is None:
        if options.defer_ok:
            run.trace("verify defer overridden by defer_ok")
            return Result.OK
        if scope.site.options.smtp_return_error_details:
            run.user = run.user or run.log
        return Result.DEFER
    run.user = run.user or run.log
    return Result.FAIL


def verify_header_sender(run: Run, options: VerifyOptions) -> Result:
    """One address of Sender:, Reply-To: or From: must verify as a sender."""
    deferred, asked = False, 0
    for name in ("Sender", "Reply-To", "From"):
        for header in run.scope.message.headers.named(name):
            for parsed in parse_address_list(header.value, allow_domain_literals=True):
                asked += 1
                if asked > MAX_HEADER_ADDRESSES:
                    break
                shown = header.value[max(parsed.start - 1, 0) : parsed.end + 1]
                shown = shown if shown == f"<{parsed.text.strip()}>" else parsed.text.strip()
                run.trace(f"verifying {header.name}: header address {shown}")
                if isinstance(parsed, AddressError):
                    return run_log(
                        run,
                        f"syntax error in '{header.name}:' header when scanning for sender: "
                        f'{parsed.message} in "{parsed.text.strip()}"',
                    )
                found = _verify(run, parsed.text, options, is_sender=True)
                if found.ok:
                    return Result.OK
                if found.ok is None and options.defer_ok:
                    run.trace("verify defer overridden by defer_ok")
                    return Result.OK
                deferred = deferred or found.ok is None
    if deferred:
        return run.defer("all attempts to verify a sender in a header line deferred")
    return run_log(run, "there is no valid sender in any header line")


def run_log(run: Run, text: str) -> Result:
    """Fail with a text for the log only, and for the peer where smtp_return_error_details says so."""
    run.log = text
    if run.scope.site.options.smtp_return_error_details:
        run.user = f"Rejected after DATA: {text}"
    return Result.FAIL


def _verify(run: Run, address: str, options: VerifyOptions, *, is_sender: bool) -> Verified:
    """Route the address; then call its hosts when that is asked for and there are any."""
    scope = run.scope
    try:
        if options.success_on_redirect:
            found = scope.services.verify_address(scope, address, is_sender=is_sender, success_on_redirect=True)
        else:
            found = scope.services.verify_address(scope, address, is_sender=is_sender)
    except (Deferred, ExpansionFailed) as error:
        return Verified(None, log_message=error.message)
    if not found.ok or options.callout is None:
        return found
    if found.recipient is None or scope.services.callout is None:
        return found
    called = scope.services.callout(
        scope, found.recipient, options.callout, is_sender=is_sender, is_header=options.kind == "header_sender"
    )
    if called.ok is None and options.callout.defer_ok:
        return found
    return called


def tell(run: Run) -> None:
    """Make the failure's text readable as ``$acl_verify_message`` for the rest of the statement."""
    if run.user or run.log:
        run.scope.vars["acl_verify_message"] = Tainted(run.user or run.log or "")
