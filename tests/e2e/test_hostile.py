"""Hostile clients over real TCP: whatever they send, one message or a refusal, no traceback, the same workers after it.

The classes are those that real servers have had published holes in; see each test's name.
"""

from __future__ import annotations

import random
import re
import socket
import ssl
import struct
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.peers import programs
from tests.peers.servers import Server, running

CONFIG = f"""\
spool_directory = @DIR@/spool
log_file_path = @DIR@/log/%slog
primary_hostname = hostile.example
exim_user = {programs.exim_user()}
keep_environment =
queue_only
smtp_accept_max = 100
smtp_accept_max_nonmail = 100
smtp_max_synprot_errors = 20
smtp_receive_timeout = 10s
rfc1413_hosts =
recipients_max = 50
message_size_limit = 200K
header_maxsize = 20K
dsn_advertise_hosts = *
prdr_enable
log_selector = +smtp_syntax_error +smtp_protocol_error +subject +received_recipients
acl_smtp_rcpt = rcpt
acl_smtp_data = data
acl_smtp_auth = accept
begin acl
rcpt:
  deny domains = !*.example
    message = no relaying
  accept
data:
  accept
begin routers
all:
  driver = accept
  transport = null
begin transports
null:
  driver = appendfile
  file = /dev/null
  user = {programs.exim_user()}
begin authenticators
plain:
  driver = plaintext
  public_name = PLAIN
  server_prompts = :
  server_condition = ${{if eq{{$auth3}}{{secret}}}}
  server_set_id = $auth2
"""
ENVELOPE = b"MAIL FROM:<s@a.example>\r\nRCPT TO:<r@a.example>\r\n"
INNER = b"MAIL FROM:<evil@smuggled.example>\r\nRCPT TO:<evil@smuggled.example>\r\nDATA\r\nS: evil\r\n\r\nx\r\n.\r\n"


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    with tempfile.TemporaryDirectory(prefix="mta-hostile-") as name:
        folder = Path(name)
        folder.chmod(0o755)
        with running("mta", CONFIG, folder, "-bdf") as started:
            yield started


