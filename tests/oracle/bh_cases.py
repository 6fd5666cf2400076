"""Sessions for -bh by configuration: what both MTAs are told, by name.

A group is (main options, ACLs, sessions); a session is lines with ``\\n`` between them.
"""
# ruff: noqa: E501 - sessions are read best as they are sent

from __future__ import annotations

from typing import NamedTuple


class Group(NamedTuple):
    main: str
    acl: str
    sessions: dict[str, str]


def crlf(text: str) -> str:
    """With the line ends of the network, which BDAT counts."""
    return text.replace("\n", "\r\n")


M = "EHLO c\nMAIL FROM:<s@a.test>\n"
R = M + "RCPT TO:<r@a.test>\n"
D = "DATA\nFrom: <f@a.test>\nTo: <t@a.test>\nSubject: s\n\nbody\n.\n"

OPEN = Group(
    "acl_smtp_rcpt = r\n",
    "r:\n  accept\n",
    {
        "helo": "HELO c\nQUIT\n",
        "helo-none": "HELO\nHELO  \nEHLO\nEHLO  \n",
        "helo-junk": "HELO a_b\nEHLO a b\nHELO [1.2.3]\nEHLO [1.2.3.4]\nEHLO [IPv6:::1]\nHELO ?\nEHLO a..b\nHELO -\n",
        "helo-twice": "HELO c\nEHLO d\nHELO e\nMAIL FROM:<a@b>\nEHLO f\nRCPT TO:<a@b>\n",
        "helo-long": "HELO " + "x" * 300 + "\nEHLO " + "y" * 255 + "\n",
        "helo-lower": "helo c\nmail from:<a@b>\nrcpt to:<a@b>\nrset\nnoop\nquit\n",
        "helo-ip": "HELO 1.2.3.4\nEHLO ::1\nEHLO [1.2.3.4]x\nHELO [1.2.3.4\n",
        "helo-none-mail": "MAIL FROM:<a@b>\nRCPT TO:<a@b>\nDATA\n.\n",
        "mail-nothing": "EHLO c\nMAIL\nMAIL FROM\nMAIL FROM:\nMAIL FROM: \nMAIL TO:<a@b>\nMAIL FROM:a@b\n",
        "mail-forms": "EHLO c\nMAIL FROM: <a@b>\nRSET\nMAIL FROM:<>\nRSET\nMAIL FROM:< >\nRSET\nMAIL FROM:<a@b> \nRSET\n"
        'MAIL FROM:<"a b"@c>\nRSET\nMAIL FROM:<"a\\"b"@c>\nRSET\nMAIL FROM:<a.@b>\nRSET\nMAIL FROM:<.a@b>\n',
        "mail-bad": "EHLO c\nMAIL FROM:<a@b\nMAIL FROM:a@b>\nMAIL FROM:<<a@b>>\nMAIL FROM:<a@b>>\nMAIL FROM:<@b>\n",
        "mail-bad-2": "EHLO c\nMAIL FROM:<a@>\nMAIL FROM:<a@b@c>\nMAIL FROM:<a b@c>\nMAIL FROM:<a@b c>\n"
        "MAIL FROM:<a@-b>\nRSET\n",
        "mail-bad-3": "EHLO c\nMAIL FROM:<a@b_c>\nRSET\nMAIL FROM:<a@b.>\nMAIL FROM:<a@b..c>\nMAIL FROM:<a@.b>\n",
        "mail-literal": "EHLO c\nMAIL FROM:<a@[1.2.3.4]>\nRSET\nMAIL FROM:<a@[IPv6:::1]>\nRSET\nMAIL FROM:<a@[x]>\n",
        "mail-route": "EHLO c\nMAIL FROM:<@x:a@b>\nRSET\nMAIL FROM:<@x,@y:a@b>\nRSET\nMAIL FROM:<@x a@b>\n",
        "mail-phrase": "EHLO c\nMAIL FROM:Joe <a@b>\nRSET\nMAIL FROM:(c) <a@b>\nRSET\nMAIL FROM:<a@b> (c)\n",
        "mail-unqualified": 'EHLO c\nMAIL FROM:<a>\nMAIL FROM:a\nMAIL FROM:<"a b">\n',
        "mail-params": "EHLO c\nMAIL FROM:<a@b> SIZE=1\nRSET\nMAIL FROM:<a@b> size=10 body=8bitmime\nRSET\n"
        "MAIL FROM:<a@b> SIZE=x\nRSET\nMAIL FROM:<a@b> SIZE=\nRSET\nMAIL FROM:<a@b> SIZE\nRSET\n",
        "mail-params-2": "EHLO c\nMAIL FROM:<a@b> BODY=7BIT\nRSET\nMAIL FROM:<a@b> BODY=\nMAIL FROM:<a@b> BODY\n"
        "RSET\nMAIL FROM:<a@b> FOO=BAR\nRSET\n",
        "mail-params-3": "EHLO c\nMAIL FROM:<a@b> SMTPUTF8\nRSET\nMAIL FROM:<a@b> SMTPUTF8=1\nRSET\nMAIL FROM:<a@b>SIZE=1\n",
        "mail-params-helo": "HELO c\nMAIL FROM:<a@b> SIZE=1\nRSET\nMAIL FROM:<a@b> BODY=8BITMIME\n",
        "mail-params-auth": "EHLO c\nMAIL FROM:<a@b> AUTH=<>\nRSET\nMAIL FROM:<a@b> AUTH=x@y\nRSET\n"
        "MAIL FROM:<a@b> AUTH=x+2By\nRSET\nMAIL FROM:<a@b> AUTH=x+ZZ\nRSET\nMAIL FROM:<a@b> AUTH=\n",
        "mail-params-dsn": "EHLO c\nMAIL FROM:<a@b> RET=FULL\nRSET\nMAIL FROM:<a@b> ENVID=x\n",
        "mail-huge-size": "EHLO c\nMAIL FROM:<a@b> SIZE=99999999999\nMAIL FROM:<a@b> SIZE=99999999999999999999999\nRSET\n"
        "MAIL FROM:<a@b> SIZE=-1\n",
        "mail-twice": "EHLO c\nMAIL FROM:<a@b>\nMAIL FROM:<c@d>\nRCPT TO:<a@b>\nMAIL FROM:<e@f>\n",
        "mail-nonascii": "EHLO c\nMAIL FROM:<\xe4@b>\nMAIL FROM:<a@\xe4>\nMAIL FROM:<\xc3\xa4@b> SMTPUTF8\nRSET\n",
        "mail-control": "EHLO c\nMAIL FROM:<a\x01b@c>\nMAIL FROM:<a\x7f@b>\nMAIL FROM:<a\tb@c>\n",
        "mail-long": "EHLO c\nMAIL FROM:<" + "x" * 250 + "@b>\nRSET\nMAIL FROM:<a@" + "y" * 300 + ">\n",
        "rcpt-nothing": M + "RCPT\nRCPT TO\nRCPT TO:\nRCPT TO: \nRCPT FROM:<a@b>\n",
        "rcpt-forms": M + 'RCPT TO:<a@b>\nRCPT TO: <a@b>\nRCPT TO:a@b\nRCPT TO:<"a b"@c>\nRCPT TO:<A@B>\nRCPT TO:<>\n',
        "rcpt-bad": M + "RCPT TO:<a@b\nRCPT TO:a@b>\nRCPT TO:<<a@b>>\nRCPT TO:<a@b> x\n",
        "rcpt-bad-2": M + "RCPT TO:<a@b@c>\nRCPT TO:<a@b c>\nRCPT TO:<a@.b>\nRCPT TO:<@b>\n",
        "rcpt-unqualified": M + "RCPT TO:<a>\nRCPT TO:<postmaster>\nRCPT TO:<POSTMASTER>\nRCPT TO:postmaster\n",
        "rcpt-params": M + "RCPT TO:<a@b> NOTIFY=NEVER\nRCPT TO:<a@b> FOO\nRCPT TO:<a@b> FOO=BAR\n",
        "rcpt-percent": M + "RCPT TO:<a%b@c>\nRCPT TO:<a!b@c>\nRCPT TO:<a|b@c>\nRCPT TO:<a/b@c>\nRCPT TO:<@x:a@b>\n",
        "rcpt-first": "EHLO c\nRCPT TO:<a@b>\nDATA\nBDAT 0 LAST\n",
        "data": R + D + "QUIT\n",
        "data-arg": R + "DATA x\nRSET x\nQUIT x\nQUIT\n",
        "data-no-rcpt": M + "DATA\nRSET\nDATA\n",
        "data-after-bad-rcpt": M + "RCPT TO:<a>\nDATA\n",
        "data-after-two-bad": M + "RCPT TO:<a>\nRCPT TO:<b>\nDATA\nRCPT TO:<a@b>\nDATA\n.\n",
        "data-empty": R + "DATA\n.\nQUIT\n",
        "data-no-header": R + "DATA\n\nbody\n.\nQUIT\n",
        "data-dots": R + "DATA\na: b\n\n..x\n..\n...\n.\nQUIT\n",
        "data-two": R + D + "MAIL FROM:<s@a.test>\nRCPT TO:<r@a.test>\n" + D + "QUIT\n",
        "data-cut": R + "DATA\na: b\n\nbody\n",
        "data-cut-header": R + "DATA\na: b\n",
        "bdat": crlf(R) + "BDAT 8 LAST\r\na: b\r\n\r\nQUIT\r\n",
        "bdat-lf": crlf(R) + "BDAT 4\r\na: bBDAT 7 LAST\r\n\r\n\r\nc\r\nQUIT\r\n",
        "bdat-0": crlf(R) + "BDAT 0 LAST\r\nQUIT\r\n",
        "bdat-0-0": crlf(R) + "BDAT 0\r\nBDAT 0\r\nBDAT 0 LAST\r\nQUIT\r\n",
        "bdat-bad": crlf(R) + "BDAT\r\n",
        "bdat-bad-2": crlf(R) + "BDAT x\r\n",
        "bdat-bad-3": crlf(R) + "BDAT 1 FIRST\r\nx",
        "bdat-bad-4": crlf(R) + "BDAT -1\r\n",
        "bdat-rset": crlf(R) + "BDAT 2\r\nxyRSET\r\nMAIL FROM:<a@b>\r\nQUIT\r\n",
        "bdat-other": crlf(R) + "BDAT 2\r\nxyNOOP\r\nMAIL FROM:<a@b>\r\nBDAT 0 LAST\r\nRSET\r\nQUIT\r\n",
        "bdat-quit": crlf(R) + "BDAT 2\r\nxyQUIT\r\n",
        "bdat-no-rcpt": crlf(M) + "BDAT 3 LAST\r\nabcNOOP\r\nQUIT\r\n",
        "order": "RSET\nNOOP\nDATA\nRCPT TO:<a@b>\nVRFY a\nEXPN a\nETRN a\nHELP\nHELP x\nAUTH PLAIN\nSTARTTLS\nQUIT\n",
        "noop": "NOOP\nNOOP x\nNOOP  \nQUIT\n",
        "unknown": "FOO\nBAR\nBAZ\nQUUX\nNOOP\n",
        "unknown-2": "EHLOx\nMAILFROM:<a@b>\nMAIL  FROM:<a@b>\nNOOP\n",
        "spaces": " NOOP\nNOOP \nEHLO  c \nQUIT\n",
        "empty": "\n\nNOOP\n",
        "tab": "EHLO\tc\nMAIL FROM:\t<a@b>\nRCPT TO:\t<a@b>\nNOOP\tx\n",
        "quit": "QUIT\nNOOP\n",
        "eof": "EHLO c\n",
        "eof-mail": M,
        "eof-part": "EHLO c\nNOO",
        "synprot": "MAIL FROM:<a\n" * 6,
        "synprot-503": "EHLO c\nDATA\nDATA\nDATA\nDATA\nDATA\n",
        "synprot-501": M + "RCPT TO:<a\nRCPT TO:<b\nRCPT TO:<c\nRCPT TO:<d\nRCPT TO:<e\n",
        "nonmail": "EHLO c\n" + "NOOP\n" * 14,
        "nonmail-rset": "EHLO c\n" + "RSET\n" * 14,
        "nonmail-helo": "EHLO c\n" * 14,
        "vrfy": "VRFY\nVRFY a@b\nEXPN\nEXPN a\nEHLO c\nVRFY <a>\n",
        "etrn": "EHLO c\nETRN x\nETRN\n",
        "starttls": "EHLO c\nSTARTTLS\nSTARTTLS x\n",
        "auth-none": "EHLO c\nAUTH\nAUTH PLAIN\nAUTH LOGIN =\n",
        "header-odd": R + "DATA\nno colon here\nFrom: a@b\n\nbody\n.\nQUIT\n",
        "header-from-line": R + "DATA\nFrom a@b Mon Nov  1 00:00:00 2021\nFrom: a@b\n\nbody\n.\nQUIT\n",
        "header-fold": R + "DATA\nSubject: a\n b\n\tc\nFrom: a@b\n\nbody\n.\nQUIT\n",
        "header-lead-fold": R + "DATA\n folded\nFrom: a@b\n\nbody\n.\nQUIT\n",
    },
)

