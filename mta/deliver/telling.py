"""Events about the fate of recipients and messages (manual chapter 61): ``Teller``, asked by the settler."""

from __future__ import annotations

from dataclasses import dataclass

from mta.config.runtime import Runtime
from mta.mail.outcome import Outcome
from mta.scope.events import main_event, transport_event
from mta.scope.scope import Scope
from mta.spool.locked import Locked


@dataclass(slots=True)
class Teller:
    """One delivery attempt's. A failed or forced expansion has no effect on what happened already."""

    runtime: Runtime
    locked: Locked

    def delivered(self, outcome: Outcome, return_path: str) -> None:
        """msg:delivery: ``$event_data`` is what the other side said."""
        if self._deaf(outcome):
            return
        transport_event(
            self._scope(outcome, return_path), outcome.recipient.transport, "msg:delivery", outcome.response
        )

    def failed(self, outcome: Outcome, return_path: str) -> None:
        """msg:fail:delivery where a transport tried, msg:fail:internal where routing or an operator ended it."""
        if not outcome.recipient.transport:
            main_event(self._scope(outcome, return_path), "msg:fail:internal", outcome.message)
        elif not self._deaf(outcome):
            scope = self._scope(outcome, return_path)
            transport_event(scope, outcome.recipient.transport, "msg:fail:delivery", outcome.message)

    def completed(self) -> None:
        """msg:complete: nobody is left."""
        scope = self.runtime.scope(peer=self.locked.peer, message=self.locked.message)
        scope.vars["return_path"] = self.locked.message.sender
        main_event(scope, "msg:complete")

    def _deaf(self, outcome: Outcome) -> bool:
        """No option of the transport wants to hear: spares each delivery the making of a scope."""
        transport = self.runtime.config.transports.get(outcome.recipient.transport)
        if transport is None:
            return True
        options = transport.options
        return not (
            options.event_action is not None
            or options.event_python is not None
            or options.event_log is not None
            or options.tpda_delivery_action is not None
        )

    def _scope(self, outcome: Outcome, return_path: str) -> Scope:
        scope = self.runtime.scope(peer=self.locked.peer, message=self.locked.message)
        scope.recipient, scope.host, scope.tls_out = outcome.recipient, outcome.host, outcome.tls
        scope.router, scope.transport = outcome.recipient.router, outcome.recipient.transport
        scope.body = self.locked.body
        scope.vars.update(
            return_path=return_path,
            host_port=str(outcome.host_port),
            sending_ip_address=outcome.local_address,
            sending_port=str(outcome.local_port),
        )
        return scope
