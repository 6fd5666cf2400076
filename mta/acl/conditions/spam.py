"""spam: SpamAssassin or Rspamd counts the message as spam, and leaves ``$spam_...`` (manual section 45.3)."""

from __future__ import annotations

from mta.acl.log_lines import log_text, with_id
from mta.acl.run import Run
from mta.acl.scanning import SCANNED, clear_later, is_false, option_text, scanned
from mta.acl.statements import Act, Clause, Result, condition
from mta.scan.copy import ScanFailed, copy_of
from mta.scan.spamd import Job, Report, ask, parse_servers
from mta.text.ascii import lower, strip
from mta.text.lists import split_list

_KEPT = "scan.spam"  # (user, Report)
SAVED = ("spam_score", "spam_score_int", "spam_bar", "spam_action")  # with the message; $spam_report is not


@condition("spam", SCANNED)
def make(_clause: Clause) -> Act:
    def act(run: Run, argument: str) -> Result:
        text, _, option = argument.partition("/")
        words = split_list(text)
        user = strip(words[0]) if words else ""
        if is_false(user):
            return Result.FAIL
        always = any(lower(strip(word)) == "true" for word in words[1:])

        def test() -> Result:
            return Result.OK if _report(run, user).spam or always else Result.FAIL

        return scanned(run, "spam", test, defer_ok=strip(option) == "defer_ok")

    return act


def _report(run: Run, user: str) -> Report:
    """The verdict for this user; kept for the message unless spamd_address expands."""
    scope = run.scope
    message, peer, option = scope.message, scope.peer, scope.site.options.spamd_address
    kept = message.acl_memory.get(_KEPT)
    if kept is not None and kept[0] == user and not option.startswith("$"):
        found: Report = kept[1]
        return found
    log, variables = scope.services.log_main, scope.vars

    def complain(line: str) -> None:
        log(with_id(scope, f"spam acl condition: {log_text(line)}"))

    def at(address: str) -> None:
        variables["callout_address"] = address

    servers = parse_servers(option_text(run, "spamd_address", option), complain)
    if not servers:
        raise ScanFailed("no useable spamd server addresses in spamd_address configuration option.")
    recipients = [recipient.address for recipient in message.recipients]
    job = Job(copy_of(scope), user, message.id, message.sender, recipients)
    job.helo, job.host_name, job.address = peer.helo_name, peer.host_name, peer.address
    clear_later(run, "spam_report", "callout_address")
    report = ask(servers, job, complain, at)
    message.acl_memory[_KEPT] = (user, report)
    for name in SAVED:
        message.spam[name] = report.variables[name]
    variables["spam_report"] = report.variables["spam_report"]
    return report
