"""Exim's command line (manual chapter 5): ``parse(argv) -> Arguments``, or UsageError in Exim's words.

Tables first: flags that choose a mode, that take a value, that switch, that are ignored, that are refused.
"""

from __future__ import annotations

import re
from collections.abc import Callable

from mta.cli.arguments import Arguments, QueueRun, Selection, UsageError
from mta.settings.macros import is_macro_name
from mta.text.ascii import strip
from mta.text.units import parse_time

USAGE = (
    "mta is a Mail Transfer Agent. It is normally called by Mail User Agents,\n"
    "not directly from a shell command line. Options and/or arguments control\n"
    "what it does when called. For a list of options, see the Exim documentation.\n"
)

# What mta is when it is called by another name: flags put in front of all others.
NAMES = {
    "mailq": ["-bp"],
    "newaliases": ["-bi"],
    "rmail": ["-i", "-oee"],
    "rsmtp": ["-bS"],
    "runq": ["-q"],
}
# A flag that says what to do; the words that follow are its arguments.
MODES = {
    "-be": "be",
    "-bI:sieve": "bI:sieve",
    "-bi": "bi",
    "-bm": "bm",
    "-bP": "bP",
    "-bp": "bp",
    "-bpa": "bpa",
    "-bpc": "bpc",
    "-bpi": "bpi",
    "-bpr": "bpr",
    "-bpra": "bpra",
    "-bpri": "bpri",
    "-bpru": "bpru",
    "-bpu": "bpu",
    "-brt": "brt",
    "-brw": "brw",
    "-bS": "bS",
    "-bs": "bs",
    "-bt": "bt",
    "-bV": "bV",
    "--version": "bV",
    "-bv": "bv",
    "-bvs": "bvs",
    "--help": "help",
}
# The same, with one value: attached or the next word.
MODES_WITH_VALUE = {"-bh": "bh", "-bhc": "bhc", "-bem": "bem"}
# Filter files to test: one of each may be given.
FILTER_TESTS = {"-bf": "user_filter", "-bF": "system_filter"}
# Actions on messages, ids follow.
MESSAGE_MODES = (
    ["M", "Mar", "Mc", "Mes", "Mf", "Mg", "Mmad", "Mmd", "Mrm", "Mset", "Mt", "Mvb", "Mvc", "Mvh", "Mvl"]
)  # fmt: skip
# One id, and for the first three an address or more behind it.
ONE_ID = frozenset({"Mar", "Mes", "Mmd", "Mvb", "Mvc", "Mvh", "Mvl"})
# Values that are kept as they are: flag -> attribute. The value is attached or the next word.
VALUES = {
    "-F": "full_name",
    "-oMaa": "authenticator",
    "-oMai": "authenticated_id",
    "-oMas": "authenticated_sender",
    "-oMa": "host_address",
    "-oMi": "interface_address",
    "-oMm": "message_reference",
    "-oMr": "protocol",
    "-oMs": "host_name",
    "-oMt": "ident",
    "-oP": "pid_file",
    "-oA": "aliases_file",
    "-bfd": "filter_domain",
    "-bfl": "filter_local_part",
    "-bfp": "filter_prefix",
    "-bfs": "filter_suffix",
    "-L": "syslog_tag",
    "-z": "log_line",
}
SWITCHES: dict[str, tuple[str, object]] = {
    "-v": ("verbose", True),
    "-ov": ("verbose", True),
    "-n": ("terse", True),
    "-i": ("dot_ends", False),
    "-oi": ("dot_ends", False),
    "-oitrue": ("dot_ends", False),
    "-t": ("extract", True),
    "-odb": ("delivery", "b"),
    "-odf": ("delivery", "f"),
    "-odi": ("delivery", "i"),
    "-odq": ("delivery", "q"),
    "-odqs": ("delivery", "qs"),
    "-tls-on-connect": ("tls_on_connect", True),
    "-bnq": ("unqualified", False),
    "-G": ("suppress_fixups", True),
    "-oPX": ("remove_pid_file", True),
    "-oY": ("no_socket", True),
}
SWITCHES |= {f"-oe{letter}": ("errors", letter) for letter in "empqw"}
SWITCHES |= {f"-e{letter}": ("errors", letter) for letter in "empqw"}
# Sendmail's, or without meaning here. Those of the second set take the next word with them.
IGNORED = frozenset({"-Ac", "-Am", "-m", "-om", "-oo", "-U", "-x", "-dropcr"})
IGNORED_WITH_VALUE = frozenset({"-O", "-h", "-oB", "-X"})
IGNORED_PREFIXES = ("-B", "-O", "-h", "-o7", "-o8", "-oB", "-X")
NOT_YET = "is not implemented in mta yet"
INTERNAL = "is for Exim's own use between its processes; mta has other ways"
REFUSED = {
    "-atrn": NOT_YET,
    "-bI:help": NOT_YET,
    "-bI:dscp": NOT_YET,
    "-bI:modules": "is about loadable modules, which mta has none of",
    "-bmalware": NOT_YET,
    "-bw": "is inetd's wait mode, which mta does not have: use socket activation",
    "-dS": NOT_YET,
    "-MG": NOT_YET,
    "-pd": "is about embedded Perl, which mta does not have",
    "-ps": "is about embedded Perl, which mta does not have",
    "-Tqt": "is for testing Exim itself",
}
REFUSED |= {f"-MC{letter}": INTERNAL for letter in ("", *"ADdGKLPpQqSTtrs")}

