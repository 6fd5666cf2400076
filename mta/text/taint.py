"""Text that a peer had a hand in: a ``str`` of its own type, so that it carries the mark wherever it is kept.

Ground floor, because the spool writes the mark (``--`` in -H files) and expansions read it.
"""

from __future__ import annotations


class Tainted(str):
    """Byte text that a peer had a hand in."""

    __slots__ = ()
