"""-H files: Exim's own bytes come out of what was read from them, and our own go through Exim's programs."""

import pytest

from mta.errors import SpoolError
from mta.mail.headers import Header
from mta.mail.message import EnvelopeRecipient, Message
from mta.mail.peer import Peer
from mta.spool.codec import data_size_of, decode, encode
from mta.spool.tree import read_tree, write_tree
from mta.text.taint import Tainted

ID = "1xVIlm-000335-1x"
# written by Exim 4.96: an authenticated SMTP session with ACL variables, after one_time and errors_to
EXIM = b"""1xVIlm-000335-1x-H
root 0 0
<a@b.test>
1795396978 0
-received_time_usec .606210
-received_time_complete 1795396978.606746
--helo_name client.test
--host_address [192.0.2.5]:4242
--host_name peer.test
-host_auth plain
-host_auth_pubname PLAIN
--interface_address [192.0.2.1]:25
-ident root
-received_protocol esmtpa
-aclc _x 10
multi
line
--aclm _foo 12
bar192.0.2.5
-aclm 0 7
untaint
-body_linecount 1
-max_received_linelength 10
--auth_id us
--auth_sender foo@bar.test
-frozen 1795396978
-tls_resumption A
YN z@fail.test
NN u@one.test
4
u@one.test
z@fail.test
y@host.test  0,0 err@host.test 13,0#3
x@two.test rfc822;orig@two.test 20,20 err@host.test 13,0#3

189P Received: from peer.test
\t([192.0.2.5] helo=client.test ident=root)
\tby host.test with esmtpa (Exim 4.96)
\t(envelope-from <a@b.test>)
\tid 1xVIlm-000335-1x;
\tMon, 23 Nov 2026 01:22:58 +0000
011  Subject: q
"""


def test_exims_bytes_survive() -> None:
    message, peer = decode(EXIM, ID)
    assert encode(message, peer) == EXIM


def test_what_is_read() -> None:
    message, peer = decode(EXIM, ID)
    assert message.sender == "a@b.test"
    assert message.received_time == pytest.approx(1795396978.606210, abs=1e-6)
    assert message.delivered == {"z@fail.test", "u@one.test"}
    assert message.acl_m == {"_foo": "bar192.0.2.5", "0": "untaint"}
    assert isinstance(message.acl_m["_foo"], Tainted)
    assert not isinstance(message.acl_m["0"], Tainted)
    assert peer.acl_c == {"_x": "multi\nline"}
    assert (peer.address, peer.port, peer.interface_port) == ("192.0.2.5", 4242, 25)
    assert message.frozen
    assert not message.deliver_first_time
    assert message.recipients[3] == EnvelopeRecipient("x@two.test", "err@host.test", 0, 20, "rfc822;orig@two.test")
    assert [line.type for line in message.headers.lines] == ["P", " "]


@pytest.mark.parametrize("cut", [0, 10, 20, 60, 300, 500, 640, 700, 800, len(EXIM) - 1])
def test_a_cut_file_is_damage(cut: int) -> None:
    with pytest.raises(SpoolError) as caught:
        decode(EXIM[:cut], ID)
    assert caught.value.damaged


def test_a_fresh_message_knows_its_own_length() -> None:
    message, peer = decode(EXIM, ID)
    whole = encode(message, peer, 1234)
    assert decode(whole, ID)[0].headers == message.headers
    assert data_size_of(whole) == 1234
    at_a_header_boundary = whole[: whole.rindex(b"011  Subject")]
    with pytest.raises(SpoolError, match="incomplete"):
        decode(at_a_header_boundary, ID)
    with pytest.raises(SpoolError, match="incomplete"):
        decode(whole.replace(b"Subject: q", b"Subject: \0"), ID)


def test_no_line_can_be_smuggled_in() -> None:
    message = Message(id=ID, sender="a@b\n-N", originator_login="x", originator_uid=1, originator_gid=1)
    message.recipients = [EnvelopeRecipient("c@d\nevil@x", orcpt="rfc822;o\n1")]
    message.delivered = {"e@f\nNN g@h"}
    message.dsn_envid = "q\n-manual_thaw"
    message.headers.lines.append(Header("Subject: x\n"))
    back, peer = decode(encode(message, Peer(helo_name="h\n-localerror", ident="i\r\n-N")), ID)
    assert not back.dont_deliver
    assert not back.manual_thaw
    assert not back.local_error
    assert back.sender == "a@b -N"
    assert [r.address for r in back.recipients] == ["c@d evil@x"]
    assert back.delivered == {"e@f NN g@h"}
    assert peer.helo_name == "h -localerror"


@pytest.mark.parametrize("count", [0, 1, 2, 3, 7, 100])
def test_trees(count: int) -> None:
    wanted = {f"a{number}@x" for number in range(count)}
    assert set(read_tree(iter(write_tree(wanted).split("\n")).__next__)) == wanted


def test_the_tree_is_ordered_by_bytes() -> None:
    assert write_tree(["b@x", "a@x", "\xe9@x"]) == "YY b@x\nNN a@x\nNN \xe9@x\n"


def test_unknown_options_are_carried() -> None:
    data = EXIM.replace(b"-tls_resumption A\n", b"-tls_resumption A\n-future\n--other value\n")
    message, peer = decode(data, ID)
    assert message.extra == {"-future": "", "--other": "value"}
    assert encode(message, peer) == data
