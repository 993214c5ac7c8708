"""An undisturbed run of the small cohort, for the tests of faults and of determinism."""

from __future__ import annotations

from pathlib import Path

import pytest

from helpers.shared import made_once
from helpers.small_cohort import good
from helpers.small_runs import run


def _run_the_small_cohort(folder: Path) -> None:
    good().write(folder)
    done = run(folder)
    assert done.returncode == 0, done.stdout


@pytest.fixture(scope="session")
def small_run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the working directory of an undisturbed run, once for all tests that read it."""
    return made_once(tmp_path_factory, "undisturbed", _run_the_small_cohort)
