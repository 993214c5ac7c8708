"""Single cells through the command line: one job or several, the same; nothing left behind."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import anndata as ad
import numpy as np
import pandas as pd
import pytest

from helpers.cells_cohort import cells_cohort
from helpers.small_runs import SAMPLES, run

FEW = {"D6_post": 9}
COHORT = "results/small/cohort.h5ad"


@pytest.fixture(scope="module")
def one_part(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the folder of a run as a workstation makes it."""
    folder = tmp_path_factory.mktemp("one")
    cells_cohort(FEW).write(folder)
    done = run(folder, "--", SAMPLES)
    assert done.returncode == 0, done.stdout
    return folder


def test_a_sample_that_lost_its_cells_has_its_row(one_part: Path) -> None:
    table = pd.read_csv(one_part / SAMPLES, sep="\t", index_col="sample")
    assert table.loc["D6_post", ["used_for", "reason"]].tolist() == [
        "none",
        "9 cells, fewer than cells.min_cells (10)",
    ]
    assert table.loc["D6_pre", "used_for"] == "baseline"
    assert (table["used_for"] == "change").sum() == 10
    assert [p.name for p in (one_part / "results/small/pseudobulk").iterdir()] == ["1-of-1.npz"]


def test_the_number_of_jobs_does_not_matter(one_part: Path, tmp_path: Path) -> None:
    cells_cohort(FEW).write(tmp_path)
    done = run(tmp_path, "--set-scatter", "pseudobulk=5", "--", SAMPLES)
    assert done.returncode == 0, done.stdout
    parts = sorted(p.name for p in (tmp_path / "results/small/pseudobulk").iterdir())
    assert parts == [f"{n}-of-5.npz" for n in range(1, 6)]
    assert (tmp_path / SAMPLES).read_bytes() == (one_part / SAMPLES).read_bytes()
    one, other = ad.read_h5ad(one_part / COHORT), ad.read_h5ad(tmp_path / COHORT)
    np.testing.assert_array_equal(np.asarray(other.X), np.asarray(one.X))
    pd.testing.assert_frame_equal(other.obs, one.obs)
    pd.testing.assert_frame_equal(other.var, one.var)


def test_cells_that_are_no_counts_are_said_beside_all_else_and_nothing_is_left(
    tmp_path: Path,
) -> None:
    cohort = cells_cohort(spoil=0.5)
    cohort.config["factors"]["CCL28"]["stimulation"]["counts"] = "arm.tsv"
    cohort.instead["arm.tsv"] = "gene_id\tC1_vehicle\nBGN\t-1\n"
    cohort.write(tmp_path)
    # with `--retries` too: the input would be refused again
    done = run(tmp_path, "--set-scatter", "pseudobulk=2", "--retries", "1", "--", SAMPLES)
    assert done.returncode == 1, done.stdout
    assert "Trying to restart" not in done.stdout
    assert "Missing files" not in done.stdout
    assert "cells.h5ad: the cells contain fractions (" in done.stdout
    assert "arm.tsv, row 2 ('BGN'), column 'C1_vehicle': the count is negative" in done.stdout
    logs = {p.name: p.read_text() for p in (tmp_path / "logs/small").glob("*.log")}
    assert sorted(logs) == ["counts.log", "pseudobulk.1-of-2.log", "pseudobulk.2-of-2.log"]
    assert logs["counts.log"] in done.stdout
    assert all("the input" not in text for name, text in logs.items() if name != "counts.log")
    assert "Traceback" not in done.stdout
    assert [p for p in (tmp_path / "results").rglob("*") if p.is_file()] == []


def test_a_group_without_cells_is_said_before_anything_is_fitted(tmp_path: Path) -> None:
    lost = [f"D{donor}_{time}" for donor in (4, 5, 6) for time in ("pre", "post")]
    cells_cohort(dict.fromkeys(lost, 5)).write(tmp_path)
    done = run(tmp_path)
    assert done.returncode == 1, done.stdout
    assert (
        "1 problem with the input:\n  1. samples.tsv: the group 'RT' has no sample left; "
        "expected samples with enough cells in each group (only 'AT' have them). Excluded, "
        "because they have too few cells (cells.min_cells): 'D4_post', 'D4_pre', 'D5_post', "
        "'D5_pre', 'D6_post' and 1 more."
    ) in done.stdout
    assert "Traceback" not in done.stdout
    assert not (tmp_path / "results/small/fit").exists()


def test_half_a_group_without_cells_is_no_fault_of_the_sheet(tmp_path: Path) -> None:
    cells_cohort({f"D{donor}_post": 5 for donor in (4, 5, 6)}).write(tmp_path)
    done = run(tmp_path, "--", SAMPLES)
    assert done.returncode == 1, done.stdout
    gone = (
        "Excluded, because they have too few cells (cells.min_cells): 'D4_post', 'D5_post', "
        "'D6_post'."
    )
    assert "the group 'RT' has only samples at 'pre'" in done.stdout
    assert gone in done.stdout


@pytest.mark.parametrize("cells", [2, 12])
def test_a_sample_on_two_lanes_is_refused_however_few_cells_are_on_one(
    cells: int, tmp_path: Path
) -> None:
    cohort = cells_cohort()

    def lane(folder: Path) -> None:
        whole = ad.read_h5ad(folder / "cells.h5ad")
        library = whole.obs["library"].to_numpy()
        other = library == "D2_pre"
        whole[~other].write_h5ad(folder / "cells.h5ad")
        few = np.flatnonzero(library == "D1_pre")[:cells]
        whole[np.concatenate([few, np.flatnonzero(other)])].write_h5ad(folder / "lane.h5ad")

    cohort.late.append(lane)
    cohort.config["counts"] = ["cells.h5ad", "lane.h5ad"]
    cohort.write(tmp_path)
    done = run(tmp_path, "--set-scatter", "pseudobulk=2", "--", SAMPLES)
    assert done.returncode == 1, done.stdout
    assert (
        "lane.h5ad: the sample 'D1_pre' is also in cells.h5ad; expected each sample in one "
        "file. For lanes or runs of one sample, use different"
    ) in done.stdout
    assert "is not in the sheet" not in done.stdout


def test_the_benchmark_sums_what_it_wrote(repository: Path) -> None:
    """Through the benchmark's own process, which compares the sums and measures itself."""
    script = repository / "benchmarks" / "bench_cells.py"
    command = [sys.executable, str(script), "--cells", "4000"]
    own = {**os.environ, "PYTHONPATH": str(repository / "workflow" / "src")}  # as make has it
    done = subprocess.run(command, env=own, capture_output=True, check=True, encoding="utf-8")
    row = json.loads(done.stdout.splitlines()[-1])
    assert row["cells"] == 4000
    assert row["part"] == "1-of-1"
    assert 0 < row["memory_gb"] < 1
    assert row["processor_s"] > 0