LIMITS = Group(
    "acl_smtp_rcpt = r\nrecipients_max = 2\nmessage_size_limit = 300\nsmtp_max_synprot_errors = 1\n"
    "smtp_max_unknown_commands = 1\nsmtp_accept_max_nonmail = 2\nlog_selector = +all_parents +size_reject"
    " +smtp_syntax_error +smtp_protocol_error\n",
    "r:\n  accept\n",
    {
        "rcpts": R + "RCPT TO:<b@a>\nRCPT TO:<c@a>\nRCPT TO:<d@a>\n" + D + "QUIT\n",
        "size": "EHLO c\nMAIL FROM:<a@b> SIZE=301\nMAIL FROM:<a@b> SIZE=300\n",
        "size-data": R + "DATA\na: b\n\n" + "x" * 70 + "\n" + "y" * 400 + "\n.\nNOOP\nQUIT\n",
        "size-bdat": crlf(R) + "BDAT 310 LAST\r\n" + "x" * 310 + "NOOP\r\nQUIT\r\n",
        "size-bdat-2": crlf(R)
        + "BDAT 10\r\n"
        + "x" * 10
        + "BDAT 310\r\n"
        + "x" * 310
        + "BDAT 0 LAST\r\nRSET\r\nQUIT\r\n",
        "unknown": "FOO\nBAR\nBAZ\n",
        "synprot": "EHLO c\nMAIL FROM:<a\nMAIL FROM:<b\nMAIL FROM:<c\n",
        "protocol": "EHLO c\nDATA\nRCPT TO:<a@b>\nDATA\n",
        "nonmail": "EHLO c\nNOOP\nRSET\nRSET\nVRFY a\nNOOP\n",
        "nonmail-mail": R + "RSET\n" + "MAIL FROM:<a@b>\nRSET\nMAIL FROM:<a@b>\nRSET\nMAIL FROM:<a@b>\nRSET\n",
    },
)

