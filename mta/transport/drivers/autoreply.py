"""The autoreply transport's options (manual chapter 27); ``transport.answering`` does the work."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from mta.mail.outcome import Outcome
from mta.scope.expansion import AddressList, Expansion
from mta.scope.scope import Scope
from mta.settings.options import option
from mta.transport.base import Batch, Transport, transports


@transports.register("autoreply")
@dataclass(slots=True, eq=False, repr=False)
class Autoreply:
    """Options of chapter 27; those that define the reply count only when the address brings none."""

    local: ClassVar[bool] = True
    bcc: Expansion | None = option("expanded")
    cc: Expansion | None = option("expanded")
    file: Expansion | None = option("expanded")
    file_expand: bool = option("bool", False)
    file_optional: bool = option("bool", False)
    from_: Expansion | None = option("expanded")
    headers: Expansion | None = option("expanded")
    log: Expansion | None = option("expanded")
    mode: int = option("octal", 0o600)
    never_mail: AddressList | None = option("address_list")
    once: Expansion | None = option("expanded")
    once_file_size: int = option("int", 0)
    once_repeat: Expansion | None = option("time_expanded", "0s")
    reply_to: Expansion | None = option("expanded")
    return_message: bool = option("bool", False)
    subject: Expansion | None = option("expanded")
    text: Expansion | None = option("expanded")
    to: Expansion | None = option("expanded")

    def deliver(self, transport: Transport, batch: Batch, scope: Scope) -> list[Outcome]:
        from mta.transport.answering import deliver

        return deliver(self, transport, batch, scope)
