"""ARC: our seals by dkimpy, dkimpy's by us, and chains that are broken in each way that RFC 8617 5.2 names."""

from __future__ import annotations

import re
from collections.abc import Callable

import dkim
import pytest

from mta.emailauth.arc import MAX_SETS, Chain, verify_chain
from mta.emailauth.arc_seal import CannotSeal, Seal, parse_options, seal
from mta.emailauth.asker import TableAsker
from mta.emailauth.dkim_canon import BodyForm, hash_body
from mta.emailauth.message_file import parse_message
from tests.emailauth.signing import DOMAIN, MESSAGE, key, pem, records
from tests.emailauth.test_dkim_sign import ask

NOW = 1_795_400_000
RESULTS = b"Authentication-Results: test.ex; spf=pass smtp.mailfrom=x;\r\n dkim=none\r\n"


def chain_of(message: bytes, table: dict[str, str] | None = None) -> Chain:
    lines, body = parse_message(message)
    return verify_chain(lines, lambda: [body], TableAsker(records() if table is None else table))


def sealed(message: bytes, kind: str = "rsa") -> bytes:
    """With one more set by our own seal."""
    lines, body = parse_message(message)
    hashes = hash_body([body], [BodyForm(True, "sha256")])
    options = Seal(DOMAIN, kind, key(kind), NOW, NOW + 1000)
    made = seal(options, lines, hashes, TableAsker(records()), lambda: [body])
    return "".join(made).replace("\n", "\r\n").encode("latin-1") + message


def dkimpys(message: bytes) -> bytes:
    return b"".join(dkim.ARC(message).sign(b"rsa", DOMAIN.encode(), pem("rsa"), b"test.ex", timestamp=NOW)) + message


def chain(length: int) -> bytes:
    message = RESULTS + MESSAGE
    for _ in range(length):
        message = sealed(message)
    return message


def test_dkimpy_verifies_our_seals() -> None:
    message = RESULTS + MESSAGE
    for length in range(1, 4):
        message = sealed(message)
        assert dkim.ARC(message).verify(dnsfunc=ask)[0] == b"pass"
        found = chain_of(message)
        assert (found.state, found.highest, found.oldest_pass) == ("pass", length, 1)
        assert found.domains == [DOMAIN] * length


def test_we_verify_dkimpys_seals_and_go_on_from_them() -> None:
    message = dkimpys(RESULTS + MESSAGE)
    assert chain_of(message).state == "pass"
    message = dkimpys(b"Authentication-Results: test.ex; arc=pass\r\n" + message)
    found = chain_of(message)
    assert (found.state, found.reason, found.highest) == ("pass", "", 2)
    message = sealed(message)
    assert chain_of(message).state == "pass"
    assert dkim.ARC(message).verify(dnsfunc=ask)[0] == b"pass"


def test_ed25519_seals() -> None:
    assert chain_of(sealed(chain(1), "ed")).state == "pass"


def test_no_sets_is_none() -> None:
    assert chain_of(MESSAGE).state == "none"


def test_the_oldest_that_passes() -> None:
    """A list that changes the body and seals anew: its own signature is good, older ones are not."""
    changed = chain(2).replace(b".dot", b".dots")
    assert chain_of(changed).state == "fail"
    found = chain_of(sealed(b"Authentication-Results: test.ex; arc=pass\r\n" + changed))
    assert (found.state, found.oldest_pass) == ("pass", 3)


def _without(pattern: bytes) -> Callable[[bytes], bytes]:
    def change(message: bytes) -> bytes:
        out, count = re.subn(pattern + rb"[^\n]*\n(?:[ \t][^\n]*\n)*", b"", message, count=1)
        assert count == 1
        return out

    return change


def _swap(old: bytes, new: bytes) -> Callable[[bytes], bytes]:
    def change(message: bytes) -> bytes:
        assert old in message
        return message.replace(old, new, 1)

    return change