REJECT = Group(
    "acl_smtp_rcpt = r\nrecipients_max = 2\nrecipients_max_reject\nmessage_size_limit = 50K\nheader_maxsize = 500\n"
    "header_line_maxsize = 200\nsmtp_accept_max_per_connection = 2\nsmtp_enforce_sync = false\nsmtp_banner = a\\nb\n"
    "smtp_return_error_details\nprdr_enable\naccept_8bitmime = false\nchunking_advertise_hosts =\n"
    "smtputf8_advertise_hosts =\ndsn_advertise_hosts = *\npipelining_advertise_hosts =\nallow_domain_literals\n"
    "strip_trailing_dot\nstrip_excess_angle_brackets\nhelo_accept_junk_hosts = *\nhelo_allow_chars = _\n"
    "sender_unqualified_hosts = *\nrecipient_unqualified_hosts = *\nqualify_domain = q.test\n"
    "qualify_recipient = qr.test\nhosts_require_helo =\n",
    "r:\n  accept\n",
    {
        "rcpts": R + "RCPT TO:<b@a>\nRCPT TO:<c@a>\nRCPT TO:<d@a>\n" + D + "QUIT\n",
        "per-connection": R + D + M[7:] + "RCPT TO:<b@a>\n" + D + M[7:] + "RCPT TO:<b@a>\nDATA\n",
        "junk": "HELO a b\nEHLO\nEHLO a_b\nHELO (x)\nEHLO x;y\n",
        "literal": "EHLO c\nMAIL FROM:<a@[1.2.3.4]>\nRCPT TO:<a@[IPv6:::1]>\nRCPT TO:<a@[1.2.3]>\nRCPT TO:<a@[x>\n",
        "dots": "EHLO c\nMAIL FROM:<a@b.>\nRCPT TO:<a@b.>\nRCPT TO:<<a@b>>\nRCPT TO:<<<a@b.>>>\nRCPT TO:<a@b..>\n",
        "unqualified": "EHLO c\nMAIL FROM:<a>\nRCPT TO:<b>\nRCPT TO:<postmaster>\n" + D,
        "no-helo": "MAIL FROM:<a@b>\nRCPT TO:<b@c>\n" + D,
        "chunking": R + "BDAT 2\nxyNOOP\nBDAT 0 LAST\n",
        "dsn": "EHLO c\nMAIL FROM:<a@b> RET=FULL ENVID=abc\nRCPT TO:<a@b> NOTIFY=SUCCESS,DELAY ORCPT=rfc822;x@y\n"
        "RCPT TO:<a@b> NOTIFY=NEVER\n",
        "dsn-bad": "EHLO c\nMAIL FROM:<a@b> RET=HALF\nMAIL FROM:<a@b> RET=HDRS RET=FULL\nMAIL FROM:<a@b> ENVID=\n",
        "dsn-bad-2": "EHLO c\nMAIL FROM:<a@b> ENVID=a ENVID=b\nMAIL FROM:<a@b>\nRCPT TO:<a@b> NOTIFY=FOO\n"
        "RCPT TO:<a@b> NOTIFY=NEVER,SUCCESS\n",
        "dsn-bad-3": M + "RCPT TO:<a@b> NOTIFY=DELAY NOTIFY=FAILURE\nRCPT TO:<a@b> ORCPT=x ORCPT=y\n",
        "prdr": "EHLO c\nMAIL FROM:<a@b> PRDR\nRCPT TO:<a@b>\n" + D,
        "header-big": R + "DATA\n" + "a: bbbbbbbbbbbbbbbbbbbbbbbbbbbbbb\n" * 20 + "\nbody\n.\nQUIT\n",
        "header-line": R + "DATA\na: " + "b" * 250 + "\n\nbody\n.\nQUIT\n",
        "eight": "EHLO c\nMAIL FROM:<a@b> BODY=8BITMIME\nRCPT TO:<a@b>\nDATA\nSubject: \xe4\n\n\xe4\n.\n",
    },
)
VERBS = Group(
    "acl_smtp_connect = c\nacl_smtp_helo = h\nacl_smtp_mail = m\nacl_smtp_rcpt = r\nacl_smtp_predata = p\n"
    "acl_smtp_data = d\nacl_smtp_quit = q\nacl_smtp_notquit = n\nacl_smtp_vrfy = v\nacl_smtp_expn = v\nacl_smtp_etrn = e\n",
    r"""c:
  warn log_message = connected from $sender_host_address:$sender_host_port
  accept
h:
  deny message = go away $sender_helo_name
    condition = ${if match{$sender_helo_name}{^bad}}
  defer condition = ${if match{$sender_helo_name}{^later}}
    log_message = greylisted
  drop condition = ${if match{$sender_helo_name}{^drop}}
    message = 554 gone
  accept condition = ${if eq{$sender_helo_name}{msg}}
    message = welcome\nfriend
  accept
m:
  deny senders = bad@*
  deny senders = two@* : three@*
    message = no $sender_address
    log_message = spam from $sender_address_domain
  defer senders = later@*
    message = 450 4.7.1 come back
  discard senders = disc@*
    log_message = nobody reads
  discard senders = disd@*
  drop senders = drop@*
  accept senders = msg@*
    message = 250 2.1.0 good
  warn senders = warn@*
    log_message = warned
    set acl_m_x = yes
  require senders = !req@*
    message = not required
  accept
r:
  warn set acl_m0 = ${local_part}x
    condition = ${if eq{$acl_m0}{yx}}
    log_message = seen y
  accept domains = ok.test
    endpass
    message = unknown here
    local_parts = a : b
  deny domains = nested.test
    !acl = sub $local_part
  deny domains = nestedm.test
    acl = say
  accept domains = nest.test
    acl = sub $local_part
  accept domains = nested.test
  deny domains = expand.test
    condition = ${substr{x}{1}{a}}
  deny domains = fail.test
    condition = ${lookup{x}lsearch{/nonexistent/file}{$value}fail}
  deny domains = forced.test
    message = ${if eq{a}{b}{c}fail}
  deny domains = ^re[0-9]+\\.test\$
    message = matched $domain
  deny hosts = 192.0.2.0/24
    domains = host.test
    message = host $sender_host_address
  deny hosts = !192.0.2.0/24
    domains = host.test
  deny !hosts = 10.0.0.0/8
    domains = nothost.test
  deny condition = no
    domains = cond.test
  deny condition = ${if eq{$local_part}{1}{true}{yes}}
    domains = cond.test
  warn domains = header.test
    add_header = X-One: 1\nX-Two: 2
    add_header = :at_start:X-Three: $local_part
  warn domains = remove.test
    remove_header = subject : x-y
  warn domains = log.test
    logwrite = :main,reject: wrote $local_part
    logwrite = plain
  warn domains = delay.test
    delay = 0s
  warn domains = control.test
    control = fakereject/fake it: x
  warn domains = freeze.test
    control = freeze
  warn domains = queue.test
    control = queue
  warn domains = target.test
    log_reject_target = main
  deny domains = target.test
  drop domains = drop.test
    message = 550 5.7.0 bye\nbye
  defer domains = later.test
  discard domains = disc.test
    message = gone
  discard domains = disl.test
    log_message = silent
  accept domains = msg.test
    message = 250 2.1.5 thanks\nmuch
  deny domains = sender.test
    sender_domains = a.test
    message = sender domain $sender_address_domain, $domain_data
  deny recipients = r@rcpt.test : *@rcpt2.test
    message = $local_part at $domain, $recipients_count/$rcpt_count
  deny domains = enc.test
    !encrypted = *
    message = needs TLS
  require domains = !req.test
    message = required
    log_message = not here
    local_parts = !z
  deny domains = lookup.test
    domains = lsearch;/nonexistent/file
  deny domains = auth.test
    !authenticated = *
  accept
sub:
  deny condition = ${if eq{$acl_arg1}{bad}}
    message = arg $acl_arg1 of $acl_narg
  accept condition = ${if eq{$acl_arg1}{good}}
  warn log_message = falling off
say:
  deny message = inner
p:
  deny senders = pre@*
    message = not now
  accept
d:
  deny condition = ${if eq{$h_subject:}{deny}}
    message = bad subject $h_subject:
  defer condition = ${if eq{$h_subject:}{defer}}
  drop condition = ${if eq{$h_subject:}{drop}}
  discard condition = ${if eq{$h_subject:}{discard}}
    log_message = thrown away
  accept condition = ${if eq{$h_subject:}{message}}
    message = 250 2.6.0 got it
  deny condition = ${if eq{$h_subject:}{size}}
    message = $message_size $message_linecount $body_linecount $recipients
  deny condition = ${if eq{$h_subject:}{headers}}
    message = $message_headers
  accept
q:
  accept message = so long
n:
  accept log_message = x
    logwrite = notquit $smtp_notquit_reason
v:
  deny condition = ${if eq{$smtp_command_argument}{bad}}
    message = no $smtp_command_argument
  accept
e:
  deny
""",
    {
        "helo-deny": "EHLO bad\nHELO bad1\nMAIL FROM:<a@b>\nQUIT\n",
        "helo-defer": "EHLO later\nQUIT\n",
        "helo-drop": "EHLO drop\nQUIT\n",
        "helo-message": "EHLO msg\nHELO msg\nQUIT\n",
        "mail-verbs": "EHLO c\n"
        + "".join(f"MAIL FROM:<{name}@x>\nRSET\n" for name in ["bad", "two", "three", "later", "msg", "warn", "req"]),
        "mail-verbs-2": "HELO c\nMAIL FROM:<drop@x>\nNOOP\n",
        "mail-discard": "EHLO c\nMAIL FROM:<disc@x>\nRCPT TO:<a@b>\nRCPT TO:<c@drop.test>\n" + D + "QUIT\n",
        "mail-discard-2": "EHLO c\nMAIL FROM:<disd@x>\nRCPT TO:<a@b>\n" + D + "QUIT\n",
        "rcpt-endpass": M + "RCPT TO:<a@ok.test>\nRCPT TO:<c@ok.test>\n",
        "rcpt-y": M + "RCPT TO:<y@ok.test>\nRCPT TO:<y@x.test>\nRCPT TO:<y@x.test>\n",
        "rcpt-nested": M + "RCPT TO:<bad@nested.test>\nRCPT TO:<good@nested.test>\nRCPT TO:<x@nested.test>\n",
        "rcpt-nest": M + "RCPT TO:<bad@nest.test>\nRCPT TO:<good@nest.test>\nRCPT TO:<x@nest.test>\n",
        "rcpt-nestedm": M + "RCPT TO:<bad@nestedm.test>\n",
        "rcpt-require": M + "RCPT TO:<x@req.test>\nRCPT TO:<z@b.test>\nRCPT TO:<x@b.test>\n",
        "rcpt-lookup": M + "RCPT TO:<x@lookup.test>\n",
        "rcpt-expand": M + "RCPT TO:<x@expand.test>\n",
        "rcpt-fail": M + "RCPT TO:<x@fail.test>\n",
        "rcpt-forced": M + "RCPT TO:<x@forced.test>\n",
        "rcpt-re": M + "RCPT TO:<x@re12.test>\nRCPT TO:<x@rea.test>\n",
        "rcpt-hosts": M + "RCPT TO:<x@host.test>\nRCPT TO:<x@nothost.test>\n",
        "rcpt-cond": M + "RCPT TO:<1@cond.test>\nRCPT TO:<x@cond.test>\n",
        "rcpt-header": M + "RCPT TO:<x@header.test>\nDATA\nSubject: headers\n\n.\n",
        "rcpt-remove": M + "RCPT TO:<x@remove.test>\nDATA\nX-Y: 1\nSubject: headers\n\n.\n",
        "rcpt-log": M + "RCPT TO:<x@log.test>\n",
        "rcpt-delay": M + "RCPT TO:<x@delay.test>\n",
        "rcpt-fakereject": M + "RCPT TO:<x@control.test>\n" + D,
        "rcpt-freeze": M + "RCPT TO:<x@freeze.test>\n" + D,
        "rcpt-queue": M + "RCPT TO:<x@queue.test>\n" + D,
        "rcpt-target": M + "RCPT TO:<x@target.test>\n",
        "rcpt-drop": M + "RCPT TO:<x@drop.test>\nNOOP\n",
        "rcpt-later": M + "RCPT TO:<x@later.test>\nDATA\n",
        "rcpt-discard": M + "RCPT TO:<x@disc.test>\nRCPT TO:<x@disl.test>\n" + D + "QUIT\n",
        "rcpt-discard-one": M + "RCPT TO:<x@disc.test>\nRCPT TO:<x@b.test>\n" + D + "QUIT\n",
        "rcpt-message": M + "RCPT TO:<x@msg.test>\n",
        "rcpt-sender": M + "RCPT TO:<x@sender.test>\n",
        "rcpt-recipients": M + "RCPT TO:<r@rcpt.test>\nRCPT TO:<q@rcpt.test>\nRCPT TO:<q@rcpt2.test>\n",
        "rcpt-encrypted": M + "RCPT TO:<r@enc.test>\nRCPT TO:<q@auth.test>\n",
        "rcpt-same-refusals": M + "RCPT TO:<r@enc.test>\nRCPT TO:<q@enc.test>\nDATA\n",
        "rcpt-other-refusals": M + "RCPT TO:<r@enc.test>\nRCPT TO:<q@auth.test>\nDATA\n",
        "predata": "EHLO c\nMAIL FROM:<pre@b>\nRCPT TO:<a@b.test>\nDATA\nRCPT TO:<a@b.test>\nRSET\nQUIT\n",
        "vrfy": "VRFY bad\nVRFY good@x\nVRFY\nEXPN bad\nEXPN x\n",
        "etrn": "EHLO c\nETRN x\n" + "MAIL FROM:<a@b>\nETRN y\n",
        "lost": M,
        "no-quit": "HELO c\nFOO\nFOO\nFOO\nFOO\nFOO\n",
        "synprot": "HELO c\nMAIL FROM:<\nMAIL FROM:<\nMAIL FROM:<\nMAIL FROM:<\nMAIL FROM:<\n",
        **{
            f"data-{word}": f"{M}RCPT TO:<a@b.test>\nDATA\nSubject: {word}\nFrom: <a@b>\n\nbody\n.\nNOOP\nQUIT\n"
            for word in ["deny", "defer", "drop", "discard", "message", "size", "headers"]
        },
        "bdat-deny": crlf(M) + "RCPT TO:<a@b.test>\r\nBDAT 15 LAST\r\nSubject: deny\r\n\r\nNOOP\r\nQUIT\r\n",
        "bdat-message": crlf(M)
        + "RCPT TO:<a@b.test>\r\nBDAT 9\r\nSubject: BDAT 11 LAST\r\nmessage\r\n\r\nNOOP\r\nQUIT\r\n",
    },
)

