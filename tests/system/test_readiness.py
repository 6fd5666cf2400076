"""Descriptors of any number can be waited for."""

from __future__ import annotations

import fcntl
import os
import resource

import pytest

from mta.system.readiness import any_readable, readable


def test_what_is_there_is_seen() -> None:
    read, write = os.pipe()
    assert not readable(read, 0)
    os.write(write, b"x")
    assert readable(read, None)
    os.close(write)
    os.read(read, 1)
    assert readable(read, 5)  # the end can be read, too
    os.close(read)


def test_numbers_above_what_select_knows() -> None:
    if resource.getrlimit(resource.RLIMIT_NOFILE)[0] <= 2000:
        pytest.skip("needs more than 2,000 descriptors (ulimit -n)")
    read, write = os.pipe()
    high = fcntl.fcntl(read, fcntl.F_DUPFD_CLOEXEC, 1500)
    os.write(write, b"x")
    assert any_readable([high], 5) == [high]
    for fd in (read, write, high):
        os.close(fd)
