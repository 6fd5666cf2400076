"""TLS for a connection under way: calls the tls room and turns its answers into ours."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

from mta.errors import ExpansionFailed, MtaError
from mta.scope.events import main_event, transport_event
from mta.scope.scope import Scope
from mta.tls.assurance import Assurance
from mta.transport.outcomes import TLS_REQUIRED
from mta.transport.remote.connection import Connection
from mta.transport.remote.failures import HostTrouble, Trouble

if TYPE_CHECKING:
    from mta.transport.drivers.smtp import Smtp

TLS_FAILED = -37


class TlsFailed(MtaError):
    """The handshake failed and the options allow clear text: connect again without it."""


def start(
    connection: Connection, driver: Smtp, scope: Scope, assurance: Assurance | None, *, may_fall_back: bool
) -> None:
    """Put TLS over the connection. Raises TlsFailed when clear text may be tried, HostTrouble otherwise."""
    client: Any = importlib.import_module("mta.tls.client")
    try:
        stream, info = client.client_handshake(connection.stream, driver, scope, connection.host, assurance)
    except (MtaError, OSError) as error:
        if isinstance(error, ExpansionFailed):
            message = f"failed to expand a TLS option: {error.message}"
        else:
            message = getattr(error, "message", "") or str(error)
        main_event(scope, "tls:fail:connect", message)
        if may_fall_back:
            connection.close()
            raise TlsFailed(message) from None
        trouble = Trouble(f"TLS session failure: {message}", TLS_FAILED, error="tls_required")
        trouble.tls_result = getattr(error, "result", "") or ("validation-failure" if assurance is not None else "")
        raise HostTrouble(trouble) from None
    info.on_connect = driver.protocol == "smtps"
    connection.switched_to(stream)
    connection.tls = info
    scope.tls_out = info
    _show_certificates(connection, driver, scope, required=assurance is not None)


def _show_certificates(connection: Connection, driver: Smtp, scope: Scope, *, required: bool) -> None:
    """The event tls:cert for each certificate, the leaf (depth 0) last; one that is refused is not verified."""
    info = connection.tls
    assert info is not None
    leaf, chain = info.peer_certificate, connection.stream.chain() if info.peer_certificate else []
    for depth in range(len(chain) - 1, -1, -1):
        info.peer_certificate = chain[depth]
        refused = transport_event(scope, connection.transport, "tls:cert", str(depth))
        info.peer_certificate = leaf
        if not refused:
            continue
        host = connection.host
        scope.services.log_main(f"[{host.address}] SSL verify denied by event-action: depth={depth}: {refused}")
        info.certificate_verified = False
        verify = driver.tls_verify_hosts
        if required or (verify is not None and verify.match(scope, host.address, host.name) is not None):
            raise HostTrouble(Trouble("TLS session failure: certificate refused by event_action", TLS_FAILED))


__all__ = ["TLS_FAILED", "TLS_REQUIRED", "TlsFailed", "start"]