@pytest.fixture(autouse=True)
def unharmed(server: Server) -> Iterator[None]:
    """After each test: the same processes, no word in the panic log, every log line begins with a time stamp."""
    before = {process.pid for process in server.processes()}
    panics = server.log("paniclog")
    yield
    assert before <= {process.pid for process in server.processes()}, "a worker died"
    assert server.log("paniclog") == panics
    for name in ("mainlog", "rejectlog"):
        for line in server.log(name).split("\n")[:-1]:
            if name == "mainlog":
                assert re.match(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d ", line), line
            assert "\r" not in line
    with Client(server) as client:
        assert client.say(b"NOOP\r\n").startswith(b"250 ")


class Client:
    """A TCP connection that says bytes and hears what comes."""

    def __init__(self, server: Server, *, greet: bool = True, hello: bool = True, receive_buffer: int = 0) -> None:
        self.sock = socket.socket()
        if receive_buffer:
            self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
        self.sock.settimeout(15)
        self.sock.connect(("127.0.0.1", server.port))
        self.heard = b""
        if greet:
            self.reply()
            if hello:
                self.say(b"EHLO client.example\r\n")

    def __enter__(self) -> Client:
        return self

    def __exit__(self, *_: object) -> None:
        self.sock.close()

    def send(self, data: bytes) -> None:
        try:
            self.sock.sendall(data)
        except OSError:
            pass  # it has hung up on us, as it may

    def reply(self) -> bytes:
        """One whole reply; what there was when the connection ended."""
        while True:
            end = re.search(rb"(?m)^\d\d\d [^\n]*\n", self.heard)
            if end is not None:
                found, self.heard = self.heard[: end.end()], self.heard[end.end() :]
                return found
            try:
                data = self.sock.recv(65536)
            except ConnectionError:
                data = b""
            if not data:
                found, self.heard = self.heard, b""
                return found
            self.heard += data

    def say(self, data: bytes) -> bytes:
        self.send(data)
        return self.reply()

    def rest(self) -> bytes:
        """Everything until the other side hangs up."""
        try:
            self.sock.shutdown(socket.SHUT_WR)
        except OSError:
            pass
        out = self.heard
        while True:
            try:
                data = self.sock.recv(65536)
            except ConnectionError:
                return out
            if not data:
                return out
            out += data


def spooled(server: Server) -> set[str]:
    return set(server.queue_ids())


def envelopes(server: Server, ids: set[str]) -> str:
    return "".join((server.spool / "input" / f"{one}-H").read_text("latin-1") for one in ids)


def shown(told: bytes) -> None:
    """What a peer may hear: SMTP replies, none of our insides."""
    assert b"Traceback" not in told
    assert b".py" not in told
    for line in told.split(b"\r\n")[:-1]:
        assert re.match(rb"\d\d\d[ -]", line), line
    assert b"\n" not in told.replace(b"\r\n", b"")


ENDS = {
    "lf-dot-lf": b"\n.\n",
    "lf-dot-crlf": b"\n.\r\n",
    "crlf-dot-lf": b"\r\n.\n",
    "cr-dot-cr": b"\r.\r",
    "cr-dot-crlf": b"\r.\r\n",
    "crlf-dot-cr": b"\r\n.\r",
    "crcrlf": b"\r\r\n.\r\r\n",
    "lfcr": b"\n\r.\n\r",
    "nul-before": b"\r\n\0.\r\n",
    "nul-after": b"\r\n.\0\r\n",
    "nul-cr": b"\r\0\n.\r\n",
    "vt": b"\x0b.\x0b",
    "ff": b"\x0c.\x0c",
    "nel": b"\x85.\x85",
    "utf8-nel": b"\xc2\x85.\xc2\x85",
    "ls": b"\xe2\x80\xa8.\xe2\x80\xa8",
    "fs-gs-rs": b"\x1c.\x1d.\x1e",
    "crlf-dot-space": b"\r\n. \r\n",
    "crlf-space-dot": b"\r\n .\r\n",
    "crlf-dot-tab": b"\r\n.\t\r\n",
    "crlf-two-dots": b"\r\n..\r\n",
    "backspace": b"\r\n.\b\r\n",
}


@pytest.mark.parametrize("end", ENDS.values(), ids=ENDS)
def test_smuggling(server: Server, end: bytes) -> None:
    """One message or none, and never a second envelope, whole or cut at every byte around the end."""
    for pause in (False, True):
        before = spooled(server)
        with Client(server) as client:
            client.send(ENVELOPE)
            client.reply(), client.reply()
            assert client.say(b"DATA\r\n").startswith(b"354")
            text = b"Subject: outer\r\n\r\nbody" + end
            for cut in range(len(text) - 6, len(text)) if pause else ():
                client.send(text[max(cut - 1, 0) : cut] if cut > len(text) - 6 else text[:cut])
            client.send((text[-1:] if pause else text) + INNER + b"QUIT\r\n")
            told = client.rest()
            shown(told)
        new = spooled(server) - before
        assert len(new) <= 1
        assert "smuggled" not in envelopes(server, new).split("\n\n")[0]
        head = [line for line in envelopes(server, new).split("\n") if "@smuggled.example" in line]
        assert head == []


def test_nothing_smuggled_leaves_again(server: Server) -> None:
    """Bare CR, LF and NUL of a body are no line ends in what is stored and sent on."""
    before = spooled(server)
    with Client(server) as client:
        client.send(ENVELOPE + b"DATA\r\n")
        client.send(b"Subject: x\r\n\r\na\n.\nb\r.\rc\r\n.\r\n")
        assert [client.reply()[:3] for _ in range(4)] == [b"250", b"250", b"354", b"250"]
    (one,) = spooled(server) - before
    body = (server.spool / "input" / f"{one}-D").read_bytes().split(b"\n", 1)[1]
    assert b"\r" not in body
    assert b"\n.\nb" not in body


def test_starttls_injection(server: Server) -> None:
    """What was sent in clear text behind STARTTLS is never obeyed under TLS."""
    context = ssl.create_default_context()
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    with Client(server) as client:
        told = client.say(b"STARTTLS\r\nRSET\r\nMAIL FROM:<evil@smuggled.example>\r\n")
        if told.startswith(b"554"):
            return  # the synchronization check caught it
        assert told.startswith(b"220")
        secure = context.wrap_socket(client.sock)
        secure.sendall(b"NOOP\r\n")
        assert secure.recv(1000) == b"250 OK\r\n"
        secure.close()


def test_starttls_forgets(server: Server) -> None:
    """HELO, sender and all are forgotten by STARTTLS (RFC 3207 4.2)."""
    context = ssl.create_default_context()
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    with Client(server) as client:
        assert client.say(b"STARTTLS\r\n").startswith(b"220")
        with context.wrap_socket(client.sock) as secure:
            secure.sendall(b"MAIL FROM:<a@b.example>\r\n")
            assert secure.recv(1000).startswith(b"503")


def test_pregreet(server: Server) -> None:
    with Client(server, greet=False) as client:
        client.send(b"EHLO early.example\r\nMAIL FROM:<a@b.example>\r\n")
        told = client.rest()
    if not told.startswith(b"554"):
        # the banner was out before the bytes came: they were then early for nothing
        assert told.startswith(b"220")


def test_unauthorised_pipelining(server: Server) -> None:
    """After HELO nothing may be pipelined; nor behind DATA."""
    with Client(server, hello=False) as client:
        client.say(b"HELO x.example\r\n")
        told = client.say(b"MAIL FROM:<a@b.example>\r\nRCPT TO:<a@b.example>\r\nDATA\r\n")
        assert told == b"554 SMTP synchronization error\r\n"
        assert client.rest() == b""


BDATS = {
    "negative": b"BDAT -1 LAST\r\n",
    "huge": b"BDAT 999999999999999999999999999 LAST\r\n",
    "two-to-the-64": b"BDAT 18446744073709551616 LAST\r\n",
    "two-to-the-32-and-2": b"BDAT 4294967298 LAST\r\n",
    "hexadecimal": b"BDAT 0x10 LAST\r\n",
    "plus": b"BDAT +5 LAST\r\n",
    "spaces": b"BDAT  5  LAST\r\n",
    "underscore": b"BDAT 1_0 LAST\r\n",
    "arabic": "BDAT \u0665 LAST\r\n".encode(),
    "none": b"BDAT\r\n",
    "word": b"BDAT 5 FIRST\r\n",
    "last-twice": b"BDAT 5 LAST LAST\r\n",
}


@pytest.mark.parametrize("command", BDATS.values(), ids=BDATS)
def test_bdat_sizes(server: Server, command: bytes) -> None:
    """A size that is none is refused, and what follows is never taken for a message of another sender."""
    before = spooled(server)
    with Client(server) as client:
        client.send(ENVELOPE + command + INNER + b"QUIT\r\n")
        shown(client.rest())
    assert "smuggled" not in envelopes(server, spooled(server) - before).split("\n\n")[0]


@pytest.mark.parametrize(
    ("said", "count"),
    [
        (b"BDAT 4\r\na: bRSET\r\nBDAT 2 LAST\r\nxy", 0),
        (b"BDAT 4\r\na: bQUIT\r\n", 0),
        (b"BDAT 4\r\na: b", 0),
        (b"BDAT 400 LAST\r\na: b\r\n\r\n.\r\n", 0),
        (b"BDAT 4\r\na: bDATA\r\nSubject: y\r\n\r\n.\r\n", 0),
        (b"BDAT 4\r\na: bMAIL FROM:<evil@smuggled.example>\r\nBDAT 0 LAST\r\n", 0),
        (b"BDAT 8 LAST\r\na: b\r\n\r\nBDAT 8 LAST\r\na: b\r\n\r\n", 1),
        (b"BDAT 19 LAST\r\na: b\r\n\r\n.\r\nQUIT\r\n\r\n", 1),
    ],
)
def test_bdat_states(server: Server, said: bytes, count: int) -> None:
    """RSET between chunks, QUIT before LAST, silence: no half message; counted bytes are data whatever they say."""
    before = spooled(server)
    with Client(server) as client:
        client.send(ENVELOPE + said + b"RSET\r\n")
        shown(client.rest())
    assert len(spooled(server) - before) == count


def test_bdat_beyond_the_size_limit(server: Server) -> None:
    with Client(server) as client:
        client.send(ENVELOPE)
        client.reply(), client.reply()
        assert client.say(b"BDAT 300000\r\n" + b"x" * 300000).startswith(b"552")
        assert client.say(b"BDAT 0 LAST\r\n").startswith(b"503")
        assert client.say(b"RSET\r\n").startswith(b"250")


INJECTIONS = [
    b"EHLO a\rb.example\r\n",
    b"EHLO a\nMAIL FROM:<evil@smuggled.example>\r\n",
    b"EHLO a\0b\r\n",
    b"EHLO x] (evil\r\n",
    b"EHLO x\x0b2026-01-01 00:00:00 fake\r\n",
    b"HELO \xc2\x85fake\r\n",
    b"MAIL FROM:<a@b.example> ENVID=a+0D+0A-evil\r\n",
    b"MAIL FROM:<a@b.example> ENVID=a\x0bb\r\n",
    b"MAIL FROM:<a@b.example> AUTH=a+0Ab\r\n",
    b"MAIL FROM:<a@b.example> AUTH=" + b"x" * 9000 + b"\r\n",
    b"MAIL FROM:<a\nb@c.example>\r\n",
    b"MAIL FROM:<a\rb@c.example>\r\n",
    b'MAIL FROM:<"a\0b"@c.example>\r\n',
    b'MAIL FROM:<"a\x85b"@c.example>\r\n',
    b"MAIL FROM:<@x,@y:a@b.example>\r\n",
    b"MAIL FROM:<" + b"(" * 5000 + b"a@b.example>\r\n",
    b"MAIL FROM:<" + b"<" * 5000 + b"a@b.example>\r\n",
    b"VRFY " + b'"' * 9000 + b"\r\n",
    b"ETRN #a;b|c`id`\r\n",
    b"HELP ${run{/bin/id}}\r\n",
    b"EHLO ${run{/bin/id}}\r\n",
    b"MAIL FROM:<${run{/bin/touch${substr{0}{1}{$spool_directory}}tmp}}@a.example>\r\n",
    b"AUTH PLAIN " + b"A" * 12000 + b"\r\n",
    b"AUTH PLAIN !!!!\r\n",
    b"AUTH PLAIN \xff\xfe\r\n",
    b"AUTH " + b"X" * 5000 + b"\r\n",
    b"AUTH PLAIN AGEKYgBzZWNyZXQ=\r\n",
]


@pytest.mark.parametrize("said", INJECTIONS, ids=range(len(INJECTIONS)))
def test_injection(server: Server, said: bytes) -> None:
    """Commands that carry line ends, controls or expansions: nothing starts a line of ours (see ``unharmed``)."""
    before = spooled(server)
    with Client(server) as client:
        client.send(said + b"RSET\r\n" + ENVELOPE + b"DATA\r\n")
        client.send(b"Subject: s\r\n\r\n.\r\nQUIT\r\n")
        told = client.rest()
    assert b"Traceback" not in told
    assert b"uid=" not in told
    for one in spooled(server) - before:
        header = (server.spool / "input" / f"{one}-H").read_text("latin-1")
        assert "\nevil" not in header
        assert "-evil" not in header
        assert "uid=" not in header
    assert "uid=" not in server.log()


def test_orcpt_injection(server: Server) -> None:
    for value in (b"rfc822;a+0D+0Ab", b"rfc822;a\x0bb", b"x" * 2000, b"rfc822;+", b"rfc822;a+0g"):
        with Client(server) as client:
            client.say(b"MAIL FROM:<a@b.example>\r\n")
            assert client.say(b"RCPT TO:<a@b.example> ORCPT=" + value + b"\r\n").startswith(b"501"), value


def test_header_injection_by_subject_in_the_log(server: Server) -> None:
    with Client(server) as client:
        client.send(ENVELOPE + b"DATA\r\n")
        client.send(b"Subject: a\r\n b\r\n\t2026-01-01 00:00:00 fake\r\nMessage-Id: <a\r\n b@c>\r\n\r\n.\r\n")
        assert [client.reply()[:3] for _ in range(4)][3] == b"250"
    assert not [line for line in server.log().split("\n") if line.startswith("2026-01-01 00:00:00")]


def test_oversize_command_lines(server: Server) -> None:
    with Client(server) as client:
        assert client.say(b"MAIL FROM:<" + b"x" * 100_000 + b"@b.example>\r\n")[:1] == b"5"
        assert client.say(b"NOOP\r\n").startswith(b"250")
        assert client.say(b"x" * 3_000_000 + b"\r\n")[:1] == b"5"
        assert client.say(b"NOOP\r\n").startswith(b"250")


def test_a_line_without_end_takes_no_memory(server: Server) -> None:
    """Megabytes that are no line are thrown away as they come."""
    before = max(process.memory_info().rss for process in server.processes())
    with Client(server) as client:
        for _ in range(60):
            client.send(b"x" * (1 << 20))
        assert client.say(b"\r\nNOOP\r\n")[:1] == b"5"
    after = max(process.memory_info().rss for process in server.processes())
    assert after - before < 24 << 20


@pytest.mark.parametrize(
    "text",
    [
        b"Subject: " + b"x" * 30_000 + b"\r\n\r\nb\r\n",
        b"X: y\r\n" * 5_000 + b"\r\nb\r\n",
        b"X: y\r\n" + b" z\r\n" * 8_000 + b"\r\nb\r\n",
        b"Subject: x\r\n\r\n" + b"y" * 400_000 + b"\r\n",
        b"Subject: x\r\n\r\n" + b"\r\n" * 250_000,
    ],
    ids=["line", "lines", "folds", "body", "empty-lines"],
)
def test_oversize_messages(server: Server, text: bytes) -> None:
    before = spooled(server)
    with Client(server) as client:
        client.send(ENVELOPE)
        client.reply(), client.reply()
        client.say(b"DATA\r\n")
        assert client.say(text + b"\r\n.\r\n").startswith(b"552")
        assert client.say(b"NOOP\r\n").startswith(b"250")
    assert spooled(server) == before


def test_too_many_recipients(server: Server) -> None:
    with Client(server) as client:
        client.say(b"MAIL FROM:<s@a.example>\r\n")
        codes = [client.say(b"RCPT TO:<r%d@a.example>\r\n" % number)[:3] for number in range(60)]
    assert codes == [b"250"] * 50 + [b"452"] * 10


def test_relaying_by_odd_addresses(server: Server) -> None:
    """%-hacks, bang paths, source routes, quoted local parts, literals: refused where they would relay."""
    for address in (
        b"user%victim.org@elsewhere.org", b"victim.org!user@elsewhere.org", b'"user@victim.org"@elsewhere.org',
        b"user@[127.0.0.1]", b"@a.example:user@victim.org", b"user@victim.org@elsewhere.org", b"|cmd@elsewhere.org",
        b"../../etc/passwd@elsewhere.org",
    ):  # fmt: skip
        with Client(server) as client:
            client.say(b"MAIL FROM:<s@a.example>\r\n")
            assert client.say(b"RCPT TO:<" + address + b">\r\n")[:1] == b"5", address


def test_a_slow_client_holds_up_nobody(server: Server) -> None:
    """Sixty clients that say a byte now and then; another's mail is taken at once."""
    slow = [Client(server, hello=False) for _ in range(60)]
    try:
        for turn in range(3):
            for client in slow:
                client.send(b"EHL"[turn : turn + 1])
            start = time.monotonic()
            with Client(server) as client:
                client.send(ENVELOPE + b"DATA\r\n")
                client.send(b"Subject: quick\r\n\r\n.\r\n")
                assert [client.reply()[:3] for _ in range(4)] == [b"250", b"250", b"354", b"250"]
            assert time.monotonic() - start < 5
    finally:
        for client in slow:
            client.sock.close()


def test_a_client_that_does_not_read(server: Server) -> None:
    """Commands without end, replies never read: it is let go, and others are served meanwhile."""
    client = Client(server, receive_buffer=4096)
    client.sock.settimeout(0.5)
    sent = 0
    try:
        while sent < 40_000_000:
            sent += client.sock.send(b"HELP\r\n" * 5000)
    except OSError:
        pass
    with Client(server) as other:
        assert other.say(b"NOOP\r\n").startswith(b"250")
    client.sock.close()


@pytest.mark.parametrize(
    "said",
    [
        b"GET / HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n\r\nNOOP\r\n",
        b"POST / HTTP/1.1\r\nHost: x\r\n\r\nMAIL FROM:<evil@smuggled.example>\r\nRCPT TO:<a@b.example>\r\nDATA\r\n",
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + bytes(200),
        b"SSH-2.0-OpenSSH_9.2\r\n",
        b"\r\n\r\n\x00\r\nQUIT\n",
        b"PROXY TCP4 1.2.3.4 5.6.7.8 1 2\r\n",
        b"*1\r\n$4\r\nPING\r\n",
    ],
    ids=["get", "post", "tls", "ssh", "proxy2", "proxy1", "redis"],
)
def test_another_protocol(server: Server, said: bytes) -> None:
    before = spooled(server)
    with Client(server, greet=False) as client:
        client.reply()
        client.send(said)
        shown(client.rest())
    assert spooled(server) == before
    assert "1.2.3.4" not in server.log().split("next input=")[0] or "H=[1.2.3.4]" not in server.log()


def test_random_garbage(server: Server) -> None:
    """Bytes of every kind, among them pieces of the protocol: replies and nothing else."""
    words = [b"EHLO x\r\n", b"MAIL FROM:<a@b.example>\r\n", b"RCPT TO:<a@b.example>\r\n", b"DATA\r\n", b"BDAT 7\r\n",
             b"BDAT 3 LAST\r\n", b"RSET\r\n", b".\r\n", b"\r\n", b"\n", b"\r", b"\0", b"AUTH PLAIN\r\n", b"*\r\n",
             b"<", b">", b'"', b"\\", b"(", b"@", b"STARTTLS", b"\xff\xfe", b" ", b"\t", b"NOOP\r\n"]  # fmt: skip
    chance = random.Random(7)
    for _ in range(150):
        said = b"".join(
            chance.choice(words) if chance.random() < 0.8 else chance.randbytes(chance.randrange(40))
            for _ in range(chance.randrange(1, 40))
        )
        with Client(server, hello=chance.random() < 0.5) as client:
            for start in range(0, len(said), 64):
                client.send(said[start : start + 64])
            shown(client.rest())


def test_resets(server: Server) -> None:
    """Connections torn down at any point."""
    for said in (b"", b"EH", b"EHLO x\r\nMAIL", ENVELOPE, ENVELOPE + b"DATA\r\n", ENVELOPE + b"BDAT 50\r\nabc"):
        client = Client(server)
        client.send(said)
        client.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        client.sock.close()


def test_guessing_passwords_ends(server: Server) -> None:
    """Never 235 for a wrong password, and an end of the tries."""
    codes = []
    with Client(server) as client:
        for _ in range(200):
            told = client.say(b"AUTH PLAIN AGEAYg==\r\n")
            codes.append(told[:3])
            if not told or told[:3] in (b"421", b"554"):
                break
    assert b"235" not in codes
    assert len(codes) < 110
    assert "authenticator failed" in server.log()


def test_nothing_of_it_was_taken_for_mail(server: Server) -> None:
    """At the end: no message of the smuggled sender came in through any of the above."""
    assert "<= evil@smuggled.example" not in server.log()
