"""The work of dmarc_status: one evaluation a message, its variables and log line, and what is kept or sent of it.

Nothing is written to files or mailed unless options and controls say so (manual section 58.6), and never in -bh.
"""

from __future__ import annotations

import os
import secrets
import sqlite3
import time
from typing import Any

from mta.acl.log_lines import main_line
from mta.acl.sender_policy import checked_policy
from mta.emailauth import dmarc_forensic, dmarc_history, dmarc_results
from mta.emailauth.dmarc import DmarcResult, author_of, evaluate
from mta.emailauth.dmarc_report import destinations
from mta.emailauth.dmarc_walk import Discovery, NoAnswer, SuffixList
from mta.errors import Deferred, ExpansionFailed, ForcedFail, MtaError
from mta.mail.address import Address, parse_address
from mta.scope.expansion import Expansion, Tainted, expand_with_taint
from mta.scope.scope import Scope

MEMORY = "dmarc"
_LISTS = "dmarc.suffixes"
_AR_WORDS = {"accept": "pass", "reject": "fail", "quarantine": "fail", "temperror": "temperror", "nofrom": "temperror"}


def dmarc_result(scope: Scope) -> DmarcResult:
    """The result for the message under way; the first call does everything that follows from it."""
    memory = scope.message.acl_memory
    found: DmarcResult | None = memory.get(MEMORY)
    if found is None:
        found = memory[MEMORY] = _check(scope)
        _set_variables(scope, found)
        if found.record is not None:
            _log(scope, found)
            if not scope.host_checking:
                _keep(scope, found)
                _complain(scope, found)
    return found


def _check(scope: Scope) -> DmarcResult:
    peer, resolver = scope.peer, scope.services.resolver
    if scope.message.acl_memory.get("dmarc_disable_verify") or peer.authenticator or not peer.address or peer.is_local:
        return DmarcResult("off")
    author, reason = author_of(scope.message.headers)
    if not author:
        return DmarcResult("nofrom", reason=reason)
    if resolver is None:
        return DmarcResult("temperror", author, reason="no resolver")
    try:
        suffixes = _suffixes(scope)
    except (OSError, MtaError) as error:
        scope.services.log_panic(f"DMARC: failed to read dmarc_tld_file: {error}")
        return DmarcResult("temperror", author, reason="no list of public suffixes")
    spf = checked_policy(scope)
    if spf.identity == "helo" and spf.domain:
        main_line(scope, f"DMARC using synthesized SPF sender domain = {spf.domain}")
    search = Discovery(resolver, suffixes)
    scope.message.acl_memory["dmarc.search"] = search
    return evaluate(resolver, author, spf, scope.message.dkim, discovery=search)


def _suffixes(scope: Scope) -> SuffixList | None:
    """The list of dmarc_tld_file, read again when the file has changed; None without one."""
    option = scope.site.options.dmarc_tld_file
    path = _expanded(scope, option) if option is not None else ""
    if not path:
        return None
    if isinstance(path, Tainted):
        raise ExpansionFailed(f"Tainted filename '{path}'")
    stamp = os.stat(path).st_mtime_ns
    kept: dict[str, tuple[int, Any]] = scope.services.state.setdefault(_LISTS, {})
    found = kept.get(path)
    if found is None or found[0] != stamp:
        from publicsuffixlist import PublicSuffixList

        with open(path, "rb") as file:
            found = kept[path] = (stamp, PublicSuffixList(file))
    suffixes: SuffixList = found[1]
    return suffixes


def _expanded(scope: Scope, option: Expansion) -> str:
    try:
        return expand_with_taint(option, scope)
    except ForcedFail:
        return ""


def _set_variables(scope: Scope, found: DmarcResult) -> None:
    values = scope.message.authentication
    values["dmarc_status"] = found.status
    values["dmarc_status_text"] = found.text
    values["dmarc_domain_policy"] = found.policy
    values["dmarc_used_domain"] = Tainted(found.used_domain)
    values["dmarc_author_domain"] = Tainted(found.author_domain)
    if found.status != "off":
        values["dmarc_alignment_spf"] = "yes" if found.spf_aligned else "no"
        values["dmarc_alignment_dkim"] = "yes" if found.dkim_aligned else "no"
        word = _AR_WORDS.get(found.status, "none")
        values["dmarc_ar_header"] = Tainted(
            f"Authentication-Results: {scope.site.options.primary_hostname}; dmarc={word}"
            + (f" header.from={found.author_domain}" if found.author_domain else "")
        )


