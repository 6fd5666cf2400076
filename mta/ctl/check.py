"""``mtactl check spf|dkim|arc|dmarc ...``: what sender authentication says of a sender or a message file.

The first word printed is the result, then why; ``--json`` gives all of it. A row of CHECKS is one kind of
check. A check that came to a result exits with 0, whatever the result.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, NamedTuple, TextIO

from mta.ctl import check_dane
from mta.emailauth.asker import Asker, TableAsker
from mta.errors import MtaError
from mta.mail.authentication import DkimResult

MAX_MESSAGE = 256 << 20


@dataclass(slots=True)
class Outcome:
    """``why`` completes the line after the result; ``facts`` are what --json adds."""

    result: str
    why: str
    facts: dict[str, Any]


class Check(NamedTuple):
    help: str
    arguments: Callable[[argparse.ArgumentParser], None]
    run: Callable[[argparse.Namespace, Asker, float], Outcome]  # (arguments, who answers, the time of now)


def add_verbs(check: argparse.ArgumentParser) -> None:
    """The sub-verbs, each with the options that all share."""
    kinds = check.add_subparsers(dest="kind", required=True, metavar="KIND")
    for name, entry in CHECKS.items():
        made = kinds.add_parser(name, help=entry.help, description=entry.help)
        made.add_argument("--dns", metavar="HOST:PORT", help="ask this name server")
        made.add_argument("--txt", metavar="FILE", help="take TXT records from a JSON object of names instead")
        made.add_argument("--at", metavar="TIME", help="the time to take for now: seconds since 1970, or ISO 8601")
        made.add_argument("--json", action="store_true", help="print an object with all that was found")
        entry.arguments(made)
    check_dane.add_verb(kinds)


def run_check(arguments: argparse.Namespace, out: TextIO) -> int:
    """Run one check and print it."""
    now = time_of(arguments.at) if arguments.at else time.time()
    outcome = CHECKS[arguments.kind].run(arguments, asker_of(arguments), now)
    if arguments.json:
        print(json.dumps({"result": outcome.result, "why": outcome.why, **outcome.facts}, indent=1), file=out)
    else:
        print(f"{outcome.result} {outcome.why}".rstrip(), file=out)
    return 0


def asker_of(arguments: argparse.Namespace) -> Asker:
    """The table of --txt, the server of --dns, or the machine's own resolver."""
    if arguments.txt:
        try:
            table = json.loads(Path(arguments.txt).read_bytes())
        except (OSError, ValueError) as error:
            raise MtaError(f"{arguments.txt}: {error}") from None
        if not isinstance(table, dict):
            raise MtaError(f"{arguments.txt}: an object of names and texts is wanted")
        return TableAsker(table)
    from mta.net.resolv_conf import parse_nameservers
    from mta.net.resolver import Resolver

    return Resolver(parse_nameservers([arguments.dns]) if arguments.dns else None)


def time_of(text: str) -> float:
    """Seconds since 1970 from a number or an ISO 8601 time, UTC when it has no zone."""
    try:
        return float(text)
    except ValueError:
        pass
    try:
        found = datetime.fromisoformat(text)
    except ValueError:
        raise MtaError(f"--at {text}: neither seconds nor an ISO 8601 time") from None
    return (found if found.tzinfo else found.replace(tzinfo=UTC)).timestamp()


def read_file(name: str) -> bytes:
    """A message file; ``-`` is standard input."""
    try:
        if name == "-":
            return sys.stdin.buffer.read(MAX_MESSAGE)
        with open(name, "rb") as file:
            return file.read(MAX_MESSAGE)
    except OSError as error:
        raise MtaError(f"{name}: {error.strerror}") from None


def _sender_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--ip", required=True, help="the client's address")
    parser.add_argument("--helo", default="", metavar="NAME", help="the name that it gave in HELO or EHLO")
    parser.add_argument("--from", dest="sender", default="", metavar="ADDRESS", help="the envelope sender")


def _check_spf(arguments: argparse.Namespace, asker: Asker, now: float) -> Outcome:
    from mta.emailauth.spf import check_spf

    sender = "" if arguments.sender == "<>" else arguments.sender
    guess = arguments.guess or ""
    found = check_spf(asker, arguments.ip, sender, arguments.helo, guess=guess, receiver="mtactl", now=lambda: now)
    parts = [found.header_comment.partition(": ")[2] or found.problem]
    if found.mechanism:
        parts.append(f"mechanism {found.mechanism}")
    if found.guessed:
        parts.append("best guess")
    if found.explanation:
        parts.append(f"explanation: {found.explanation}")
    return Outcome(found.result, "; ".join(parts), {**asdict(found), "received": found.received})


def _spf_arguments(parser: argparse.ArgumentParser) -> None:
    _sender_arguments(parser)
    parser.add_argument("--guess", metavar="RECORD", help="the record to use when the domain has none (spf_guess)")


