"""The MIME ACL: which parts it is asked for, what the variables hold. Expected values are Exim 4.96's unless said."""

from __future__ import annotations

import pytest

from mta.scan.decoding import Anomaly, decoded
from mta.scan.fields import read_fields
from mta.scan.mime import MAX_NESTING, MAX_PARTS, TooComplex, find_parts
from tests.scan.conftest import Send

NAMES = {
    "ct": "mime_content_type", "b": "mime_boundary", "cs": "mime_charset", "desc": "mime_content_description",
    "disp": "mime_content_disposition", "id": "mime_content_id", "cte": "mime_content_transfer_encoding",
    "fn": "mime_filename", "cl": "mime_is_coverletter", "mp": "mime_is_multipart", "rfc": "mime_is_rfc822",
    "size": "mime_content_size", "al": "mime_anomaly_level", "at": "mime_anomaly_text",
}  # fmt: skip
B = "From: a@b\nMIME-Version: 1.0\n"


def logged(*short: str, decode: bool = False) -> str:
    shown = " ".join(f"{name}=<${NAMES[name]}>" for name in short)
    return ("warn decode = default\n" if decode else "") + f"warn logwrite = $mime_part_count {shown}"


NESTED = (
    B
    + """Content-Type: multipart/mixed;
	boundary=outer

--outer
Content-Type: multipart/alternative; boundary=inner

--inner
Content-Type: TEXT/PLAIN; Charset=ISO-8859-1

a
--inner
Content-Type: text/html
Content-Transfer-Encoding: quoted-printable

<b>=41=
B</b>
--inner--
--outer
Content-Type: multipart/related; boundary=rel

--rel
Content-Type: image/png; name="=?utf-8?Q?=C3=A4.png?="

iVBORw0KGgo=
--rel--
--outer
Content-Type: message/rfc822

Content-Type: multipart/mixed; boundary=q
Subject: inner

--q
Content-Type: text/plain; name*=utf-8''%e2%82%ac%20x.txt

inner text
--q--
--outer--
"""
)


def test_parts_in_order(send: Send) -> None:
    said = send(NESTED, mime=logged("ct", "b", "cs", "fn", "cl", "mp", "rfc"), data="warn logwrite = $mime_part_count")
    assert said.log == [
        "ID 0 ct=<multipart/mixed> b=<outer> cs=<> fn=<> cl=<1> mp=<1> rfc=<0>",
        "ID 1 ct=<multipart/alternative> b=<inner> cs=<> fn=<> cl=<1> mp=<1> rfc=<0>",
        "ID 2 ct=<text/plain> b=<> cs=<ISO-8859-1> fn=<> cl=<1> mp=<0> rfc=<0>",
        "ID 3 ct=<text/html> b=<> cs=<> fn=<> cl=<1> mp=<0> rfc=<0>",
        "ID 4 ct=<multipart/related> b=<rel> cs=<> fn=<> cl=<0> mp=<1> rfc=<0>",
        "ID 5 ct=<image/png> b=<> cs=<> fn=<\\303\\244.png> cl=<0> mp=<0> rfc=<0>",
        "ID 6 ct=<message/rfc822> b=<> cs=<> fn=<> cl=<0> mp=<0> rfc=<0>",
        "ID 0 ct=<multipart/mixed> b=<q> cs=<> fn=<> cl=<1> mp=<1> rfc=<1>",
        "ID 1 ct=<text/plain> b=<> cs=<> fn=<\\342\\202\\254 x.txt> cl=<1> mp=<0> rfc=<1>",
        "ID 6",
    ]
    assert said.scan == []


def test_no_content_type_no_mime_acl(send: Send) -> None:
    said = send("From: a@b\n\nhello\n", mime="deny", data="warn logwrite = $mime_part_count")
    assert (said.reply, said.log) == ("250 OK id=ID", ["ID -1"])


FIELDS = [
    ("Content-Description: a desc\nContent-ID: <foo@bar>", "desc=<adesc> id=<<foo@bar>> disp=<> cte=<>"),
    (
        'Content-Description: A Desc "Q W" (comm ent) =?utf-8?Q?=41?=\nContent-Disposition: ATTACHMENT; foo=bar\n'
        "Content-Transfer-Encoding: BASE64 (x)\nContent-ID: <Foo@Bar> zz",
        'desc=<adesc"qw"=?utf-8?q?=41?=> id=<<foo@bar>zz> disp=<attachment> cte=<base64>',
    ),
]


@pytest.mark.parametrize(("header", "shown"), FIELDS)
def test_normalized_fields(send: Send, header: str, shown: str) -> None:
    said = send(f"{B}Content-Type: Text/X\n{header}\n\nx\n", mime=logged("desc", "id", "disp", "cte"))
    assert said.log == [f"ID 0 {shown}"]


