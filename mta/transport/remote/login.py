"""AUTH as a client: asks the configured authenticators in turn (manual section 33.5)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mta.scope.scope import Scope
from mta.transport.remote.connection import Connection

if TYPE_CHECKING:
    from mta.transport.drivers.smtp import Smtp

NO_MECHANISM = "authentication required but no common mechanisms were found"


def authenticate(connection: Connection, driver: Smtp, scope: Scope) -> str:
    """Try to log in; ``connection.authenticator`` is set when it worked. The reason why it did not, for the log."""
    attempt = scope.services.state.get("client_authenticate")
    if attempt is None:
        return NO_MECHANISM
    result = attempt(
        scope,
        connection.extensions.auth,
        lambda line: connection.command(line, driver.command_timeout, line.split(" ", 2)[0]),
    )
    if isinstance(result, str):
        return result
    connection.authenticator, connection.authenticated_id = result
    return ""
