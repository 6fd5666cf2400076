"""Record what Debian's Exim says for each case of data/spf_exim.json: ``python -m tests.emailauth.record_spf``.

As root, on Linux: Exim runs in a mount and network namespace of its own, where /etc/resolv.conf names an nsd
on 127.0.0.1 that serves data/spf_exim.zone.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import tempfile
from pathlib import Path

from tests.peers.nsd import write_configuration

DATA = Path(__file__).parent / "data"
CONFIG = """primary_hostname = mx.receiver.test
qualify_domain = receiver.test
spool_directory = {folder}/spool
log_file_path = {folder}/log_%s
keep_environment =
host_lookup =
acl_smtp_mail = accept
acl_smtp_rcpt = r
.ifdef TEMPLATE
spf_smtp_comment_template = TEMPLATE
.endif
begin acl
r:
  warn local_parts = spf
       spf = pass : !pass
  warn local_parts = guess
       spf_guess = pass : !pass
  warn logwrite = ANSWER ${{escape:<$spf_result><$spf_result_guessed><$spf_header_comment><$spf_received>\\
       <$spf_smtp_comment><${{authresults {{$primary_hostname}}}}>}}
  accept
"""


def main() -> None:
    """Outside the namespace: prepare and re-run inside; inside: ask Exim."""
    if len(sys.argv) > 1:
        return inside(Path(sys.argv[1]))
    with tempfile.TemporaryDirectory(dir="/tmp") as name:
        folder = Path(name)
        folder.chmod(0o755)
        write_configuration({"test": (DATA / "spf_exim.zone").read_text()}, folder / "nsd", 53)
        (folder / "exim.conf").write_text(CONFIG.format(folder=folder))
        (folder / "resolv.conf").write_text("nameserver 127.0.0.1\noptions timeout:1 attempts:1\n")
        subprocess.run(["unshare", "-mn", sys.executable, "-m", "tests.emailauth.record_spf", name], check=True)
    return None


def inside(folder: Path) -> None:
    subprocess.run(["ip", "link", "set", "lo", "up"], check=True)
    subprocess.run(["mount", "--bind", str(folder / "resolv.conf"), "/etc/resolv.conf"], check=True)
    path = DATA / "spf_exim.json"
    cases = json.loads(path.read_text())
    with subprocess.Popen(["/usr/sbin/nsd", "-d", "-c", str(folder / "nsd" / "nsd.conf")]) as server:
        try:
            wait_for(folder)
            for case in cases:
                case["exim"] = ask(folder, case)
        finally:
            server.terminate()
    path.write_text(json.dumps(cases, indent=1) + "\n")


def wait_for(folder: Path) -> None:
    """Until the name server answers Exim."""
    question = ["exim4", "-C", str(folder / "exim.conf"), "-be", "${lookup dnsdb{a=pass.test}}"]
    for _ in range(100):
        if not subprocess.run(question, capture_output=True, check=False).stdout.startswith(b"Fail"):
            return
    raise SystemExit("nsd does not answer")


def ask(folder: Path, case: dict[str, str]) -> list[str]:
    """$spf_result, _guessed, _header_comment, $spf_received, $spf_smtp_comment, authresults."""
    macros = [f"-DTEMPLATE={case['template']}"] if case.get("template") else []
    talk = f"EHLO {case['helo']}\r\nMAIL FROM:<{case['sender']}>\r\nRCPT TO:<{case['kind']}@x>\r\nQUIT\r\n"
    command = ["exim4", *macros, "-C", str(folder / "exim.conf"), "-bh", case["ip"]]
    said = subprocess.run(command, input=talk.encode(), capture_output=True, env={**os.environ, "LC_ALL": "C"})
    found = re.search(rb"ANSWER <(.*?)><(.*?)><(.*?)><(.*?)><(.*?)><(.*?)>\n", said.stderr)
    assert found is not None, said
    return [part.decode("latin-1") for part in found.groups()]


if __name__ == "__main__":
    main()
