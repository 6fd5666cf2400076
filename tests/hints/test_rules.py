"""Retry rules: Exim 4.96's own messages and texts (-brt), choices and times."""

import pytest

from mta.errors import ConfigError
from mta.hints.rules import Algorithm, error_matches, find_rule, next_try, parse_rule, rule_text


@pytest.mark.parametrize(
    ("text", "printed"),
    [
        ("* * F,2h,15m; G,16h,1h,1.5; F,4d,6h", "*  *  F,2h,15m; G,16h,1h,1.5; F,4d,6h; "),
        ("a.test  *  ", "a.test  *  "),
        ("a.test * H,1h,1m,2", "a.test  *  H,1h,1m; "),
        ("a.test * F,1h,1m; G,5h,1m,1.2345", "a.test  *  F,1h,1m; G,5h,1m,1.234; "),
        ('"a.test b" quota_5d', "a.test b  quota_5d  "),
    ],
)
def test_rules_as_brt_prints_them(text: str, printed: str) -> None:
    assert rule_text(parse_rule(text)) == printed


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a.test", "missing error type in retry rule"),
        ("a.test badname F,1h,1m", 'unknown or malformed retry error "badname"'),
        ("a.test quota_zz F,1h,1m", "bad time value"),
        ("a.test rcpt_55x F,1h,1m", 'unknown or malformed retry error "rcpt_55x"'),
        (
            "a.test mail_4xy F,1h,1m",
            "mail_4 must be followed by xx, dx, or dd, where x is literal and d is any digit",
        ),
        ("a.test * X,1h,1m", "unknown retry rule letter"),
        ("a.test * F,1h", "comma expected"),
        ("a.test * F 1h", "comma expected"),
        ("a.test * G,1h,1m", "comma expected"),
        ("a.test * G,1h,1m,0.5", "bad parameters for retry rule"),
        ("a.test * F,,3m", "bad parameters for retry rule"),
        ("a.test * F,1h,1mz", "bad parameters for retry rule"),
        ("a.test * F,1h,1m,3", "semicolon expected"),
    ],
)
def test_faults(text: str, message: str) -> None:
    with pytest.raises(ConfigError) as caught:
        parse_rule(text)
    assert caught.value.message == message


def test_senders() -> None:
    assert parse_rule("* rcpt_4xx senders=: F,1h,30m").senders == ":"
    rule = parse_rule('* data_436 senders="x.dom : y.dom" F,1h,10m')
    assert (rule.senders, rule.algorithms) == ("x.dom : y.dom", (Algorithm("F", 3600, 600),))


@pytest.mark.parametrize(
    ("name", "error", "detail", "expected"),
    [
        ("*", "refused", "A", True),
        ("*", "", "", True),
        ("refused", "refused", "MX", True),
        ("refused_A", "refused", "MX", False),
        ("refused_MX", "refused", "MX", True),
        ("timeout", "timeout_connect", "A", True),
        ("timeout_A", "timeout_connect", "A", True),
        ("timeout_connect", "timeout", "A", False),
        ("rcpt_4xx", "rcpt_4xx", "451", True),
        ("rcpt_45x", "rcpt_4xx", "451", True),
        ("rcpt_45x", "rcpt_4xx", "421", False),
        ("rcpt_452", "rcpt_4xx", "451", False),
        ("rcpt_452", "mail_4xx", "452", False),
        ("quota", "quota", "", True),
        ("quota_4d", "quota", str(4 * 86400), True),
        ("quota_4d", "quota", "86400", False),
        ("quota_4d", "quota", "", False),
        ("lost_connection", "timeout", "", False),
    ],
)
def test_errors(name: str, error: str, detail: str, expected: bool) -> None:
    assert error_matches(parse_rule(f"* {name} F,1h,1m"), error, detail) is expected


def test_the_first_rule_wins() -> None:
    rules = [parse_rule(t) for t in ("a * senders=x F,1h,1m", "p.q * F,1h,2m", "a refused F,1h,3m", "a * F,1h,4m")]

    def found(keys: list[str], error: str, sender: str = "") -> float:
        rule = find_rule(rules, keys, error, "", lambda r, key: r.pattern == key, lambda r: r.senders == sender)
        return rule.algorithms[0].interval if rule else 0

    assert found(["x.y", "a"], "refused") == 180
    assert found(["p.q", "a"], "refused") == 120
    assert found(["a"], "timeout") == 240
    assert found(["a"], "timeout", "x") == 60
    assert found(["b"], "timeout") == 0


def test_times() -> None:
    rule = parse_rule("* * F,2h,15m; G,16h,1h,1.5; F,4d,6h")
    hour = 3600.0

    def at(failing: float, gap: float = 0) -> tuple[float, bool]:
        return next_try(rule, now=1e6, first_failed=1e6 - failing, last_gap=gap)

    assert at(0) == (1e6 + 900, False)
    assert at(3 * hour, 900) == (1e6 + hour, False)
    assert at(4 * hour, hour) == (1e6 + 1.5 * hour, False)
    assert at(17 * hour, 5 * hour) == (1e6 + 6 * hour, False)
    assert at(97 * hour, 6 * hour) == (1e6 + 6 * hour, True)
    assert next_try(parse_rule("* *"), now=5, first_failed=5, last_gap=0) == (5, True)
    grown = parse_rule("* * G,99d,1h,2")
    assert next_try(grown, now=0, first_failed=-9, last_gap=20 * hour, interval_max=7 * hour)[0] == 7 * hour
    assert next_try(grown, now=0, first_failed=-9, last_gap=20 * hour)[0] == 24 * hour
    hazard = parse_rule("* * H,99d,1h,2")
    assert next_try(hazard, now=0, first_failed=-9, last_gap=2 * hour, uniform=lambda low, high: low + high) == (
        5 * hour,
        False,
    )
