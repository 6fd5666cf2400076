"""The accept router (manual chapter 16): whatever passes the preconditions goes to the transport."""

from __future__ import annotations

from dataclasses import dataclass

from mta.mail.recipient import Recipient
from mta.route.base import Accepted, Answer, Asking, Router, routers
from mta.scope.scope import Scope


@routers.register("accept")
@dataclass(slots=True)
class Accept:
    def route(self, router: Router, recipient: Recipient, scope: Scope, asking: Asking) -> Answer:
        return Accepted("")
