"""What one delivery by appendfile needs wherever it goes: the framed message, limits, the quota warning."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

from mta.errors import ExpansionFailed
from mta.scope.scope import Scope
from mta.transport import content, framing, outcomes
from mta.transport.base import Batch, Transport
from mta.transport.mailbox import quota
from mta.transport.mailbox.errors import MailboxError

if TYPE_CHECKING:
    from mta.transport.drivers.appendfile import Appendfile


@dataclass(slots=True)
class Job:
    """One delivery under way."""

    options: Appendfile
    transport: Transport
    batch: Batch
    scope: Scope

    def pieces(self, message: content.Content, *, single_file: bool) -> Iterator[bytes]:
        """Prefix, message, suffix as they are written."""
        try:
            return framing.framed(
                self.options,
                self.transport,
                self.batch,
                self.scope,
                message,
                from_line=single_file,
                escape_from=single_file,
            )
        except framing.BadFrame as error:
            raise MailboxError(error.message, outcomes.UNKNOWN, panic=True) from None

    def limits(self) -> tuple[quota.Limit, quota.Limit, int]:
        """quota, quota_filecount, and the warning threshold in bytes."""
        options, name = self.options, self.transport.name
        limit = quota.read_limit(options.quota, self.scope, name)
        files = quota.read_limit(options.quota_filecount, self.scope, name)
        threshold = 0
        warn = options.quota_warn_threshold
        if warn is not None:
            if warn.source.rstrip().endswith("%") and not limit.value:
                return limit, files, 0
            threshold = quota.read_limit(warn, self.scope, name, percent_of=limit.value).value
        return limit, files, threshold

    def override_usage(self, usage: quota.Usage) -> None:
        options, name = self.options, self.transport.name
        if options.mailbox_size is not None:
            usage.size = quota.read_limit(options.mailbox_size, self.scope, name).value
        if options.mailbox_filecount is not None:
            usage.files = quota.read_limit(options.mailbox_filecount, self.scope, name).value

    def warn(self, before: int, after: int, threshold: int) -> None:
        """Send quota_warn_message when this delivery crossed the threshold."""
        if not threshold or not before <= threshold < after:
            return
        submit = self.scope.services.state.get("submit_message")
        if submit is None:
            return
        first = self.batch.recipients[0]
        if self.options.quota_warn_message is not None:
            try:
                text = self.options.quota_warn_message(self.scope)
            except ExpansionFailed:
                return
        else:
            text = (
                f"To: {first.local_part}@{first.domain}\nSubject: Your mailbox\n\n"
                "This message is automatically created by mail delivery software.\n\n"
                "The size of your mailbox has exceeded a warning threshold that is\nset by the system administrator.\n"
            )
        head, _, body = text.partition("\n\n")
        domain = getattr(self.scope.site.options, "qualify_domain", "") or self.scope.site.options.primary_hostname
        lines = head.split("\n")
        if not any(line.lower().startswith("from:") for line in lines):
            lines.append(f"From: Mail Delivery System <mailer-daemon@{domain}>")
        lines.append("Auto-Submitted: auto-replied")
        to = next((line[3:] for line in lines if line.lower().startswith("to:")), "")
        submit("", [address.strip() for address in to.split(",")], "\n".join(lines) + "\n", body)
