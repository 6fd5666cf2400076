"""What was found out about who sent a message: values that verifiers leave with the message for others to read."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(slots=True)
class DkimResult:
    """One DKIM signature. ``status`` is Exim's word (manual section 58.3): pass, fail, invalid, none.

    ``domain`` is d=, ``identity`` i=, ``selector`` s=, the first and the domain of the second in lower case.
    ``fault`` is a key of emailauth.dkim_verify.FAULTS, ``detail`` a sentence for people. ``temporary``: it may pass
    later, the key could not be asked for. Numbers are -1 where the signature has no such tag.
    """

    status: str
    domain: str = ""
    identity: str = ""
    selector: str = ""
    reason: str = ""  # $dkim_verify_reason
    fault: str = ""
    detail: str = ""
    temporary: bool = False
    overridden: bool = False  # an ACL has set the status or the reason
    algo: str = ""  # a=
    signature_bits: int = 0
    signature: str = ""  # b= without white space
    canon_headers: str = ""
    canon_body: str = ""
    body_length: int = -1  # l=
    created: int = -1  # t=
    expires: int = -1  # x=
    header_names: str = ""  # h= without white space
    copied_headers: str = ""  # z=
    key_bits: int = 0  # 0: no key was looked at
    key_testing: bool = False
    key_nosubdomains: bool = False
    key_service: str = "*"
    key_granularity: str = "*"
    key_notes: str = ""
