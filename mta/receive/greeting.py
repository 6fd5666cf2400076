"""The start and the end of a session: connection checks, banner, HELO and EHLO, QUIT (manual chapters 14 and 49)."""

from __future__ import annotations

from mta.errors import Deferred, ExpansionFailed
from mta.mail.verdict import Ruling
from mta.receive.envelope import per_connection_limit, size_limit
from mta.receive.plan import expand
from mta.receive.session import Session
from mta.receive.verdicts import agree, ask, refuse
from mta.receive.xclient import ATTRIBUTES, permitted
from mta.scope.expansion import Tainted
from mta.smtp.commands import Command, helo_name
from mta.smtp.extensions import Offer
from mta.smtp.replies import Reply, render
from mta.text.ascii import lower


def welcome(session: Session, *, pregreet: bool = True) -> bool:
    """Everything before the first command; False when the session ends here, its reply queued.

    ``pregreet``: whether talk before the greeting is looked for.
    """
    peer, options, scope = session.peer, session.plan.options, session.scope
    set_protocol(session)
    if options.smtp_active_hostname is not None:
        peer.active_hostname = expand(scope, options.smtp_active_hostname)
    remote = bool(peer.address)
    if session.scope.trace is not None and remote:
        session.host_in("hosts_connection_nolog")
    if remote and session.host_in("host_lookup"):
        scope.services.lookup_host_name(scope)
    if remote and options.rfc1413_query_timeout > 0 and not session.pretend and session.host_in("rfc1413_hosts"):
        from mta.receive.ident import ask as ask_ident

        peer.ident = Tainted(ask_ident(peer, options.rfc1413_query_timeout))
    if remote and session.host_in("host_reject_connection"):
        session.log_refusal(f"refused connection from {session.who()} (host_reject_connection)")
        session.say(554, "SMTP service not available")
        session.end("host-reject")
        return False
    if session.scope.trace is not None:
        for name in ("sender_unqualified_hosts", "recipient_unqualified_hosts", "helo_verify_hosts",
                     "helo_try_verify_hosts", "helo_accept_junk_hosts", "hosts_proxy"):  # fmt: skip
            session.host_in(name)
    if options.acl_smtp_connect is not None:
        verdict = ask(session, "connect")
        if not verdict.accepted:
            session.reply(refuse(session, "connect", verdict, 'connection in "connect" ACL'))
            session.end("acl-drop")
            return False
        if verdict.user_message:
            return _banner(session, agree(session, 220, verdict, ""), pregreet)
    return _banner(session, Reply(220, expand(scope, options.smtp_banner)), pregreet)


def _banner(session: Session, reply: Reply, pregreet: bool) -> bool:
    if session.scope.trace is not None:
        session.host_in("pipelining_connect_advertise_hosts")
    if pregreet and _pregreeted(session):
        return False
    session.reply(reply)
    return True


def _pregreeted(session: Session) -> bool:
    """Whether the client talked before it was greeted, which no mail client does."""
    peer = session.peer
    enforced = session.plan.options.smtp_enforce_sync if peer.enforce_sync is None else peer.enforce_sync
    if not enforced or not peer.address or peer.is_local:
        return False
    if "no_pipelining" not in peer.controls and session.host_in("pipelining_connect_advertise_hosts"):
        # it may have been told of PIPECONNECT before
        return False
    if not session.reader.pending():
        if not session.link.readable():
            return False
        session.reader.feed(session.link.recv())  # PeerGone when it only hung up
    talk = session.reader.take()[:150].decode("latin-1")
    shown = talk.replace("\\", "\\\\").replace("\r", "\\r").replace("\n", "\\n")
    session.log_refusal(
        "SMTP protocol synchronization error (input sent without waiting for greeting): rejected connection from"
        f' {session.id_fields()} input="{shown}"'
    )
    session.say(554, "SMTP synchronization error")
    session.end("synchronization-error")
    return True


