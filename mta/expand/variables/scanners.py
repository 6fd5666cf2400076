"""Variables of content scanning and of message authentication: virus, spam, MIME parts, DKIM, SPF, DMARC, ARC.

The conditions and verifiers leave their answers in ``scope.vars`` under the variables' names (the spam scanner's
are kept with the message); a table gives what stands there before.
"""

from __future__ import annotations

from collections.abc import Callable

from mta.expand.base import left, variable
from mta.scope.scope import Scope

_NO_EXPIRY = "9999999999999"  # dkim_expires and dkim_bodylength when the signature has no such tag

_OURS = {
    "av_failed": "0",
    "malware_name": "",
    "dcc_header": "",
    "dcc_result": "",
    "bmi_alt_location": "",
    "bmi_base64_tracker_verdict": "",
    "bmi_base64_verdict": "",
    "bmi_deliver": "",
    "mime_anomaly_level": "0",
    "mime_anomaly_text": "",
    "mime_content_size": "0",
    "mime_decoded_filename": "",
    "mime_is_coverletter": "0",
    "mime_is_multipart": "0",
    "mime_is_rfc822": "0",
    "mime_part_count": "-1",
}
_PEERS = {
    "mime_boundary": "",
    "mime_charset": "",
    "mime_content_description": "",
    "mime_content_disposition": "",
    "mime_content_id": "",
    "mime_content_transfer_encoding": "",
    "mime_content_type": "",
    "mime_filename": "",
}
# Those of sender authentication stay with their message; whoever leaves a peer's text there marks it Tainted
_MESSAGES = {
    "dkim_key_length": "0",
    "dkim_verify_reason": "",
    "dkim_verify_status": "",
    "arc_state": "",
    "arc_state_reason": "",
    "arc_oldest_pass": "",
    "dkim_algo": "",
    "dkim_bodylength": _NO_EXPIRY,
    "dkim_canon_body": "",
    "dkim_canon_headers": "",
    "dkim_copiedheaders": "",
    "dkim_created": "0",
    "dkim_cur_signer": "",
    "dkim_domain": "",
    "dkim_expires": _NO_EXPIRY,
    "dkim_headernames": "",
    "dkim_identity": "",
    "dkim_key_granularity": "*",
    "dkim_key_nosubdomains": "0",
    "dkim_key_notes": "",
    "dkim_key_srvtype": "*",
    "dkim_key_testing": "0",
    "dkim_selector": "",
    "dkim_signers": "",
    "arc_domains": "",
    "spf_result": "",
    "spf_result_guessed": "no",
    "spf_header_comment": "",
    "spf_received": "",
    "spf_smtp_comment": "",
    "spf_used_domain": "",
    "dmarc_alignment_dkim": "",
    "dmarc_alignment_spf": "",
    "dmarc_domain_policy": "",
    "dmarc_status": "",
    "dmarc_status_text": "",
    "dmarc_used_domain": "",
    "dmarc_ar_header": "",
}
_MESSAGES_PEERS = frozenset(
    {"spf_header_comment", "spf_received", "spf_smtp_comment", "spf_used_domain", "dmarc_used_domain"}
    | {"dmarc_ar_header"}
)
_SPAM = ("spam_action", "spam_bar", "spam_report", "spam_score", "spam_score_int")


def _spam(name: str) -> Callable[[Scope], str]:
    return lambda s: s.vars.get(name) or s.message.spam.get(name, "")


def _of_message(name: str, empty: str) -> Callable[[Scope], str]:
    # a transport that signs has a $dkim_domain of its own
    return lambda s: s.vars.get(name) or s.message.authentication.get(name, empty)


for _name, _empty in _MESSAGES.items():
    variable(_name, _of_message(_name, _empty), tainted=_name in _MESSAGES_PEERS)
for _name, _empty in _OURS.items():
    variable(_name, left(_name, _empty))
for _name, _empty in _PEERS.items():
    variable(_name, left(_name, _empty), tainted=True)
# the option's default is the signers themselves
variable("dkim_verify_signers", _of_message("dkim_signers", ""))
for _name in _SPAM:
    variable(_name, _spam(_name))
variable("spf_guess", lambda s: getattr(s.site.options, "spf_guess", None) or "v=spf1 a/24 mx/24 ptr ?all")