def _log(scope: Scope, found: DmarcResult) -> None:
    main_line(
        scope,
        f"DMARC results: spf_domain={found.spf.domain if found.spf else ''} dmarc_domain={found.author_domain}"
        f" spf_align={_word(found.spf_aligned)} dkim_align={_word(found.dkim_aligned)} enforcement='{found.text}'",
    )


def _word(good: bool) -> str:
    return "yes" if good else "no"


def _keep(scope: Scope, found: DmarcResult) -> None:
    """The history file and the database of aggregate reports."""
    options, message = scope.site.options, scope.message
    received = int(message.received_time or time.time())
    mail_from = found.spf.domain if found.spf is not None else ""
    path = _file(scope, options.dmarc_history_file, "dmarc_history_file")
    if path:
        text = dmarc_history.history(
            found,
            job=message.id,
            reporter=options.primary_hostname,
            received=received,
            ip=scope.peer.address,
            mail_from=mail_from,
        )
        try:
            dmarc_history.append(path, text)
        except OSError as error:
            scope.services.log_panic(f"failure to write to DMARC history file {path}: {error.strerror}")
    path = _file(scope, options.dmarc_report_database, "dmarc_report_database")
    if path:
        try:
            dmarc_results.keep(path, found, ip=scope.peer.address, received=received, mail_from=mail_from)
        except sqlite3.Error as error:
            scope.services.log_panic(f"failure to keep DMARC results in {path}: {error}")


def _file(scope: Scope, option: Expansion | None, name: str) -> str:
    if option is None:
        return ""
    try:
        path = _expanded(scope, option)
    except (ExpansionFailed, Deferred) as error:
        scope.services.log_panic(f'failed to expand {name} "{option.source}": {error.message}')
        return ""
    if isinstance(path, Tainted):
        scope.services.log_panic(f"Tainted filename '{path}' for {name}")
        return ""
    return path


def _complain(scope: Scope, found: DmarcResult) -> None:
    """Failure reports, where the control and the record ask for them; one mail an address."""
    if not scope.message.acl_memory.get("dmarc_enable_forensic") or not dmarc_forensic.is_due(found):
        return
    record = found.record
    assert record is not None
    search: Discovery = scope.message.acl_memory["dmarc.search"]
    try:
        people, refused = destinations(record.domain, record.ruf, search)
    except NoAnswer as error:
        main_line(scope, f"DMARC forensic report about {found.author_domain} not sent: {error}")
        return
    for address in refused:
        main_line(scope, f"DMARC forensic report not sent to {address}: it has not agreed to reports")
    for address in people:
        try:
            _send(scope, found, address)
        except (MtaError, OSError, ValueError) as error:
            scope.services.log_panic(f"failure to send DMARC forensic report to {address}: {error}")


def _send(scope: Scope, found: DmarcResult, to: str) -> None:
    options, message = scope.site.options, scope.message
    submit = scope.services.state.get("submit_message")
    if submit is None:
        raise ExpansionFailed("no way to submit a message here")
    sender, envelope = _sender(scope)
    facts = dmarc_forensic.Facts(
        scope.peer.address,
        message.received_time or time.time(),
        message.headers.text(),
        message.sender,
        message.id,
        options.primary_hostname,
    )
    if options.dmarc_forensic_format == "arf":
        boundary = f"=_{secrets.token_hex(16)}"
        head, body = dmarc_forensic.arf_report(found, facts, sender, to, boundary)
    else:
        head, body = dmarc_forensic.text_report(found, facts, sender, to)
    submit(envelope, [to], head, body)


def _sender(scope: Scope) -> tuple[str, str]:
    """From: and the envelope's sender: dmarc_forensic_sender, or dsn_from and the null sender."""
    options = scope.site.options
    if options.dmarc_forensic_sender is not None:
        text = _one_line(str(_expanded(scope, options.dmarc_forensic_sender)))
        parsed = parse_address(text)
        return text, parsed.text if isinstance(parsed, Address) else ""
    return _one_line(str(_expanded(scope, options.dsn_from))), ""


def _one_line(text: str) -> str:
    return text.replace("\r", " ").replace("\n", " ")