FILENAMES = [
    ("Content-Type: text/x;charset=utf-8;name=a b c;x=y", "a b c"),
    ('Content-Type: text/x;\n\tname="a\n\tb.txt"', "ab.txt"),
    ('Content-Type: application/x; name*0="foo"; name*1="bar.txt"', "foobar.txt"),
    ("Content-Disposition: attachment; filename=d.txt\nContent-Type: text/x; name=t.txt", "t.txt"),
    ("Content-Type: text/x; name=t.txt\nContent-Disposition: attachment; filename=d.txt", "d.txt"),
    ("Content-Type: text/x; name*=utf-8''%e2%82%ac%20x.txt", "\xe2\x82\xac x.txt"),
    # Exim ends the name at the escaped quote, and keeps the language of RFC 2231
    ('Content-Type: text/x; name="x;y\\"z.txt"', 'x;y"z.txt'),
    ("Content-Type: a/x; name*0*=iso-8859-1'en'f%e9; name*1*=%20b; name*2=\"ar.txt\"", "f\xc3\xa9 bar.txt"),
    ("Content-Type: text/x; name=" + "n" * 600, "n" * 600),
]


@pytest.mark.parametrize(("header", "name"), FILENAMES)
def test_filename(header: str, name: str) -> None:
    lines = [line + "\n" for line in header.replace("\n\t", "\0\t").split("\n")]
    fields = read_fields([line.replace("\0", "\n") for line in lines], "UTF-8")
    assert fields.variables["mime_filename"] == name


ODD = [
    ("Content-Type: application/x\nContent-Transfer-Encoding: base64\n\naGVs!!!!bG8=\naGVs\n",
     "al=<2> at=<Broken BASE64 encoding detected>"),
    ("Content-Type: application/x\nContent-Transfer-Encoding: base64\n\naGVsbG8=\n", "al=<0> at=<>"),
    ("Content-Type: text/plain\nContent-Transfer-Encoding: quoted-printable\n\na=ZZb=4\n=  \nend=\n",
     "al=<1> at=<Broken Quoted-Printable encoding detected>"),
    ("Content-Type: text/plain\nContent-Transfer-Encoding: quoted-printable\n\na=41=\nb\n", "al=<0> at=<>"),
]  # fmt: skip


@pytest.mark.parametrize(("message", "shown"), ODD)
def test_anomalies(send: Send, message: str, shown: str) -> None:
    assert send(B + message, mime=logged("al", "at", decode=True)).log == [f"ID 0 {shown}"]


SHAPES = [
    # how many parts, and whose cover letter
    ("Content-Type: multipart/mixed; boundary=XX\n\n--XX\nContent-Type: text/plain\n\nhello\n", ["0 1", "1 1"]),
    ("Content-Type: multipart/mixed\n\n--XX\nContent-Type: text/plain\n\nhello\n", ["0 1"]),
    ("Content-Type: multipart/mixed; boundary=XX\n\n--XX\n\n--XX\n--XX--\n", ["0 1", "1 1", "2 0"]),
    ("Content-Type: multipart/mixed; boundary=XX\n\n--XXX\n\n-- XX\n --XX\n", ["0 1"]),
    ("Content-Type: multipart/mixed; boundary=XX\n\n--XX  \n\n--XX--\n--XX\n", ["0 1", "1 1"]),
    ("Content-Type: multipart/mixed; boundary=" + "b" * 1100 + "\n\n--" + "b" * 1100 + "\n\nx\n", ["0 1", "1 1"]),
    # a boundary outside ends what is open inside
    ("Content-Type: multipart/mixed; boundary=A\n\n--A\nContent-Type: multipart/mixed; boundary=B\n\n--B\n\nx\n--A\n\n",
     ["0 1", "1 1", "2 1", "3 0"]),
]  # fmt: skip


@pytest.mark.parametrize(("message", "parts"), SHAPES)
def test_shapes(send: Send, message: str, parts: list[str]) -> None:
    said = send(B + message, mime="warn logwrite = $mime_part_count $mime_is_coverletter")
    assert said.log == [f"ID {part}" for part in parts]


MIXED = (
    B + "Content-Type: multipart/mixed; boundary=XX\nSubject: hello\n\npre hello\n--XX\nContent-Type: text/plain\n"
    "X-Foo: bar\n\nHello body\n--XX\nContent-Type: application/x; name=n.bin\nContent-Transfer-Encoding: base64\n\n"
    "AAEC\n--XX--\nepi\n"
)
REGEX = [
    ("^X-Foo", ["0"]), ("^Subject", []), ("^Content-Type. text/plain", ["0"]), ("pre hello", ["0"]), ("^epi", ["0"]),
    ("^--XX", ["0"]), ("^Hello body", ["0", "1"]),
]  # fmt: skip


@pytest.mark.parametrize(("pattern", "hits"), REGEX)
def test_regex_looks_at_the_raw_part(send: Send, pattern: str, hits: list[str]) -> None:
    said = send(MIXED, mime=f"warn regex = \\N{pattern}\\N\n logwrite = $mime_part_count")
    assert said.log == [f"ID {hit}" for hit in hits]


def test_mime_regex_decodes(send: Send) -> None:
    mime = "warn mime_regex = \\N(?s)^\\x00(.)\\N\n logwrite = $mime_part_count ${strlen:$regex1} $mime_content_size"
    said = send(MIXED, mime=mime)
    assert said.log == ["ID 2 1 1"]
    assert said.scan == []


