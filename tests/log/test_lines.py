"""Log lines; the expected texts are Exim 4.96's own for the same events."""

from typing import Any

import pytest

from mta.log import lines
from mta.log.selectors import DEFAULT, NAMES
from mta.mail.host import Host
from mta.mail.message import EnvelopeRecipient, Message
from mta.mail.outcome import Outcome, Status
from mta.mail.peer import Peer, TlsInfo
from mta.mail.recipient import Recipient

ALL = frozenset(NAMES) - {"tls_resumption"}


def address(text: str, *parents: str, **facts: Any) -> Recipient:
    parent = None
    for name in reversed(parents):
        parent = Recipient(name, parent=parent)
    facts = {"router": "s", "transport": "s", "local_part": text.partition("@")[0], **facts}
    return Recipient(text, parent=parent, **facts)


def outcome(recipient: Recipient, status: Status = Status.DELIVERED, **facts: Any) -> Outcome:
    remote = {"host": Host("127.0.0.2", "127.0.0.2"), "host_port": 2599, "local_address": "127.0.0.1"}
    return Outcome(recipient, status, **{**remote, "local_port": 42766, "transport_time": 0.088, **facts})


def test_received_over_tls() -> None:
    peer = Peer(
        address="127.0.0.1",
        port=33986,
        interface_address="127.0.0.1",
        interface_port=2526,
        helo_name="cl.test",
        received_protocol="utf8esmtpsa",
        authenticator="plain",
        authenticated_id="us",
        tls=TlsInfo(
            cipher="TLS1.3:ECDHE_X25519__RSA_PSS_RSAE_SHA256__AES_256_GCM:256",
            certificate_verified=True,
            peer_dn="CN=host.test,O=A B",
        ),
    )
    message = Message(sender="a@b.test", message_size=301, body_8bit=8, prdr_requested=True)
    message.received_time, message.received_complete = 10.0, 10.001
    message.recipients = [EnvelopeRecipient("x@two.test"), EnvelopeRecipient("y@two.test")]
    line = lines.received(message, peer, ALL, subject="h\xc3\xa9 q", pipelining="L.-")
    assert line == (
        "<= a@b.test H=(cl.test) [127.0.0.1]:33986 I=[127.0.0.1]:2526 P=utf8esmtpsa L.- "
        'X=TLS1.3:ECDHE_X25519__RSA_PSS_RSAE_SHA256__AES_256_GCM:256 CV=yes DN="CN=host.test,O=A B" A=plain:us PRDR '
        'S=301 M8S=8 RT=0.001s T="h\\303\\251 q" from <a@b.test> for x@two.test y@two.test'
    )
    assert lines.received_msglog(line).endswith('RT=0.001s T="h\\303\\251 q"')
    assert lines.received(message, peer, DEFAULT, message_id="q@x") == (
        "<= a@b.test H=(cl.test) [127.0.0.1] P=utf8esmtpsa "
        "X=TLS1.3:ECDHE_X25519__RSA_PSS_RSAE_SHA256__AES_256_GCM:256 CV=yes A=plain:us PRDR S=301 id=q@x"
    )


def test_received_locally() -> None:
    message = Message(message_size=1318)
    peer = Peer(ident="root", received_protocol="local")
    line = lines.received(
        message, peer, DEFAULT, bounce_of="1xVIlm-000335-1x", message_id="E1@h", message_id_created=True
    )
    assert line == "<= <> R=1xVIlm-000335-1x U=root P=local S=1318"
    assert lines.received_msglog(line) == "Received from <> R=1xVIlm-000335-1x U=root P=local S=1318"


@pytest.mark.parametrize(
    ("name", "helo", "expected"),
    [
        ("peer.test", "client.test", "peer.test (client.test) [192.0.2.5]"),
        ("peer.test", "PEER.test", "peer.test [192.0.2.5]"),
        ("", "cl.test", "(cl.test) [192.0.2.5]"),
        ("", "[192.0.2.5]", "[192.0.2.5]"),
        ("", "[10.21.32.43]", "([10.21.32.43]) [192.168.8.34]".replace("192.168.8.34", "192.0.2.5")),
        ("", "", "[192.0.2.5]"),
    ],
)
def test_hosts(name: str, helo: str, expected: str) -> None:
    assert lines.peer_host(Peer(address="192.0.2.5", port=4, host_name=name, helo_name=helo), DEFAULT) == expected


def test_delivered_remotely() -> None:
    done = outcome(address("a@rem.test"), response="250 OK queued as 4711", pipelining=True, bytes_sent=314)
    kept = {"sender": "snd@rem.test", "return_path": "snd@rem.test", "local": False}
    assert (
        lines.delivered(done, DEFAULT, **kept)
        == '=> a@rem.test R=s T=s H=127.0.0.2 [127.0.0.2] C="250 OK queued as 4711"'
    )  # type: ignore[arg-type]
    assert lines.delivered(done, ALL, first=False, queued_for=0.11, **kept) == (  # type: ignore[arg-type]
        "-> a@rem.test F=<snd@rem.test> P=<snd@rem.test> R=s T=s S=314 H=127.0.0.2 [127.0.0.2]:2599 "
        'I=[127.0.0.1]:42766 L C="250 OK queued as 4711" QT=0.110s DT=0.088s'
    )


