"""A real Rspamd on loopback, its normal worker alone, with one rule of our own; no network, no Redis.

``with rspamd() as server:``; skips, by name, where rspamd is missing.
"""

from __future__ import annotations

import socket
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from tests.peers.daemons import account, daemon, own_folder, program
from tests.peers.nsd import free_port

CONFIG = """\
options {{
  pidfile = "{folder}/rspamd.pid";
  filters = "";
  cache_file = "";
  tempdir = "{folder}";
  control_socket = "{folder}/control.sock mode=0600";
  rrd = "";
  hs_cache_dir = "{folder}";
  dns {{ nameserver = ["127.0.0.1:{closed}"]; timeout = 0.1s; }}
  url_tld = "{folder}/suffixes";
  hs_helper_enabled = false;
}}
logging {{ type = "console"; level = "notice"; }}
actions {{ reject = 15; add_header = 6; greylist = 4; }}
worker "normal" {{ bind_socket = "127.0.0.1:{port}"; count = 1; }}
lua = "{folder}/rules.lua";
"""
RULES = """\
local function rule(symbol, score, test)
  rspamd_config:register_symbol({ name = symbol, score = score, group = 'mta', callback = test })
  rspamd_config:set_metric_symbol({ name = symbol, score = score, group = 'mta', description = 'rule of a test' })
end
rule('TEST_SPAM', 7.35, function(task)
  return string.find(tostring(task:get_content()), 'spam-word', 1, true) ~= nil
end)
rule('TEST_VIRUS', 20.0, function(task)
  return string.find(tostring(task:get_content()), 'reject-word', 1, true) ~= nil
end)
rule('TEST_RCPT', 16.0, function(task)
  for _, rcpt in ipairs(task:get_recipients('smtp') or {}) do
    if string.lower(rcpt.user) == 'strict' then return true end
  end
  return false
end)
"""


@dataclass(slots=True)
class Rspamd:
    port: int


@contextmanager
def rspamd() -> Iterator[Rspamd]:
    """One daemon with one worker."""
    path = program("rspamd", "rspamd")
    user = account("_rspamd")
    with own_folder("rspamd", user) as folder:
        server = Rspamd(free_port())
        (folder / "rules.lua").write_text(RULES)
        (folder / "suffixes").write_text("com\ntest\n")  # compiling the real list takes a quarter of a minute
        config = folder / "rspamd.conf"
        config.write_text(CONFIG.format(folder=folder, port=server.port, closed=free_port()))
        with daemon([path, "-f", "-i", "-c", str(config)], folder, lambda: _answers(server.port), user=user):
            yield server


def _answers(port: int) -> bool:
    try:
        with socket.create_connection(("127.0.0.1", port), timeout=5) as sock:
            sock.sendall(b"GET /ping HTTP/1.0\r\n\r\n")
            return b"pong" in sock.recv(1000)
    except OSError:
        return False
