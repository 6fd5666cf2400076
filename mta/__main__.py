"""``python -m mta`` is ``mta``."""

import sys

from mta.cli.main import entry

sys.exit(entry())