def test_delivered_locally() -> None:
    kept = {"sender": "s@x", "return_path": "s@x", "local": True}
    deep = address("y@host.test", "al2@alias.test", "deep@alias.test", router="r", transport="t")
    done = Outcome(deep, Status.DELIVERED)
    assert lines.delivered(done, DEFAULT, **kept) == "=> y <deep@alias.test> R=r T=t"  # type: ignore[arg-type]
    assert lines.delivered(done, DEFAULT | {"all_parents"}, **kept) == "=> y (al2@alias.test) <deep@alias.test> R=r T=t"  # type: ignore[arg-type]
    file = address("/tmp/mbox/file", "ff@alias.test", kind="file", router="al", transport="file")
    assert lines.delivered(Outcome(file, Status.DELIVERED), DEFAULT, **kept) == (  # type: ignore[arg-type]
        "=> /tmp/mbox/file <ff@alias.test> R=al T=file"
    )
    plain = address("marv@hitch.test", router="localuser", transport="local_delivery")
    assert lines.delivered(Outcome(plain, Status.DELIVERED), DEFAULT, **kept) == (  # type: ignore[arg-type]
        "=> marv <marv@hitch.test> R=localuser T=local_delivery"
    )
    assert lines.discarded(Recipient("z@black.test", router="bh")) == "=> :blackhole: <z@black.test> R=bh"


def test_deferred() -> None:
    text = "SMTP error from remote mail server after RCPT TO:<temp@rem.test>: 451 4.3.0 try later"
    temp = outcome(address("temp@rem.test"), Status.DEFERRED, message=text, errno=-44, transport_time=0.0)
    assert lines.deferred(temp, DEFAULT) == f"== temp@rem.test R=s T=s defer (-44) H=127.0.0.2 [127.0.0.2]: {text}"
    assert lines.deferred(temp, ALL) == (
        "== temp@rem.test R=s T=s defer (-44) H=127.0.0.2 [127.0.0.2]:2599 I=[127.0.0.1]:42766 DT=0.000s: " + text
    )
    dead = Outcome(address("h@dead.test"), Status.DEFERRED, errno=111)
    assert lines.deferred(dead, DEFAULT) == "== h@dead.test R=s T=s defer (111): Connection refused"
    assert lines.deferred(dead, ALL) == "== h@dead.test R=s T=s defer (111): Connection refused DT=0.000s"
    route = Outcome(address("d@fail.test", router="f", transport=""), Status.DEFERRED, "not now")
    assert lines.deferred(route, ALL) == "== d@fail.test R=f defer (-1) DT=0.000s: not now"


def test_failed() -> None:
    gone = Outcome(address("q@fail.test", router="f", transport=""), Status.FAILED, "no way")
    assert lines.failed(gone, DEFAULT, sender="s@x", return_path="s@x") == "** q@fail.test R=f: no way"
    assert lines.failed(gone, ALL, sender="s@x", return_path="s@x") == "** q@fail.test F=<s@x> R=f: no way DT=0.000s"
    pipe = address("|/bin/cat", "p@alias.test", kind="pipe", router="al", transport="pipe")
    assert lines.failed(Outcome(pipe, Status.FAILED, "why"), DEFAULT, sender="s", return_path="s") == (
        "** |/bin/cat <p@alias.test> R=al T=pipe: why"
    )


def test_times() -> None:
    assert lines.elapsed(0.25, DEFAULT) == "0s"
    assert lines.elapsed(65.4, DEFAULT) == "1m5s"
    assert lines.elapsed(0.25, ALL) == "0.250s"
    assert lines.completed(DEFAULT) == "Completed"
    assert lines.completed(ALL, 0.018) == "Completed QT=0.018s"


def test_connections() -> None:
    peer = Peer(address="127.0.0.1", port=33998, helo_name="cl.test", interface_address="127.0.0.1", interface_port=25)
    assert lines.connection(Peer(address="127.0.0.1"), DEFAULT, 2) == (
        "SMTP connection from [127.0.0.1] (TCP/IP connection count = 2)"
    )
    assert lines.connection_closed(peer, DEFAULT) == "SMTP connection from (cl.test) [127.0.0.1] closed by QUIT"
    assert lines.incomplete_transaction(peer, ALL, "connection lost", "a@b.test", ["x@two.test"]) == (
        "H=(cl.test) [127.0.0.1]:33998 I=[127.0.0.1]:25 incomplete transaction (connection lost) "
        "from <a@b.test> for x@two.test"
    )
    assert lines.rejected(peer, DEFAULT, "RCPT <x@y>", "relay not permitted", sender="a@b") == (
        "H=(cl.test) [127.0.0.1] F=<a@b> rejected RCPT <x@y>: relay not permitted"
    )