MAX_MACROS = 1000
_QUEUE = re.compile(r"-q(q?)(i?)(ff?)?(l?)(?:G([^/]*)(?:/(.+))?)?(.*)\Z", re.ASCII | re.DOTALL)
_SELECT = re.compile(r"-q?([RS])(r?)(ff?)?(.*)\Z", re.ASCII | re.DOTALL)
_DEFINITION = re.compile(r"[ \t]*([A-Za-z0-9_]*)[ \t]*(=?)(.*)\Z", re.ASCII | re.DOTALL)


def parse(program: str, argv: list[str]) -> Arguments:
    """The arguments of a call; ``program`` is the name it was called by, ``argv`` without it."""
    words = _Words([*NAMES.get(program.rpartition("/")[2], ()), *argv])
    found = Arguments()
    while words.left:
        word = words.take()
        if word == "--":
            break
        if not word.startswith("-") or word == "-":
            words.put_back(word)
            break
        _flag(found, word, words)
    found.words = words.left
    _finish(found)
    return found


class _Words:
    """The words still to be read."""

    def __init__(self, left: list[str]) -> None:
        self.left = left

    def take(self) -> str:
        return self.left.pop(0)

    def put_back(self, word: str) -> None:
        self.left.insert(0, word)

    def value(self, flag: str, attached: str = "") -> str:
        """What follows a flag, at once or as the next word."""
        if attached:
            return attached
        if not self.left:
            raise unknown(flag)
        return self.take()


def unknown(flag: str) -> UsageError:
    return UsageError(f"mta abandoned: unknown, malformed, or incomplete option {flag}")


def _choose(found: Arguments, mode: str) -> None:
    """A second mode does not go with the first, except where it says the same."""
    if found.mode and found.mode != mode:
        raise UsageError("mta: incompatible command-line options or arguments")
    found.mode = mode


