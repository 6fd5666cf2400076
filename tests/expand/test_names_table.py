"""The table of the language: each name known, acting or not and why, compared with Exim 4.96 or not and why.

``python -m tests.expand.test_names_table`` prints it. A name that is unknown, or has neither case nor reason, fails.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path
from typing import NamedTuple

import pytest

from mta.errors import ConfigError
from mta.expand import base
from mta.expand.references import find_variable, variable
from mta.hints.rules import parse_error
from mta.hints.rules import parse_rule as parse_retry
from mta.lookup.base import lookups
from mta.lookup.types.elsewhere import ABSENT
from mta.route.rewrite import parse_rule as parse_rewrite
from mta.settings import names
from tests.expand import case_files

TESTS = Path(__file__).parent.parent
LEAST_CASES = 1500

# Known and refused: what a configuration that uses them is told.
NOT_ACTING = {
    "items": {
        "perl": "no Perl interpreter is embedded: ${python and ${run do its work",
        "dlfunc": "no C functions are loaded: ${python and ${run do its work",
    },
    "conditions": {
        "pam": "not compiled into mta: an authenticator or ${run can ask PAM",
        "radius": "not compiled into mta, nor into Debian's Exim",
    },
    "lookups": ABSENT | {"ldapauth": "the kind of query behind the condition; Exim refuses it as a type as well"},
}

# Acting, but Exim 4.96 as Debian builds it has no answer that could be compared; ``tests`` says where mta's is held.
_NEWER = "newer than 4.96, after the manual"
_OPTIONAL = "an optional part that Debian does not build, after the manual"
_MACHINE = "a fact of the machine, the moment or the build"
_CALLER = "who runs -be; empty in the tests' scope"
REASONS: dict[str, dict[str, str]] = {
    "operators": {
        "headerwrap": f"{_NEWER}: test_operators.py",
        "xtextd": f"{_NEWER}: test_operators.py",
    },
    "variables": {
        **dict.fromkeys(("arc_domains", "arc_oldest_pass", "arc_state", "arc_state_reason"), _OPTIONAL),
        **dict.fromkeys(("atrn_host", "atrn_mode", "connection_id", "dkim_verify_signers", "spf_used_domain"), _NEWER),
        **dict.fromkeys(("recipients_list", "regex_cachesize", "sender_helo_verified"), _NEWER),
        **dict.fromkeys(("dcc_header", "dcc_result", "dmarc_alignment_dkim", "dmarc_alignment_spf"), _OPTIONAL),
        **dict.fromkeys(
            ("dmarc_domain_policy", "dmarc_status", "dmarc_status_text", "dmarc_used_domain"),
            f"{_OPTIONAL}: tests/emailauth, tests/acl",
        ),
        **dict.fromkeys(("authenticated_id", "authenticated_sender", "sender_ident", "sender_address"), _CALLER),
        **dict.fromkeys(("sender_address_domain", "sender_address_local_part", "caller_uid", "caller_gid"), _CALLER),
        **dict.fromkeys(("originator_uid", "originator_gid", "exim_uid", "exim_gid", "queue_size"), _MACHINE),
        **dict.fromkeys(("compile_date", "compile_number", "exim_version", "version_number", "pid"), _MACHINE),
        **dict.fromkeys(("config_dir", "config_file", "initial_cwd", "load_average"), _MACHINE),
        **dict.fromkeys(("primary_hostname", "qualify_domain", "qualify_recipient"), f"{_MACHINE}: test_variables.py"),
        **dict.fromkeys(("smtp_active_hostname", "log_inodes", "log_space", "spool_inodes", "spool_space"), _MACHINE),
        **dict.fromkeys(("tod_bsdinbox", "tod_epoch", "tod_epoch_l", "tod_full", "tod_log", "tod_logfile"), _MACHINE),
        **dict.fromkeys(("tod_zone", "tod_zulu"), _MACHINE),
    },
    "lookups": {
        "lmdb": f"{_OPTIONAL}: tests/lookup/test_lmdb.py",
        "psl": f"{_NEWER}: tests/lookup/test_psl.py",
        "redis": f"{_OPTIONAL}: tests/lookup/test_redis.py",
        "regdom": f"{_NEWER}: tests/lookup/test_psl.py",
        "spf": "Debian's Exim asks the real DNS: tests/emailauth/data/spf_exim.json",
    },
}

# The forms of list items (manual 10.1 to 10.22), and what a case in the tables of tests/match looks like.
LIST_FORMS = {
    "a name": r"^domain\|[^|]*\|a\.b\t",
    "an expansion (10.1)": r"\+exp",
    "a forced failure (10.1)": r"\+ff",
    "! (10.2)": r"\|!",
    "! last, an implicit * (10.2)": r"\|x:!q\t",
    "a file (10.3)": r"\|DIR/domains",
    "a negated file (10.3)": r"\|!DIR/",
    "another separator": r"\|<;",
    "a named list (10.6)": r"\|\+dom\t",
    "a negated named list (10.6)": r"\|!\+dom\t",
    "@ (10.9)": r"\|@\t",
    "@[] (10.9)": r"@\[\]",
    "@mx_any (10.9)": r"@mx_any",
    "* and an end (10.9)": r"\|\*key",
    "^ a regular expression (10.9)": r"\|\^a",
    "a single-key lookup (10.9)": r"\|lsearch;",
    "a query-style lookup (10.9)": r"\|passwd;",
    "partial- (9.7)": r"\|partial-lsearch;",
    "partial2- (9.7)": r"\|partial2-lsearch;",
    "partial(.) (9.7)": r"\|partial\(\.\)lsearch;",
    "a default * (9.6)": r"lsearch\*;",
    "a default *@ (9.6)": r"lsearch\*@;",
    "an address (10.12)": r"^ip\|[^|]*\|10\.1\.2\.3\t",
    "a network (10.12)": r"^ip\|[^|]*\|10\.[0-9.]*/",
    "a network of IPv6 (10.12)": r"^ip\|2001[^|]*\|[^|]*/",
    "net- (10.13)": r"\|net-",
    "net24- (10.13)": r"\|net24-",
    "net32- of IPv6 (10.13)": r"^ip\|2001[^|]*\|net32-",
    "iplsearch (9.3)": r"iplsearch;",
    "a host name (10.14)": r"\|host\.ex\t",
    "a wild host name (10.14)": r"\|\*\.ex\t",
    "a host name's lookup (10.18)": r"^[0-9.]*\|lsearch",
    "+include_unknown (10.15)": r"\+include_unknown",
    "+ignore_unknown (10.15)": r"\+ignore_unknown",
    "+include_defer (10.17)": r"\+include_defer",
    "+ignore_defer (10.17)": r"\+ignore_defer",
    "an empty item: the null sender (10.20)": r"^address\|\|",
    "local@domain (10.20)": r"^address\|[^|]*\|a@b",
    "*@+list (10.20)": r"\|\*@\+dom",
    "local@lookup (10.20)": r"\|user@lsearch;",
    "@@lookup with > chains (10.20)": r"@@lsearch;DIR/atat",
    "a domain alone (10.20)": r"^address\|a@b\|b\t",
    "a regular expression of addresses (10.20)": r"^address\|[^|]*\|\\N\^",
    "+caseful of addresses (10.21)": r"^address\|[^|]*\|\+caseful",
    "+caseful of local parts (10.22)": r"^local_part\|[^|]*\|\+caseful",
}


class Row(NamedTuple):
    kind: str
    name: str
    known: bool
    acting: str  # "yes", or why not
    compared: str  # "yes", or why not; "" when nobody said


@cache
def _texts() -> str:
    return "\n".join(case.text for name in case_files.NAMES for case in case_files.load(name))


@cache
def _list_texts() -> str:
    files = ("match/cases.txt", "match/host_cases.txt", *(f"lookup/{path.name}" for path in _lookup_files()))
    return _texts() + "\n" + "\n".join((TESTS / name).read_text("latin-1") for name in files)


def _lookup_files() -> list[Path]:
    return sorted((TESTS / "lookup").glob("*cases.txt"))


@cache
def _operator_names() -> frozenset[str]:
    answers = json.loads((TESTS / "expand/operators_exim.json").read_text())
    return frozenset(name for name, _, _ in answers) | frozenset(name.partition("_")[0] for name, _, _ in answers)


def _has(pattern: str, text: str) -> bool:
    return re.search(pattern, text, re.MULTILINE) is not None


def _items_known(name: str) -> bool:
    return variable(f"{name}x") is not None or _header(name) if name.endswith("_") else name in base.items


def _header(name: str) -> bool:
    return re.fullmatch(r"[rbl]?h(eader)?_", name) is not None


def _item_case(name: str) -> bool:
    return _has(r"\$\{?" + name + ("" if name.endswith("_") else r"\b"), _texts())


def _operator_case(name: str) -> bool:
    return name in _operator_names() or _has(r"\$\{" + name + "[:_]", _texts())


def _condition_known(name: str) -> bool:
    return name == "!" or name.partition(":")[0] in base.conditions


def _condition_case(name: str) -> bool:
    end = r"\b" if name[-1].isalnum() else r"h?" if name.endswith("_") else r"\s*\{" if name != "!" else ""
    named = "def:h_" if name == "def:header_" else name
    return _has(r"(?:if|\{|!)\s*" + re.escape(named) + end, _texts())


_FAMILIES: dict[str, tuple[str, ...]] = {
    "acl_c<n>/acl_c_<name>": ("acl_c0", "acl_c_x"),
    "acl_m<n>/acl_m_<name>": ("acl_m0", "acl_m_x"),
    "r_<name>": ("r_x",),
    "header_/h_/rheader_/rh_/bheader_/bh_/lheader_/lh_": (),
    "regex<n>": ("regex1",),
    "<digits>": (),
    "address_data-per-router": ("address_data",),
    "sender_rate_<xxx>": ("sender_rate", "sender_rate_limit", "sender_rate_period"),
}


def _family_case(name: str) -> bool:
    if name == "<digits>":
        return _has(r"\$\{?1\b", _texts())
    if name.startswith("header_"):
        return all(_item_case(f"{kind}{word}_") for kind in ("", "r", "b", "l") for word in ("header", "h"))
    return any(_has(r"\$\{?" + member + r"\b", _texts()) for member in _FAMILIES[name])


def _lookup_known(name: str) -> bool:
    return name in lookups or name in base.conditions


def _lookup_case(name: str) -> bool:
    if (TESTS / f"lookup/{name.removesuffix('dn').removesuffix('m')}_cases.txt").exists():
        return True
    return _has(rf"(?:^|[ |:;{{}}!-]){name}[;,*@ {{\t]", _list_texts())


def _rewrite_known(name: str) -> bool:
    parse_rewrite(f"*@a b@c {name}")
    return True


def _rewrite_case(name: str) -> bool:
    rules = [rule for file in ("rewrite_exim", "rewrite_headers_exim") for rule, *_ in _json(file)]
    return any(_has(rf" [A-Za-z]*{name}[A-Za-z]*$", rule) for rule in rules)


def _json(name: str) -> list[list[str]]:
    found: list[list[str]] = json.loads((TESTS / f"route/{name}.json").read_text())
    return found


def _retry_known(name: str) -> bool:
    try:
        parse_error(name.replace("<time>", "1d"))
    except ConfigError:
        return False
    return True


def _retry_text() -> str:
    return (TESTS / "hints/data/brt.txt").read_text() + (TESTS / "hints/data/retry.conf").read_text()


def _algorithm_known(name: str) -> bool:
    return parse_retry(f"* * {name},1h,1m{'' if name == 'F' else ',2'}").algorithms[0].letter == name


# kind: the names, whether one is known, whether the case tables hold one of it
Kind = tuple[Callable[[], tuple[str, ...]], Callable[[str], bool], Callable[[str], bool]]
KINDS: dict[str, Kind] = {
    "items": (lambda: names.expansion_names("items"), _items_known, _item_case),
    "operators": (
        lambda: names.expansion_names("operators"),
        lambda name: name == "expand" or name in base.operators,
        _operator_case,
    ),
    "conditions": (
        lambda: names.expansion_names("conditions") + names.expansion_names("conditions_symbolic"),
        _condition_known,
        _condition_case,
    ),
    "variables": (
        lambda: names.expansion_names("variables"),
        lambda name: variable(name) is not None,
        lambda name: _has(r"\$\{?" + name + r"\b", _texts()),
    ),
    "families": (
        lambda: names.expansion_names("variable_families"),
        lambda name: all(find_variable(member) is not None for member in _FAMILIES[name]),
        _family_case,
    ),
    "lookups": (names.lookup_types, _lookup_known, _lookup_case),
    "rewrite flags": (names.rewrite_flags, _rewrite_known, _rewrite_case),
    "retry errors": (
        names.retry_error_names,
        _retry_known,
        lambda name: _has(r"\b" + name.replace("<time>", r"\d"), _retry_text()),
    ),
    "retry algorithms": (
        names.retry_algorithms,
        _algorithm_known,
        lambda name: _has(rf"[ ;]{name},", _retry_text()),
    ),
}


def rows() -> Iterator[Row]:
    for kind, (list_names, known, has_case) in KINDS.items():
        for name in list_names():
            acting = NOT_ACTING.get(kind, {}).get(name, "yes")
            compared = "yes" if has_case(name) else REASONS.get(kind, {}).get(name, "")
            yield Row(kind, name, known(name), acting, compared)


@pytest.mark.parametrize("kind", KINDS)
def test_all_names_are_known(kind: str) -> None:
    assert [row.name for row in rows() if row.kind == kind and not row.known] == []


@pytest.mark.parametrize("kind", KINDS)
def test_what_acts_is_compared_or_has_a_reason(kind: str) -> None:
    assert [row.name for row in rows() if row.kind == kind and row.acting == "yes" and not row.compared] == []


@pytest.mark.parametrize("kind", KINDS)
def test_reasons_are_of_names_and_needed(kind: str) -> None:
    known = set(KINDS[kind][0]())
    given = {name for name in {**REASONS.get(kind, {}), **NOT_ACTING.get(kind, {})} if name not in ABSENT}
    assert given - known == set()
    has_case = KINDS[kind][2]
    assert [name for name in REASONS.get(kind, {}) if has_case(name)] == []


def test_tests_named_in_reasons_exist() -> None:
    told = [word for reasons in REASONS.values() for reason in reasons.values() for word in reason.split()]
    for word in told:
        if word.startswith("tests/") or word.endswith(".py"):
            path = TESTS.parent / word.rstrip(",") if word.startswith("tests/") else TESTS / "expand" / word
            assert path.exists(), word


@pytest.mark.parametrize("form", LIST_FORMS)
def test_every_form_of_lists_has_a_case(form: str) -> None:
    tables = "\n".join((TESTS / f"match/{name}.txt").read_text("latin-1") for name in ("cases", "host_cases"))
    assert _has(LIST_FORMS[form], tables)


def count_cases() -> dict[str, int]:
    """How many answers of Exim the tables hold, by table."""
    found = {f"expand/{name}": len(case_files.load(name)) for name in case_files.NAMES}
    found["expand/operators"] = len(json.loads((TESTS / "expand/operators_exim.json").read_text()))
    for path in (*sorted((TESTS / "match").glob("*cases.txt")), *_lookup_files(), TESTS / "hints/data/brt.txt"):
        lines = path.read_text("latin-1").split("\n")
        found[f"{path.parent.name}/{path.stem}"] = sum(1 for line in lines if line and not line.startswith("#"))
    found["route/rewrite"] = len(_json("rewrite_exim")) + len(_json("rewrite_headers_exim"))
    return found


def test_there_are_enough_cases() -> None:
    counts = count_cases()
    assert sum(counts.values()) >= LEAST_CASES
    assert min(counts.values()) > 20


def main() -> None:
    table = list(rows())
    for kind in KINDS:
        mine = [row for row in table if row.kind == kind]
        acting = sum(row.acting == "yes" for row in mine)
        compared = sum(row.compared == "yes" for row in mine)
        known = sum(row.known for row in mine)
        print(f"{kind}: {len(mine)} names, {known} known, {acting} acting, {compared} compared equal with Exim")
        for row in mine:
            if row.acting != "yes":
                print(f"  {row.name}: does not act: {row.acting}")
            elif row.compared != "yes":
                print(f"  {row.name}: not compared: {row.compared}")
    counts = count_cases()
    print(f"cases: {sum(counts.values())}: " + ", ".join(f"{name} {count}" for name, count in counts.items()))


if __name__ == "__main__":
    main()
