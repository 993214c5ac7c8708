"""An undisturbed run of the small cohort, for the tests of faults and of determinism."""

from __future__ import annotations

from pathlib import Path

import pytest

from helpers.small_cohort import good
from helpers.small_runs import run


@pytest.fixture(scope="session")
def small_run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the working directory of an undisturbed run, once for all tests that read it."""
    directory = tmp_path_factory.mktemp("undisturbed")
    good().write(directory)
    done = run(directory)
    assert done.returncode == 0, done.stdout
    return directory