VERIFY = Group(
    "acl_smtp_mail = m\nacl_smtp_rcpt = r\nacl_smtp_data = d\nacl_smtp_vrfy = accept\nacl_smtp_expn = accept\n",
    r"""m:
  accept
r:
  deny domains = helo.test
    !verify = helo
  deny domains = sender.test
    !verify = sender
  deny domains = senderm.test
    !verify = sender
    message = bad sender $acl_verify_message
    log_message = log $acl_verify_message
  deny domains = sdetail.test
    !verify = sender/no_details
  deny domains = reverse.test
    !verify = reverse_host_lookup
  deny domains = csa.test
    !verify = certificate
  deny local_parts = nomsg
    !verify = recipient
    message = no such user
  require verify = recipient
  accept
d:
  deny condition = ${if eq{$h_subject:}{syntax}}
    !verify = header_syntax
  deny condition = ${if eq{$h_subject:}{syntaxm}}
    !verify = header_syntax
    message = broken: $acl_verify_message
  deny condition = ${if eq{$h_subject:}{sender}}
    !verify = header_sender
  deny condition = ${if eq{$h_subject:}{blind}}
    !verify = not_blind
    message = blind
  deny condition = ${if eq{$h_subject:}{ascii}}
    !verify = header_names_ascii
  accept
begin routers
fail:
  driver = redirect
  domains = local.test
  local_parts = failing
  allow_fail
  data = :fail: no such person
defer:
  driver = redirect
  domains = local.test
  local_parts = deferring
  allow_defer
  data = :defer: try later
alias:
  driver = redirect
  domains = local.test
  local_parts = alias
  data = one@local.test, two@local.test
bad:
  driver = redirect
  domains = local.test
  local_parts = single
  data = failing@local.test
ok:
  driver = accept
  domains = *.test
  local_parts = good : one : two : s
  transport = t
begin transports
t:
  driver = appendfile
  file = /dev/null
""",
    {
        "rcpt": "EHLO c\nMAIL FROM:<good@local.test>\n"
        + "".join(
            f"RCPT TO:<{name}@local.test>\n"
            for name in ["good", "failing", "deferring", "alias", "single", "none", "nomsg"]
        ),
        "helo": "EHLO c\nMAIL FROM:<>\nRCPT TO:<good@helo.test>\n",
        "sender-good": "EHLO c\nMAIL FROM:<good@local.test>\nRCPT TO:<good@sender.test>\nRCPT TO:<good@senderm.test>\n",
        "sender-null": "EHLO c\nMAIL FROM:<>\nRCPT TO:<good@sender.test>\nRCPT TO:<good@senderm.test>\n",
        "sender-bad": "EHLO c\nMAIL FROM:<none@local.test>\nRCPT TO:<good@sender.test>\nRCPT TO:<good@sender.test>\n"
        "RCPT TO:<good@senderm.test>\nRCPT TO:<good@sdetail.test>\n",
        "sender-fail": "EHLO c\nMAIL FROM:<failing@local.test>\nRCPT TO:<good@sender.test>\nRCPT TO:<good@senderm.test>\n"
        "RCPT TO:<good@sdetail.test>\n",
        "sender-defer": "EHLO c\nMAIL FROM:<deferring@local.test>\nRCPT TO:<good@sender.test>\nRCPT TO:<good@sdetail.test>\n",
        "certificate": "EHLO c\nMAIL FROM:<>\nRCPT TO:<good@csa.test>\n",
        "vrfy": "VRFY good@local.test\nVRFY failing@local.test\nVRFY deferring@local.test\nVRFY alias@local.test\n"
        "VRFY none@local.test\nVRFY <good@local.test>\nVRFY good\nVRFY single@local.test\n",
        "expn": "EXPN good@local.test\nEXPN failing@local.test\nEXPN deferring@local.test\nEXPN alias@local.test\n"
        "EXPN none@local.test\nEXPN good\nEXPN single@local.test\n",
        **{
            f"header-{number}": f"EHLO c\nMAIL FROM:<s@a.test>\nRCPT TO:<good@x.test>\nDATA\n{lines}\n\nx\n.\nNOOP\nQUIT\n"
            for number, lines in enumerate(
                [
                    "Subject: syntax\nTo: a b c@d",
                    "Subject: syntax\nFrom: <a@b",
                    "Subject: syntaxm\nFrom: <a@b>\nCc: @@",
                    "Subject: syntax\nFrom: <a@b>\nTo: group: a@b, c@d;",
                    "Subject: syntax\nFrom: <a>",
                    "Subject: syntax\nSender: a@b, c@d\nFrom: x@y",
                    "Subject: sender\nFrom: <none@local.test>",
                    "Subject: sender\nFrom: <good@local.test>",
                    "Subject: sender\nFrom: <failing@local.test>",
                    "Subject: sender\nSender: good@local.test\nFrom: <none@local.test>",
                    "Subject: sender\nReply-To: good@local.test\nFrom: <none@local.test>",
                    "Subject: sender\nTo: <none@local.test>",
                    "Subject: sender\nFrom: <deferring@local.test>",
                    "Subject: blind\nTo: x@y",
                    "Subject: blind\nTo: good@x.test",
                    "Subject: blind\nCc: Good <good@X.test>",
                    "Subject: ascii\nX-\xe4: 1",
                    "Subject: ascii\nX: \xe4",
                ]
            )
        },
    },
)

