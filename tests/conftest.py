"""Fixtures for every test."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pandas as pd
import pytest

from fibroserum import tables
from fibroserum.cohort import counts_of
from fibroserum.storage import read_h5ad

REPOSITORY = Path(__file__).resolve().parents[1]


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
        pytest.skip(f"{name} is in none of FIBROSERUM_DATA, data/ and ../shared/data: see README")

    return find


@pytest.fixture(scope="session")
def repository() -> Path:
    """Return the root of the checkout."""
    return REPOSITORY


def run_snakemake(
    directory: Path, *arguments: str, snakefile: Path = REPOSITORY / "Snakefile"
) -> subprocess.CompletedProcess[str]:
    """Run the real command line in `directory`, as a user would, and return what it said."""
    command = [sys.executable, "-m", "snakemake", "-s", str(snakefile), "--cores", "2"]
    return subprocess.run(
        [*command, "--directory", str(directory), *arguments],
        capture_output=True,
        text=True,
        check=False,
        timeout=900,
    )


@dataclass(frozen=True)
class Run:
    """A finished run: its working directory, its results, what the terminal said."""

    directory: Path
    results: Path
    said: str

    def table(self, name: str, file: str = "") -> pd.DataFrame:
        """Return a table of the run by its schema's name; `file` fills a wildcard of its path."""
        path = re.sub(r"\{\w+\}", file, tables.schemas()[name].path)
        return tables.read(name, self.results / path)

    def counts(self) -> tuple[pd.DataFrame, pd.DataFrame]:
        """Return the cohort's raw counts, samples × genes, and its sheet."""
        adata = read_h5ad(self.results / "cohort.h5ad")
        return counts_of(adata), adata.obs


@pytest.fixture(scope="session")
def toy_run(tmp_path_factory: pytest.TempPathFactory) -> Run:
    """Run the default config, the bundled toy cohort, once for all tests that read it."""
    directory = tmp_path_factory.mktemp("toy")
    done = run_snakemake(directory)
    assert done.returncode == 0, done.stdout + done.stderr
    return Run(directory, directory / "results" / "toy", done.stdout + done.stderr)