def helo(session: Session, command: Command) -> None:
    """HELO and EHLO."""
    peer, options = session.peer, session.plan.options
    esmtp = command.verb == "EHLO"
    name = helo_name(command.argument, options.helo_allow_chars)
    if name is None:
        if not session.host_in("helo_accept_junk_hosts"):
            shown = command.argument or "(no argument given)"
            who, text = session.who(), "syntactically invalid argument(s)"
            session.log_refusal(f"rejected {command.verb} from {who}: {text}: {shown}")
            text = f"Syntactically invalid {command.verb} argument(s)"
            return session.syntax_error(501, text, command.line, last_words=False)
        name = command.argument
    peer.helo_name = Tainted(name)
    peer.helo_verified = peer.helo_verify_failed = False
    if not _verified(session, command):
        return None
    if session.scope.trace is not None and options.helo_lookup_domains is not None:
        session.scope.trace("host", f"{name} in helo_lookup_domains? no (end of list)")
    if peer.address and not peer.host_name and not peer.host_lookup_done and _wants_lookup(session, name):
        session.scope.services.lookup_host_name(session.scope)
    if options.acl_smtp_helo is not None:
        verdict = ask(session, "helo")
        if not verdict.accepted:
            reply = refuse(session, "helo", verdict, f"EHLO or HELO {command.argument}")
            session.protocol.forget_helo()
            peer.helo_name = ""
            return session.reply(reply)
        custom = _one_line(session, verdict.user_message)
    else:
        custom = ""
    peer.esmtp = esmtp
    set_protocol(session)
    session.new_message()
    session.per_connection = per_connection_limit(session)
    offer = offer_of(session) if esmtp else Offer()
    session.protocol.helo(esmtp, offer)
    greeting = custom or _hello(session)
    # never with an enhanced status code (RFC 2034 section 4)
    session.out.append(render(250, "\n".join([greeting, *offer.lines()]) if esmtp else greeting))
    return None


def _one_line(session: Session, message: str | None) -> str:
    """The ACL's greeting: of one line, as the lines behind it are the extensions."""
    if not message or "\n" not in message:
        return message or ""
    shown = message.replace("\n", "\\n")
    session.runtime.log.panic(f"EHLO/HELO response must not contain newlines: message truncated: 250 {shown}")
    return message.partition("\n")[0]


def _wants_lookup(session: Session, name: str) -> bool:
    domains = session.plan.options.helo_lookup_domains
    if domains is None or name.startswith("["):
        return False
    try:
        with session.scope.saved("trace"):
            session.scope.trace = None  # told of already
            return domains.match(session.scope, lower(name)) is not None
    except (Deferred, ExpansionFailed):
        return False


def _verified(session: Session, command: Command) -> bool:
    """helo_verify_hosts and helo_try_verify_hosts; False when the command was refused."""
    if not session.peer.address or session.scope.trace is not None:
        return True
    must = session.host_in("helo_verify_hosts")
    if not must and not session.host_in("helo_try_verify_hosts"):
        return True
    peer, scope = session.peer, session.scope
    name = lower(peer.helo_name)
    deferred = False
    if name.startswith("["):
        peer.helo_verified = name[1:-1].removeprefix("ipv6:") == peer.address
    else:
        scope.services.lookup_host_name(scope)
        deferred = peer.host_lookup_deferred
        names = [lower(peer.host_name), *(lower(alias) for alias in peer.host_aliases)]
        peer.helo_verified = name in names or _resolves_to_peer(session, name)
    peer.helo_verify_failed = not peer.helo_verified
    if peer.helo_verified or not must:
        return True
    if deferred:
        session.log_refusal(f"temporarily rejected {command.verb} from {session.who()}: cannot verify {peer.helo_name}")
        session.say(451, f"Temporary problem: can't verify {peer.helo_name}")
    else:
        session.log_refusal(
            f"rejected {command.verb} from {session.who()}: name {peer.helo_name} does not match the host"
        )
        session.say(550, f"{command.verb} argument does not match calling host")
    peer.helo_name = ""
    session.protocol.forget_helo()
    return False