PRDR = Group(
    "acl_smtp_rcpt = accept\nacl_smtp_data_prdr = p\nacl_smtp_data = d\nprdr_enable\n",
    r"""p:
  deny local_parts = bad
    message = not for $local_part
  defer local_parts = later
  discard local_parts = disc
  drop local_parts = drop
  accept local_parts = msg
    message = 250 2.0.0 for me
  deny local_parts = log
    log_message = logged
  accept
d:
  deny condition = ${if eq{$h_subject:}{deny}}
    message = whole
  accept
""",
    {
        name: "EHLO c\nMAIL FROM:<s@a.test> PRDR\n"
        + "".join(f"RCPT TO:<{one}@x>\n" for one in rcpts.split())
        + f"DATA\nSubject: {subject}\n\nx\n.\nNOOP\nQUIT\n"
        for name, rcpts, subject in [
            ("all", "a b", "x"),
            ("some", "a bad", "x"),
            ("some-later", "a later bad", "x"),
            ("none", "bad later", "x"),
            ("one", "a", "x"),
            ("message", "msg a", "x"),
            ("log", "log a", "x"),
            ("then-denied", "a b", "deny"),
            ("discard", "a disc", "x"),
        ]
    },
)

AUTH = Group(
    "acl_smtp_rcpt = r\nacl_smtp_auth = a\nacl_smtp_mail = m\n",
    r"""a:
  deny condition = ${if match{$smtp_command_argument}{(?i)^forbid}}
    message = not that
  accept
m:
  accept
r:
  accept authenticated = plain : login
    message = hello $authenticated_id by $sender_host_authenticated ($authenticated_sender)
  accept authenticated = *
    message = cram $authenticated_id
  deny message = $authenticated_fail_id/$authentication_failed
begin authenticators
plain:
  driver = plaintext
  public_name = PLAIN
  server_prompts = :
  server_condition = ${if and{{eq{$auth2}{user}}{eq{$auth3}{pass}}}}
  server_set_id = $auth2
login:
  driver = plaintext
  public_name = LOGIN
  server_prompts = <| Username: | Password:
  server_condition = ${if and{{eq{$auth1}{user}}{eq{$auth2}{pass}}}}
  server_set_id = $auth1
cram:
  driver = cram_md5
  public_name = CRAM-MD5
  server_secret = ${if eq{$auth1}{user}{pass}fail}
  server_set_id = $auth1
broken:
  driver = plaintext
  public_name = BROKEN
  server_prompts = :
  server_condition = ${if eq{${substr{x}{1}{$auth1}}}{a}}
noid:
  driver = plaintext
  public_name = TEMP
  server_prompts = :
  server_condition = ${if eq{$auth1}{a}{fail}{}}
""",
    {
        "plain": "EHLO c\nAUTH PLAIN AHVzZXIAcGFzcw==\n" + M[7:] + "RCPT TO:<a@b>\n" + D,
        "plain-two": "EHLO c\nAUTH PLAIN\nAHVzZXIAcGFzcw==\n" + M[7:] + "RCPT TO:<a@b>\n",
        "plain-bad": "EHLO c\nAUTH PLAIN AHVzZXIAcGFzeA==\n" + M[7:] + "RCPT TO:<a@b>\n",
        "plain-base64": "EHLO c\nAUTH PLAIN !!!\nAUTH PLAIN AHVz\nAUTH PLAIN =\nAUTH PLAIN ====\n",
        "plain-cancel": "EHLO c\nAUTH PLAIN\n*\nAUTH PLAIN\n!\nAUTH PLAIN\n\nNOOP\n",
        "plain-more": "EHLO c\nAUTH PLAIN AHVzZXIAcGFzcwB4\nAUTH PLAIN AHVzZXI=\ncGFzcw==\n",
        "login": "EHLO c\nAUTH LOGIN\ndXNlcg==\ncGFzcw==\n" + M[7:] + "RCPT TO:<a@b>\n",
        "login-initial": "EHLO c\nAUTH LOGIN dXNlcg==\ncGFzcw==\n" + M[7:] + "RCPT TO:<a@b>\n",
        "login-bad": "EHLO c\nAUTH LOGIN\ndXNlcg==\ncGFz\n",
        "login-cancel": "EHLO c\nAUTH LOGIN\ndXNlcg==\n*\nNOOP\n",
        "login-eof": "EHLO c\nAUTH LOGIN\ndXNlcg==\n",
        "cram-bad": "EHLO c\nAUTH CRAM-MD5\n*\nAUTH CRAM-MD5 YWJj\nNOOP\n",
        "unknown": "EHLO c\nAUTH FOO\nAUTH\nAUTH  \nAUTH plain AHVzZXIAcGFzcw==\n",
        "forbidden": "EHLO c\nAUTH FORBID x\nAUTH PLAIN AHVzZXIAcGFzcw==\n",
        "twice": "EHLO c\nAUTH PLAIN AHVzZXIAcGFzcw==\nAUTH PLAIN AHVzZXIAcGFzcw==\nEHLO d\nAUTH LOGIN\n",
        "helo": "HELO c\nAUTH PLAIN AHVzZXIAcGFzcw==\n",
        "no-helo": "AUTH PLAIN AHVzZXIAcGFzcw==\n",
        "in-mail": M + "AUTH PLAIN AHVzZXIAcGFzcw==\n",
        "broken": "EHLO c\nAUTH BROKEN YQ==\nAUTH TEMP YQ==\nAUTH TEMP Yg==\n",
        "mail-auth": "EHLO c\nAUTH PLAIN AHVzZXIAcGFzcw==\nMAIL FROM:<a@b> AUTH=x@y\nRCPT TO:<a@b>\nRSET\n"
        "MAIL FROM:<a@b> AUTH=<>\nRCPT TO:<a@b>\nRSET\nMAIL FROM:<a@b> AUTH=x+2By+3Dz\nRCPT TO:<a@b>\n",
    },
)


