"""Which hosts are tried, in what order, how often, and what their answers mean for recipients and retry hints.

Manual sections 30.5 (how many), 49.2 (errors) and chapter 32 (retry keys and times).
"""

from __future__ import annotations

import errno
from collections.abc import Hashable
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING

from mta.errors import ExpansionFailed, ForcedFail
from mta.mail.host import Host
from mta.mail.outcome import Outcome, RetryFact, Status
from mta.mail.recipient import Recipient
from mta.scope.events import transport_event
from mta.scope.scope import Scope
from mta.transport import content
from mta.transport.base import Batch, Transport
from mta.transport.outcomes import RETRY_NOT_DUE, UNKNOWN
from mta.transport.remote import session, telling, waiting
from mta.transport.remote.assurance import assurance_for
from mta.transport.remote.connection import Connection
from mta.transport.remote.conversation import Answers, Letter, transact
from mta.transport.remote.failures import HostTrouble, Reach, ReusedConnectionDead, Trouble
from mta.transport.remote.pool import pool_of
from mta.transport.remote.serial import HostLock, lock_of

if TYPE_CHECKING:
    from mta.transport.drivers.smtp import Smtp

DEFAULT_PORT = 25


@dataclass(slots=True)
class Keys:
    """The retry keys of one host address, and of this message there."""

    host: str
    message: str


