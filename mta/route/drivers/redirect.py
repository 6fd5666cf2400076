"""The redirect router (manual chapter 22): aliases, .forward files, and what their items may do."""

from __future__ import annotations

from dataclasses import dataclass

from mta.errors import ConfigError, ForcedFail
from mta.filter.actions import kind_of
from mta.mail.recipient import Recipient
from mta.route.base import Answer, Asking, Declined, Failed, Redirected, RouteDeferred, Router, routers
from mta.route.redirect_addresses import Children, children_of
from mta.route.redirect_file import file_data, log_line
from mta.route.redirect_items import Item, parse_items
from mta.scope.expansion import Expansion
from mta.scope.scope import Scope
from mta.settings.options import option
from mta.text.ascii import strip


@routers.register("redirect")
@dataclass(slots=True, eq=False, repr=False)
class Redirect:
    allow_defer: bool = option("bool", False)
    allow_fail: bool = option("bool", False)
    allow_filter: bool = option("bool", False)
    allow_freeze: bool = option("bool", False)
    check_ancestor: bool = option("bool", False)
    check_group: bool | None = option("bool")
    check_owner: bool | None = option("bool")
    data: Expansion | None = option("expanded")
    directory_transport: Expansion | None = option("expanded")
    file: Expansion | None = option("expanded")
    file_transport: Expansion | None = option("expanded")
    filter_prepend_home: bool = option("bool", True)
    forbid_blackhole: bool = option("bool", False)
    forbid_exim_filter: bool = option("bool", False)
    forbid_file: bool = option("bool", False)
    forbid_filter_dlfunc: bool = option("bool", False)
    forbid_filter_existstest: bool = option("bool", False)
    forbid_filter_logwrite: bool = option("bool", False)
    forbid_filter_lookup: bool = option("bool", False)
    forbid_filter_perl: bool = option("bool", False)
    forbid_filter_readfile: bool = option("bool", False)
    forbid_filter_readsocket: bool = option("bool", False)
    forbid_filter_reply: bool = option("bool", False)
    forbid_filter_run: bool = option("bool", False)
    forbid_include: bool = option("bool", False)
    forbid_pipe: bool = option("bool", False)
    forbid_sieve_filter: bool = option("bool", False)
    forbid_smtp_code: bool = option("bool", False)
    hide_child_in_errmsg: bool = option("bool", False)
    ignore_eacces: bool = option("bool", False)
    ignore_enotdir: bool = option("bool", False)
    include_directory: str | None = option("string")
    modemask: int = option("octal", 0o22)
    one_time: bool = option("bool", False)
    owners: tuple[int, ...] = option("uids", ())
    owngroups: tuple[int, ...] = option("gids", ())
    pipe_transport: Expansion | None = option("expanded")
    qualify_domain: Expansion | None = option("expanded")
    qualify_preserve_domain: bool = option("bool", False)
    repeat_use: bool = option("bool", True)
    reply_transport: Expansion | None = option("expanded")
    rewrite: bool = option("bool", True)
    sieve_inbox: Expansion | None = option("expanded", "inbox")
    sieve_subaddress: Expansion | None = option("expanded")
    sieve_useraddress: Expansion | None = option("expanded")
    sieve_vacation_directory: Expansion | None = option("expanded")
    skip_syntax_errors: bool = option("bool", False)
    syntax_errors_text: Expansion | None = option("expanded")
    syntax_errors_to: Expansion | None = option("expanded")

    def __post_init__(self) -> None:
        if (self.data is None) == (self.file is None):
            raise ConfigError('redirect needs one of "data" and "file"')
        if self.qualify_domain is not None and self.qualify_preserve_domain:
            raise ConfigError("only one of qualify_domain and qualify_preserve_domain must be set")
        if self.one_time:
            self.forbid_pipe = self.forbid_file = self.forbid_filter_reply = True

    def route(self, router: Router, recipient: Recipient, scope: Scope, asking: Asking) -> Answer:
        before, scope.tainted = scope.tainted, False
        try:
            text = self._text(router, recipient, scope)
        except ForcedFail:
            return Declined("redirection data: forced failure")
        finally:
            tainted, scope.tainted = scope.tainted, before
        if isinstance(text, RouteDeferred | Declined):
            return text
        kind = kind_of(text) if self.allow_filter else ""
        if kind:
            from mta.route.redirect_filter import filter_answer

            return filter_answer(self, router, recipient, scope, text, kind)
        found = parse_items(text)
        if found.special is not None:
            return self._special(found.special, recipient, scope, asking)
        children = children_of(self, router, recipient, scope, found.items)
        if isinstance(children, RouteDeferred | Failed):
            return children
        return self._answer(router, recipient, scope, children, tainted)

    def _text(self, router: Router, recipient: Recipient, scope: Scope) -> str | RouteDeferred | Declined:
        if self.data is not None:
            text = self.data(scope)
            return text if strip(text) else Declined("empty data")
        assert self.file is not None
        path = self.file(scope)
        if scope.tainted:
            return RouteDeferred(f"Tainted name '{path}' for file for {router.name} router not permitted")
        if not path.startswith("/"):
            return RouteDeferred(f'"{path}" is not an absolute path for a redirection file')
        return file_data(self, path, router, recipient, scope)

    def _answer(self, router: Router, recipient: Recipient, scope: Scope, children: Children, tainted: bool) -> Answer:
        if children.skipped:
            self.tell_errors(router, scope, children.skipped)
        if not children.found:
            return Declined("no addresses in the redirection data")
        for child in children.found:
            child.tainted = tainted
            child.one_time, child.hide_child = self.one_time, self.hide_child_in_errmsg
        return Redirected(children.found)

    def tell_errors(self, router: Router, scope: Scope, errors: list[str]) -> None:
        """Errors that skip_syntax_errors passes over: into the log, and to syntax_errors_to."""
        for text in errors:
            log_line(scope, f"{router.name} router: skipped error: {text}")
        notify = scope.services.state.get("notify_syntax_errors")
        if self.syntax_errors_to is not None and notify is not None:
            heading = self.syntax_errors_text(scope) if self.syntax_errors_text is not None else ""
            notify(scope, self.syntax_errors_to(scope), heading, errors)

    def _special(self, item: Item, recipient: Recipient, scope: Scope, asking: Asking) -> Answer:
        if item.kind == "blackhole":
            if self.forbid_blackhole:
                return RouteDeferred('":blackhole:" is not permitted')
            return Redirected([], discarded=True)
        if item.kind == "unknown":
            return Declined(":unknown:")
        allowed = self.allow_fail if item.kind == "fail" else self.allow_defer
        if not allowed:
            shown = f":{item.kind}: {item.text.partition(',')[0]}".rstrip(" ")
            return RouteDeferred(f'error in redirect data: "{shown}" is not permitted')
        code, text = self._code(item, scope)
        if item.kind == "fail":
            return Failed(item.text or "forced failure", smtp_message=text or "forced failure", code=code)
        return RouteDeferred(item.text or "forced defer", smtp_message=text or "forced defer")

    def _code(self, item: Item, scope: Scope) -> tuple[str, str]:
        """An SMTP code at the start of the text, when its first digit fits; and the text without it."""
        head, _, rest = item.text.partition(" ")
        if len(head) != 3 or not (head.isascii() and head.isdigit()):
            return "", item.text
        if self.forbid_smtp_code:
            return "", rest
        if head[0] != ("5" if item.kind == "fail" else "4"):
            scope.services.log_panic(f"configured error code starts with incorrect digit in {item.text}")
            return "", rest
        return head, rest