VARIABLES = Group(
    "acl_smtp_connect = c\nacl_smtp_helo = h\nacl_smtp_mail = m\nacl_smtp_rcpt = r\nacl_smtp_predata = p\nacl_smtp_data = d\n"
    "acl_smtp_vrfy = v\nacl_smtp_expn = v\nacl_smtp_etrn = v\nmessage_size_limit = 100K\nsmtp_active_hostname = act.test\n"
    "domainlist loc = l.test : *.sub.test\nlocalpartlist lps = p : q*\nhostlist near = 192.0.2.0/24\naddresslist good = *@a.test\n",
    r"""c:
  warn set acl_c_conn = <$sender_host_address>
  accept message = ${if eq{$sender_host_address}{192.0.2.1}{220 hello $acl_c_conn $smtp_active_hostname}}
h:
  warn set acl_c_helo = $sender_helo_name/$received_protocol
  accept
m:
  warn set acl_m_size = $message_size
  accept
r:
  deny local_parts = vars
    message = $acl_c_conn $acl_c_helo $acl_m_size $sender_fullhost $sender_rcvhost
  deny local_parts = cmd
    message = $smtp_command|$smtp_command_argument|$smtp_command_history|$received_protocol
  deny local_parts = counts
    message = $rcpt_count $recipients_count $rcpt_defer_count $rcpt_fail_count
  deny local_parts = +lps
    domains = +loc
    message = [$local_part_data] [$domain_data] [$local_part] [$domain]
  deny local_parts = host
    hosts = +near
    message = [$host_data] $sender_host_name|$sender_ident|$sender_host_port
  deny local_parts = sdr
    senders = +good
    message = [$sender_data] [$sender_address] [$sender_address_local_part] [$sender_address_domain]
  deny local_parts = sdd
    sender_domains = a.test : b.test
    message = [$sender_address_data] $sender_address_domain
  deny local_parts = case
    message = ${local_part}|${domain}|$local_part_prefix|$local_part_suffix
  deny local_parts = Caseful
    message = caseless match $local_part
  deny local_parts = unset
    message = [$acl_m_unset] [$acl_c_unset] [$acl_m0]
  deny local_parts = nested
    message = ${acl{sub}{x}{y}} $acl_narg
  deny local_parts = acond
    condition = ${if acl{{sub}{1}}}
    message = acl condition <$acl_arg1>
  deny local_parts = macro
    message = $primary_hostname $qualify_domain $qualify_recipient $smtp_active_hostname
  deny local_parts = verify
    message = $acl_verify_message|$sender_verify_failure|$recipient_verify_failure
  deny local_parts = recip
    message = $recipients
  deny local_parts = tls
    message = [$tls_in_cipher] [$tls_in_sni] [$tls_cipher] $sender_host_authenticated
  deny local_parts = quoted
    message = "a  quoted message\tand more"
  deny local_parts = dollars
    message = \$x \\ y
  deny local_parts = pct
    condition = ${if >{$rcpt_count}{2}}
    message = too many
  deny local_parts = cont
    continue = ${lc:ABC}
    set acl_m1 = ${uc:abc}
    message = $acl_m1
  deny local_parts = noml
    control = no_multiline_responses
    message = a\nb\nc
  accept local_parts = subm
    control = submission
  accept local_parts = submd
    control = submission/domain=z.test/sender_retain
  accept local_parts = fixup
    control = suppress_local_fixups
  accept local_parts = fdefer
    control = fakedefer/later maybe
  accept local_parts = frej
    control = fakereject
  accept local_parts = notell
    control = freeze/no_tell
  accept local_parts = qonly
    control = queue_only
  deny local_parts = cful
    control = caseful_local_part
    message = $local_part
  deny control = caseful_local_part
    local_parts = MiXed
    message = mixed $local_part
  deny control = caselower_local_part
    local_parts = mixed
    message = lower $local_part
  deny local_parts = targ
    log_reject_target =
    message = unlogged
  deny local_parts = targm
    log_reject_target = main
    log_message = main only
  deny local_parts = targr
    log_reject_target = reject
  deny local_parts = lognull
    log_message = ${if eq{a}{b}{c}fail}
    message = forced
  deny local_parts = msgnull
    message = ${if eq{a}{b}{c}fail}
    log_message = said
  deny local_parts = multilog
    log_message = one\ntwo
    message = one
  warn local_parts = head
    add_header = X-A: 1
    add_header = :after_received:X-B: 2
    add_header = :at_start:X-C: 3
    add_header = :at_end:X-D: 4
    add_header = X-A: 1
    add_header = no colon here
  warn local_parts = headm
    add_header = ${if eq{a}{a}{X-E: 5\nX-F: 6\n}}
  warn local_parts = rem
    remove_header = X-In : Subject
  warn local_parts = old
    message = X-Old: warn adds this
  require local_parts = ! nope
    message = required not nope
  require local_parts = ! nopel
    log_message = only logged
  discard local_parts = dis
    message = 250 2.0.0 thrown
  drop local_parts = dropper
    message = 521 5.5.5 bye
    log_message = dropped
  defer local_parts = deferm
    message = 452 4.2.2 full
    log_message = quota
  defer local_parts = deferw
    message = 552 wrong class
  accept
sub:
  accept message = sub says $acl_arg1 $acl_arg2 of $acl_narg
p:
  deny senders = predata@a.test
    message = 503 no data from you
  defer senders = predefer@a.test
  drop senders = predrop@a.test
    log_message = no
  accept
d:
  deny condition = ${if def:h_x-show:}
    message = $message_headers
  deny condition = ${if def:h_x-body:}
    message = $message_body|$message_body_size|$body_linecount|$body_zerocount|$max_received_linelength
  deny condition = ${if def:h_x-heads:}
    message = $h_from:|$rh_to:|$bh_subject:|$h_none:|$header_cc:|$lh_to:
  deny condition = ${if def:h_x-vars:}
    message = $recipients_count $rcpt_count $received_count $message_age $sender_address
  warn condition = ${if def:h_x-add:}
    add_header = X-Late: $recipients_count
  deny condition = ${if def:h_x-add:}
    message = $message_headers
  warn condition = ${if def:h_x-warn:}
    log_message = once
    log_message = twice
  accept
v:
  deny message = $smtp_command $smtp_command_argument
    log_message = verify $smtp_command_argument
""",
    {
        **{
            f"rcpt-{word}": f"EHLO c\nMAIL FROM:<s@a.test> SIZE=123\nRCPT TO:<{word}@l.test>\nNOOP\nQUIT\n"
            for word in [
                "vars",
                "cmd",
                "counts",
                "p",
                "quux",
                "host",
                "sdr",
                "sdd",
                "case",
                "CASEFUL",
                "unset",
                "nested",
                "acond",
                "macro",
                "verify",
                "recip",
                "tls",
                "quoted",
                "dollars",
                "pct",
                "cont",
                "noml",
                "cful",
                "MiXed",
                "targ",
                "targm",
                "targr",
                "lognull",
                "msgnull",
                "multilog",
                "nope",
                "nopel",
                "dropper",
                "deferm",
                "deferw",
                "dis",
            ]
        },
        "helo-vars": "HELO c\nMAIL FROM:<s@a.test>\nRCPT TO:<vars@l.test>\nRCPT TO:<cmd@x.test>\nQUIT\n",
        "counts": "EHLO c\nMAIL FROM:<s@a.test>\nRCPT TO:<ok@x.test>\nRCPT TO:<deferm@x>\nRCPT TO:<nope@x>\n"
        "RCPT TO:<bad\nRCPT TO:<ok2@x>\nRCPT TO:<counts@x>\nRCPT TO:<pct@x>\nRCPT TO:<recip@x>\nQUIT\n",
        "sub-domain": "EHLO c\nMAIL FROM:<s@b.test>\nRCPT TO:<q@a.sub.test>\nRCPT TO:<sdr@x>\nRCPT TO:<sdd@x>\nQUIT\n",
        "null-sender": "EHLO c\nMAIL FROM:<>\nRCPT TO:<sdr@x>\nRCPT TO:<sdd@x>\nRCPT TO:<vars@x>\nQUIT\n",
        "predata": "".join(
            f"{'' if n else 'EHLO c' + chr(10)}MAIL FROM:<{who}@a.test>\nRCPT TO:<ok@x>\nDATA\nRSET\n"
            for n, who in enumerate(["predata", "predefer", "predrop"])
        ),
        **{
            f"data-{word}-{header.split(':')[0].lower()}": f"EHLO c\nMAIL FROM:<s@a.test>\nRCPT TO:<{word}@l.test>\nDATA\n"
            f"{header}\nFrom: F <f@a.test>\nTo: t@b.test\nSubject: =?utf-8?q?s=C3=A4?=\nX-In: 1\n\nbody\nmore\n.\nQUIT\n"
            for word, header in [
                ("ok", "X-Show: 1"),
                ("head", "X-Show: 1"),
                ("headm", "X-Show: 1"),
                ("rem", "X-Show: 1"),
                ("old", "X-Show: 1"),
                ("subm", "X-Show: 1"),
                ("submd", "X-Show: 1"),
                ("fixup", "X-Show: 1"),
                ("ok", "X-Body: 1"),
                ("ok", "X-Heads: 1"),
                ("ok", "X-Vars: 1"),
                ("ok", "X-Add: 1"),
                ("head", "X-Add: 1"),
                ("ok", "X-Warn: 1"),
                ("fdefer", "X: 1"),
                ("frej", "X: 1"),
                ("notell", "X: 1"),
                ("qonly", "X: 1"),
                ("dis", "X: 1"),
            ]
        },
        "two-messages": "EHLO c\nMAIL FROM:<s@a.test>\nRCPT TO:<head@x>\nRSET\nMAIL FROM:<s@a.test>\nRCPT TO:<ok@x>\nDATA\n"
        "X-Show: 1\n\n.\nMAIL FROM:<s@a.test>\nRCPT TO:<cont@x>\nRCPT TO:<unset@x>\nQUIT\n",
        "vrfy": "VRFY a b\nVRFY <x@y>\nEXPN list\nETRN #x\nEHLO c\nMAIL FROM:<a@b>\nVRFY q\nETRN y\nQUIT\n",
    },
)


