"""The pipe transport with real commands; texts are the oracle's."""

from __future__ import annotations

from pathlib import Path

import pytest

from mta.mail.outcome import Outcome, Status
from mta.scope.expansion import Tainted
from mta.scope.scope import Scope
from mta.transport.base import Batch, Transport
from mta.transport.command import split_arguments
from tests.transport.building import make_batch, make_recipient, make_transport

D, W, F = Status.DELIVERED, Status.DEFERRED, Status.FAILED
CHILD = "Child process of pipe_t transport"


def put(transport: Transport, scope: Scope, batch: Batch | None = None) -> Outcome:
    return transport.driver.deliver(transport, batch or make_batch("u@test.ex"), scope)[0]


@pytest.mark.parametrize(
    ("options", "status", "message"),
    [
        ({"command": "/bin/true"}, D, ""),
        ({"command": "true"}, D, ""),
        ({"command": "/bin/false"}, F, f"{CHILD} returned 1 from command: /bin/false"),
        ({"command": "/bin/false", "ignore_status": "true"}, D, ""),
        (
            {"command": "/bin/sh -c 'exit 75'"},
            W,
            f"{CHILD} returned 75 (could mean temporary error) from command: /bin/sh",
        ),
        (
            {"command": "/bin/sh -c 'exit 67'"},
            F,
            f"{CHILD} returned 67 (could mean user nonexistent) from command: /bin/sh",
        ),
        ({"command": "/bin/sh -c 'exit 3'", "temp_errors": "*"}, W, f"{CHILD} returned 3 from command: /bin/sh"),
        (
            {"command": "/bin/sh -c 'exit 137'"},
            F,
            f"{CHILD} returned 137 (could mean shell command ended by signal 9 (Killed)) from command: /bin/sh",
        ),
        (
            {"command": r"/bin/sh -c 'kill -9 \$\$'"},
            F,
            rf"""{CHILD} (running command "/bin/sh -c 'kill -9 \$\$'") was terminated by signal 9 (Killed)""",
        ),
        ({"command": "nosuchcommand"}, F, '"nosuchcommand" command not found for pipe_t transport'),
        (
            {"command": "/nosuch/command arg"},
            F,
            f"{CHILD} returned 127 (could mean unable to exec or command does not exist) from command: /nosuch/command",
        ),
        (
            {"command": "/nosuch/command arg", "freeze_exec_fail": "true"},
            W,
            'pipe process failed to exec "/nosuch/command arg"',
        ),
        ({"command": "/bin/sleep 10", "timeout": "0.1s"}, F, "pipe delivery process timed out"),
        (
            {"command": "/bin/sleep 10", "timeout": "0.1s", "timeout_defer": "true"},
            W,
            "pipe delivery process timed out",
        ),
        (
            {"command": "/usr/bin/yes", "max_output": "1K"},
            F,
            f'{CHILD} (running command "/usr/bin/yes") was terminated by signal 9 (Killed)',
        ),
        (
            {"command": "/bin/cat", "allow_commands": "/bin/true"},
            F,
            '"/bin/cat" command not permitted by pipe_t transport',
        ),
        (
            {"command": "/bin/cat", "restrict_to_path": "true"},
            F,
            '"/" found in "/bin/cat" (command for pipe_t transport) - failed for security reasons',
        ),
        ({}, W, "no command specified for pipe_t transport"),
        (
            {"command": "/bin/echo ${if foo}"},
            W,
            'Expansion of "${if" from command "/bin/echo ${if foo}" in pipe_t transport failed: '
            'condition name expected, but found ""',
        ),
        ({"command": "/bin/echo x", "return_output": "true"}, F, "return message generated"),
        ({"command": "cat > /dev/null; exit 5", "use_shell": "true"}, F, f"{CHILD} returned 5 from command: /bin/sh"),
        ({"command": "/bin/cat", "transport_filter": "/bin/false"}, W, "Transport filter process failed (1)"),
    ],
)
def test_results(scope: Scope, options: dict[str, str], status: Status, message: str) -> None:
    outcome = put(make_transport("pipe", **options), scope)
    assert (outcome.status, outcome.message) == (status, message)
    assert outcome.freeze == ("freeze_exec_fail" in options)


