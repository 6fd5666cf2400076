"""``${imapfolder{folder}{separator}{specials}}``: a folder's name as a Maildir++ one (manual 60.2)."""

from __future__ import annotations

import base64

from mta.errors import ExpansionFailed
from mta.expand.base import items
from mta.expand.nodes import Node
from mta.expand.parser import Parser
from mta.scope.scope import Scope


@items.register("imapfolder")
def parse(parser: Parser, name: str) -> Node:
    runs = [argument.run for argument in parser.arguments(name, 1, 3)]

    def run(scope: Scope) -> str:
        folder, *rest = (one(scope) for one in runs)
        separator = (rest[0] if rest else "")[:1] or "/"
        return encode_folder(folder, separator, rest[1] if len(rest) > 1 else "")

    return Node(run)


def encode_folder(folder: str, separator: str, specials: str) -> str:
    """Modified UTF-7 (RFC 3501 5.1.3) with ``separator`` turned into dots; ``specials`` are encoded as well."""
    try:
        text = folder.encode("latin-1").decode("utf-8")
    except UnicodeDecodeError:
        raise ExpansionFailed(
            "imapfolder: iconv() failed to convert from UTF-8: Invalid or incomplete multibyte or wide character"
        ) from None
    # a separator in front or behind names nothing, a doubled one is one
    text = text.removeprefix(separator).replace(separator * 2, separator).removesuffix(separator)
    out: list[str] = []
    pending = ""
    for char in text:
        if " " <= char <= "~" and char not in specials:
            out.append(_encoded(pending))
            pending = ""
            if char == separator:
                char = "."
            elif char in "./":
                raise ExpansionFailed(f"imapfolder: illegal character '{char}'")
            out.append("&-" if char == "&" else char)
        else:
            pending += char
    out.append(_encoded(pending))
    return "".join(out)


def _encoded(text: str) -> str:
    if not text:
        return ""
    code = base64.b64encode(text.encode("utf-16-be")).rstrip(b"=").replace(b"/", b",")
    return f"&{code.decode('ascii')}-"