def _flag(found: Arguments, word: str, words: _Words) -> None:
    if word in MODES:
        _choose(found, MODES[word])
    elif word in FILTER_TESTS:
        _choose(found, "bf")
        if not words.left:
            raise UsageError(f"mta: file name expected after {word}")
        setattr(found, FILTER_TESTS[word], words.take())
    elif word in MODES_WITH_VALUE:
        _choose(found, MODES_WITH_VALUE[word])
        found.value = words.value(word)
    elif word in SWITCHES:
        name, value = SWITCHES[word]
        setattr(found, name, value)
    elif word[1:] in MESSAGE_MODES:
        _message(found, word, words)
    elif word in REFUSED:
        raise UsageError(f"mta: option {word} {REFUSED[word]}")
    elif word in VALUES:
        if not words.left:
            raise UsageError(f"mta: data expected after {word}")
        setattr(found, VALUES[word], words.take())
    elif word in IGNORED_WITH_VALUE:
        words.value(word)
    elif word in ("-bd", "-bdf"):
        found.listen = True
        found.foreground = found.foreground or word == "-bdf"
    elif word == "-N":
        found.no_delivery = found.verbose = True
    elif word == "-ti":
        found.extract, found.dot_ends = True, False
    elif word not in IGNORED:
        _prefixed(found, word, words)


def _prefixed(found: Arguments, word: str, words: _Words) -> None:
    """Flags that may have something attached."""
    for prefix, act in _PREFIXES:
        if word.startswith(prefix):
            act(found, word, words)
            return
    if word.startswith(IGNORED_PREFIXES):
        return
    raise unknown(word)


def _message(found: Arguments, word: str, words: _Words) -> None:
    if not words.left:
        raise UsageError(f"mta: no message ids given after {word} option")
    if word == "-Mset":
        # the message gives its variables to what follows, which must be -be
        found.message_variables = _id(words.take(), word)
    else:
        _choose(found, word[1:])


def _config(found: Arguments, word: str, words: _Words) -> None:
    if found.config_file is not None:
        raise UsageError("mta: only one -C option is allowed")
    found.config_file = words.value(word, word[2:])


def _macro(found: Arguments, word: str, _words: _Words) -> None:
    match = _DEFINITION.match(word[2:])
    name, equals, value = match.groups() if match else ("", "", "")
    if not is_macro_name(name):
        raise UsageError("mta: macro name set by -D must start with an upper case letter")
    if not equals and strip(value):
        raise UsageError(f"mta: bad macro definition {word}")
    if name in found.macros:
        raise UsageError(f"mta: duplicated -D {name} on command line")
    if len(found.macros) >= MAX_MACROS:
        raise UsageError("mta: too many -D options on command line")
    found.macros[name] = strip(value)


def _debug(found: Arguments, word: str, _words: _Words) -> None:
    from mta.cli.debug import selected

    found.debug = word[2:].removeprefix("d")
    selected(found.debug)
    found.verbose = True


def _sender(found: Arguments, word: str, words: _Words) -> None:
    value = words.value(word[:2], word[2:])
    found.sender = "" if strip(value) == "<>" else value


def _full_name(found: Arguments, word: str, words: _Words) -> None:
    found.full_name = words.value(word, word[2:])


def _queue(found: Arguments, word: str, words: _Words) -> None:
    match = _QUEUE.match(word)
    assert match is not None
    two, first, force, local, name, named_time, time_text = match.groups()
    run = QueueRun(None, bool(two), bool(first), bool(force), force == "ff", bool(local), name or "")
    if time_text or named_time:
        run.interval = _time(time_text or named_time, word)
    else:
        for attribute in ("start_id", "stop_id"):
            if words.left and not words.left[0].startswith("-"):
                setattr(run, attribute, _id(words.take(), word))
    found.queue_runs.append(run)


def _id(text: str, flag: str) -> str:
    from mta.mail.ids import is_message_id

    if not is_message_id(text):
        raise UsageError(f"mta: malformed message id {text} after {flag} option")
    return text


def _time(text: str, flag: str) -> float:
    seconds = parse_time(text)
    if seconds is None or seconds <= 0:
        raise UsageError(f"mta: bad time value {flag}: abandoned")
    return seconds


