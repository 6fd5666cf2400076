"""What ``require`` may name (RFC 5228 section 3.2)."""

from __future__ import annotations

CAPABILITIES = frozenset(
    {
        "comparator-i;ascii-numeric",
        "copy",  # RFC 3894
        "encoded-character",
        "enotify",  # RFC 5435, with mailto of RFC 5436
        "envelope",
        "fileinto",
        "subaddress",  # RFC 5233
        "vacation",  # RFC 5230
        "variables",  # RFC 5229
    }
)
# always there; naming them does no harm
BUILT_IN = frozenset({"comparator-i;octet", "comparator-i;ascii-casemap"})
