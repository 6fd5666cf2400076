"""DNS questions with time-outs, a cache and the AD bit.

A stub: it asks recursive servers. One object a process, used by all its threads; ``query`` never raises
for what a name or a server is like, it returns an Answer whose status says so.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence

import dns.edns
import dns.exception
import dns.flags
import dns.message
import dns.name
import dns.rcode
import dns.rdatatype
from dns.message import Message
from dns.rdatatype import RdataType

from mta.net.answer import NEGATIVE_DEFAULT, NEGATIVE_MAXIMUM, Answer, AnswerCache, Status
from mta.net.exchange import NoAnswer, ask
from mta.net.hosts_file import HostsFile
from mta.net.records import domain_text
from mta.net.resolv_conf import NameServer, read_resolv_conf
from mta.text import ascii as ascii_text
from mta.text.patterns import Pattern

EDNS_PAYLOAD = 1232  # the size of the 2020 DNS flag day: never fragmented
IN_ANSWER_CNAMES = 16
UNCHECKED_TYPES = frozenset({"SRV", "TXT", "TLSA", "PTR"})
# dns_check_names_pattern's default (manual chapter 14)
NAMES_PATTERN = r"(?i)^(?>(?(1)\.|())[^\W_](?>[a-z0-9/-]*[^\W_])?)+$"
DomainTest = Callable[[str], bool]


def _never(_domain: str) -> bool:
    return False


def _silent(_line: str) -> None:
    return


class Resolver:
    """Options are Exim's ``dns_*`` main options as plain values (manual chapter 14).

    ``retrans`` seconds for one try and ``retry`` tries for each server, 0 for resolv.conf's; ``names_pattern`` is
    dns_check_names_pattern; the three tests are dns_again_means_nonexist, dns_ipv4_lookup and dns_trust_aa as
    predicates over a domain. ``nameservers`` None takes resolv.conf's.
    """

    def __init__(
        self,
        nameservers: Sequence[NameServer] | None = None,
        *,
        retrans: float = 0.0,
        retry: int = 0,
        search: Sequence[str] | None = None,
        use_edns0: bool = True,
        dnssec_ok: bool = True,
        cname_loops: int = 1,
        names_pattern: str = "",
        again_means_nonexist: DomainTest = _never,
        ipv4_lookup: DomainTest = _never,
        trust_aa: DomainTest = _never,
        trust_ad: bool | None = None,
        disable_ipv6: bool = False,
        cache_size: int = 10_000,
        hosts: HostsFile | None = None,
        resolv_conf: str = "/etc/resolv.conf",
    ) -> None:
        system = read_resolv_conf(resolv_conf)
        self.nameservers = system.nameservers if nameservers is None else list(nameservers)
        self.search = list(system.search if search is None else search)
        self.timeout = retrans or system.timeout
        self.attempts = retry or system.attempts
        self.use_edns0 = use_edns0
        self.dnssec_ok = dnssec_ok and use_edns0
        self.cname_loops = max(0, cname_loops)
        self.again_means_nonexist = again_means_nonexist
        self.ipv4_lookup = ipv4_lookup
        self.trust_aa = trust_aa
        # Servers that the configuration names are trusted; resolv.conf's only when it says so, as glibc has it.
        self.trust_ad = (nameservers is not None or system.trust_ad) if trust_ad is None else trust_ad
        self.disable_ipv6 = disable_ipv6
        self.hosts = HostsFile() if hosts is None else hosts
        self.cache = AnswerCache(cache_size)
        self.slow = 0.0  # seconds; look-ups that take longer are told of (slow_lookup_log); 0: none
        self.log: Callable[[str], None] = _silent
        self._names_pattern = Pattern(names_pattern) if names_pattern else None

    def query(
        self,
        name: str,
        rdtype: str,
        *,
        qualify_single: bool = False,
        search_parents: bool = False,
        retrans: float = 0.0,
        retry: int = 0,
        check_names: bool = True,
    ) -> Answer:
        """The records of one type for a domain name (byte text, caseless, final dot optional), CNAMEs followed.

        ``qualify_single`` adds the default domain to a name of one component, ``search_parents`` tries the whole
        search list (dnslookup's options). ``retrans`` and ``retry`` override the resolver's for this question;
        without ``check_names`` it is asked whatever dns_check_names_pattern says of the name (SPF's macros).
        """
        if self.slow <= 0:
            return self._query(name, rdtype, qualify_single, search_parents, retrans, retry, check_names)
        started = time.monotonic()
        answer = self._query(name, rdtype, qualify_single, search_parents, retrans, retry, check_names)
        taken = time.monotonic() - started
        if taken > self.slow:
            self.log(f"Long {rdtype.upper()} lookup for '{name}': {int(taken * 1000)} msec")
        return answer

    def _query(
        self,
        name: str,
        rdtype: str,
        qualify_single: bool,
        search_parents: bool,
        retrans: float,
        retry: int,
        check_names: bool,
    ) -> Answer:
        name = ascii_text.lower(name)
        rdtype = rdtype.upper()
        best: Answer | None = None
        for candidate in self._candidates(name, qualify_single, search_parents):
            answer = self._one_name(candidate, rdtype, retrans or self.timeout, retry or self.attempts, check_names)
            if answer.status in ("ok", "again"):
                return answer
            if best is None or (best.status == "nxdomain" and answer.status == "nodata"):
                best = answer
        assert best is not None
        return best

    def _candidates(self, name: str, qualify_single: bool, search_parents: bool) -> list[str]:
        absolute = name.endswith(".")
        bare = name[:-1] if absolute else name
        if absolute or not self.search or not bare:
            return [bare]
        if "." in bare:
            return [bare, *(f"{bare}.{domain}" for domain in self.search)] if search_parents else [bare]
        domains = self.search if search_parents else self.search[: 1 if qualify_single else 0]
        return [*(f"{bare}.{domain}" for domain in domains), bare]

    def _one_name(self, name: str, rdtype: str, timeout: float, attempts: int, check_names: bool) -> Answer:
        if not check_names and not self._may_ask(name, rdtype):
            # not for the cache: a question with the check must not find it
            return self._follow(name, rdtype, timeout, attempts, False)
        kept = self.cache.get(name, rdtype)
        if kept is not None:
            return kept
        answer = self._follow(name, rdtype, timeout, attempts, check_names)
        if answer.status == "again" and rdtype != "TLSA" and self.again_means_nonexist(name):
            answer = Answer("nxdomain", name, rdtype, canonical=name, ttl=NEGATIVE_DEFAULT, error=answer.error)
        self.cache.put(name, rdtype, answer)
        return answer

    def _follow(self, name: str, rdtype: str, timeout: float, attempts: int, check_names: bool) -> Answer:
        """Ask, and ask again for where a CNAME leads, as often as dns_cname_loops allows."""
        current, ttl, authenticated = name, float("inf"), True
        seen = {name}
        for _ in range(self.cname_loops + 1):
            if check_names and not self._may_ask(current, rdtype):
                return Answer("nxdomain", name, rdtype, canonical=current, ttl=NEGATIVE_DEFAULT)
            step = self._ask_servers(current, rdtype, timeout, attempts)
            ttl = min(ttl, step.ttl)
            authenticated = authenticated and step.authenticated
            if step.status != "nodata" or step.canonical == current:
                break
            if step.canonical in seen:
                return Answer("again", name, rdtype, canonical=current, error=f"CNAME loop at {step.canonical}")
            current = step.canonical
            seen.add(current)
        else:
            return Answer("again", name, rdtype, canonical=current, error="too many CNAMEs to follow")
        return Answer(step.status, name, rdtype, step.records, step.canonical, authenticated, ttl, step.error)

    def _may_ask(self, name: str, rdtype: str) -> bool:
        """dns_check_names_pattern. Types whose names hold underscores are exempt, labels that start with one too."""
        if self._names_pattern is None or rdtype in UNCHECKED_TYPES:
            return True
        return self._names_pattern.matches(name)

    def _ask_servers(self, name: str, rdtype: str, timeout: float, attempts: int) -> Answer:
        question = self._question(name, rdtype)
        if question is None:
            return Answer("nxdomain", name, rdtype, canonical=name, ttl=NEGATIVE_DEFAULT, error="not a domain name")
        error = "no name server is known"
        for _ in range(attempts):
            refused = 0
            for server in self.nameservers:
                started = time.monotonic()
                try:
                    reply = ask(question, server, timeout)
                except NoAnswer as failure:
                    error = str(failure)
                    refused += time.monotonic() - started < timeout / 2
                    continue
                rcode = reply.rcode()
                if rcode in (dns.rcode.NOERROR, dns.rcode.NXDOMAIN):
                    return self._read(reply, name, rdtype)
                if rcode == dns.rcode.FORMERR and question.edns >= 0:
                    question = self._question(name, rdtype, edns=False) or question
                error = f"{server[0]}: {dns.rcode.to_text(rcode)}"
            if refused == len(self.nameservers):
                break  # nobody listens: asking again would only burn time
        return Answer("again", name, rdtype, canonical=name, error=error)

    def _question(self, name: str, rdtype: str, edns: bool = True) -> Message | None:
        """A question, or None for text that no DNS packet can hold as a name, or an unknown type."""
        try:
            labels = [label.encode("latin-1") for label in name.split(".")] if name else []
            wire_name = dns.name.Name([*labels, b""])
            kind = dns.rdatatype.from_text(rdtype)
        except (dns.exception.DNSException, ValueError):
            return None
        use = self.use_edns0 and edns
        question = dns.message.make_query(
            wire_name,
            kind,
            use_edns=0 if use else False,
            payload=EDNS_PAYLOAD if use else None,
            want_dnssec=self.dnssec_ok and use,
        )
        question.flags |= dns.flags.AD  # RFC 6840 5.7: we understand the AD bit
        return question

    def _read(self, reply: Message, name: str, rdtype: str) -> Answer:
        """The answer section, CNAMEs followed inside it."""
        kind = dns.rdatatype.from_text(rdtype)
        aliases, records, ttls = {}, {}, {}
        for rrset in reply.answer:
            owner = domain_text(rrset.name)
            if rrset.rdtype == RdataType.CNAME and kind != RdataType.CNAME and len(rrset):
                aliases[owner] = (domain_text(rrset[0].target), rrset.ttl)
            elif rrset.rdtype == kind and len(rrset):
                records[owner], ttls[owner] = tuple(rrset), rrset.ttl
        current, ttl = name, float("inf")
        for _ in range(IN_ANSWER_CNAMES):
            if current in records or current not in aliases:
                break
            current, alias_ttl = aliases[current]
            ttl = min(ttl, alias_ttl)
        else:
            return Answer("again", name, rdtype, canonical=name, error="CNAME loop")
        authenticated = self._is_authenticated(reply)
        if current in records:
            found_ttl = float(min(ttl, ttls[current]))
            return Answer("ok", name, rdtype, records[current], current, authenticated, found_ttl)
        status: Status = "nxdomain" if reply.rcode() == dns.rcode.NXDOMAIN else "nodata"
        return Answer(status, name, rdtype, (), current, authenticated, min(ttl, _negative_ttl(reply)))

    def _is_authenticated(self, reply: Message) -> bool:
        if self.trust_ad and reply.flags & dns.flags.AD:
            return True
        if not reply.flags & dns.flags.AA:
            return False
        wanted = RdataType.NS if reply.answer else RdataType.SOA
        owner = next((domain_text(rrset.name) for rrset in reply.authority if rrset.rdtype == wanted), None)
        return owner is not None and self.trust_aa(owner)


def _negative_ttl(reply: Message) -> float:
    """RFC 2308: how long "there is none" may be believed."""
    for rrset in reply.authority:
        if rrset.rdtype == RdataType.SOA and len(rrset):
            return float(min(rrset.ttl, rrset[0].minimum, NEGATIVE_MAXIMUM))
    return NEGATIVE_DEFAULT
