"""OpenSSL contexts by what they are made of, kept for the process: files are read again only when they change.

``context(state, spec)`` is safe from any thread; a context is never changed once it is handed out.
"""

from __future__ import annotations

import base64
import os
import threading
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from OpenSSL import SSL

from mta.errors import Deferred, ExpansionFailed
from mta.scope.expansion import Expansion, Tainted, expand_with_taint
from mta.scope.scope import Scope
from mta.tls.ciphers import option_bits
from mta.tls.errors import TlsFailed, reason
from mta.tls.selfsigned import SelfSigned

Prepare = Callable[[SSL.Context], None]
MAX_CONTEXTS = 200
DEFAULT_OPTIONS = "+no_sslv2 +no_sslv3 +single_dh_use +no_ticket +no_renegotiation"


@dataclass(frozen=True, slots=True)
class Spec:
    """``certificates`` and ``keys`` are file names in order, several for several key types; none for a server
    means a certificate signed by itself for ``hostname``. ``anchors``: "system", a file, a folder or "".
    """

    server: bool
    certificates: tuple[str, ...] = ()
    keys: tuple[str, ...] = ()
    ciphers: str = ""
    options: str = DEFAULT_OPTIONS
    anchors: str = ""
    crl: str = ""
    dhparam: str = ""
    hostname: str = ""
    eccurve: str = "auto"  # names of groups between colons; "auto" or "": the library's choice
    dh_max_bits: int = 2236  # larger parameters of a file are not used
    resumption: bool = False  # give session tickets out (RFC 5077)

    def files(self) -> tuple[str, ...]:
        extra = tuple(name for name in (self.anchors, self.crl, self.dhparam) if name.startswith("/"))
        return self.certificates + self.keys + extra


class Contexts:
    """The contexts of one process."""

    __slots__ = ("_kept", "_lock", "self_signed")

    def __init__(self) -> None:
        self._kept: OrderedDict[tuple[Any, ...], SSL.Context] = OrderedDict()
        self._lock = threading.Lock()
        self.self_signed = SelfSigned()

    def get(self, spec: Spec, prepare: Prepare | None) -> SSL.Context:
        """The context; raises TlsFailed when it cannot be made."""
        key: tuple[Any, ...] = (spec, *(_stamp(name) for name in spec.files()))
        if spec.server and not spec.certificates:
            key = (*key, self.self_signed.current(spec.hostname))
        with self._lock:
            found = self._kept.get(key)
            if found is not None:
                self._kept.move_to_end(key)
                return found
        made = _make(spec, self.self_signed)
        if prepare is not None:
            prepare(made)
        with self._lock:
            self._kept[key] = made
            while len(self._kept) > MAX_CONTEXTS:
                self._kept.popitem(last=False)
        return made


def context(state: dict[str, Any], spec: Spec, prepare: Prepare | None = None) -> SSL.Context:
    """A context out of ``services.state``; ``prepare`` finishes a new one. Raises TlsFailed."""
    contexts: Contexts | None = state.get("tls.contexts")
    if contexts is None:
        contexts = state.setdefault("tls.contexts", Contexts())
    return contexts.get(spec, prepare)


def file_option(text: Expansion | None, scope: Scope, name: str) -> str:
    """The expansion of an option that names a file; a peer's text may not. Raises TlsFailed."""
    if text is None:
        return ""
    try:
        value = expand_with_taint(text, scope)
    except (ExpansionFailed, Deferred) as error:
        raise TlsFailed(f"expansion of {name} failed: {error.message}") from None
    if isinstance(value, Tainted):
        raise TlsFailed(f"tainted name '{value}' for {name} not permitted")
    return value


def _stamp(name: str) -> tuple[int, int, int]:
    try:
        found = os.stat(name)
    except OSError:
        return (0, 0, 0)
    return (found.st_mtime_ns, found.st_size, found.st_ino)


def _make(spec: Spec, self_signed: SelfSigned) -> SSL.Context:
    made = SSL.Context(SSL.TLS_SERVER_METHOD if spec.server else SSL.TLS_CLIENT_METHOD)
    made.set_session_cache_mode(SSL.SESS_CACHE_OFF)
    try:
        _apply_options(made, spec.options + (" -no_ticket" if spec.resumption else ""))
        if spec.resumption:
            made.set_session_id(b"mta")
        if spec.ciphers:
            made.set_cipher_list(spec.ciphers.encode("latin-1"))
    except ValueError as error:
        raise TlsFailed(f"(openssl_options): {error}") from None
    except SSL.Error as error:
        raise TlsFailed(f"(SSL_CTX_set_cipher_list): {spec.ciphers}: {reason(error)}") from None
    _load_certificates(made, spec, self_signed)
    _load_anchors(made, spec)
    _choose_groups(made, spec.eccurve)
    if spec.dhparam.startswith("/") and _dh_bits(spec.dhparam) <= spec.dh_max_bits:
        try:
            made.load_tmp_dh(spec.dhparam)
        except (SSL.Error, OSError) as error:
            raise TlsFailed(f"(tls_dhparam): could not read dh_parameters {spec.dhparam}: {reason(error)}") from None
    return made


