"""Variables of this installation: its options, its files, its machine.

``$version_number`` and ``$exim_version`` name the release of Exim whose language this is: configurations compare them.
"""

from __future__ import annotations

import os
from collections.abc import Callable

from mta.expand.base import variable
from mta.scope.scope import Scope
from mta.text.lists import split_list

EXIM_VERSION = "4.99"
COMPILE_DATE = "01-Jan-2026 00:00:00"
COMPILE_NUMBER = "1"


def _text(scope: Scope, value: object) -> str:
    """An option's value as text: expanded where the option is."""
    if value is None or isinstance(value, str):
        return value or ""
    return value(scope) if callable(value) else str(value)


def _option(name: str) -> Callable[[Scope], str]:
    return lambda s: _text(s, getattr(s.site.options, name, None))


def _space(folder: Callable[[Scope], str], *, inodes: bool) -> Callable[[Scope], str]:
    """Kilobytes or inodes that are free for us in a folder's partition; -1 where that cannot be told."""

    def get(scope: Scope) -> str:
        try:
            found = os.statvfs(folder(scope) or ".")
        except OSError:
            return "-1"
        return str(found.f_favail if inodes else found.f_bavail * found.f_frsize // 1024)

    return get


def _spool_folder(scope: Scope) -> str:
    return _text(scope, scope.site.options.spool_directory)


def _log_folder(scope: Scope) -> str:
    """The first folder of log_file_path; the spool's own ``log`` when it goes to syslog or nowhere else."""
    for item in split_list(_text(scope, scope.site.options.log_file_path)):
        if item.startswith("/"):
            return os.path.dirname(item)
    own = os.path.join(_spool_folder(scope), "log")
    return own if os.path.isdir(own) else _spool_folder(scope)


def _load_average(_scope: Scope) -> str:
    return str(int(os.getloadavg()[0] * 1000))


def _initial_cwd(scope: Scope) -> str:
    known = scope.vars.get("initial_cwd")
    if known is not None:
        return known
    try:
        return os.getcwd()
    except OSError:
        return ""


def _regex_cache(_scope: Scope) -> str:
    from mta.text.patterns import pattern

    return str(pattern.cache_info().currsize)


def _qualify_domain(scope: Scope) -> str:
    return scope.site.options.qualify_domain or scope.site.options.primary_hostname


variable("primary_hostname", _option("primary_hostname"))
variable("qualify_domain", _qualify_domain)
variable("qualify_recipient", lambda s: s.site.options.qualify_recipient or _qualify_domain(s))
variable("spool_directory", _option("spool_directory"))
variable("localhost_number", lambda s: _text(s, s.site.options.localhost_number) or "0")
variable("bounce_return_size_limit", _option("bounce_return_size_limit"))
variable("return_size_limit", _option("bounce_return_size_limit"))
variable("exim_path", lambda s: _text(s, getattr(s.site.options, "exim_path", None)) or "/usr/sbin/mta")
variable("exim_uid", lambda s: str(s.site.uid if s.site.uid >= 0 else os.getuid()))
variable("exim_gid", lambda s: str(s.site.gid if s.site.gid >= 0 else os.getgid()))
variable("config_file", lambda s: s.site.config_file)
variable("config_dir", lambda s: s.site.config_dir)
variable("exim_version", lambda _s: EXIM_VERSION)
variable("version_number", lambda _s: EXIM_VERSION)
variable("compile_date", lambda _s: COMPILE_DATE)
variable("compile_number", lambda _s: COMPILE_NUMBER)
variable("pid", lambda _s: str(os.getpid()))
variable("initial_cwd", _initial_cwd)
variable("load_average", _load_average)
variable("queue_size", lambda s: str(s.services.queue_size()))
variable("regex_cachesize", _regex_cache)
variable("spool_space", _space(_spool_folder, inodes=False))
variable("spool_inodes", _space(_spool_folder, inodes=True))
variable("log_space", _space(_log_folder, inodes=False))
variable("log_inodes", _space(_log_folder, inodes=True))
