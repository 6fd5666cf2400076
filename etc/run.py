"""``make run``: mta in the foreground on etc/mta.conf, everything under ./var, and one line to try it with."""

from __future__ import annotations

import os
import pwd
import shutil
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
PORT = os.environ.get("MTA_PORT", "2525")


def reachable_by_others(path: Path) -> bool:
    """Whether any user may pass through every folder above ``path``."""
    return all(folder.stat().st_mode & 0o001 for folder in path.parents)


def run_user() -> str:
    """Whom to run as: ourselves, or for root an account without rights that can reach the checkout."""
    if os.getuid() != 0:
        return pwd.getpwuid(os.getuid()).pw_name
    if reachable_by_others(ROOT / "var"):
        for name in ("mail", "nobody"):
            try:
                return pwd.getpwnam(name).pw_name
            except KeyError:
                continue
    print("make run: this folder is closed to other users, so mta runs as root here; do not do that in earnest")
    return "root"


def main() -> None:
    var = ROOT / "var"
    user = pwd.getpwnam(run_user())
    for folder in ("", "spool", "log", "mail"):
        (var / folder).mkdir(parents=True, exist_ok=True)
    aliases = var / "aliases"
    if not aliases.exists():
        aliases.write_text("# alias: address, address\nroot: postmaster\n")
    if os.getuid() == 0:
        for path in [var, *var.rglob("*")]:
            shutil.chown(path, user.pw_uid, user.pw_gid)
    mailbox = "var/mail/you/new"
    print(f"mta on 127.0.0.1:{PORT}; mail for you@localhost goes to {mailbox}. In another terminal, paste:\n")
    print(
        f"  python3 -c \"import smtplib; smtplib.SMTP('127.0.0.1', {PORT}).sendmail('me@example.com', "
        f"['you@localhost'], 'Subject: hello\\r\\n\\r\\nIt works.\\r\\n')\" && sleep 1 && cat {ROOT}/{mailbox}/*\n"
    )
    print("Stop with Ctrl-C.", flush=True)
    mta = str(ROOT / ".venv/bin/mta")
    macros = [f"-DVAR={var}", f"-DPORT={PORT}", f"-DRUN_USER={user.pw_name}", f"-DRUN_GROUP={user.pw_gid}"]
    os.execv(mta, [mta, "-C", str(ROOT / "etc/mta.conf"), *macros, "-bdf", "-q1m"])


if __name__ == "__main__":
    sys.exit(main())
