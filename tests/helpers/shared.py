"""Runs that several tests read, also where pytest-xdist spreads the tests over processes."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Callable
from pathlib import Path

import pytest


def made_once(factory: pytest.TempPathFactory, name: str, make: Callable[[Path], None]) -> Path:
    """Return a folder that the first process of this test run to ask for it fills with `make`.

    The others wait until it is complete. A test must not change what it finds there.
    """
    root = factory.getbasetemp()
    if "PYTEST_XDIST_WORKER" in os.environ:
        root = root.parent
    folder, complete = root / name, root / f"{name}.complete"
    with (root / f"{name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not complete.exists():
            # where it exists, another process has failed to make it, and says why
            folder.mkdir()
            make(folder)
            complete.touch()
    return folder