BREAKS: list[tuple[Callable[[bytes], bytes], str]] = [
    (_swap(b".dot", b".dots"), "message signature i=2: the body has been changed"),
    (_swap(b"Joe", b"Jim"), "message signature i=2: the header has been changed"),
    (_swap(b"spf=pass", b"spf=fail"), "seal i=2: does not verify"),
    (_without(b"ARC-Seal: i=1"), "set i=1 is not whole"),
    (_without(b"ARC-Message-Signature: i=1"), "set i=1 is not whole"),
    (_without(b"ARC-Authentication-Results: i=1"), "set i=1 is not whole"),
    (_swap(b"ARC-Seal: i=1", b"ARC-Seal: i=2"), "two arc-seal lines with i=2"),
    (_swap(b"ARC-Seal: i=1", b"ARC-Seal: i=x"), "arc-seal without a good i="),
    (_swap(b"ARC-Seal: i=2", b"ARC-Seal: i=51"), "arc-seal without a good i="),
    (_swap(b"ARC-Seal: i=2; cv=pass", b"ARC-Seal: i=2; cv=none"), "cv= of i=2 is not pass"),
    (_swap(b"ARC-Seal: i=1; cv=none", b"ARC-Seal: i=1; cv=pass"), "cv= of i=1 is not none"),
    (_swap(b"ARC-Seal: i=2; cv=pass", b"ARC-Seal: i=2; cv=fail"), "the chain was sealed as failed at i=2"),
    (_swap(b"ARC-Seal: i=2; cv=pass", b"ARC-Seal: i=2; h=from; cv=pass"), "the seal of i=2 has h= or bh="),
    (_swap(b"ARC-Seal: i=2", b"ARC-Seal: i=2; i=2"), "tag list: tag i= comes twice"),
    (_swap(b"cv=pass; a=rsa-sha256", b"cv=pass; a=rsa-sha1"), "seal i=2: algorithm rsa-sha1 is not accepted"),
    (_swap(b"s=rsa; t=", b"s=none; t="), "seal i=2: none._domainkey.test.ex has no TXT record"),
]


@pytest.mark.parametrize(("change", "reason"), BREAKS)
def test_broken_chains(change: Callable[[bytes], bytes], reason: str) -> None:
    found = chain_of(change(chain(2)))
    assert (found.state, found.reason) == ("fail", reason)


def test_a_missing_answer_is_told() -> None:
    found = chain_of(chain(1), {f"rsa._domainkey.{DOMAIN}": "SERVFAIL"})
    assert (found.state, found.temporary) == ("fail", True)


def test_fifty_sets_and_no_more() -> None:
    message = RESULTS.replace(b"dkim=none", b"arc=pass") + MESSAGE
    for _ in range(MAX_SETS):
        message = sealed(message)
    assert chain_of(message).state == "pass"
    with pytest.raises(CannotSeal, match="50 sets already"):
        sealed(message)
    extra = b"".join(b"ARC-Seal: i=%d; cv=pass\r\n" % number for number in range(51, 1051))
    assert chain_of(extra + message).reason == "more than 50 sets"


def test_all_our_results_are_taken_in() -> None:
    message = (
        b"Authentication-Results: TEST.ex 1; arc=none\r\n" + RESULTS + b"Authentication-Results: other.ex; a=b\r\n"
    )
    line = re.search(rb"ARC-Authentication-Results: [^\n]*\n(?:[ \t][^\n]*\n)*", sealed(message + MESSAGE))
    assert line is not None
    assert line.group().decode() == (
        "ARC-Authentication-Results: i=1; test.ex;\r\n\tarc=none;\r\n\tspf=pass smtp.mailfrom=x;\r\n dkim=none\r\n"
    )


def test_a_chain_found_broken_is_sealed_as_failed_once() -> None:
    broken = chain(1).replace(b"Joe", b"Jim")
    message = sealed(broken)
    assert b"ARC-Seal: i=2; cv=fail" in message
    assert chain_of(message).reason == "the chain was sealed as failed at i=2"
    with pytest.raises(CannotSeal, match="broken"):
        sealed(message)


def test_without_results_of_ours_there_is_nothing_to_seal() -> None:
    with pytest.raises(CannotSeal, match=r"no Authentication-Results line of test.ex"):
        sealed(MESSAGE)


def test_options_of_arc_sign() -> None:
    text = "Test.EX : rsa : <none> : timestamps, expire=+60".replace("<none>", pem("rsa").decode().replace(":", "::"))
    found = parse_options(text, NOW, {})
    assert (found.identity, found.selector, found.timestamp, found.expires) == ("test.ex", "rsa", NOW, NOW + 60)
    for wrong in ("a:b", "a : : c", "test.ex:rsa:/none/key", f"{text},odd", f"{text},expire=x"):
        with pytest.raises(CannotSeal):
            parse_options(wrong, NOW, {})
