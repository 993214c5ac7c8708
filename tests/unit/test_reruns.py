"""What makes Snakemake run a rule again: the code and the data files that its script uses."""

from __future__ import annotations

from pathlib import Path

from fibroserum.runtime import reruns


def test_a_script_needs_what_it_imports_and_no_more(repository: Path) -> None:
    scripts = repository / "workflow" / "scripts"
    qc = {path.name for path in reruns.modules_of(scripts / "qc.py")}
    assert {"checks.py", "metrics.py", "job.py", "tables.py", "tables.yaml"} <= qc
    assert not qc & {"human.tsv.gz", "footprints.gmt", "prior_draws.tsv.gz"}
    targets = {path.name for path in reruns.modules_of(scripts / "targets.py")}
    assert {
        "human.tsv.gz",
        "previous_symbols.tsv",
        "footprints.gmt",
        "prior_draws.tsv.gz",
    } <= targets
    fit = [path.as_posix() for path in reruns.modules_of(scripts / "fit.py")]
    assert any(path.endswith("inference/blocked.py") for path in fit)
    assert any(path.endswith("linear/voom.py") for path in fit)
    assert not any("/qc/" in path or "/report/" in path or "/targets/" in path for path in fit)


def test_code_changes_with_a_module(tmp_path: Path, repository: Path) -> None:
    script = tmp_path / "one.py"
    script.write_text("from fibroserum import errors\n")
    first = reruns.code_of(script)
    assert reruns.code_of(script) == first
    other = tmp_path / "two.py"
    other.write_text("from fibroserum import errors, design\n")
    assert reruns.code_of(other) != first