def test_input_and_environment(scope: Scope, mail: Path) -> None:
    command = f'/bin/sh -c "cat > {mail}/out; env | sort > {mail}/env; umask >> {mail}/env; pwd >> {mail}/env"'
    transport = make_transport(
        "pipe", command=command, umask="077", environment="A=b : C=$domain", envelope_to_add="true"
    )
    batch = make_batch("u@test.ex", home=str(mail), current_directory=str(mail))
    assert put(transport, scope, batch).status == D
    lines = (mail / "out").read_text().split("\n")
    assert lines[0].startswith("From sender@src.ex ")
    assert lines[1] == "Envelope-to: u@test.ex"
    assert lines[-8:] == ["", "body one", "From here", ".dot", "", "last", "", ""]
    found = (mail / "env").read_text().split("\n")
    for line in (
        "A=b",
        "C=test.ex",
        "DOMAIN=test.ex",
        f"HOME={mail}",
        "LOCAL_PART=u",
        "LOGNAME=u",
        "PATH=/bin:/usr/bin",
        "QUALIFY_DOMAIN=test.ex",
        "RECIPIENT=u@test.ex",
        "SENDER=sender@src.ex",
        "SHELL=/bin/sh",
        "USER=u",
        "0077",
        str(mail),
    ):
        assert line in found


def test_output_is_logged_and_returned(scope: Scope) -> None:
    logged: list[str] = []
    scope.services.log_main = logged.append
    options = {"command": "/bin/sh -c 'echo hello; echo more; exit 3'", "log_fail_output": "true"}
    outcome = put(make_transport("pipe", return_fail_output="true", **options), scope)
    assert (outcome.status, outcome.special) == (F, "hello\nmore\n")
    assert logged == ["1xVInd-0003Oz-0V <u@test.ex>: pipe_t transport output: hello"]
    outcome = put(
        make_transport("pipe", return_fail_output="true", **options), scope, make_batch("u@test.ex", sender="")
    )
    assert outcome.special == ""


def test_redirected_to_a_command(scope: Scope, mail: Path) -> None:
    recipient = make_recipient(
        f"|/bin/sh -c 'cat > {mail}/$LOCAL_PART'", kind="pipe", parent=make_recipient("u@test.ex")
    )
    batch = make_batch(recipients=[recipient])
    assert put(make_transport("pipe"), scope, batch).status == D
    assert (mail / "u").exists()
    options = {"command": "/bin/echo -- $address_pipe", "force_command": "true", "return_output": "true"}
    outcome = put(make_transport("pipe", **options), scope, batch)
    assert outcome.special == f"-- /bin/sh -c cat > {mail}/$LOCAL_PART\n"


def test_all_recipients_in_one_command(scope: Scope) -> None:
    transport = make_transport("pipe", command="/bin/echo $pipe_addresses end", return_output="true")
    outcome = put(transport, scope, make_batch("a b@test.ex", "c@test.ex"))
    assert outcome.special == "a b@test.ex c@test.ex end\n"


def test_tainted_arguments_are_refused(scope: Scope) -> None:
    recipient = make_recipient("u@test.ex")
    recipient.local_part = Tainted("u")
    scope.recipient = recipient
    outcome = put(make_transport("pipe", command="/bin/echo $local_part"), scope, make_batch(recipients=[recipient]))
    assert (outcome.status, outcome.message) == (F, "Tainted arg 1 for pipe_t transport command: 'u'")


def test_a_command_that_reads_nothing(scope: Scope) -> None:
    batch = make_batch("u@test.ex", body=b"x" * 1000000 + b"\n")
    assert put(make_transport("pipe", command="/bin/true"), scope, batch).status == D


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("a  b\tc", ["a", "b", "c"]),
        ('\'a b\' "c\\" \\n d" e', ["a b", 'c" \n d', "e"]),
        (r'"\101\\x"', ["A\\x"]),
        ("", []),
        ("''", [""]),
        ("a'b c'd", ["a'b", "c'd"]),
    ],
)
def test_split_arguments(text: str, words: list[str]) -> None:
    assert split_arguments(text) == words