def _file_argument(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("file", metavar="FILE", help="the message; - for standard input")


def _check_dkim(arguments: argparse.Namespace, asker: Asker, now: float) -> Outcome:
    from mta.emailauth.dkim_report import overall, word
    from mta.emailauth.dkim_verify import verify_message
    from mta.emailauth.message_file import parse_message

    lines, body = parse_message(read_file(arguments.file))
    found = verify_message(lines, lambda: [body], asker, now)
    every = [*((word(one), one) for one in found.results), *(("policy", one) for one in found.ignored)]
    why = [
        f"{said} d={one.domain or '-'} s={one.selector or '-'} a={one.algo or '-'}"
        + (f" ({one.detail})" * bool(one.detail))
        for said, one in every
    ]
    if found.not_looked_at:
        why.append(f"{found.not_looked_at} more signatures were not looked at")
    facts = {"signatures": [{"word": said, **asdict(one)} for said, one in every], "not_looked_at": found.not_looked_at}
    return Outcome(overall(found), "; ".join(why) or "no signature", facts)


def _because(one: DkimResult) -> str:
    return f" ({one.detail})" if one.detail else ""


def _check_arc(arguments: argparse.Namespace, asker: Asker, _now: float) -> Outcome:
    from mta.emailauth.arc import verify_chain
    from mta.emailauth.message_file import parse_message

    lines, body = parse_message(read_file(arguments.file))
    chain = verify_chain(lines, lambda: [body], asker)
    why = [chain.reason] if chain.reason else []
    if chain.sets:
        why.append(f"{chain.highest} sets, by {', '.join(chain.domains)}; oldest pass {chain.oldest_pass}")
    facts = {
        "domains": chain.domains,
        "instances": chain.highest,
        "oldest_pass": chain.oldest_pass,
        "temporary": chain.temporary,
    }
    return Outcome(chain.state, "; ".join(why) or "no ARC set", facts)


def _dmarc_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("file", metavar="FILE", help="the message; - for standard input")
    _sender_arguments(parser)
    parser.add_argument("--suffixes", metavar="FILE", help="a public suffix list, as dmarc_tld_file")


def _check_dmarc(arguments: argparse.Namespace, asker: Asker, now: float) -> Outcome:
    from mta.emailauth.dkim_verify import verify_message
    from mta.emailauth.dmarc import author_of, evaluate
    from mta.emailauth.message_file import parse_message
    from mta.emailauth.spf import check_spf
    from mta.mail.headers import Headers

    lines, body = parse_message(read_file(arguments.file))
    headers = Headers()
    for line in lines:
        headers.add(line)
    author, reason = author_of(headers)
    sender = "" if arguments.sender == "<>" else arguments.sender
    spf = check_spf(asker, arguments.ip, sender, arguments.helo, now=lambda: now)
    dkim = verify_message(lines, lambda: [body], asker, now).results
    found = evaluate(asker, author, spf, dkim, suffixes=_suffixes(arguments.suffixes), draw=lambda: 0.0)
    why = [f"author domain {author}" if author else reason]
    if found.record is not None:
        why.append(f"policy {found.policy} of {found.used_domain}")
        why.append(f"SPF {spf.result} for {spf.domain or '-'}, {_aligned(found.spf_aligned)}")
        why += [f"DKIM {one.status} for {one.domain or '-'}" for one in dkim]
        why.append(f"DKIM {_aligned(found.dkim_aligned)}")
    elif author:
        why.append(found.reason or "no record")
    result = _DMARC_RESULTS.get(found.status, "fail")
    facts = {
        "status": found.status,
        "author_domain": author,
        "used_domain": found.used_domain,
        "policy": found.policy,
        "spf": {"result": spf.result, "domain": spf.domain, "aligned": found.spf_aligned},
        "dkim": [{"result": one.status, "domain": one.domain, "selector": one.selector} for one in dkim],
        "dkim_aligned": found.dkim_aligned,
        "method": found.method,
    }
    if result == "fail":
        why.insert(0, f"recommended: {found.status}")
    return Outcome(result, "; ".join(part for part in why if part), facts)


# RFC 8601's words for Exim's; what is not here is fail
_DMARC_RESULTS = {"accept": "pass", "norecord": "none", "nofrom": "permerror", "temperror": "temperror"}


def _aligned(good: bool) -> str:
    return "aligned" if good else "not aligned"


def _suffixes(path: str | None) -> Any:
    if not path:
        return None
    from publicsuffixlist import PublicSuffixList

    try:
        with open(path, "rb") as file:
            return PublicSuffixList(file)
    except OSError as error:
        raise MtaError(f"{path}: {error.strerror}") from None


CHECKS: dict[str, Check] = {
    "spf": Check("check a sender by SPF (RFC 7208)", _spf_arguments, _check_spf),
    "dkim": Check("verify the DKIM signatures of a message (RFC 6376)", _file_argument, _check_dkim),
    "arc": Check("validate the ARC chain of a message (RFC 8617)", _file_argument, _check_arc),
    "dmarc": Check("check a message by DMARC (RFC 9989), with SPF and DKIM", _dmarc_arguments, _check_dmarc),
}