LISTS = Group(
    "acl_smtp_rcpt = r\ndomainlist loc = a.test : *.b.test : !x.test\ndomainlist two = +loc : c.test\n"
    "hostlist hs = 10.0.0.0/8 : 192.0.2.1\naddresslist ad = x@y.test : *@z.test : ^n[0-9]+@\nlocalpartlist lp = p : q\n",
    r"""r:
  warn domains = +loc
    set acl_m_hits = $acl_m_hits loc
  warn domains = +two
    set acl_m_hits = $acl_m_hits two
  warn domains = !+loc : d.test
    set acl_m_hits = $acl_m_hits notloc
  warn domains = a.test : b.test : ^c
    set acl_m_hits = $acl_m_hits re
  warn domains = !q.test : *
    set acl_m_hits = $acl_m_hits notq
  warn domains = <; a.test ; d.test
    set acl_m_hits = $acl_m_hits semi
  warn domains = @ : @[]
    set acl_m_hits = $acl_m_hits self
  warn domains = ${if eq{$local_part}{p}{*.test}{nothing}}
    set acl_m_hits = $acl_m_hits exp
  warn domains =
    set acl_m_hits = $acl_m_hits empty
  warn hosts = +hs
    set acl_m_hits = $acl_m_hits hs
  warn hosts = 1.2.3.4 : !192.0.2.1 : *
    set acl_m_hits = $acl_m_hits nothost
  warn hosts = <; 192.0.2.0/25 ; ::1
    set acl_m_hits = $acl_m_hits net
  warn hosts = <; 192.0.2.128/25 ; 2001:db8::/32
    set acl_m_hits = $acl_m_hits net2
  warn senders = +ad
    set acl_m_hits = $acl_m_hits ad
  warn senders = : s@*
    set acl_m_hits = $acl_m_hits null
  warn senders = *@*.b.test
    set acl_m_hits = $acl_m_hits sub
  warn senders = ! *@z.test
    set acl_m_hits = $acl_m_hits notz
  warn local_parts = +lp
    set acl_m_hits = $acl_m_hits lp
  warn local_parts = ^p : q* : *z
    set acl_m_hits = $acl_m_hits lpre
  warn recipients = p@a.test : *@c.test
    set acl_m_hits = $acl_m_hits rc
  warn sender_domains = z.test : *.b.test
    set acl_m_hits = $acl_m_hits sd
  deny message = $acl_m_hits
""",
    {
        f"{sender or 'null'}-{recipient}": f"EHLO c\nMAIL FROM:<{sender}>\nRCPT TO:<{recipient}>\nQUIT\n"
        for sender, recipient in [
            ("s@z.test", "p@a.test"), ("s@z.test", "q@a.test"), ("s@z.test", "p@x.b.test"), ("s@z.test", "P@A.TEST"),
            ("s@z.test", "p@x.test"), ("s@z.test", "p@c.test"), ("s@z.test", "p@d.test"), ("s@z.test", "z@q.test"),
            ("s@z.test", "zz@oracle.example"), ("", "p@a.test"), ("x@y.test", "p@a.test"), ("X@Y.TEST", "qq@a.test"),
            ("n12@any.test", "p@a.test"), ("n@any.test", "p@a.test"), ("s@k.b.test", "p@a.test"),
            ("a@b.test", "p@a.test"), ("t@z.test", "pp@b.test"), ("s@a.b.test", "xz@cc.test"),
            ('"s"@z.test', '"p"@a.test'), ("s@z.test", '"p q"@a.test'),
        ]
    },
)  # fmt: skip

