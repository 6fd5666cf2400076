"""Names: OpenSSL's options by Exim's words, cipher suites in their standard form, distinguished names in one line."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from cryptography.x509 import Name
    from OpenSSL import SSL

_CIPHER = re.compile(r"(?:(ECDHE|DHE|ADH|AECDH)-)?(?:(RSA|ECDSA|DSS|PSK)-)?(.+)\Z")
_BLOCK = re.compile(r"(AES|CAMELLIA)(128|256)")


def session_cipher(connection: SSL.Connection) -> tuple[str, str, str, int]:
    """(``TLS1.3:TLS_AES_256_GCM_SHA384:256``, standard name, ``TLS1.3``, bits) of a finished handshake."""
    name = connection.get_cipher_name() or ""
    bits = connection.get_cipher_bits() or 0
    version = connection.get_protocol_version_name().replace("TLSv", "TLS")
    if version == "TLS1":
        version = "TLS1.0"
    return f"{version}:{name}:{bits}", standard_name(name), version, bits


def standard_name(name: str) -> str:
    """The registered name of a suite that OpenSSL calls ``ECDHE-RSA-AES256-GCM-SHA384``."""
    if name.startswith("TLS_") or not name:
        return name
    match = _CIPHER.match(name)
    assert match is not None
    exchange, signature, rest = match.group(1), match.group(2), match.group(3)
    if exchange in ("ADH", "AECDH"):
        exchange, signature = ("DH" if exchange == "ADH" else "ECDH"), "anon"
    key = "_".join(part for part in (exchange, signature) if part) or "RSA"
    suite = _BLOCK.sub(r"\1_\2", rest).replace("-", "_")
    if "CHACHA20" in suite:
        suite = "CHACHA20_POLY1305_SHA256"
    elif re.match(r"(AES|CAMELLIA)_\d+_SHA", suite):
        suite = suite.replace("_SHA", "_CBC_SHA", 1)
    elif suite.endswith(("_CCM", "_CCM8")):
        suite = suite.replace("CCM8", "CCM_8")
    return f"TLS_{key}_WITH_{suite}"


def one_line(name: Name) -> str:
    """``/C=UK/O=Example/CN=host``, bytes that are not printable escaped."""
    parts = []
    for attribute in name:
        value = attribute.value if isinstance(attribute.value, bytes) else attribute.value.encode("utf-8")
        parts.append(f"/{attribute.rfc4514_attribute_name}={_printing(value)}")
    return "".join(parts)[:1024]


def _printing(value: bytes) -> str:
    return "".join(chr(byte) if 32 <= byte < 127 else f"\\x{byte:02X}" for byte in value)


def option_bits(text: str) -> int:
    """openssl_options, words from left to right, as OpenSSL's bits; raises ValueError naming a word that is none."""
    from OpenSSL import SSL

    bits = 0
    for word in text.split():
        sign, name = word[:1], word[1:].lower()
        if sign not in ("+", "-") or not name:
            raise ValueError(f'unrecognized openssl_options word "{word}"')
        if name in _NO_EFFECT:
            continue
        bit = int(name) if name.isascii() and name.isdigit() else getattr(SSL, _OPTIONS.get(name, ""), None)
        if bit is None:
            raise ValueError(f'unrecognized openssl_options word "{word}"')
        bits = bits | bit if sign == "+" else bits & ~bit
    return bits


_NO_EFFECT = frozenset(
    {"allow_unsafe_legacy_renegotiation", "cryptopro_tlsext_bug", "safari_ecdhe_ecdsa_bug", "tlsext_padding"}
    | {"no_anti_replay", "allow_no_dhe_kex", "prioritize_chacha", "tls_block_padding_bug"}
)
_OPTIONS = {
    "all": "OP_ALL",
    "cipher_server_preference": "OP_CIPHER_SERVER_PREFERENCE",
    "dont_insert_empty_fragments": "OP_DONT_INSERT_EMPTY_FRAGMENTS",
    "ephemeral_rsa": "OP_EPHEMERAL_RSA",
    "legacy_server_connect": "OP_LEGACY_SERVER_CONNECT",
    "microsoft_big_sslv3_buffer": "OP_MICROSOFT_BIG_SSLV3_BUFFER",
    "microsoft_sess_id_bug": "OP_MICROSOFT_SESS_ID_BUG",
    "msie_sslv2_rsa_padding": "OP_MSIE_SSLV2_RSA_PADDING",
    "netscape_challenge_bug": "OP_NETSCAPE_CHALLENGE_BUG",
    "netscape_reuse_cipher_change_bug": "OP_NETSCAPE_REUSE_CIPHER_CHANGE_BUG",
    "no_compression": "OP_NO_COMPRESSION",
    "no_renegotiation": "OP_NO_RENEGOTIATION",
    "no_session_resumption_on_renegotiation": "OP_NO_RENEGOTIATION",
    "no_sslv2": "OP_NO_SSLv2",
    "no_sslv3": "OP_NO_SSLv3",
    "no_ticket": "OP_NO_TICKET",
    "no_tlsv1": "OP_NO_TLSv1",
    "no_tlsv1_1": "OP_NO_TLSv1_1",
    "no_tlsv1_2": "OP_NO_TLSv1_2",
    "no_tlsv1_3": "OP_NO_TLSv1_3",
    "single_dh_use": "OP_SINGLE_DH_USE",
    "single_ecdh_use": "OP_SINGLE_ECDH_USE",
    "ssleay_080_client_dh_bug": "OP_SSLEAY_080_CLIENT_DH_BUG",
    "sslref2_reuse_cert_type_bug": "OP_SSLREF2_REUSE_CERT_TYPE_BUG",
    "tls_d5_bug": "OP_TLS_D5_BUG",
    "tls_rollback_bug": "OP_TLS_ROLLBACK_BUG",
}
