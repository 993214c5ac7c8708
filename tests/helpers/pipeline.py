"""What tests share: the checkout, the real command line, a finished run."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from fibroserum import tables
from fibroserum.cohort.accessors import counts_of
from fibroserum.cohort.storage import read_h5ad

REPOSITORY = Path(__file__).resolve().parents[2]


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


def planned(said: str) -> set[str]:
    """Return the rules that Snakemake's table of jobs lists, without those that only gather."""
    return set(re.findall(r"^(\w+) +\d+$", said, re.MULTILINE)) - {"default", "total"}


def copy_pipeline(folder: Path) -> Path:
    """Copy what a run needs of the checkout, and return the copy's Snakefile."""
    for part in ("workflow", "config", "resources"):
        shutil.copytree(
            REPOSITORY / part, folder / part, ignore=shutil.ignore_patterns("__pycache__")
        )
    (folder / "profiles").symlink_to("workflow/profiles")
    shutil.copy(REPOSITORY / "pyproject.toml", folder)
    return Path(shutil.copy(REPOSITORY / "Snakefile", folder))


@dataclass(frozen=True)
class Run:
    """A finished run: its working directory, its results, what the terminal said, its Snakefile."""

    directory: Path
    results: Path
    said: str
    snakefile: Path = REPOSITORY / "Snakefile"

    def table(self, name: str, file: str = "") -> pd.DataFrame:
        """Return a table of the run by its schema's name; `file` fills a wildcard of its path."""
        path = re.sub(r"\{\w+\}", file, tables.schemas()[name].path)
        return tables.read(name, self.results / path)

    def counts(self) -> tuple[pd.DataFrame, pd.DataFrame]:
        """Return the cohort's raw counts, samples × genes, and its sheet."""
        adata = read_h5ad(self.results / "cohort.h5ad")
        return counts_of(adata), adata.obs
