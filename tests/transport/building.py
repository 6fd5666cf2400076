"""Building transports, batches and scopes for tests, the way config and deliver do."""

from __future__ import annotations

import io
from typing import Any

from mta.errors import NOWHERE, ConfigError
from mta.expand.compiler import compile_text
from mta.mail.headers import Headers
from mta.mail.host import Host
from mta.mail.message import Message
from mta.mail.recipient import Recipient
from mta.scope.expansion import MATCHED
from mta.scope.options import MainOptions
from mta.scope.scope import Scope
from mta.scope.services import Services
from mta.scope.site import Site
from mta.settings.options import RawOption, bind, option_fields
from mta.text.lists import split_list
from mta.text.units import parse_size, parse_time
from mta.transport.base import Batch, Transport, TransportOptions, transports

MESSAGE_ID = "1xVInd-0003Oz-0V"
HEADER = "From: a@b.ex\nTo: c@d.ex\nSubject: hi\nMessage-Id: <orig@id>\n"
BODY = b"body one\nFrom here\n.dot\n\nlast\n"


class Listed:
    """A host list of addresses and ``*``."""

    def __init__(self, source: str) -> None:
        self.source = source
        self._items = split_list(source)

    def match(self, _scope: Scope, subject: str, name: str | None = None) -> object:
        return MATCHED if "*" in self._items or subject in self._items or name in self._items else None


def _bool(text: str, _where: object) -> bool:
    return text in ("", "true", "yes")


CONVERTERS: dict[str, Any] = {
    "string": lambda text, _: text,
    "expanded": lambda text, _: compile_text(text) if text else None,
    "expanded_or_empty": lambda text, _: compile_text(text),
    "bool": _bool,
    "bool_expanded": lambda text, _: compile_text(text),
    "int": lambda text, _: parse_size(text),
    "int_expanded": lambda text, _: compile_text(text),
    "octal": lambda text, _: int(text, 8),
    "time": lambda text, _: parse_time(text),
    "time_expanded": lambda text, _: compile_text(text),
    "host_list": lambda text, _: Listed(text),
    "domain_list": lambda text, _: Listed(text),
    "address_list": lambda text, _: Listed(text),
    "string_list": lambda text, _: tuple(split_list(text)),
    "string_list_expanded": lambda text, _: compile_text(text),
    "user": lambda text, _: compile_text(text),
    "group": lambda text, _: compile_text(text),
    "expanded_items": lambda text, _: tuple(compile_text(item) for item in split_list(text)),
    "header_items": lambda text, _: tuple(compile_text(item) for item in split_list(text, "\n")),
}


def make_transport(driver: str, name: str = "", **texts: str) -> Transport:
    """A transport instance from option texts; names of generic and private options may be mixed."""
    cls = transports[driver]
    errors: list[ConfigError] = []
    generic = option_fields(TransportOptions)
    raw = [RawOption(key, value, NOWHERE) for key, value in texts.items()]
    unknown = [line.name for line in raw if line.name not in generic and line.name not in option_fields(cls)]
    assert not unknown, unknown
    options = bind(TransportOptions, [line for line in raw if line.name in generic], CONVERTERS, errors)
    private = bind(cls, [line for line in raw if line.name not in generic], CONVERTERS, errors)
    assert not errors, errors
    return Transport(name or f"{driver}_t", driver, options, private)


def make_recipient(address: str, **facts: Any) -> Recipient:
    local, _, domain = address.partition("@")
    recipient = Recipient(address, local_part=local, domain=domain)
    for name, value in facts.items():
        setattr(recipient, name, value)
    return recipient


def make_batch(
    *addresses: str,
    body: bytes = BODY,
    header: str = HEADER,
    sender: str = "sender@src.ex",
    hosts: list[Host] | None = None,
    recipients: list[Recipient] | None = None,
    **facts: Any,
) -> Batch:
    headers = Headers()
    for line in header.split("\n")[:-1]:
        headers.add(line)
    message = Message(id=MESSAGE_ID, sender=sender, headers=headers)
    message.body_size = len(body)
    message.message_size = len(header) + 1 + len(body)
    message.message_linecount = body.count(b"\n") + header.count("\n")
    message.deliver_first_time = True
    people = recipients or [make_recipient(address) for address in addresses]
    batch = Batch(message, people, sender, lambda: io.BytesIO(body), hosts or [])
    for name, value in facts.items():
        setattr(batch, name, value)
    return batch


def make_scope() -> Scope:
    options = MainOptions()
    options.primary_hostname = "mx.test.ex"
    options.qualify_domain = "test.ex"
    return Scope(Site(options), Services(compile_text=compile_text))