# Sessions in which mta does not do as Exim 4.96 does, and why.
ON_PURPOSE = {
    "open-helo-long": "a name of more than 255 bytes is no domain (RFC 5321 4.5.3.1.2)",
    "open-mail-params-dsn": "parameters of an extension that was not offered are refused (DSN-01; RFC 5321 4.1.1.11)",
    "open-mail-control": "control characters never go back to the peer; Exim's replies hold them",
    "open-bdat-0-0": "nothing is said after 221; Exim adds a 421",
    "open-bdat-bad": "where the next command begins cannot be known: the session ends",
    "open-bdat-bad-2": "the same",
    "open-bdat-bad-3": "a word other than LAST is refused (RFC 3030 2); Exim passes it over",
    "open-bdat-bad-4": "a negative size is refused; Exim waits for its data",
    "open-bdat-rset": "Exim 4.96 crashes",
    "open-bdat-other": "Exim 4.96 crashes",
    "open-bdat-quit": "nothing is said after 221; Exim adds a 421",
    "limits-size-bdat": "message_size_limit holds for BDAT, too (manual chapter 14); Exim takes the message",
    "limits-size-bdat-2": "the same",
    "reject-chunking": "the bytes of a refused BDAT are no commands (RFC 3030 2); Exim obeys them",
    "prdr-none": "refused by all recipients is refused (PRDR-10, PRDR-11)",
    "verbs-rcpt-lookup": "a file that is not there defers; Exim's session ends without a word",
    "verbs-no-quit": "the end is logged before acl_smtp_notquit runs",
    "verbs-synprot": "acl_smtp_notquit runs as the manual says (section 44.2.14); Exim forgets it",
    "auth-plain-bad": "$authenticated_fail_id is the id; Exim's has its log line's decoration",
    "auth-login-eof": "who hangs up within an exchange has not failed to authenticate",
    "auth-unknown": "AUTH without a mechanism is a syntax error, 501 (RFC 4954 4)",
}
GROUPS = {
    "open": OPEN,
    "limits": LIMITS,
    "reject": REJECT,
    "verbs": VERBS,
    "verify": VERIFY,
    "prdr": PRDR,
    "auth": AUTH,
    "vars": VARIABLES,
    "lists": LISTS,
}
