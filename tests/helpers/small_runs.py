"""Runs of the small cohort through the real command line, for tests of faults and determinism."""

from __future__ import annotations

import os
import random
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from helpers.pipeline import REPOSITORY
from helpers.small_cohort import SmallCohort, good

SECONDS = 900
SAMPLES = "results/small/samples.tsv"


def shuffled(seed: int) -> SmallCohort:
    """Return the small cohort, its samples and genes in another order in every table."""
    rng = random.Random(seed)
    cohort = good()
    for name in ("samples.tsv", "counts.tsv", "arm.samples.tsv", "arm.counts.tsv"):
        table = cohort.tables[name]
        rows = table.rows[1:]
        rng.shuffle(rows)
        order = list(range(1, len(table.header)))
        if name.endswith("counts.tsv"):
            rng.shuffle(order)
        table.rows = [[row[0], *(row[i] for i in order)] for row in [table.header, *rows]]
    return cohort


def command(folder: Path, *arguments: str, cores: int = 2, config: bool = True) -> list[str]:
    """Return the words of the command line; the small cohort's unless `config` is false."""
    words = [sys.executable, "-m", "snakemake", "-s", str(REPOSITORY / "Snakefile")]
    words += ["--cores", str(cores), "--directory", str(folder)]
    words += ["--configfile", str(folder / "cohort.yaml")] if config else []
    return [*words, *arguments]


def environment(**changes: str) -> dict[str, str]:
    """Return the environment of a run, in which compiled modules are kept as for a user."""
    # the library is found by the workflow itself, as for a user
    left_out = {"PYTHONPATH", "PYTHONDONTWRITEBYTECODE"}
    kept = {k: v for k, v in os.environ.items() if k not in left_out}
    return kept | {"NO_COLOR": "1"} | changes


def ended(
    words: Sequence[str], folder: Path, environment: Mapping[str, str]
) -> subprocess.CompletedProcess[str]:
    """Run a command in a folder to its end; all that it prints is in `stdout`."""
    return subprocess.run(
        words,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        stdin=subprocess.DEVNULL,
        cwd=folder,
        timeout=SECONDS,
        check=False,
        encoding="utf-8",
    )


def run(
    folder: Path,
    *arguments: str,
    cores: int = 2,
    config: bool = True,
    cwd: Path | None = None,
    **changes: str,
) -> subprocess.CompletedProcess[str]:
    """Run the workflow in `folder` to its end; its output stands in `stdout`."""
    words = command(folder, *arguments, cores=cores, config=config)
    return ended(words, cwd or folder, environment(**changes))


def outputs(folder: Path) -> dict[str, bytes]:
    """Return every TSV and JSON of the runs in `folder`, by its path below `results/`."""
    results = folder / "results"
    paths = sorted(p for p in results.rglob("*") if p.suffix in {".tsv", ".json"})
    return {path.relative_to(results).as_posix(): path.read_bytes() for path in paths}