def _resolves_to_peer(session: Session, name: str) -> bool:
    resolver = session.scope.services.resolver
    if resolver is None or not name:
        return False
    kind = "AAAA" if ":" in session.peer.address else "A"
    try:
        answer = resolver.query(name, kind)
    except (Deferred, ValueError):
        return False
    return any(session.peer.address == getattr(record, "address", None) for record in getattr(answer, "records", ()))


def set_protocol(session: Session) -> None:
    """``$received_protocol``: smtp, esmtp, with s for TLS and a for AUTH; local- in front on standard input."""
    peer = session.peer
    if session.fixed_protocol:
        return
    word = "esmtp" if peer.esmtp else "smtp"
    if peer.tls.cipher:
        word += "s"
    if peer.authenticator:
        word += "a"
    peer.received_protocol = word if peer.address else f"local-{word}"


def _hello(session: Session) -> str:
    peer = session.peer
    ident = f"{peer.ident} at " if peer.ident else ""
    address = f" [{peer.address}]" if peer.address else ""
    return f"{session.hostname} Hello {ident}{peer.host_name or peer.helo_name}{address}"


def offer_of(session: Session) -> Offer:
    """What EHLO lists for this client."""
    options, peer = session.plan.options, session.peer
    limit = size_limit(session)
    offer = Offer(size=limit, eight_bit=options.accept_8bitmime)
    # Exim 4.96 has no such option, and nothing of it in the narrative of -bh
    if session.plan.lists["limits_advertise_hosts"] is not False and session.host_in("limits_advertise_hosts"):
        offer.limits = _limits(session)
    offer.dsn = session.host_in("dsn_advertise_hosts")
    offer.etrn = options.acl_smtp_etrn is not None
    offer.vrfy = options.acl_smtp_vrfy is not None
    offer.expn = options.acl_smtp_expn is not None
    offer.pipelining = "no_pipelining" not in peer.controls and session.host_in("pipelining_advertise_hosts")
    offer.pipe_connect = offer.pipelining and session.host_in("pipelining_connect_advertise_hosts")
    offer.auth = [] if peer.authenticator else advertised_mechanisms(session)
    offer.chunking = session.host_in("chunking_advertise_hosts")
    if not peer.tls.cipher and peer.address and session.host_in("tls_advertise_hosts"):
        from mta.receive.security import tls_ready

        offer.starttls = session.starttls = tls_ready(session)
    else:
        session.starttls = False
    offer.prdr = options.prdr_enable
    offer.smtputf8 = session.host_in("smtputf8_advertise_hosts")
    wanted = session.plan.lists["enhancedstatuscodes_advertise_hosts"]
    offer.enhanced = wanted is not False and session.host_in("enhancedstatuscodes_advertise_hosts")
    if permitted(session):
        offer.xclient = " ".join(ATTRIBUTES)
    return offer


def _limits(session: Session) -> str:
    """The values of LIMITS (RFC 9422 section 4): messages in a connection and recipients of one, where limited."""
    most, recipients = session.per_connection, session.plan.options.recipients_max
    values = [("MAILMAX", most), ("RCPTMAX", recipients)]
    return " ".join(f"{name}={value}" for name, value in values if value > 0)


def advertised_mechanisms(session: Session) -> list[str]:
    """The mechanisms of the server authenticators whose advertise condition holds, each once."""
    authenticators = session.runtime.config.authenticators
    if not authenticators or not session.host_in("auth_advertise_hosts"):
        return []
    from mta.sasl.server import advertised

    return list(dict.fromkeys(auth.public_name for auth in advertised(authenticators, session.scope)))


def quit_(session: Session, _command: Command) -> None:
    """QUIT: acl_smtp_quit may choose the words, not the outcome."""
    text = f"{session.hostname} closing connection"
    if session.plan.options.acl_smtp_quit is not None:
        verdict = ask(session, "quit")
        if verdict.ruling is Ruling.ERROR:
            session.log(f"ACL for QUIT returned ERROR: {verdict.log_message or ''}")
        if verdict.user_message:
            text = verdict.user_message
    session.say(221, text)
    session.done = True
    session.peer.notquit_reason = ""
