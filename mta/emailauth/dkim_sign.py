"""Making DKIM-Signature lines (RFC 6376 5; manual section 58.2): what to sign, the line and its fold.

``Plan`` says what one signature is to be; ``sign`` gives the line for it, from the header lines and the hash of the
body. Reading options and messages is the caller's (transport/remote/signing).
"""

from __future__ import annotations

import base64
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

from mta.emailauth.dkim_canon import BodyForm, BodyHashes, header_bytes
from mta.emailauth.dkim_keys import PrivateKey
from mta.text.ascii import lower

SIGN_HEADERS = (
    "From:Sender:Reply-To:Subject:Date:Message-ID:To:Cc:MIME-Version:Content-Type:Content-Transfer-Encoding:Content-ID"
    ":Content-Description:Resent-Date:Resent-From:Resent-Sender:Resent-To:Resent-Cc:Resent-Message-ID:In-Reply-To"
    ":References:List-Id:List-Help:List-Unsubscribe:List-Subscribe:List-Post:List-Owner:List-Archive"
)
OVERSIGN_HEADERS = ":".join(f"+{name}" for name in SIGN_HEADERS.split(":"))
WIDTH = 78


@dataclass(slots=True)
class Plan:
    """One signature. ``lifetime`` in seconds, -1 for no t= and x=; ``headers`` as dkim_sign_headers has them."""

    domain: str
    selector: str
    key: PrivateKey
    relaxed: bool = True
    hash_name: str = "sha256"
    headers: Sequence[str] = ()
    identity: str = ""
    lifetime: int = -1

    @property
    def body_form(self) -> BodyForm:
        return BodyForm(self.relaxed, self.hash_name)


def chosen_headers(lines: Sequence[str], wanted: Sequence[str]) -> tuple[list[str], list[str]]:
    """The names of h= in their order, and the lines that they mean.

    From the lowest line up: a plain name takes one line, ``=name`` and ``+name`` all; then come the names that are
    left over, and those with ``+`` once more, as headers that must not be added.
    """
    plain, every, items = _parsed(tuple(wanted))
    names, taken = [], []
    used: dict[str, int] = {}
    for line in reversed(lines):
        name = line.partition(":")[0].rstrip(" \t")
        key = lower(name)
        if used.get(key, 0) < plain.get(key, 0):
            used[key] = used.get(key, 0) + 1
        elif key not in every:
            continue
        names.append(name)
        taken.append(line)
    for bare, key, again in items:
        if not again and used.get(key):
            used[key] -= 1
        else:
            names.append(bare)
    return names, taken


@lru_cache(maxsize=64)
def _parsed(wanted: tuple[str, ...]) -> tuple[dict[str, int], frozenset[str], list[tuple[str, str, bool]]]:
    """How often each plain name may be taken, the names taken as often as they come, and what may be left over:
    (name, in lower case, whether it comes once more in any case)."""
    plain: dict[str, int] = {}
    every: set[str] = set()
    items = []
    for item in wanted:
        bare, mark = item.lstrip("=+"), item[:1]
        key = lower(bare)
        if mark in ("=", "+"):
            every.add(key)
        else:
            plain[key] = plain.get(key, 0) + 1
        if bare and mark != "=":
            items.append((bare, key, mark == "+"))
    return plain, frozenset(every), items


def sign(plan: Plan, lines: Sequence[str], hashes: BodyHashes, now: float) -> str:
    """The DKIM-Signature line, its folds and final newline LF; raises BadPrivateKey."""
    names, taken = chosen_headers(lines, plan.headers)
    form = "relaxed" if plan.relaxed else "simple"
    fold = Fold("DKIM-Signature: v=1;")
    fold.tag(f"a={plan.key.algorithm(plan.hash_name)};")
    fold.tag("q=dns/txt;")
    fold.tag(f"c={form}/{form};")
    fold.tag(f"d={plan.domain};")
    fold.tag(f"s={plan.selector};")
    fold.names("h=", names)
    digest = hashes.digest(plan.body_form)
    assert digest is not None
    fold.tag(f"bh={base64.b64encode(digest).decode('ascii')};", breakable=True)
    if plan.identity:
        fold.tag(f"i={plan.identity};")
    if plan.lifetime >= 0:
        fold.tag(f"t={int(now)};")
        fold.tag(f"x={int(now) + plan.lifetime};")
    return finish(fold, plan.key, plan.hash_name, taken, relaxed=plan.relaxed)


def finish(fold: Fold, key: PrivateKey, hash_name: str, taken: Sequence[str], *, relaxed: bool) -> str:
    """Sign the chosen lines and the line so far with ``b=``, and add the value."""
    fold.tag("b=")
    own = fold.text()
    data = header_bytes(taken, own, relaxed=relaxed)
    fold.value(base64.b64encode(key.sign(data, hash_name)).decode("ascii"))
    return fold.text() + "\n"


class Fold:
    """A header line in the making, folded with LF and a tab before WIDTH columns where that can be."""

    __slots__ = ("_column", "_parts")

    def __init__(self, start: str) -> None:
        self._parts = [start]
        self._column = len(start)

    def _put(self, text: str) -> None:
        self._parts.append(text)
        self._column += len(text)

    def _break(self) -> None:
        self._parts.append("\n\t")
        self._column = 1

    def tag(self, text: str, *, breakable: bool = False) -> None:
        """`` name=value;`` on this line or the next; a ``breakable`` value may be cut anywhere."""
        if self._column + 1 + len(text) > WIDTH:
            self._break()
        else:
            self._put(" ")
        if breakable and len(text) > WIDTH - 1:
            self.value(text)
        else:
            self._put(text)

    def value(self, text: str) -> None:
        """A long value, cut where the line is full."""
        while text:
            room = WIDTH - self._column
            if room <= 0:
                self._break()
                continue
            self._put(text[:room])
            text = text[room:]

    def names(self, tag: str, names: Sequence[str]) -> None:
        """A list with colons, folded after them; ends with a semicolon."""
        self.tag(tag + names[0] + (":" if len(names) > 1 else ";") if names else tag + ";")
        column, last = self._column, len(names) - 1
        for number in range(1, len(names)):
            text = names[number] + (":" if number < last else ";")
            if column + len(text) > WIDTH:
                text, column = "\n\t" + text, -1
            self._parts.append(text)
            column += len(text)
        self._column = column

    def text(self) -> str:
        return "".join(self._parts)
