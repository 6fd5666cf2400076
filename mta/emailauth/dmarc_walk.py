"""Where DMARC's policy and organizational domain are found: the tree walk of RFC 9989 4.10, or the public suffix list.

One Discovery an evaluation, which asks for each name once. A question without an answer is NoAnswer, never "no record".
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Protocol

from mta.emailauth.asker import Asker, Deadline, OutOfTime
from mta.emailauth.dmarc_record import DmarcRecord, is_dmarc, parse_record
from mta.net.answer import Answer

MAX_LABELS = 8  # the first question of a walk may have more, the second has seven
TIME_LIMIT = 20.0  # seconds for all questions of one evaluation


class NoAnswer(Exception):
    """The DNS did not answer; ``str()`` says which question."""


class SuffixList(Protocol):
    """publicsuffixlist.PublicSuffixList: the registered domain of a name, None for a suffix itself."""

    def privatesuffix(self, domain: str) -> str | None: ...


@dataclass(slots=True)
class Discovery:
    """``suffixes`` None: the tree walk."""

    asker: Asker
    suffixes: SuffixList | None = None
    deadline: Deadline = field(default_factory=lambda: Deadline(TIME_LIMIT))
    _records: dict[str, DmarcRecord | None] = field(default_factory=dict)
    _organizations: dict[str, str] = field(default_factory=dict)

    @property
    def method(self) -> str:
        """The discovery method's name in aggregate reports (RFC 9990)."""
        return "treewalk" if self.suffixes is None else "psl"

    def record_at(self, name: str) -> DmarcRecord | None:
        """The record of exactly this name."""
        if name not in self._records:
            ours = [text for text in self.text_records(f"_dmarc.{name}") if is_dmarc(text)]
            self._records[name] = parse_record(ours[0], name) if len(ours) == 1 else None
        return self._records[name]

    def organization(self, domain: str) -> str:
        """The organizational domain of a name."""
        found = self._organizations.get(domain)
        if found is None:
            found = self._organizations[domain] = self._organization(domain)
        return found

    def policy(self, domain: str) -> DmarcRecord | None:
        """The record that applies to an author domain; its ``domain`` says where it was found."""
        record = self.record_at(domain)
        if record is not None:
            return record
        organization = self.organization(domain)
        record = self.record_at(organization)
        if record is not None or self.suffixes is not None:
            return record
        return next((found for found in self._walk(domain) if found.psd == "y"), None)

    def exists(self, domain: str) -> bool:
        """Whether the DNS knows the name at all."""
        return self._ask(domain, "A").status != "nxdomain"

    def text_records(self, name: str) -> list[str]:
        """TXT records of any name."""
        records: tuple[Any, ...] = self._ask(name, "TXT").records
        return [b"".join(record.strings).decode("latin-1") for record in records]

    def _organization(self, domain: str) -> str:
        if self.suffixes is not None:
            return self.suffixes.privatesuffix(domain) or domain
        found = self._walk(domain)
        for record in found:
            if record.psd == "n":
                return record.domain
            if record.psd == "y" and record.domain != domain:
                below = domain.split(".")[-(record.domain.count(".") + 2) :]
                return ".".join(below)
        return found[-1].domain if found else domain

    def _walk(self, domain: str) -> list[DmarcRecord]:
        """The records on the way up from a name, longest name first."""
        found = []
        for name in steps(domain):
            record = self.record_at(name)
            if record is not None:
                found.append(record)
                if record.psd != "u":
                    break
        return found

    def _ask(self, name: str, rdtype: str) -> Answer:
        try:
            answer = self.deadline.ask(self.asker, name, rdtype)
        except OutOfTime:
            raise NoAnswer("the evaluation took too long") from None
        if answer.status == "again":
            raise NoAnswer(f"{name} {rdtype}: {answer.error or 'no answer'}")
        return answer


def steps(domain: str) -> list[str]:
    """The names that a tree walk asks, at most eight."""
    labels = domain.split(".")
    start = 1 if len(labels) < MAX_LABELS else len(labels) - MAX_LABELS + 1
    return [domain, *(".".join(labels[at:]) for at in range(start, len(labels)))]