def test_decoded_files_and_the_copy(send: Send) -> None:
    said = send(MIXED, mime="warn control = no_mbox_unspool\n decode = default")
    assert said.scan == [f"ID/ID{end}" for end in ("-00000", "-00001", "-00002", ".eml")]
    assert said.runtime is not None
    import pathlib

    files = {path.name[-6:]: path.read_bytes() for path in pathlib.Path(said.runtime.spool_directory).glob("scan/*/*")}
    assert files["-00001"] == b"Hello body\n"
    assert files["-00002"] == b"\0\1\2"
    copy = next(value for name, value in files.items() if name.endswith(".eml"))
    assert copy.startswith(b"From MAILER-DAEMON ")
    assert b"\nX-Envelope-From: <s@snd.test>\nX-Envelope-To: x@me.test\nReceived: " in copy
    assert copy.endswith(b"AAEC\n--XX--\nepi\n")


DECODE = [
    ("default", "ok ID/ID-00000"), ("foo.txt", "ok ID/foo.txt"), ("", "ok ID/ID-00000"), ("false", "not"), ("0", "not"),
]  # fmt: skip


@pytest.mark.parametrize(("name", "shown"), DECODE)
def test_decode(send: Send, name: str, shown: str) -> None:
    path = "${sg{$mime_decoded_filename}{.*/scan/}{}}"
    said = send(
        B + "Content-Type: text/x\n\nx\n", mime=f"accept decode = {name}\n logwrite = ok {path}\naccept logwrite = not"
    )
    assert said.log == [f"ID {shown}"]


@pytest.mark.parametrize("name", ["a/../b", "../x", ".."])
def test_decode_stays_in_its_folder(send: Send, name: str) -> None:
    said = send(B + "Content-Type: text/x\n\nx\n", mime=f"accept decode = {name}")
    assert said.reply == "451 Temporary local problem - please try later"
    assert said.scan == []


def test_decode_takes_no_name_from_the_message(send: Send) -> None:
    said = send(B + "Content-Type: text/x; name=n.txt\n\nx\n", mime="accept decode = $mime_filename")
    assert said.reply == "451 Temporary local problem - please try later"
    assert said.panic[0].startswith("ID Tainted filename '/")
    assert said.panic[0].endswith("/scan/ID/n.txt'")


WHO = "ID H=(cl.test) [10.1.2.3] U=root F=<s@snd.test>"
VERDICTS = [
    ("deny message = no part $mime_content_type\n log_message = LM", "550 no part text/plain",
     [f"{WHO} rejected during MIME ACL checks: LM"]),
    ("defer", "451 Temporary local problem - please try later",
     [f"{WHO} temporarily rejected during MIME ACL checks"]),
    ("discard", "250 OK id=ID", ["ID => blackhole (MIME ACL discarded recipients)", "ID Completed"]),
    ("drop message = zz", "550 zz", [f"{WHO} rejected during MIME ACL checks: zz"]),
    ("deny malware = *", "451 Temporary local problem - please try later",
     [f"{WHO} temporarily rejected during MIME ACL checks: cannot test malware condition in MIME ACL"]),
]  # fmt: skip


@pytest.mark.parametrize(("mime", "reply", "log"), VERDICTS)
def test_verdicts(send: Send, mime: str, reply: str, log: list[str]) -> None:
    said = send(B + "Content-Type: text/plain\n\nx\n", mime=mime)
    assert (said.reply, said.log) == (reply, log)


def bomb(depth: int) -> str:
    parts = "".join(f"--b{at}\nContent-Type: multipart/mixed; boundary=b{at + 1}\n\n" for at in range(depth))
    return f"{B}Content-Type: multipart/mixed; boundary=b0\n\n{parts}"


def test_nesting_is_bounded(send: Send) -> None:
    assert send(bomb(60)).reply == "250 OK id=ID"
    said = send(bomb(MAX_NESTING + 1), mime="warn logwrite = called")
    assert said.reply == "550 message structure is too complex"
    assert said.log == [f"{WHO} rejected during MIME ACL checks: MIME parts are nested too deeply"]


def test_number_of_parts_is_bounded() -> None:
    text = b"--x\n\n" * (MAX_PARTS + 1)
    top = read_fields(["Content-Type: multipart/mixed; boundary=x\n"], "")
    with pytest.raises(TooComplex):
        find_parts(lambda start, size: text[start : start + size], top, 0, len(text), "")


def test_attached_messages_are_bounded(send: Send) -> None:
    inner = "Content-Type: message/rfc822\n\n" * 25
    assert send(f"{B}{inner}").reply == "550 message structure is too complex"


@pytest.mark.parametrize("block", [1, 3, 65536])
def test_base64_in_any_pieces(block: int) -> None:
    import base64

    plain = bytes(range(256)) * 5
    text = base64.encodebytes(plain)

    def read(start: int, size: int) -> bytes:
        return text[start : start + min(size, block)]

    anomaly = Anomaly()
    assert b"".join(decoded(read, 0, len(text), "base64", anomaly)) == plain
    assert anomaly.level == 0
