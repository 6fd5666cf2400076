"""control: how the message or the connection is treated from here on (manual chapter 44.22).

One row a control: where it may be used and what it does with the text after its slash. A control
that mta does not act on is refused at load where its name is constant, else when it is reached.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from mta.acl.points import BEFORE_DATA, CLIENT, EVERYWHERE, HEADERS, RCPT, SUBMISSION
from mta.acl.run import Run
from mta.acl.statements import Act, Clause, Result, modifier
from mta.errors import ConfigError
from mta.scan.copy import KEEP
from mta.text.ascii import lower, strip
from mta.text.units import parse_number

FAKE_REJECT_TEXT = (
    "Your message has been rejected but is being kept for evaluation.\n"
    "If it was a legitimate message, it may still be delivered to the target recipient(s)."
)
PLANNED = frozenset({"cutthrough_delivery", "debug"} | {"utf8_downconvert", "wellknown"})
DSCP = {  # RFC 2474, 2597, 3246 and the older names of RFC 1349
    **{f"af{row}{column}": (row << 3 | column << 1) for row in range(1, 5) for column in range(1, 4)},
    **{f"cs{number}": number << 3 for number in range(8)},
    "ef": 0x2E,
    "lowdelay": 0x04,
    "lowcost": 0x00,
    "mincost": 0x00,
    "reliability": 0x01,
    "throughput": 0x02,
}

Apply = Callable[[Run, str], bool]  # False: the text after the slash is malformed


class Control(NamedTuple):
    points: frozenset[str]
    options: bool  # a slash and more may follow
    apply: Apply


def _fake(kind: str) -> Apply:
    def apply(run: Run, options: str) -> bool:
        run.scope.message.fake_response = kind
        run.scope.message.fake_response_text = options or FAKE_REJECT_TEXT
        return True

    return apply


def _keep_copy(run: Run, _options: str) -> bool:
    run.scope.message.acl_memory[KEEP] = True
    return True


def _freeze(run: Run, options: str) -> bool:
    message = run.scope.message
    if options not in ("", "no_tell"):
        return False
    message.freeze_tell = (message.frozen and message.freeze_tell) or options != "no_tell"
    message.frozen = True
    return True


def _queue(run: Run, options: str) -> bool:
    run.scope.message.no_deliver = True
    run.scope.message.queued_by_acl = True
    run.scope.message.queue_first_pass = "first_pass_route" in options.split("/")
    return True


def _submission(run: Run, options: str) -> bool:
    chosen: dict[str, str] = {}
    rest = options
    while rest:
        if rest.startswith("name="):  # everything after it is the name
            chosen["name"] = rest[5:]
            break
        word, _, rest = rest.partition("/")
        if word == "sender_retain":
            chosen["sender_retain"] = ""
        elif word.startswith("domain="):
            chosen["domain"] = word[7:]
        else:
            return False
    run.scope.message.submission = True
    run.scope.message.submission_options.update(chosen)
    return True


def _local_part(caseful: bool) -> Apply:
    def apply(run: Run, _options: str) -> bool:
        recipient = run.scope.recipient
        if recipient is not None:
            whole = recipient.cc_local_part or recipient.local_part
            recipient.cc_local_part = whole
            recipient.local_part = whole if caseful else lower(whole)
        return True

    return apply


def _lasting(name: str) -> Apply:
    def apply(run: Run, _options: str) -> bool:
        run.scope.peer.controls.add(name)
        return True

    return apply


def _sync(on: bool) -> Apply:
    def apply(run: Run, _options: str) -> bool:
        run.scope.peer.enforce_sync = on
        return True

    return apply


def _dscp(run: Run, options: str) -> bool:
    value = DSCP.get(options)
    if value is None:
        value = parse_number(options)
    if value is not None and 0 <= value <= 0x3F:
        run.scope.peer.dscp = value
    return True


def _suppress_fixups(run: Run, _options: str) -> bool:
    run.scope.message.no_local_fixups = True
    return True


def _no_dkim(run: Run, _options: str) -> bool:
    run.scope.message.dkim_disable_verify = True
    return True


def _dmarc(name: str) -> Apply:
    def apply(run: Run, _options: str) -> bool:
        run.scope.message.acl_memory[name] = True
        return True

    return apply


CONTROLS: dict[str, Control] = {
    "allow_auth_unadvertised": Control(frozenset({"connect", "helo", ""}), False, _lasting("allow_auth_unadvertised")),
    "caseful_local_part": Control(RCPT, False, _local_part(True)),
    "caselower_local_part": Control(RCPT, False, _local_part(False)),
    "dkim_disable_verify": Control(EVERYWHERE - {"data", "not_smtp", "dkim", "prdr"}, False, _no_dkim),
    "dmarc_disable_verify": Control(BEFORE_DATA, False, _dmarc("dmarc_disable_verify")),
    "dmarc_enable_forensic": Control(BEFORE_DATA, False, _dmarc("dmarc_enable_forensic")),
    "dmarc_forensic_enable": Control(BEFORE_DATA, False, _dmarc("dmarc_enable_forensic")),
    "dscp": Control(CLIENT - {"notquit"}, True, _dscp),
    "enforce_sync": Control(CLIENT, False, _sync(True)),
    "no_mbox_unspool": Control(HEADERS, False, _keep_copy),
    "no_enforce_sync": Control(CLIENT, False, _sync(False)),
    "fakedefer": Control(HEADERS, True, _fake("defer")),
    "fakereject": Control(HEADERS, True, _fake("reject")),
    "freeze": Control(HEADERS, True, _freeze),
    "no_callout_flush": Control(CLIENT, False, _lasting("no_callout_flush")),
    "no_delay_flush": Control(CLIENT, False, _lasting("no_delay_flush")),
    "no_multiline_responses": Control(CLIENT, False, _lasting("no_multiline_responses")),
    "no_pipelining": Control(CLIENT, False, _lasting("no_pipelining")),
    "queue": Control(HEADERS, True, _queue),
    "queue_only": Control(HEADERS, False, _queue),
    "submission": Control(SUBMISSION, True, _submission),
    "suppress_local_fixups": Control(SUBMISSION, False, _suppress_fixups),
}


@modifier("control")
def make(clause: Clause) -> Act:
    constant = clause.text.constant if clause.text is not None else None
    if constant is not None:
        name = strip(constant).partition("/")[0]
        if name in PLANNED:
            raise ConfigError(f'ACL control "{name}" is not implemented in mta yet', clause.where)

    def act(run: Run, argument: str) -> Result:
        name, slash, options = argument.partition("/")
        control = CONTROLS.get(name)
        if control is None:
            known = f'control "{name}" is not implemented in mta yet' if name in PLANNED else ""
            return run.error(known or f'syntax error in "control={argument}"')
        if slash and not control.options:
            return run.error(f'syntax error in "control={argument}"')
        if run.point not in control.points:
            shown = "queue" if name == "queue_only" else name
            return run.error(f'cannot use "control={shown}" in {run.place} ACL')
        if not control.apply(run, options):
            return run.error(f'syntax error in "control={argument}"')
        return Result.OK

    return act
