"""The commands of docs/nfcore.md, from a made-up run of nf-core/rnaseq to a planned workflow."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pandas as pd

from fibroserum.cohort.accessors import counts_of
from fibroserum.cohort.storage import read_h5ad
from helpers.nfcore_run import made
from helpers.pipeline import REPOSITORY, copy_pipeline, planned
from helpers.small_runs import environment


def shell(command: str, folder: Path) -> str:
    """Run a command as a user does, in an active environment, and return what it says."""
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    done = subprocess.run(
        ["bash", "-c", command],
        cwd=folder,
        env=environment(PATH=path),
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_the_commands_of_the_page_plan_a_run_and_read_the_counts(tmp_path: Path) -> None:
    page = (REPOSITORY / "docs" / "nfcore.md").read_text(encoding="utf-8")
    block = re.search(r"(?m)^    PYTHONPATH=.*\n(?:    .*\n)+", page)
    assert block is not None
    convert, run = re.split(r"(?<!\\)\n", block[0].strip())
    copy_pipeline(tmp_path)
    nfcore = made()
    renamed = {name: name.replace("_AT_", "_control_") for name in nfcore.samples}
    nfcore.rename(renamed, renamed)
    (tmp_path / "results").mkdir()
    nfcore.write(tmp_path / "results")
    (tmp_path / "results/samplesheet.csv").rename(tmp_path / "samplesheet.csv")
    said = shell(convert, tmp_path)
    assert said == "config/mystudy.yaml: written\nconfig/mystudy.samples.tsv: written\n"
    assert {"counts", "fit", "targets", "report"} <= planned(shell(f"{run} -n", tmp_path))
    shell(f"{run} -- results/mystudy/cohort.h5ad", tmp_path)
    adata = read_h5ad(tmp_path / "results/mystudy/cohort.h5ad")
    assert list(adata.uns["fibroserum"]["groups"]) == ["control", "RT"]
    counts = counts_of(adata).T
    counts.index = pd.Index(adata.var["symbol"])
    expected = nfcore.counts.round().astype(int)
    assert counts.loc[expected.index, expected.columns].equals(
        expected.astype(counts.dtypes.iloc[0])
    )
    assert counts.shape == expected.shape
