"""This workflow as a building block: within another one, and stage by stage."""

from __future__ import annotations

import shutil
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from helpers.pipeline import REPOSITORY, copy_pipeline
from helpers.small_cohort import good
from helpers.small_runs import ended, environment, outputs, run

pytestmark = pytest.mark.long

THEIRS = Path("tests/integration/building_block")
STAGES = {
    "counts": {"counts"},
    "qc": {"counts", "fit", "qc"},
    "de": {"counts", "fit", "differential_expression", "de"},
    "enrichment": {"counts", "fit", "differential_expression", "enrichment"},
    "flags": {
        *("counts", "fit", "differential_expression"),
        *("enrichment", "targets", "stimulation", "factors", "flags"),
    },
}


def _theirs(folder: Path, snakefile: Path, *targets: str) -> str:
    """Run the other workflow in `folder`; return what it said."""
    words = [sys.executable, "-m", "snakemake", "-s", str(snakefile), "--cores", "2"]
    words += ["--directory", str(folder), "--rerun-incomplete", *targets]
    done = ended(words, folder, environment())
    assert done.returncode == 0, done.stdout
    return done.stdout


def test_within_another_workflow_stage_by_stage_it_makes_the_same(
    tmp_path: Path, tmp_path_factory: pytest.TempPathFactory, small_run: Path
) -> None:
    pipeline = copy_pipeline(tmp_path_factory.mktemp("pipeline")).parent
    theirs = shutil.copytree(REPOSITORY / THEIRS, pipeline / THEIRS) / "Snakefile"
    cohort = good()
    own = {"skin": cohort.config, "columns": "1-2"}
    cohort.instead |= {"cohort.yaml": None, "config.yaml": yaml.safe_dump(own, sort_keys=False)}
    cohort.write(tmp_path)
    # each stage by its name: what is there is not made again
    for stage in ("qc", "flags"):
        said = _theirs(tmp_path, theirs, f"skin_{stage}")
        assert "Nothing to be done" not in said
        assert said.count("rule skin_counts:") == (stage == "qc")
        assert said.count("rule skin_fit:") == (stage == "qc")
    assert not (tmp_path / "results/small/report.html").exists()
    said = _theirs(tmp_path, theirs)
    assert "rule skin_report:" in said
    assert "rule skin_targets:" not in said
    found, expected = outputs(tmp_path), outputs(small_run)
    assert found.keys() == expected.keys()
    assert [name for name in expected if found[name] != expected[name]] == []
    assert (
        (tmp_path / "theirs.tsv").read_text().startswith("contrast\tkind\nAT_post_vs_pre\tchange")
    )
    assert "Nothing to be done" in _theirs(tmp_path, theirs)


PREFIXED = """
configfile: "config.yaml"

module skin:
    snakefile: "{snakefile}"
    config: config["skin"]
    prefix: "ext"

use rule * from skin as skin_*
"""


def _absolute(value: Any, folder: Path) -> Any:
    """Return a config whose paths of files in a folder are absolute."""
    if isinstance(value, dict):
        return {key: _absolute(item, folder) for key, item in value.items()}
    if isinstance(value, list):
        return [_absolute(item, folder) for item in value]
    if isinstance(value, str) and (folder / value).is_file():
        return str(folder / value)
    return value


def test_with_a_prefix_before_its_paths_it_makes_the_same(tmp_path: Path, small_run: Path) -> None:
    cohort = good()
    cohort.write(tmp_path)
    own = {"skin": _absolute(cohort.config, tmp_path)}
    (tmp_path / "config.yaml").write_text(yaml.safe_dump(own, sort_keys=False))
    snakefile = tmp_path / "Snakefile"
    snakefile.write_text(PREFIXED.format(snakefile=REPOSITORY / "workflow" / "Snakefile"))
    _theirs(tmp_path, snakefile, "skin_flags", "skin_qc")
    found = outputs(tmp_path / "ext")
    assert {Path(name).parts[1] for name in found} >= {"de", "flags", "qc", "samples.tsv"}
    expected = outputs(small_run)
    assert [name for name in found if found[name] != expected[name]] == []
    assert not (tmp_path / "results").exists()


@pytest.mark.parametrize("stage", STAGES)
def test_each_stage_alone(stage: str, tmp_path: Path) -> None:
    good().write(tmp_path)
    done = run(tmp_path, "--dry-run", "--", stage)
    assert done.returncode == 0, done.stdout
    table = done.stdout.split("Job stats:")[1].split("total")[0].splitlines()
    rules = {line.split()[0] for line in table if line and line.split()[-1].isdigit()}
    assert rules == STAGES[stage]


def test_until_a_stage(tmp_path: Path) -> None:
    good().write(tmp_path)
    done = run(tmp_path, "--dry-run", "--until", "targets")
    assert done.returncode == 0, done.stdout
    assert "rule targets:" in done.stdout
    assert "rule report:" not in done.stdout
