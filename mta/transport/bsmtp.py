"""The envelope of batched SMTP (manual section 49.10), and the envelope addresses of every form of SMTP."""

from __future__ import annotations

from mta.mail.recipient import Recipient
from mta.transport.base import Batch


def envelope_address(recipient: Recipient, *, affixes: bool) -> str:
    """The address for RCPT TO: without prefix and suffix unless rcpt_include_affixes is set."""
    if recipient.kind != "address":
        return recipient.top.address
    if affixes or not (recipient.prefix or recipient.suffix):
        return recipient.address
    local = recipient.cc_local_part or recipient.local_part
    if recipient.cc_local_part:
        local = local[len(recipient.prefix) :]
        local = local[: len(local) - len(recipient.suffix)] if recipient.suffix else local
    return f"{local}@{recipient.domain}"


def one_line(text: str) -> str:
    """Without CR, LF and NUL: what an address may hold can never end a command."""
    if "\n" in text or "\r" in text or "\0" in text:
        return text.replace("\r", "").replace("\n", "").replace("\0", "")
    return text


def before(batch: Batch, *, affixes: bool, crlf: bool) -> bytes:
    """MAIL, RCPT and DATA lines."""
    end = "\r\n" if crlf else "\n"
    lines = [f"MAIL FROM:<{one_line(batch.return_path)}>"]
    lines += [f"RCPT TO:<{one_line(envelope_address(recipient, affixes=affixes))}>" for recipient in batch.recipients]
    lines.append("DATA")
    return "".join(line + end for line in lines).encode("latin-1")


def after(*, crlf: bool) -> bytes:
    """The final dot."""
    return b".\r\n" if crlf else b".\n"
