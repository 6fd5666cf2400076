"""Verifying an address by routing it (manual chapter 44.38): the service behind ``verify =``, VRFY, EXPN, -bv."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from mta.mail.address import Address, parse_address
from mta.mail.recipient import Recipient
from mta.route.base import Accepted, Asking, Failed, Redirected, RouteDeferred, Router
from mta.route.chain import make_recipient, route_address
from mta.route.percent_hack import without_percents
from mta.scope.scope import Scope
from mta.scope.services import Verified

MAX_CHILDREN = 50  # single children followed before we call it a loop


@dataclass(slots=True)
class Verifier:
    """Answers ``Services.verify_address`` for one configuration.

    ``rewrite(scope, address, is_sender)`` applies the envelope rewriting rules before the routers see the address.
    """

    routers: list[Router]
    transports: Mapping[str, Any]
    rewrite: Callable[[Scope, str, bool], str] | None = None

    def __call__(
        self, scope: Scope, address: str, *, is_sender: bool, expn: bool = False, success_on_redirect: bool = False
    ) -> Verified:
        options = scope.site.options
        parsed = parse_address(
            address,
            allow_domain_literals=getattr(options, "allow_domain_literals", False),
            allow_null=is_sender,
        )
        if not isinstance(parsed, Address):
            return Verified(False, user_message=parsed.message, log_message=parsed.message, failure="route")
        if is_sender and not parsed.local_part:
            return Verified(True)
        if not parsed.domain:
            text = "A domain is required for address verification"
            return Verified(False, user_message=text, log_message=text, failure="qualify")
        whole = f"{parsed.local_part}@{parsed.domain}"
        if self.rewrite is not None:
            whole = self.rewrite(scope, whole, is_sender)
        whole = without_percents(scope, whole)
        asking = Asking(verify="S" if is_sender else "R", expn=expn, transports=self.transports)
        before, scope.verify_mode = scope.verify_mode, asking.verify
        try:
            return self._follow(make_recipient(whole), scope, asking, success_on_redirect)
        finally:
            scope.verify_mode = before

    def _follow(self, recipient: Recipient, scope: Scope, asking: Asking, redirect_is_enough: bool) -> Verified:
        """A single child is verified in its parent's place; several, or one that is no address, mean success."""
        top = recipient
        for _ in range(MAX_CHILDREN):
            answer = route_address(self.routers, recipient, scope, asking)
            if isinstance(answer, Accepted):
                return Verified(True, recipient)
            if isinstance(answer, Failed):
                return Verified(
                    False, recipient, answer.smtp_message or answer.message, answer.message, failure="route"
                )
            if isinstance(answer, RouteDeferred):
                return Verified(None, recipient, answer.smtp_message, answer.message, failure="route")
            assert isinstance(answer, Redirected)
            if asking.expn:
                return Verified(True, recipient, children=tuple(child.address for child in answer.children))
            if redirect_is_enough or len(answer.children) != 1 or answer.children[0].kind != "address":
                return Verified(True, recipient)
            recipient = answer.children[0]
        return Verified(None, top, "", f"too many redirections of {top.address}")
