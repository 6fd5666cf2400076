"""Records tests/acl/dialogs: the replies and log lines of Exim (``exim4 -bh``) to the cases below. Run as root by hand.

python -m tests.acl.record_dialogs /tmp/scratch
"""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from pathlib import Path

from tests.acl.dialogs import FOLDER, Dialog, configuration

RCPT = "acl_smtp_rcpt = r"
OPEN = ["HELO x", "MAIL FROM:<good@test.ex>"]
RSET = ["RSET", "MAIL FROM:<good@test.ex>"]
GOOD = "RCPT TO:<good@test.ex>"
LOCALS = [f"RCPT TO:<{local}@test.ex>" for local in ("good", "bad", "failing", "deferring", "alias")]
BODY = ["DATA", "From: good@test.ex", "To: good@test.ex", "Subject: x", "", "body", "."]


def rcpt(name: str, acl: str, *commands: str, options: str = RCPT, opening: list[str] | None = None) -> Dialog:
    return Dialog(name, options, acl, [*(OPEN if opening is None else opening), *(commands or (GOOD,)), "QUIT"])


def sender(name: str, acl: str, local: str, *commands: str) -> Dialog:
    return rcpt(name, acl, *commands, opening=["HELO x", f"MAIL FROM:<{local}@test.ex>" if local else "MAIL FROM:<>"])


def data(name: str, acl: str, *lines: str) -> Dialog:
    return rcpt(name, acl, GOOD, *(lines or BODY), options="acl_smtp_rcpt = accept\nacl_smtp_data = r")


def point(name: str, option: str, acl: str, *commands: str) -> Dialog:
    return Dialog(name, f"{option} = r\nacl_smtp_rcpt = {'r' if option == 'acl_smtp_rcpt' else 'accept'}", acl,
                  [*commands, "QUIT"])  # fmt: skip


