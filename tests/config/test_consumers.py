"""Every declared main option is acted on somewhere, or is harmless by nature, or stands here as still to be done."""

import re
from pathlib import Path

from mta.scope.options import HARMLESS, OWN_OPTIONS, MainOptions
from mta.settings.names import main_options
from mta.settings.options import option_fields

ROOT = Path(__file__).parents[2] / "mta"
# Declared for parts that are being written; a name goes from here when its consumer comes.
PENDING: frozenset[str] = frozenset()


def test_every_option_has_a_consumer() -> None:
    text = ""
    for path in ROOT.rglob("*.py"):
        if str(path.relative_to(ROOT)) not in ("scope/options.py", "config/checks.py", "cli/modes/show.py"):
            text += path.read_text(encoding="utf-8")
    used = set(re.findall(r"\.([a-z][a-z_0-9]+)\b", text)) | set(re.findall(r"[\"']([a-z][a-z_0-9]+)[\"']", text))
    unused = set(option_fields(MainOptions)) - used - set(HARMLESS)
    assert unused <= PENDING


def test_declared_options_are_exims_or_our_own() -> None:
    assert set(option_fields(MainOptions)) <= main_options() | OWN_OPTIONS
    assert set(HARMLESS) <= set(option_fields(MainOptions))
