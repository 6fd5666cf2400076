"""One transaction on an open connection: MAIL, RCPT, DATA or BDAT, and who got what answer.

With PIPELINING all commands up to DATA leave in one write; with CHUNKING a small message goes along with them.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

from mta.mail.message import Message
from mta.mail.recipient import Recipient
from mta.smtp.client import mail_command, rcpt_command
from mta.smtp.replies import Reply
from mta.transport.bsmtp import envelope_address, one_line
from mta.transport.content import Content
from mta.transport.outcomes import DATA_4XX, MAIL_4XX, RCPT_4XX
from mta.transport.remote.connection import Connection, Lost, reply_text
from mta.transport.remote.failures import Reach, ReusedConnectionDead, Trouble, from_lost, from_reply
from mta.transport.stuffing import SMTP_BDAT, SMTP_DATA, shaped

_CHUNKS_UNDER_WAY = 4  # BDAT commands whose answers have not been read


@dataclass(slots=True)
class Letter:
    """What a transaction sends. Times in seconds; ``auth`` is the AUTH= value of MAIL, None for none."""

    message: Message
    return_path: str
    recipients: list[Recipient]
    content: Content
    size: int  # for SIZE=, 0 for none
    command_timeout: float
    data_timeout: float
    final_timeout: float
    lmtp: bool = False
    affixes: bool = False
    ignore_quota: bool = False
    auth: str | None = None
    prdr: bool = False  # ask for an answer to the data for each recipient


@dataclass(slots=True)
class Answers:
    """What came of it. ``troubles`` by recipient's index; ``responses`` for those that were taken."""

    troubles: dict[int, Trouble] = field(default_factory=dict)
    responses: dict[int, str] = field(default_factory=dict)
    host_trouble: Trouble | None = None  # ended the session: of the host or of the message
    chunked: bool = False
    prdr: bool = False  # each recipient had an answer of its own
    pipelined: bool = False
    sent: int = 0

    def blame_all(self, trouble: Trouble, count: int) -> None:
        """The rest of the recipients share one failure."""
        self.host_trouble = trouble
        for index in range(count):
            if index not in self.responses and index not in self.troubles:
                self.troubles[index] = trouble


def transact(connection: Connection, letter: Letter) -> Answers:
    """Send one message. A connection that is lost is closed; else it may be used again.

    Raises ReusedConnectionDead when a pooled connection broke before it answered anything.
    """
    answers = Answers()
    talk = _Talk(connection, letter, answers)
    try:
        talk.run()
    except Lost as lost:
        connection.close()
        if connection.reused and not talk.answered:
            raise ReusedConnectionDead(lost.message) from None
        _blame_for_loss(lost, talk)
    except BaseException:
        connection.close()
        raise
    return answers


def _blame_for_loss(lost: Lost, talk: _Talk) -> None:
    count = len(talk.letter.recipients)
    if talk.stage == "rcpt" and lost.timed_out:
        # A recipient's own: the others wait without a record (manual section 49.2).
        own = from_lost(lost, Reach.RECIPIENT)
        talk.answers.troubles[talk.at] = own
        others = Trouble(own.message, own.errno, reach=Reach.NOTHING, shows_host=False)
        for index in range(count):
            talk.answers.troubles.setdefault(index, others)
        talk.answers.host_trouble = others
        return
    of_message = talk.stage == "end" or (talk.stage == "mail" and lost.timed_out)
    talk.answers.blame_all(from_lost(lost, Reach.MESSAGE if of_message else Reach.HOST), count)


