"""DKIM signing: what dkimpy, opendkim and our own verifier say of our signatures; the choice of headers is Exim's."""

from __future__ import annotations

import os
import re
from pathlib import Path

import dkim
import pytest

from mta.emailauth.asker import TableAsker
from mta.emailauth.dkim_canon import hash_body
from mta.emailauth.dkim_keys import BadPrivateKey, private_key
from mta.emailauth.dkim_sign import OVERSIGN_HEADERS, SIGN_HEADERS, Plan, chosen_headers, sign
from mta.emailauth.dkim_verify import Policy, verify_message
from mta.emailauth.message_file import parse_message
from tests.emailauth.signing import DOMAIN, MESSAGE, key, pem, records
from tests.peers import opendkim

NOW = 1_795_400_000.0


def signed(
    kind: str, *, relaxed: bool = True, hash_name: str = "sha256", headers: str = SIGN_HEADERS, lifetime: int = 1000
) -> bytes:
    lines, body = parse_message(MESSAGE)
    plan = Plan(DOMAIN, kind, key(kind), relaxed, hash_name, headers.split(":"), f"@{DOMAIN}", lifetime)
    line = sign(plan, lines, hash_body([body], [plan.body_form]), NOW)
    return line.replace("\n", "\r\n").encode("latin-1") + MESSAGE


def ask(name: bytes, timeout: int = 5) -> bytes | None:
    text = records().get(name.decode().rstrip("."))
    return text.encode() if text is not None else None


@pytest.mark.parametrize("headers", [SIGN_HEADERS, OVERSIGN_HEADERS])
@pytest.mark.parametrize("relaxed", [True, False])
@pytest.mark.parametrize("kind", ["rsa", "ed"])
def test_dkimpy_verifies(kind: str, relaxed: bool, headers: str) -> None:
    assert dkim.verify(signed(kind, relaxed=relaxed, headers=headers), dnsfunc=ask)


@pytest.mark.parametrize(
    ("kind", "hash_name"), [("rsa", "sha256"), ("rsa", "sha512"), ("rsa", "sha1"), ("ed", "sha256")]
)
def test_we_verify(kind: str, hash_name: str) -> None:
    lines, body = parse_message(signed(kind, hash_name=hash_name))
    policy = Policy(hashes=("sha1", "sha256", "sha512"))
    (result,) = verify_message(lines, lambda: [body], TableAsker(records()), NOW, policy).results
    assert (result.status, result.algo) == ("pass", f"{'rsa' if kind == 'rsa' else 'ed25519'}-{hash_name}")
    assert (result.identity, result.created, result.expires) == ("@test.ex", int(NOW), int(NOW) + 1000)


def test_opendkim_verifies(tmp_path: Path) -> None:
    zone = "".join(
        f"{name.removesuffix('.' + DOMAIN)} IN TXT "
        + " ".join(f'"{text[i : i + 200]}"' for i in range(0, len(text), 200))
        + "\n"
        for name, text in records().items()
        if name.startswith("rsa.")
    )
    messages = {  # it takes the time of now for x=
        "relaxed": signed("rsa", lifetime=-1),
        "simple": signed("rsa", relaxed=False, lifetime=-1),
        "over": signed("rsa", headers=OVERSIGN_HEADERS, lifetime=-1),
        "changed": signed("rsa", lifetime=-1).replace(b"Joe", b"Jim"),
    }
    answers = opendkim.verify(messages, {DOMAIN: zone}, tmp_path)
    assert answers == {"relaxed": "pass", "simple": "pass", "over": "pass", "changed": "fail"}


LINES = [
    "Received: x\n",
    "From: a\n",
    "To: b\n",
    "Subject: c\n",
    "Message-Id: d\n",
    "Date: e\n",
    "X-Dup: 1\n",
    "X-Dup: 2\n",
]
# dkim_sign_headers -> h= as Exim 4.96 makes it of such a header
CHOICES = [
    ("From:To:To:X-None:=Received:+Subject:=X-None2:+X-None3", "Subject To From Received To X-None Subject X-None3"),
    ("X-Add:X-Old:X-Dup:X-Dup", "X-Dup X-Dup X-Add X-Old"),
    ("X-Dup", "X-Dup"),
    ("=X-Dup", "X-Dup X-Dup"),
    ("+X-Dup", "X-Dup X-Dup X-Dup"),
    ("From:Sender:Subject:Date:Message-ID:To", "Date Message-Id Subject To From Sender"),
    ("+From:+Sender:+To", "To From From Sender To"),
]


@pytest.mark.parametrize(("wanted", "names"), CHOICES)
def test_which_headers_are_signed(wanted: str, names: str) -> None:
    chosen, lines = chosen_headers(LINES, wanted.split(":"))
    assert chosen == names.split()
    assert [line.partition(":")[0] for line in lines] == chosen[: len(lines)]


def test_of_a_name_that_is_there_twice_the_lower_is_signed_first() -> None:
    assert chosen_headers(LINES, ["X-Dup"])[1] == ["X-Dup: 2\n"]


def test_the_line_is_folded() -> None:
    head, _, _ = signed("rsa", headers=OVERSIGN_HEADERS).partition(b"From: Joe")
    text = head.decode("ascii")
    assert all(len(line) <= 79 for line in text.split("\r\n"))
    assert re.match(r"DKIM-Signature: v=1; a=rsa-sha256; q=dns/txt; c=relaxed/relaxed; d=test.ex;\r\n\ts=rsa; h=", text)


def test_keys_are_read_again_when_their_file_changes(tmp_path: Path) -> None:
    file, cache = tmp_path / "key.pem", {}
    file.write_bytes(pem("rsa"))
    first = private_key(str(file), cache)
    assert private_key(str(file), cache) is first
    file.write_bytes(pem("ed"))
    os.utime(file, (1, 1))
    assert private_key(str(file), cache).algorithm("sha256") == "ed25519-sha256"
    assert private_key(pem("rsa").decode(), cache).algorithm("sha256") == "rsa-sha256"


@pytest.mark.parametrize(
    "text", ["nonsense", "-----BEGIN RSA PRIVATE KEY-----\nAAAA\n-----END RSA PRIVATE KEY-----\n", "/none/x"]
)
def test_bad_private_keys(text: str) -> None:
    with pytest.raises(BadPrivateKey, match=r"unable to open file for reading: /none/x|not a private key"):
        private_key(text, {})
