"""The autoreply transport; header and body are what the oracle makes of the same options."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from mta.mail.outcome import Outcome, Status
from mta.mail.recipient import Reply
from mta.scope.scope import Scope
from tests.transport.building import HEADER, make_batch, make_recipient, make_transport

D, W = Status.DELIVERED, Status.DEFERRED


@pytest.fixture
def sent(scope: Scope) -> list[tuple[Any, ...]]:
    found: list[tuple[Any, ...]] = []
    scope.services.state["submit_message"] = lambda *parts: found.append(parts)
    return found


def answer(scope: Scope, reply: Reply | None = None, **options: str) -> Outcome:
    transport = make_transport("autoreply", **options)
    batch = make_batch(recipients=[make_recipient("u@test.ex", reply=reply)])
    scope.message = batch.message
    return transport.driver.deliver(transport, batch, scope)[0]


def test_options_make_a_reply(scope: Scope, sent: list[tuple[Any, ...]]) -> None:
    outcome = answer(
        scope,
        to="$sender_address",
        cc="x@y.ex",
        bcc="Z <z@y.ex>",
        reply_to="rt@y.ex",
        subject="Re: $h_subject:",
        text="This is text\n",
        headers="X-H: 1\nX-I: 2",
        return_message="true",
        **{"from": "me@test.ex"},
    )
    assert outcome.status == D
    ((sender, people, head, body),) = sent
    assert (sender, people) == ("", ["sender@src.ex", "x@y.ex", "z@y.ex"])
    date = head[head.index("Date: ") :]
    assert head == (
        "From: me@test.ex\nReply-To: rt@y.ex\nTo: sender@src.ex\nCc: x@y.ex\nSubject: Re: hi\n"
        "In-Reply-To: <orig@id>\nReferences: <orig@id>\nAuto-Submitted: auto-replied\nX-H: 1\nX-I: 2\n" + date
    )
    assert body == (
        "This is text\n\n------ This is a copy of the message, including all the headers.\n\n"
        + HEADER
        + "\nbody one\nFrom here\n.dot\n\nlast\n"
    )


def test_a_filter_says_it_all(scope: Scope, sent: list[tuple[Any, ...]]) -> None:
    answer(scope, Reply(to="a@b.ex", subject="s", text="t"), to="no@no.ex", text="ignored")
    ((_, people, head, body),) = sent
    assert (people, body) == (["a@b.ex"], "t\n")
    assert head.startswith("From: u@test.ex\nTo: a@b.ex\nSubject: s\n")


def test_nobody_to_answer(scope: Scope, sent: list[tuple[Any, ...]]) -> None:
    assert answer(scope, to="").status == D
    assert answer(scope, to="a@b.ex, c@d.ex", never_mail="a@b.ex : c@d.ex").status == D
    assert sent == []


def test_never_mail_takes_out_some(scope: Scope, sent: list[tuple[Any, ...]]) -> None:
    answer(scope, to='"A, B" <a@b.ex>, c@d.ex', never_mail="c@d.ex")
    assert sent[0][1] == ["a@b.ex"]


def test_once(scope: Scope, mail: Path, sent: list[tuple[Any, ...]]) -> None:
    reply = Reply(to="A@b.ex", once=f"{mail}/once", log=f"{mail}/log", text="x")
    for _ in range(3):
        assert answer(scope, reply).status == D
    assert len(sent) == 1
    assert "previously sent to A@b.ex" in (mail / "log").read_text()
    (mail / "once").write_text("1000 a@b.ex\n")
    answer(scope, Reply(to="a@b.ex", once=f"{mail}/once", once_repeat=3600))
    assert len(sent) == 2
    for number in range(5):
        answer(scope, Reply(to=f"n{number}@b.ex", once=f"{mail}/once"), once_file_size="50")
    assert len((mail / "once").read_bytes()) <= 50


def test_non_printing_header_is_refused(scope: Scope, sent: list[tuple[Any, ...]]) -> None:
    outcome = answer(scope, to="a@b.ex", subject="x\\nBcc: evil@x")
    assert (outcome.status, sent) == (W, [])


@pytest.mark.parametrize(("optional", "status"), [("true", D), ("false", W)])
def test_file_that_is_not_there(scope: Scope, sent: list[tuple[Any, ...]], optional: str, status: Status) -> None:
    assert answer(scope, to="a@b.ex", file="/no/such", file_optional=optional).status == status


def test_file_is_expanded(scope: Scope, mail: Path, sent: list[tuple[Any, ...]]) -> None:
    (mail / "text").write_text("to $sender_address\n")
    answer(scope, to="a@b.ex", file=f"{mail}/text", file_expand="true", text="first")
    assert sent[0][3] == "first\nto sender@src.ex\n"


def test_references_of_a_thread(scope: Scope, sent: list[tuple[Any, ...]]) -> None:
    transport = make_transport("autoreply", to="a@b.ex")
    batch = make_batch("u@test.ex", header="References: <1@x>\n <2@x>\nMessage-Id: <3@x>\n".replace("\n <", " <"))
    transport.driver.deliver(transport, batch, scope)
    assert "References: <1@x>\n <2@x>\n <3@x>\n" in sent[0][2]
