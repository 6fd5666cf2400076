"""Temporary directories that other users may enter: local deliveries run as nobody, and pytest's own are closed."""

import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest


@pytest.fixture
def tmp_path() -> Iterator[Path]:
    path = Path(tempfile.mkdtemp(prefix="mta-deliver-"))
    path.chmod(0o755)
    yield path
    shutil.rmtree(path, ignore_errors=True)