@dataclass(slots=True)
class _Talk:
    connection: Connection
    letter: Letter
    answers: Answers
    stage: str = "mail"
    at: int = 0  # the recipient whose answer is waited for
    answered: bool = False
    accepted: list[int] = field(default_factory=list)

    def run(self) -> None:
        connection = self.connection
        mail, rcpts = self._commands()
        if connection.pipelining:
            self._pipelined(mail, rcpts)
        else:
            self._stepwise(mail, rcpts)

    def _commands(self) -> tuple[bytes, list[bytes]]:
        letter, extensions = self.letter, self.connection.extensions
        message = letter.message
        tell_any = not all(recipient.dsn_lasthop for recipient in letter.recipients)
        mail = mail_command(
            one_line(letter.return_path),
            extensions,
            size=letter.size,
            body=8 if message.body_8bit == 8 else 0,
            auth=None,
            ret=message.dsn_ret if tell_any else 0,
            envid=one_line(message.dsn_envid) if tell_any else "",
            prdr=letter.prdr,
            smtputf8=message.smtputf8,
        )
        if letter.auth is not None:
            # authenticated_sender_force speaks to servers that never offered AUTH
            mail = mail[:-2] + f" AUTH={one_line(letter.auth)}\r\n".encode("latin-1")
        quota = b" IGNOREQUOTA\r\n" if letter.ignore_quota and "IGNOREQUOTA" in extensions else b""
        rcpts = []
        for recipient in letter.recipients:
            tell = not recipient.dsn_lasthop
            line = rcpt_command(
                one_line(envelope_address(recipient, affixes=letter.affixes)),
                extensions,
                notify=recipient.notify if tell else 0,
                orcpt=one_line(recipient.orcpt) if tell else "",
            )
            rcpts.append(line[:-2] + quota if quota else line)
        return mail, rcpts

    # -- the envelope

    def _pipelined(self, mail: bytes, rcpts: list[bytes]) -> None:
        connection, letter = self.connection, self.letter
        self.answers.pipelined = True
        pieces = shaped(letter.content.pieces(), SMTP_BDAT if connection.chunking else SMTP_DATA)
        first, second = b"", None
        tail = b"DATA\r\n"
        if connection.chunking:
            first, second = next(pieces, b""), next(pieces, None)
            # A message that fits one chunk goes along; a longer one waits for the recipients' answers.
            tail = b"BDAT %d LAST\r\n%b" % (len(first), first) if second is None else b""
        reset = b"RSET\r\n" if connection.dirty else b""
        was_dirty, connection.dirty = connection.dirty, True
        connection.send(b"".join((reset, mail, *rcpts, tail)), letter.command_timeout, _shown(mail, "pipelined "))
        if was_dirty:
            self._reply(letter.command_timeout, "RSET")
        mailed = self._mail_answer(self._reply(letter.command_timeout, _shown(mail, "pipelined ")), mail, "pipelined ")
        self.stage = "rcpt"
        for index, line in enumerate(rcpts):
            self.at = index
            what = _shown_rcpt(line)
            reply = self._reply(letter.command_timeout, what, closed=f"pipelined {what}")
            if mailed:
                self._rcpt_answer(index, reply, what)
        if connection.chunking:
            self._chunk_answers(first, second, pieces, mailed)
        else:
            self._data_answer(pieces, mailed)

    def _chunk_answers(self, first: bytes, second: bytes | None, pieces: Iterator[bytes], mailed: bool) -> None:
        self.answers.chunked = True
        if second is not None:
            if not self.accepted:
                return  # nothing was sent yet, and nothing will be
            self._send_chunks(_rest(first, second, pieces))
            return
        self.stage = "end"
        reply = self._reply(self.letter.final_timeout, "pipelined end of data", closed="end of data")
        if self.accepted:
            self.answers.sent = len(first)
            self._end_answers(reply, "pipelined end of data")
        elif mailed and reply.code // 100 == 2:
            self.connection.dirty = False

    def _data_answer(self, pieces: Iterator[bytes], mailed: bool) -> None:
        letter, connection = self.letter, self.connection
        self.stage = "data"
        reply = self._reply(letter.command_timeout, "pipelined DATA")
        if reply.code == 354:
            if not mailed:
                # To go on would send an empty message to recipients that the server has taken.
                connection.close()
                return
            if self.accepted:
                self._send_data(pieces)
                return
            connection.send(b".\r\n", letter.data_timeout, "end of data")
            self._reply(letter.final_timeout, "end of data")
        elif self.accepted:
            self._message_refused(reply, "pipelined DATA")

    def _stepwise(self, mail: bytes, rcpts: list[bytes]) -> None:
        letter, connection = self.letter, self.connection
        if connection.dirty:
            connection.send(b"RSET\r\n", letter.command_timeout, "RSET")
            self._reply(letter.command_timeout, "RSET")
        connection.dirty = True
        what = _shown(mail, "")
        connection.send(mail, letter.command_timeout, what)
        if not self._mail_answer(self._reply(letter.command_timeout, what), mail, ""):
            return
        self.stage = "rcpt"
        for index, line in enumerate(rcpts):
            self.at = index
            what = _shown_rcpt(line)
            connection.send(line, letter.command_timeout, what)
            self._rcpt_answer(index, self._reply(letter.command_timeout, what), what)
        if not self.accepted:
            return
        if connection.chunking:
            self.answers.chunked = True
            pieces = shaped(letter.content.pieces(), SMTP_BDAT)
            self._send_chunks(_rest(next(pieces, b""), next(pieces, None), pieces))
            return
        self.stage = "data"
        connection.send(b"DATA\r\n", letter.command_timeout, "DATA")
        reply = self._reply(letter.command_timeout, "DATA")
        if reply.code == 354:
            self._send_data(shaped(letter.content.pieces(), SMTP_DATA))
        else:
            self._message_refused(reply, "DATA")

    def _mail_answer(self, reply: Reply, mail: bytes, prefix: str) -> bool:
        if reply.code // 100 == 2:
            return True
        trouble = from_reply(reply, _shown(mail, prefix), reach=Reach.MESSAGE)
        if not trouble.permanent:
            trouble.errno, trouble.error, trouble.detail = MAIL_4XX, "mail_4xx", str(reply.code)
        self.answers.blame_all(trouble, len(self.letter.recipients))
        return False

    def _rcpt_answer(self, index: int, reply: Reply, what: str) -> None:
        if reply.code // 100 == 2:
            self.accepted.append(index)
            return
        trouble = from_reply(reply, what, reach=Reach.RECIPIENT)
        if not trouble.permanent:
            trouble.errno, trouble.error, trouble.detail = RCPT_4XX, "rcpt_4xx", str(reply.code)
        self.answers.troubles[index] = trouble

    # -- the data

    def _send_data(self, pieces: Iterator[bytes]) -> None:
        connection, timeout = self.connection, self.letter.data_timeout
        held = b""
        for piece in pieces:
            if held:
                connection.send(held, timeout, "end of data")
                self.answers.sent += len(held)
            held = piece
        connection.send(held + b".\r\n", timeout, "end of data")
        self.answers.sent += len(held) + 3
        self.stage = "end"
        self._end_answers(self._reply(self.letter.final_timeout, "end of data"), "end of data")

    def _send_chunks(self, chunks: Iterator[tuple[bytes, bool]]) -> None:
        connection, letter = self.connection, self.letter
        under_way = 0
        self.stage = "data"
        for chunk, last in chunks:
            command = b"BDAT %d%b\r\n" % (len(chunk), b" LAST" if last else b"")
            connection.send(command + chunk, letter.data_timeout, "BDAT")
            self.answers.sent += len(chunk)
            under_way += 1
            while not last and (under_way >= _CHUNKS_UNDER_WAY or (under_way and not connection.pipelining)):
                under_way -= 1
                if not self._chunk_taken():
                    # What follows would be counted as commands by some servers: leave.
                    connection.close()
                    return
        while under_way > 1:
            under_way -= 1
            if not self._chunk_taken():
                connection.close()
                return
        self.stage = "end"
        self._end_answers(self._reply(letter.final_timeout, "end of data"), "end of data")

    def _chunk_taken(self) -> bool:
        reply = self._reply(self.letter.data_timeout, "BDAT")
        if reply.code // 100 == 2:
            return True
        self._message_refused(reply, "BDAT")
        return False

    def _each_answer(self, what: str) -> None:
        """PRDR: an answer for each recipient that was accepted, and one for all that overrides those that are good."""
        self.answers.prdr = True
        good: dict[int, str] = {}
        for index in self.accepted:
            reply = self._reply(self.letter.final_timeout, what)
            if reply.code // 100 == 2:
                good[index] = reply_text(reply)
                continue
            trouble = from_reply(reply, "", reach=Reach.RECIPIENT)
            trouble.message = f"PRDR error after DATA: {reply_text(reply)}"
            self.answers.troubles[index] = trouble
        reply = self._reply(self.letter.final_timeout, what)
        if reply.code // 100 != 2:
            self._message_refused(reply, what)
            return
        self.connection.dirty = False
        for index, text in good.items():
            self.answers.responses[index] = f"{text}\\n{reply_text(reply)}"  # parted as Exim logs it

    def _end_answers(self, reply: Reply, what: str) -> None:
        """The answer to the data: one, or with LMTP and PRDR one for each recipient that was accepted."""
        self.connection.messages += 1
        if self.letter.prdr and reply.code == 353:
            self._each_answer(what)
            return
        if not self.letter.lmtp:
            if reply.code // 100 != 2:
                self._message_refused(reply, what)
                return
            self.connection.dirty = False
            text = reply_text(reply)
            for index in self.accepted:
                self.answers.responses[index] = text
            return
        for number, index in enumerate(self.accepted):
            if number:
                reply = self._reply(self.letter.final_timeout, "end of data")
            text = reply_text(reply)
            if reply.code // 100 == 2:
                self.answers.responses[index] = text
                continue
            trouble = from_reply(reply, "", reach=Reach.RECIPIENT)
            trouble.message = f"LMTP error after DATA: {text}"
            self.answers.troubles[index] = trouble
        self.connection.dirty = False

    def _message_refused(self, reply: Reply, what: str) -> None:
        trouble = from_reply(reply, what, reach=Reach.MESSAGE)
        if reply.code // 100 == 4:
            trouble.errno, trouble.error, trouble.detail = DATA_4XX, "data_4xx", str(reply.code)
        elif not trouble.permanent:
            trouble.code = 0  # a 2xx where it makes no sense
        self.answers.blame_all(trouble, len(self.letter.recipients))

    def _reply(self, timeout: float, what: str, *, closed: str = "") -> Reply:
        try:
            reply = self.connection.reply(timeout, what)
        except Lost as lost:
            if closed and not lost.timed_out:
                raise Lost(lost.message.replace(what, closed, 1), lost.errno, closed) from None
            raise
        self.answered = True
        return reply


def _rest(first: bytes, second: bytes | None, pieces: Iterator[bytes]) -> Iterator[tuple[bytes, bool]]:
    """Chunks with a mark on the last."""
    held = first
    following = second
    while following is not None:
        yield held, False
        held, following = following, next(pieces, None)
    yield held, True


def _shown(command: bytes, prefix: str) -> str:
    return prefix + command[:-2].decode("latin-1")


def _shown_rcpt(command: bytes) -> str:
    """RCPT without its parameters: nobody's NOTIFY or ORCPT belongs into a log or a bounce."""
    text = command[:-2].decode("latin-1")
    for word in (" NOTIFY=", " ORCPT=", " IGNOREQUOTA"):
        text = text.partition(f">{word}")[0] + (">" if f">{word}" in text else "")
    return text