CASES = [
    rcpt("accept", "r:\n  accept"),
    rcpt("deny", "r:\n  deny"),
    rcpt("defer", "r:\n  defer"),
    rcpt("drop", "r:\n  drop message = go away", GOOD, "NOOP"),
    rcpt("discard", "r:\n  discard log_message = bar"),
    rcpt("discard-message", "r:\n  discard message = fine"),
    rcpt("require", "r:\n  require condition = no"),
    rcpt("require-message", "r:\n  require message = foo\n  condition = no"),
    rcpt("message-two-lines", "r:\n  deny message = line1\\nline2\n  log_message = l1\\nl2"),
    rcpt("message-code", "r:\n  deny message = 554 5.1.2 foo"),
    rcpt("message-wrong-code", "r:\n  deny message = 454 5.1.2 foo"),
    rcpt("message-no-code", "r:\n  deny message = 55 foo"),
    rcpt("message-code-two-lines", "r:\n  deny message = 554 5.1.1 foo\\nbar"),
    rcpt("message-two-codes", "r:\n  deny message = 554 foo\\n554 bar"),
    rcpt("message-defer-code", "r:\n  defer message = 452 foo"),
    rcpt("message-accept-code", "r:\n  accept message = 251 foo"),
    rcpt("message-accept-lines", "r:\n  accept message = foo\\nbar"),
    rcpt("message-empty-lines", "r:\n  deny message = a\\n\\nb\\n"),
    rcpt("condition-odd", "r:\n  accept condition = foo"),
    rcpt("condition-forced", "r:\n  accept condition = ${if eq{a}{b}{x}fail}"),
    rcpt("condition-broken-lookup", "r:\n  accept condition = ${lookup{x}lsearch{/nonexist}}"),
    rcpt("message-broken-lookup", "r:\n  deny message = ${lookup{x}lsearch{/nonexist}}"),
    rcpt("warn-logs-once", "r:\n  warn log_message = a\n  warn log_message = a\n  accept", GOOD, GOOD),
    rcpt("warn-again-after-rset", "r:\n  warn log_message = a\n  accept", GOOD, *RSET, GOOD),
    rcpt("warn-deferred", "r:\n  warn condition = foo\n  accept"),
    rcpt("endpass", "r:\n  accept domains = test.ex\n  endpass\n  message = failed\n  condition = no"),
    rcpt("nested-deny", "r:\n  require acl = n\nn:\n  deny message = inner\n  log_message = il"),
    rcpt("nested-drop", "r:\n  require acl = n\nn:\n  drop message = inner", GOOD, "NOOP"),
    rcpt("nested-discard", "r:\n  accept acl = n\nn:\n  discard"),
    rcpt("nested-discard-in-deny", "r:\n  deny acl = n\nn:\n  discard"),
    rcpt("nested-defer", "r:\n  accept acl = n\nn:\n  defer message = zz\n  log_message = yy"),
    rcpt("nested-loop", "r:\n  accept acl = r"),
    rcpt("nested-arguments", "r:\n  accept acl = n a b$domain\n  message = done\n"
         "n:\n  accept logwrite = $acl_narg $acl_arg2"),
    rcpt("acl-item", "r:\n  accept message = <${acl{n}{a}{b}}>\nn:\n  deny message = $acl_arg2"),
    rcpt("acl-from-peer", "r:\n  accept acl = $local_part"),
    rcpt("inline", "x:\n  accept", options="acl_smtp_rcpt = deny\\n condition = no\\n accept message = hello"),
    rcpt("no-file", "x:\n  accept", options="acl_smtp_rcpt = /nonexistent"),
    rcpt("log-to-reject-only", "r:\n  deny log_reject_target = reject"),
    rcpt("log-nowhere", "r:\n  deny log_reject_target ="),
    rcpt("log-message-and-verify", "r:\n  require log_message = ll\n  message = mm\n  verify = recipient", *LOCALS),
    rcpt("verify-recipient", "r:\n  require verify = recipient\n  accept message = $address_data", *LOCALS),
    rcpt("verify-recipient-defer-ok", "r:\n  require verify = recipient/defer_ok\n  accept", *LOCALS),
    rcpt("verify-recipient-words", "r:\n  accept message = $recipient_verify_failure $acl_verify_message\n"
         "  !verify = recipient\n  accept message = good", *LOCALS),
    rcpt("domains", "r:\n  accept domains = +local_domains : ^other\n  deny message = relay not permitted",
         GOOD, "RCPT TO:<a@elsewhere.ex>", "RCPT TO:<a@other.ex>"),
    rcpt("local-part-case", "r:\n  warn control = caseful_local_part\n  set acl_m0 = $local_part\n"
         "  accept control = caselower_local_part\n  message = $acl_m0 $local_part", "RCPT TO:<GooD@Test.ex>"),
    rcpt("variables-last", "r:\n  warn set acl_c0 = c$acl_c0\n  set acl_m0 = m$acl_m0\n"
         "  accept message = $acl_c0 $acl_m0",
         GOOD, GOOD, *RSET, GOOD),
    rcpt("recipients-count", "r:\n  deny condition = ${if >{$rcpt_count}{2}}\n  message = too many\n  accept",
         GOOD, GOOD, GOOD),
    sender("verify-sender-bad", "r:\n  require verify = sender\n  accept", "bad", GOOD, "RCPT TO:<other@test.ex>"),
    sender("verify-sender-failing", "r:\n  require verify = sender\n  accept", "failing"),
    sender("verify-sender-deferring", "r:\n  require verify = sender\n  accept", "deferring", GOOD, GOOD),
    sender("verify-sender-null", "r:\n  require verify = sender\n  accept", ""),
    sender("verify-sender-no-details", "r:\n  require verify = sender/no_details\n  accept", "bad"),
    sender("verify-sender-message", "r:\n  require message = foo $sender_verify_failure\n  verify = sender\n  accept",
           "bad"),
    sender("verify-sender-one-line", "r:\n  require control = no_multiline_responses\n  verify = sender\n  accept",
           "bad"),
    sender("verify-sender-warn", "r:\n  warn !verify = sender\n  deny message = other", "bad"),
    sender("verify-sender-option", "r:\n  require verify = sender/foo\n  accept", "good"),
    data("data-deny", "r:\n  deny message = no\\nthanks"),
    data("data-fakereject", "r:\n  deny condition = ${if !eq{$h_subject:}{x}}\n  accept control = fakereject"),
    data("data-fakedefer", "r:\n  accept control = fakedefer/later please"),
    data("data-header-syntax", "r:\n  require verify = header_syntax\n  accept", "DATA", "To: @", "", "x", "."),
    data("data-header-sender", "r:\n  require verify = header_sender\n  accept", "DATA", "From: bad@test.ex", "", "x",
         "."),
    data("data-sender-verify", "r:\n  require verify = sender=bad@test.ex\n  accept"),
    data("data-domains", "r:\n  accept domains = *"),
    point("connect-deny", "acl_smtp_connect", "r:\n  deny message = not you"),
    point("connect-banner", "acl_smtp_connect", "r:\n  accept message = hello there\\nyou", "HELO x"),
    point("connect-domains", "acl_smtp_connect", "r:\n  accept domains = a"),
    point("helo-deny", "acl_smtp_helo",
          "r:\n  deny condition = ${if eq{$sender_helo_name}{x}}\n  message = bad name\n  accept",
          "HELO x", "HELO y"),
    point("helo-discard", "acl_smtp_helo", "r:\n  discard", "HELO x"),
    point("mail-deny", "acl_smtp_mail", "r:\n  deny senders = good@*\n  message = no $sender_address\n  accept", *OPEN),
    point("mail-verify", "acl_smtp_mail", "r:\n  require verify = sender\n  accept", "HELO x",
          "MAIL FROM:<bad@test.ex>"),
    point("predata-deny", "acl_smtp_predata", "r:\n  deny message = not now", *OPEN, GOOD, "DATA"),
    point("quit-message", "acl_smtp_quit", "r:\n  accept message = so long", "HELO x"),
    point("vrfy-deny", "acl_smtp_vrfy", "r:\n  deny message = no secrets", "HELO x", "VRFY good@test.ex"),
    point("expn-deny", "acl_smtp_expn", "r:\n  deny", "HELO x", "EXPN good@test.ex"),
    point("etrn-deny", "acl_smtp_etrn", "r:\n  deny", "HELO x", "ETRN #a"),
]  # fmt: skip


def record(case: Dialog, scratch: Path) -> None:
    """Ask Exim and write the case's file."""
    file = scratch / "exim.conf"
    file.write_text(configuration(case, scratch / "spool"))
    file.chmod(0o644)
    done = subprocess.run(
        ["exim4", "-C", str(file), "-bh", "192.0.2.1"],
        input="".join(f"{line}\r\n" for line in case.client).encode(),
        capture_output=True,
        timeout=60,
        check=False,
    )
    out = done.stdout.decode("latin-1").replace("\r", "").split("\n")
    case.server = [line for line in out if line and not line.startswith("****")]
    err = done.stderr.decode("latin-1").split("\n")
    case.log = [_without_id(line.removeprefix("LOG: ")) for line in err if line.startswith("LOG: ")]
    case.write()


def _without_id(line: str) -> str:
    return re.sub(r"^[0-9A-Za-z]{6}-[0-9A-Za-z]{6}-[0-9A-Za-z]{2} ", "", line)


if __name__ == "__main__":
    where = Path(sys.argv[1])
    shutil.rmtree(FOLDER, ignore_errors=True)
    FOLDER.mkdir(parents=True)
    where.mkdir(parents=True, exist_ok=True)
    for one in CASES:
        record(one, where)
