"""The graph of the rules, as the workflow catalogue draws it: from a folder without a config."""

from __future__ import annotations

import re
from pathlib import Path

from helpers.pipeline import REPOSITORY, run_snakemake


def test_the_graph_is_that_of_the_toy(tmp_path: Path) -> None:
    snakefile = REPOSITORY / "workflow" / "Snakefile"
    done = run_snakemake(tmp_path, "--forceall", "--rulegraph", snakefile=snakefile)
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("digraph")
    rules = set(re.findall(r'label = "(\w+)"', done.stdout))
    assert {"all", "counts", "fit", "qc", "enrichment", "targets", "factors", "report"} <= rules
    # only a target of its own
    assert "crate" not in rules
