"""Which rule Exim 4.96 chose for -brt: data/brt.txt holds its answers to data/retry.conf (question TAB rule).

Exim prints the error names of its own list only, "*" for the others; mta prints each as the rule has it.
"""

from pathlib import Path

import pytest

from mta.cli.modes.retry import find
from mta.config.config import Config
from mta.config.load import load
from mta.errors import ConfigError
from mta.hints.rules import parse_error, rule_text
from mta.scope.scope import Scope
from mta.scope.services import Services
from mta.scope.site import Site
from mta.settings import names

DATA = Path(__file__).parent / "data"
PRINTED = ("auth_failed", "quota", "refused", "timeout", "timeout_connect")
CASES = [line.split("\t") for line in (DATA / "brt.txt").read_text().split("\n") if line]


@pytest.fixture(scope="module")
def config() -> Config:
    return load(str(DATA / "retry.conf"), trusted=False)


def answer(config: Config, question: str) -> str:
    *keys, error = question.split(" ")
    if "." in error:
        keys.append(error)
        error = ""
    try:
        wanted = parse_error(error) if error else None
    except ConfigError as fault:
        return fault.message
    scope = Scope(Site(config.main), Services())
    scope.message.sender = "root@oracle.test"
    found = find(config.retry_rules, keys, wanted, scope)
    if found is None:
        return "No retry information found"
    printed = found.error_name if found.error in PRINTED else "*"
    return rule_text(found).replace(f"  {found.error_name}  ", f"  {printed}  ").rstrip(" ")


@pytest.mark.parametrize("domain", sorted({question.split(" ")[0] for question, _ in CASES}))
def test_the_rule_that_exim_chose(config: Config, domain: str) -> None:
    mine = [case for case in CASES if case[0].split(" ")[0] == domain]
    assert {question: answer(config, question) for question, _ in mine} == dict(mine)


def test_every_error_name_is_asked_for() -> None:
    asked = {word for question, _ in CASES for word in question.split(" ")[1:]}
    wanted = {name.replace("<time>", "3d") for name in names.retry_error_names()}
    assert wanted <= asked
