"""What the delivery code asks before it calls a driver."""

from __future__ import annotations

import pytest

from mta.mail.outcome import Status
from mta.scope.scope import Scope
from mta.transport import generic
from mta.transport.bsmtp import envelope_address
from tests.transport.building import make_batch, make_recipient, make_transport


@pytest.mark.parametrize(
    ("driver", "options", "maximum", "one_domain"),
    [
        ("appendfile", {"file": "/x"}, 1, False),
        ("appendfile", {"file": "/x", "batch_max": "7"}, 7, False),
        ("appendfile", {"file": "/x/$local_part", "batch_max": "7"}, 1, False),
        ("appendfile", {"file": "/x/$local_part_data", "batch_max": "7"}, 7, False),
        ("appendfile", {"file": "/x/${domain}", "batch_max": "7"}, 7, True),
        ("pipe", {"command": "/bin/cat $domain", "batch_max": "7"}, 7, True),
        ("pipe", {"command": "/bin/cat", "headers_add": "X: $local_part", "batch_max": "7"}, 1, False),
        ("lmtp", {"socket": "/x", "batch_max": "20"}, 20, False),
        ("smtp", {}, 100, False),
        ("smtp", {"max_rcpt": "0"}, 1 << 30, False),
        ("smtp", {"multi_domain": "false"}, 100, True),
    ],
)
def test_batching(driver: str, options: dict[str, str], maximum: int, one_domain: bool) -> None:
    rules = generic.batching(make_transport(driver, **options))
    assert (rules.maximum, rules.one_domain) == (maximum, one_domain)


@pytest.mark.parametrize(
    ("option", "expected"),
    [
        ("x@y", "x@y"),
        ("", "old@x"),
        ("${if eq{$return_path}{old@x}{verp-$return_path}}", "verp-old@x"),
        ("${if eq{1}{2}{x}fail}", "old@x"),
    ],
)
def test_return_path(scope: Scope, option: str, expected: str) -> None:
    assert generic.return_path(make_transport("smtp", return_path=option), scope, "old@x") == expected


@pytest.mark.parametrize(
    ("limit", "status", "message"),
    [
        ("10", Status.FAILED, "message is too big (transport limit = 10)"),
        ("1K", None, ""),
        ("0", None, ""),
        ("x", Status.DEFERRED, 'invalid message_size_limit "x" in smtp_t transport'),
    ],
)
def test_message_size_limit(scope: Scope, limit: str, status: Status | None, message: str) -> None:
    found = generic.too_big(make_transport("smtp", message_size_limit=limit), make_batch("a@b.ex"), scope)
    if status is None:
        assert found is None
    else:
        assert found is not None
        assert [(outcome.status, outcome.message) for outcome in found] == [(status, message)]


@pytest.mark.parametrize(
    ("driver", "options", "fault"),
    [
        ("appendfile", {"file": "/x"}, None),
        ("appendfile", {"file": "/x", "directory": "/y"}, "only one of file or directory"),
        ("appendfile", {"file": "/x", "create_file": "here"}, "create_file"),
        ("pipe", {"return_output": "true", "return_fail_output": "true"}, "return_fail_output"),
        ("pipe", {"temp_errors": "a"}, "temp_errors"),
        ("lmtp", {}, "one (and only one) of command or socket"),
        ("smtp", {"protocol": "x"}, "protocol"),
        ("smtp", {"final_timeout": "0s"}, "timeout"),
        ("smtp", {"headers_only": "true", "body_only": "true"}, "mutually exclusive"),
    ],
)
def test_options_that_exclude_each_other(driver: str, options: dict[str, str], fault: str | None) -> None:
    found = generic.warn_of_options(make_transport(driver, **options))
    assert (found is None) == (fault is None)
    assert (fault or "") in (found or "")


def test_affixes_of_envelope_addresses() -> None:
    recipient = make_recipient("Pre-Box+x@d.ex", cc_local_part="Pre-Box+x", prefix="Pre-", suffix="+x")
    assert envelope_address(recipient, affixes=False) == "Box@d.ex"
    assert envelope_address(recipient, affixes=True) == "Pre-Box+x@d.ex"