def _choose_groups(made: SSL.Context, names: str) -> None:
    """tls_eccurve. pyOpenSSL has a public way for single curves of the old kind only."""
    if names in ("", "auto"):
        return
    lib: Any = SSL._lib  # type: ignore[attr-defined]
    if lib.SSL_CTX_set1_curves_list(made._context, names.encode("latin-1")) != 1:
        lib.ERR_clear_error()
        raise TlsFailed(f"(tls_eccurve): unknown curve name '{names}'")


def _dh_bits(path: str) -> int:
    """The size of the Diffie-Hellman prime in a PEM file; 0 for what cannot be read, which loading it will say.

    The file is a SEQUENCE that starts with the prime as an INTEGER (PKCS #3).
    """
    try:
        with open(path, "rb") as file:
            body = file.read(1 << 16).partition(b"-----BEGIN DH PARAMETERS-----")[2].partition(b"-----END")[0]
        _, inner = _der(base64.b64decode(body))
        tag, prime = _der(inner)
    except (OSError, ValueError, IndexError):
        return 0
    return int.from_bytes(prime, "big").bit_length() if tag == 2 else 0


def _der(data: bytes) -> tuple[int, bytes]:
    """The tag and the contents of the element at the start of ``data``."""
    size, start = data[1], 2
    if size & 0x80:
        start += size & 0x7F
        size = int.from_bytes(data[2:start], "big")
    return data[0], data[start : start + size]


def _apply_options(made: SSL.Context, text: str) -> None:
    made.set_options(option_bits(f"{DEFAULT_OPTIONS} {text}"))


def _load_certificates(made: SSL.Context, spec: Spec, self_signed: SelfSigned) -> None:
    if not spec.certificates:
        if spec.server:
            self_signed.use(made, spec.hostname)
        return
    keys = spec.keys or spec.certificates
    if len(keys) != len(spec.certificates):
        raise TlsFailed("(tls_privatekey): not as many keys as certificates")
    for certificate, key in zip(spec.certificates, keys, strict=True):
        try:
            made.use_certificate_chain_file(certificate)
        except (SSL.Error, OSError) as error:
            raise TlsFailed(f"(SSL_CTX_use_certificate_chain_file file={certificate}): {reason(error)}") from None
        try:
            made.use_privatekey_file(key)
        except (SSL.Error, OSError) as error:
            raise TlsFailed(f"(SSL_CTX_use_PrivateKey_file file={key}): {reason(error)}") from None
        try:
            made.check_privatekey()
        except SSL.Error as error:
            raise TlsFailed(f"(SSL_CTX_check_private_key file={key}): {reason(error)}") from None


def _load_anchors(made: SSL.Context, spec: Spec) -> None:
    if not spec.anchors:
        return
    if spec.anchors in ("system", "system,cache"):
        made.set_default_verify_paths()
    else:
        try:
            if os.path.isdir(spec.anchors):
                made.load_verify_locations(None, spec.anchors)
            else:
                made.load_verify_locations(spec.anchors)
                if spec.server:
                    made.load_client_ca(spec.anchors.encode("latin-1"))
        except (SSL.Error, OSError) as error:
            raise TlsFailed(f"(SSL_CTX_load_verify_locations file={spec.anchors}): {reason(error)}") from None
    if spec.crl:
        _load_crls(made, spec.crl)


def _load_crls(made: SSL.Context, path: str) -> None:
    from cryptography import x509
    from OpenSSL.crypto import X509StoreFlags

    names = [os.path.join(path, name) for name in sorted(os.listdir(path))] if os.path.isdir(path) else [path]
    store = made.get_cert_store()
    if store is None:
        raise TlsFailed(f"(X509_STORE_add_crl file={path}): no store")
    for name in names:
        try:
            with open(name, "rb") as file:
                data = file.read()
            for piece in data.split(b"-----END X509 CRL-----")[:-1]:
                store.add_crl(x509.load_pem_x509_crl(piece + b"-----END X509 CRL-----\n"))
        except (OSError, ValueError, SSL.Error) as error:
            raise TlsFailed(f"(X509_STORE_add_crl file={name}): {error}") from None
    store.set_flags(X509StoreFlags.CRL_CHECK | X509StoreFlags.CRL_CHECK_ALL)