@dataclass(slots=True)
class Run:
    """Recipients that go together to one list of hosts. ``pending`` are still to be delivered."""

    driver: Smtp
    transport: Transport
    batch: Batch
    scope: Scope
    recipients: list[Recipient]
    port: int = DEFAULT_PORT
    pending: list[int] = field(default_factory=list)
    outcomes: dict[int, Outcome] = field(default_factory=dict)
    facts: list[RetryFact] = field(default_factory=list)
    tried: int = 0  # that count for hosts_max_try
    attempts: int = 0  # all of them
    skipped: int = 0
    expired: int = 0  # skipped, and past their final cut-off
    failed_for_good: bool = False
    met: dict[str, None] = field(default_factory=dict)  # names of hosts tried, or passed over until their time
    blamed: dict[int, Trouble] = field(default_factory=dict)  # what the last host tried had against a recipient

    def __post_init__(self) -> None:
        self.pending = list(range(len(self.recipients)))

    def deliver(self, hosts: list[Host]) -> None:
        """Try hosts in order until nobody is pending, or the limits are reached."""
        driver = self.driver
        index = 0
        while index < len(hosts) and self.pending and not self.failed_for_good:
            host = hosts[index]
            index += 1
            if self.attempts >= driver.hosts_max_try_hardlimit:
                break
            counts = True
            if self.tried >= driver.hosts_max_try:
                # One address of each worse MX is looked at even now (section 30.5).
                following = _next_preference(hosts, index - 1)
                if following is None:
                    break
                index = max(index, following + 1)
                host = hosts[following]
                counts = False
            self._one_host(host, counts=counts)

    def _one_host(self, host: Host, *, counts: bool) -> None:
        port = host.port or self.port
        self.met[host.name] = None
        self.scope.host = host
        self.scope.vars["host_port"] = str(port)
        try:
            interface = session.interface_for(self.driver, self.transport.name, host, self.scope)
        except HostTrouble as error:
            self._blame(error.trouble, host, port, Keys("", ""))
            self.failed_for_good = True
            return
        keys = self._keys(host, port, interface)
        past_cutoff = self.batch.past_cutoff(keys.host)
        if not (self.batch.retry_due(keys.host) and self.batch.retry_due(keys.message)) and not (
            past_cutoff and not self.driver.delay_after_cutoff
        ):
            self.skipped += 1
            self.expired += past_cutoff
            return
        self.attempts += 1
        self.tried += counts and not past_cutoff
        self._attempt(host, port, interface, keys)

    def _attempt(self, host: Host, port: int, interface: str, keys: Keys) -> None:
        try:
            message = content.compose(self.transport, self.batch, self.scope)
        except content.ContentFailed as error:
            self._blame(Trouble(error.at(""), error.errno, reach=Reach.NOTHING), host, port, keys)
            self.failed_for_good = True
            return
        try:
            self._converse(message, host, port, interface, keys)
        except HostTrouble as error:
            trouble = error.trouble
            self._blame(trouble, host, port, keys)
            self.failed_for_good = trouble.permanent or trouble.reach == Reach.NOTHING
        finally:
            message.close()

    def _converse(self, message: content.Content, host: Host, port: int, interface: str, keys: Keys) -> None:
        pool = pool_of(self.scope.services)
        domain = self.recipients[self.pending[0]].domain
        assurance = assurance_for(self.driver, host, port, self.scope, domain)
        # A session that was not held to the same records is not good enough for this delivery.
        pool_key: Hashable = (
            self.transport.name,
            host.name,
            host.address,
            port,
            interface,
            self.driver.protocol,
            assurance,
        )
        connection = pool.take(pool_key)
        fresh = connection is None
        while True:
            if connection is None:
                release = self._serialized(host)
                try:
                    connection = session.open_session(
                        self.driver, self.transport.name, host, port, interface, self.scope, assurance
                    )
                except BaseException:
                    if release is not None:
                        release.release()
                    raise
                connection.release = release.release if release is not None else None
                fresh = True
            self.scope.tls_out = connection.tls
            connection.on_close = partial(transport_event, self.scope, self.transport.name, "tcp:close")
            was_used = connection.messages > 0
            recipients = [self.recipients[index] for index in self.pending]
            try:
                self._sign(message)
                letter = self._letter(connection, message, recipients)
            except BaseException:
                connection.close()
                raise
            try:
                answers = transact(connection, letter)
            except ReusedConnectionDead:
                if fresh:
                    raise AssertionError("a fresh connection cannot be a dead one of the pool") from None
                connection = None
                continue
            self._settle(answers, connection, keys, continued=was_used)
            if answers.responses:
                waiting.take(self, connection, fresh=fresh)
            break
        self._keep(pool_key, connection)

    def _sign(self, message: content.Content) -> None:
        driver = self.driver
        if driver.dkim_domain is None and driver.arc_sign is None:
            return
        from mta.transport.remote import signing

        try:
            signing.sign(driver, message, self.scope)
        except signing.Unsigned as error:
            raise HostTrouble(Trouble(str(error), errno.EACCES, reach=Reach.NOTHING)) from None

    def _keep(self, key: Hashable, connection: Connection) -> None:
        limit = self.driver.connection_max_messages
        if connection.closed:
            return
        passed_on = connection.tls is None or not (
            session.matches(self.driver.hosts_nopass_tls, self.scope, connection.host)
            or session.matches(self.driver.hosts_noproxy_tls, self.scope, connection.host)
        )
        if (limit and connection.messages >= limit) or not passed_on:
            connection.quit()
            return
        connection.reused = False
        pool_of(self.scope.services).put(key, connection)

    def _serialized(self, host: Host) -> HostLock | None:
        """serialize_hosts: one connection at a time."""
        if not session.matches(self.driver.serialize_hosts, self.scope, host):
            return None
        lock = lock_of(self.scope.services, host.address)
        lock.acquire()
        return lock

    def _letter(self, connection: Connection, message: content.Content, recipients: list[Recipient]) -> Letter:
        driver, batch = self.driver, self.batch
        size = 0
        if driver.size_addition >= 0 and "SIZE" in connection.extensions:
            size = message.size() + batch.message.message_linecount + driver.size_addition
        return Letter(
            batch.message,
            batch.return_path,
            recipients,
            message,
            size,
            driver.command_timeout,
            driver.data_timeout,
            driver.final_timeout,
            driver.protocol == "lmtp",
            self.transport.options.rcpt_include_affixes,
            driver.lmtp_ignore_quota and driver.protocol == "lmtp",
            self._auth(connection),
            self._wants_prdr(connection, recipients),
        )

    def _wants_prdr(self, connection: Connection, recipients: list[Recipient]) -> bool:
        if len(recipients) < 2 or "PRDR" not in connection.extensions or self.driver.protocol == "lmtp":
            return False
        return session.matches(self.driver.hosts_try_prdr, self.scope, connection.host)

    def _auth(self, connection: Connection) -> str | None:
        option = self.driver.authenticated_sender
        value = self.scope.peer.authenticated_sender
        if option is not None:
            try:
                value = option(self.scope) or value
            except ForcedFail:
                pass
            except ExpansionFailed as error:
                connection.quit()
                raise HostTrouble(
                    Trouble(
                        f"failed to expand authenticated_sender: {error.message}",
                        UNKNOWN,
                        reach=Reach.NOTHING,
                        shows_host=False,
                    )
                ) from None
        if not value or not (connection.authenticator or self.driver.authenticated_sender_force):
            return None
        return _xtext(value)

    # -- what answers mean

    def _settle(self, answers: Answers, connection: Connection, keys: Keys, *, continued: bool) -> None:
        host, port = connection.host, connection.port
        trouble = answers.host_trouble
        if trouble is not None and not trouble.permanent and trouble.reach in (Reach.HOST, Reach.MESSAGE):
            self.batch.log_host_error(host, port, trouble.message, trouble.errno)
            self.facts.append(trouble.fact(keys.host if trouble.reach == Reach.HOST else keys.message, host))
            if trouble.reach == Reach.HOST:
                telling.host_deferred(self, trouble)
        if trouble is None or trouble.reach != Reach.HOST:
            self.facts.append(RetryFact(keys.host, False))
        still = []
        for number, index in enumerate(self.pending):
            recipient = self.recipients[index]
            response = answers.responses.get(number)
            if response is not None:
                self.outcomes[index] = self._delivered(recipient, response, answers, connection, continued)
                if not self.batch.message.deliver_first_time:
                    self.outcomes[index].retry.append(RetryFact(keys.message, False))
                continue
            own = answers.troubles[number]
            outcome = self._outcome(recipient, own, host, port)
            outcome.tls = connection.tls
            if own.reach == Reach.RECIPIENT and not own.permanent:
                outcome.retry.append(own.fact(self._recipient_key(recipient, own), host))
                telling.tell(self, recipient, "msg:rcpt:host:defer", own.message, outcome.more_errno)
            self.outcomes[index] = outcome
            self.blamed[index] = own
            if not own.permanent:
                still.append(index)
        self.pending = still

    def _recipient_key(self, recipient: Recipient, trouble: Trouble) -> str:
        key = f"R:{recipient.address}"
        if trouble.code and self.driver.address_retry_include_sender and trouble.error == "rcpt_4xx":
            key += f":<{self.batch.message.sender}>"
        return key

    def _blame(self, trouble: Trouble, host: Host, port: int, keys: Keys) -> None:
        """A host where no transaction began: all that are pending share the failure."""
        if trouble.reach == Reach.HOST:
            # A host that was never reached has its line, an address turned away by AUTH has only its own.
            own_line = trouble.logs_host or trouble.message.startswith("failed to expand helo")
            if trouble.shows_host or trouble.connecting or own_line:
                self.batch.log_host_error(host, port, trouble.message, trouble.errno)
            if trouble.tls_result and not trouble.tls_result.startswith("sts-"):
                telling.tell(self, self.recipients[self.pending[0]], "dane:fail", trouble.tls_result, trouble.errno)
            telling.host_deferred(self, trouble)
            self.facts.append(trouble.fact(keys.host, host))
        for index in self.pending:
            self.outcomes[index] = self._outcome(self.recipients[index], trouble, host, port)
            self.blamed[index] = trouble

    def _outcome(self, recipient: Recipient, trouble: Trouble, host: Host, port: int) -> Outcome:
        outcome = Outcome(recipient, Status.FAILED if trouble.permanent else Status.DEFERRED, trouble.message)
        outcome.errno = trouble.errno
        outcome.more_errno = trouble.more_errno(host)
        outcome.error = trouble.error
        outcome.response = trouble.response
        if trouble.shows_host:
            outcome.host, outcome.host_port = host, port
        if trouble.reach == Reach.NOTHING and trouble.errno != UNKNOWN and not trouble.shows_host:
            return outcome
        if trouble.reach == Reach.NOTHING:
            outcome.log_extra["panic"] = "1"
        return outcome

    def _delivered(
        self, recipient: Recipient, response: str, answers: Answers, connection: Connection, continued: bool
    ) -> Outcome:
        outcome = Outcome(recipient, Status.DELIVERED, "", connection.host, connection.port)
        outcome.local_address, outcome.local_port = connection.local_address, connection.local_port
        outcome.response = response
        outcome.tls = connection.tls
        outcome.authenticator, outcome.authenticated_id = connection.authenticator, connection.authenticated_id
        outcome.chunking, outcome.pipelining = answers.chunked, False
        outcome.dsn_aware = "DSN" in connection.extensions and not recipient.dsn_lasthop
        outcome.bytes_sent = answers.sent
        outcome.continued, outcome.prdr = continued, answers.prdr
        return outcome

    def _keys(self, host: Host, port: int, interface: str) -> Keys:
        key = f"T:{host.name}"
        if self._with_address(host):
            key += f":{host.address}"
        if port != DEFAULT_PORT:
            key += f":{port}"
        if interface:
            key += f"/{interface}"
        return Keys(key, f"{key}:{self.batch.message.id}")

    def _with_address(self, host: Host) -> bool:
        option = self.driver.retry_include_ip_address
        if option is None:
            return True
        try:
            return option(self.scope) not in ("false", "no", "0", "")
        except ExpansionFailed:
            return True

    def give_up(self, message: str, number: int, key: str) -> None:
        """No further host can be had: who is still pending waits; who has an answer keeps it."""
        for index in self.pending:
            self.outcomes[index] = Outcome(self.recipients[index], Status.DEFERRED, message, errno=number)
        if key:
            self.facts.append(RetryFact(key, True, "", "", "", UNKNOWN))

    def finish(self) -> None:
        """Outcomes for those that no host was tried for."""
        if not self.pending:
            return
        domain = self.recipients[self.pending[0]].domain
        for index in self.pending:
            if index in self.outcomes:
                continue
            recipient = self.recipients[index]
            if self.skipped and self.expired == self.skipped:
                outcome = Outcome(
                    recipient,
                    Status.FAILED,
                    f"all hosts for '{domain}' have been failing for a long time (and retry time not reached)",
                )
            else:
                outcome = Outcome(recipient, Status.DEFERRED, f"retry time not reached for any host for '{domain}'")
            outcome.errno = RETRY_NOT_DUE
            self.outcomes[index] = outcome


def _next_preference(hosts: list[Host], at: int) -> int | None:
    """The first later host with another MX value."""
    for index in range(at + 1, len(hosts)):
        if hosts[index].mx != hosts[at].mx:
            return index
    return None


def _xtext(value: str) -> str:
    """RFC 3461 4: printable characters, others as +XX."""
    return "".join(char if "!" <= char <= "~" and char not in "+=" else f"+{ord(char):02X}" for char in value)
