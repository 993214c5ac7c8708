"""Fixtures for every test."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

from helpers.pipeline import REPOSITORY, Run, copy_pipeline, run_snakemake
from helpers.shared import made_once

# The same examples each time, and none that fails because the machine is busy.
settings.register_profile(
    "suite", deadline=None, derandomize=True, suppress_health_check=[HealthCheck.too_slow]
)
settings.load_profile("suite")

# No test speaks to a cluster of this machine, nor waits for one that does not answer.
os.environ["SLURM_CONF"] = os.devnull


#: What takes longest begins first, so that no process is left alone with it at the end.
ORDER = ("integration", "browser", "bad_inputs", "unit")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Put the tests in the order of their folders."""
    items.sort(key=lambda item: ORDER.index(item.path.parent.name))


def _data_roots() -> list[Path]:
    named = os.environ.get("FIBROSERUM_DATA")
    places = [Path(named)] if named else []
    return [*places, REPOSITORY / "data", REPOSITORY.parent / "shared" / "data"]


@pytest.fixture(scope="session")
def shared_data() -> Callable[[str], Path]:
    """Return a function from a name (`airway/counts.tsv.gz`) to its path, skipping where absent."""

    def find(name: str) -> Path:
        for root in _data_roots():
            if (root / name).exists():
                return root / name
        pytest.skip(
            f"{name} is not in FIBROSERUM_DATA, data/ or ../shared/data: see docs/inputs.md"
        )

    return find


@pytest.fixture(scope="session")
def repository() -> Path:
    """Return the root of the checkout."""
    return REPOSITORY


def _run_the_toy(folder: Path) -> None:
    """Run the default config in `folder`, from a copy of the pipeline, which a test may edit."""
    directory = folder / "run"
    directory.mkdir()
    done = run_snakemake(directory, snakefile=copy_pipeline(folder / "pipeline"))
    said = done.stdout + done.stderr
    assert done.returncode == 0, said
    (folder / "said.txt").write_text(said, encoding="utf-8")


@pytest.fixture(scope="session")
def toy_run(tmp_path_factory: pytest.TempPathFactory) -> Run:
    """Run the bundled toy cohort, once for all tests that read it."""
    folder = made_once(tmp_path_factory, "toy", _run_the_toy)
    directory, said = folder / "run", (folder / "said.txt").read_text(encoding="utf-8")
    return Run(directory, directory / "results/toy", said, folder / "pipeline/Snakefile")
