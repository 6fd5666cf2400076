"""What a configuration takes from the machine when the file does not say: names, the user, the interfaces."""

from __future__ import annotations

import os
from collections.abc import Callable

from mta.scope.options import MainOptions
from mta.scope.site import Site
from mta.system.users import find_group, find_user
from mta.text.ascii import from_bytes
from mta.text.lists import join_list

# Without exim_user: who mta is when root starts it.
USERS = ("Debian-exim", "exim", "mta", "mail")


def host_name() -> str:
    """This machine's name: uname's, made whole from /etc/hosts; the DNS is not asked, it may be slow."""
    name = from_bytes(os.fsencode(os.uname().nodename))
    if "." in name:
        return name
    try:
        with open("/etc/hosts", encoding="latin-1") as file:
            lines = file.readlines()
    except OSError:
        return name
    for line in lines:
        words = line.partition("#")[0].split()
        if name in words[1:] and "." in words[1]:
            return words[1]
    return name


def fill_names(main: MainOptions) -> None:
    """primary_hostname, qualify_domain and qualify_recipient where they are unset (manual chapter 14)."""
    main.primary_hostname = main.primary_hostname or host_name()
    main.qualify_domain = main.qualify_domain or main.primary_hostname
    main.qualify_recipient = main.qualify_recipient or main.qualify_domain


def identity(main: MainOptions) -> tuple[int, int]:
    """The uid and gid that mta works under: exim_user's when root starts it, otherwise those it has."""
    if os.geteuid() != 0:
        return os.geteuid(), os.getegid()
    wanted = [main.exim_user.constant] if main.exim_user is not None and main.exim_user.constant else list(USERS)
    uid, gid = 0, 0
    for name in wanted:
        account = find_user(name or "")
        if account is not None:
            uid, gid = account.uid, account.gid
            break
    if main.exim_group is not None and main.exim_group.constant:
        group = find_group(main.exim_group.constant)
        gid = gid if group is None else group
    return uid, gid


def make_site(main: MainOptions, file: str) -> Site:
    """The Site of a configuration, its named lists still empty."""
    uid, gid = identity(main)
    return Site(
        main,
        config_file=file,
        config_dir=os.path.dirname(file),
        uid=uid,
        gid=gid,
        interface_addresses=addresses_of(main),
    )


def addresses_of(main: MainOptions) -> Callable[[], list[str]]:
    """Our addresses, found when they are first asked for."""
    found: list[str] = []

    def addresses() -> list[str]:
        if not found:
            from mta.net.interfaces import local_addresses

            listen = "<; " + join_list(list(main.local_interfaces), ";")
            extra = "<; " + join_list(list(main.extra_local_interfaces), ";") if main.extra_local_interfaces else ""
            found.extend(local_addresses(listen, extra))
        return found

    return addresses