def _select(found: Arguments, word: str, words: _Words) -> None:
    match = _SELECT.match(word)
    assert match is not None
    which, regex, force, text = match.groups()
    flags = (regex or "") + (force or "")
    if text and flags:
        # no white space: flags must stand alone, so this is all text
        text, regex, force = flags + text, "", None
    if not text:
        if not words.left:
            what = "recipients" if which == "R" else "senders"
            raise UsageError(f"mta: string expected after -{which} ({what})")
        text = words.take()
    selection = Selection(text, bool(regex), bool(force), force == "ff")
    run = found.queue_runs[-1] if found.queue_runs else QueueRun()
    if not found.queue_runs:
        found.queue_runs.append(run)
    setattr(run, "recipients" if which == "R" else "senders", selection)
    run.force = run.force or selection.force
    run.force_frozen = run.force_frozen or selection.force_frozen


def _interface(found: Arguments, word: str, words: _Words) -> None:
    found.interfaces.append(words.value(word, word[3:]))


def _timeout(attribute: str) -> Callable[[Arguments, str, _Words], None]:
    def act(found: Arguments, word: str, words: _Words) -> None:
        text = words.value(word[:3], word[3:])
        seconds = parse_time(text)
        if seconds is None:
            raise UsageError(f"mta: bad time value {text}: abandoned")
        setattr(found, attribute, seconds)

    return act


def _error_report(found: Arguments, word: str, _words: _Words) -> None:
    if word[2:]:
        _id(word[2:], "-E")
    found.local_error = word[2:]


def _proxied(found: Arguments, word: str, _words: _Words) -> None:
    """``-pPROTOCOL[:HOST]`` is short for -oMr and -oMs."""
    protocol, colon, host = word[2:].partition(":")
    found.protocol = protocol
    if colon:
        found.host_name = host


def _log_value(attribute: str) -> Callable[[Arguments, str, _Words], None]:
    def act(found: Arguments, word: str, words: _Words) -> None:
        setattr(found, attribute, words.value(word[:2], word[2:]))

    return act


# Longest first where one begins another; tried in this order after the exact flags.
_PREFIXES: tuple[tuple[str, Callable[[Arguments, str, _Words], None]], ...] = (
    ("-C", _config),
    ("-D", _macro),
    ("-d", _debug),
    ("-E", _error_report),
    ("-f", _sender),
    ("-r", _sender),
    ("-F", _full_name),
    ("-L", _log_value("syslog_tag")),
    ("-oX", _interface),
    ("-or", _timeout("receive_timeout")),
    ("-os", _timeout("smtp_timeout")),
    ("-p", _proxied),
    ("-qR", _select),
    ("-qS", _select),
    ("-q", _queue),
    ("-R", _select),
    ("-S", _select),
)


def _finish(found: Arguments) -> None:
    """Settle the mode where no flag named it, and refuse what does not go together."""
    clash = UsageError("mta: incompatible command-line options or arguments")
    if found.listen:
        if found.mode:
            raise clash
        found.mode = "bd"
    elif found.queue_runs:
        if found.mode:
            raise clash
        found.mode = "q"
    if found.foreground and not found.listen:
        raise clash
    if found.remove_pid_file and not found.mode:
        found.mode = "oPX"
    if found.log_line is not None and not found.mode:
        found.mode = "z"
    if len(found.syslog_tag or "") > 32:
        raise UsageError(f'mta: the -L syslog name is too long: "{found.syslog_tag}"')
    if found.message_variables is not None and found.mode != "be":
        raise clash
    if not found.mode and (found.words or found.extract):
        found.mode = "bm"
    if found.extract and found.mode not in ("bm", "bs", "bS"):
        raise clash
    if found.words and found.mode in ("bd", "q", "bs", "bS", "bh", "bhc", "bpc"):
        raise clash
    if found.mode in ONE_ID and found.mode not in ("Mar", "Mes", "Mmd") and len(found.words) > 1:
        raise UsageError(f"mta: only one message can be given with -{found.mode}")
    if found.mode in MESSAGE_MODES:
        ids = found.words[:1] if found.mode in ONE_ID else found.words
        for text in ids:
            _id(text, f"-{found.mode}")
