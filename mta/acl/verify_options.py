"""The argument of ``verify =`` as a value: what to verify, and its options (manual chapter 44.45 to 47)."""

from __future__ import annotations

from dataclasses import dataclass

from mta.text.ascii import lower, strip
from mta.text.units import parse_time

DEFAULT_CALLOUT = 30.0


@dataclass(slots=True)
class Callout:
    """Times in seconds; -1: not given."""

    timeout: float = DEFAULT_CALLOUT
    connect: float = -1.0
    maxwait: float = -1.0
    defer_ok: bool = False
    no_cache: bool = False
    postmaster: bool = False
    full_postmaster: bool = False
    postmaster_mailfrom: str = ""
    mailfrom: str = ""
    random: bool = False
    use_sender: bool = False
    use_postmaster: bool = False
    hold: bool = False


@dataclass(slots=True)
class VerifyOptions:
    """``address`` is what ``sender=address`` gave, None without it."""

    kind: str
    address: str | None = None
    defer_ok: bool = False
    no_details: bool = False
    success_on_redirect: bool = False
    case_insensitive: bool = False
    callout: Callout | None = None
    states: tuple[str, ...] = ()  # of arc/none:pass


class BadVerify(Exception):
    """An argument that Exim refuses; ``planned`` when it is one that mta does not do yet."""

    def __init__(self, message: str, *, planned: bool = False) -> None:
        super().__init__(message)
        self.message = message
        self.planned = planned


_SIMPLE = frozenset({"helo", "header_syntax", "header_names_ascii", "certificate"})
_ADDRESS = frozenset({"sender", "recipient", "header_sender"})
_KINDS = _SIMPLE | _ADDRESS | {"reverse_host_lookup", "not_blind", "arc"}
_PLANNED = frozenset({"csa"})
_EXPECTED = (
    'expected "sender[=address]", "recipient", "helo", "header_syntax", "header_sender", '
    '"header_names_ascii" or "reverse_host_lookup" at start of ACL condition "verify {0}"'
)
_CALLOUT_FLAGS = frozenset({"defer_ok", "no_cache", "postmaster", "random", "use_sender", "use_postmaster", "hold"})
_CALLOUT_TIMES = frozenset({"connect", "maxwait"})
_CALLOUT_TEXTS = frozenset({"mailfrom", "postmaster_mailfrom"})


def parse_verify(argument: str) -> VerifyOptions:
    """Raises BadVerify with Exim's sentence."""
    first, slash, rest = argument.partition("/")
    word, equals, address = (strip(part) for part in first.partition("="))
    if word in _PLANNED:
        raise BadVerify(f'ACL condition "verify = {word}" is not implemented in mta yet', planned=True)
    if word not in _KINDS or (equals and word != "sender"):
        raise BadVerify(_EXPECTED.replace("{0}", argument))
    if slash and word in _SIMPLE:
        raise BadVerify(f"unexpected '/' found in \"{argument}\" (this verify item has no options)")
    options = VerifyOptions(word, address if equals else None)
    if slash and word == "arc":
        options.states = tuple(lower(strip(state)) for state in rest.split(":"))
    elif slash:
        for part in rest.split("/"):
            _option(options, strip(part), argument)
    return options


def _option(options: VerifyOptions, text: str, argument: str) -> None:
    name, equals, value = (strip(part) for part in text.partition("="))
    address = options.kind in _ADDRESS
    if options.kind == "not_blind" and text == "case_insensitive":
        options.case_insensitive = True
    elif text == "defer_ok" and options.kind != "not_blind":
        options.defer_ok = True
    elif address and text == "no_details":
        options.no_details = True
    elif address and text == "success_on_redirect":
        options.success_on_redirect = True
    elif address and name == "callout":
        options.callout = options.callout or Callout()
        if equals:
            for part in value.split(","):
                _callout_option(options.callout, strip(part), argument)
            _check_callout(options, argument)
    elif address and name == "quota":
        raise BadVerify('option "quota" of "verify" is not implemented in mta yet', planned=True)
    else:
        raise BadVerify(f'unknown option "{text}" in ACL condition "verify {argument}"')


def _callout_option(callout: Callout, text: str, argument: str) -> None:
    name, equals, value = (strip(part) for part in text.partition("="))
    if not equals and name in _CALLOUT_FLAGS:
        setattr(callout, name, True)
    elif not equals and name == "fullpostmaster":
        callout.postmaster = callout.full_postmaster = True
    elif equals and name in _CALLOUT_TEXTS:
        setattr(callout, name, value)
        callout.postmaster = callout.postmaster or name == "postmaster_mailfrom"
    elif equals and name in _CALLOUT_TIMES:
        setattr(callout, name, _seconds(value, argument))
    else:
        callout.timeout = _seconds(text, argument)


def _check_callout(options: VerifyOptions, argument: str) -> None:
    """Which senders may be asked for in which verification."""
    callout = options.callout
    assert callout is not None
    if callout.mailfrom and options.kind != "header_sender":
        raise BadVerify(
            '"mailfrom" is allowed as a callout option only for verify=header_sender '
            f'(detected in ACL condition "{argument}")'
        )
    if options.kind != "recipient" and (callout.use_sender or callout.use_postmaster):
        raise BadVerify("use_sender or use_postmaster cannot be used for a sender verify callout")
    if callout.use_sender and callout.use_postmaster:
        raise BadVerify("only one of use_sender and use_postmaster can be set for a recipient callout")


def _seconds(text: str, argument: str) -> float:
    seconds = parse_time(text)
    if seconds is None:
        raise BadVerify(f'bad time value in ACL condition "verify {argument}"')
    return seconds
