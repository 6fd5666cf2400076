"""A real OpenLDAP server on loopback and on a socket, with a small directory.

``with slapd(LDIF, schema=...) as server:``; its suffix is ``o=base``, its manager ``cn=manager,o=base``.
Skips, by name, where slapd is missing.
"""

from __future__ import annotations

import socket
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

from tests.peers.daemons import account, daemon, own_folder, program, run_as
from tests.peers.nsd import free_port

PASSWORD = "ldap-secret"
CONFIGURATION = """\
include /etc/ldap/schema/core.schema
include /etc/ldap/schema/cosine.schema
include /etc/ldap/schema/inetorgperson.schema
{schema}
pidfile {folder}/pid
{tls}modulepath /usr/lib/ldap
moduleload back_mdb
sizelimit 500
access to attrs=userPassword by anonymous auth by * none
access to * by * read
database mdb
maxsize 10485760
suffix "o=base"
rootdn "cn=manager,o=base"
rootpw {password}
directory {folder}/data
"""


@dataclass(slots=True)
class Slapd:
    port: int
    folder: Path
    tls_port: int = 0

    @property
    def socket(self) -> Path:
        return self.folder / "ldapi"

    @property
    def url(self) -> str:
        return f"ldap://127.0.0.1:{self.port}/"


@contextmanager
def slapd(ldif: str, schema: str = "", certificate: tuple[bytes, bytes] | None = None) -> Iterator[Slapd]:
    """Load the entries and run the server; with a certificate and its key (PEM) it speaks TLS too."""
    path = program("slapd", "slapd")
    user = account("openldap")
    with own_folder("slapd", user) as folder:
        port = free_port()
        server = Slapd(port, folder)
        tls = ""
        if certificate is not None:
            server.tls_port = free_port()
            for name, content in zip(("cert.pem", "key.pem"), certificate, strict=True):
                (folder / name).write_bytes(content)
            tls = f"TLSCertificateFile {folder}/cert.pem\nTLSCertificateKeyFile {folder}/key.pem\n"
        configuration = CONFIGURATION.format(folder=folder, password=PASSWORD, schema=schema, tls=tls)
        (folder / "slapd.conf").write_text(configuration)
        (folder / "data.ldif").write_text(ldif)
        run_as(user, ["/bin/mkdir", str(folder / "data")], folder)
        add = program("slapadd", "slapd")
        run_as(user, [add, "-q", "-f", str(folder / "slapd.conf"), "-l", str(folder / "data.ldif")], folder)
        urls = f"ldap://127.0.0.1:{port}/ ldapi://{quote(str(server.socket), safe='')}/"
        if server.tls_port:
            urls += f" ldaps://127.0.0.1:{server.tls_port}/"
        command = [path, "-f", str(folder / "slapd.conf"), "-h", urls, "-d", "256"]
        with daemon(command, folder, lambda: _listens(port), user=user):
            yield server


def _listens(port: int) -> bool:
    try:
        socket.create_connection(("127.0.0.1", port), timeout=5).close()
    except OSError:
        return False
    return True
