"""The workflow as Snakemake users meet it: a module, a stage alone, the profile."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from helpers.pipeline import REPOSITORY, planned, run_snakemake


def test_as_a_module_of_another_workflow(tmp_path: Path) -> None:
    own = yaml.safe_load((REPOSITORY / "config" / "config.yaml").read_text())
    (tmp_path / "config.yaml").write_text(yaml.safe_dump({"skin": own, "theirs": 1}))
    (tmp_path / "Snakefile").write_text(
        f'''
configfile: "config.yaml"

module skin:
    snakefile: "{REPOSITORY / "workflow" / "Snakefile"}"
    config: config["skin"]

use rule * from skin as skin_*

rule theirs:
    default_target: True
    input: rules.skin_all.input
'''
    )
    done = run_snakemake(tmp_path, "-n", snakefile=tmp_path / "Snakefile")
    assert done.returncode == 0, done.stdout + done.stderr
    rules = planned(done.stdout + done.stderr)
    assert {"skin_counts", "skin_fit", "skin_report", "theirs"} <= rules


def test_a_stage_alone(tmp_path: Path) -> None:
    done = run_snakemake(tmp_path, "-n", "--until", "qc")
    assert done.returncode == 0, done.stderr
    assert planned(done.stdout + done.stderr) == {"counts", "fit", "qc"}


@pytest.mark.parametrize("snakefile", ["Snakefile", "workflow/Snakefile"])
def test_the_default_profile_is_found(snakefile: str, tmp_path: Path) -> None:
    done = run_snakemake(tmp_path, "-n", "qc", snakefile=REPOSITORY / snakefile)
    assert done.returncode == 0, done.stderr
    assert "profiles/default" in done.stdout + done.stderr


def test_a_plan_needs_no_counts_and_nothing_else_goes_without(tmp_path: Path) -> None:
    config = tmp_path / "config.yaml"
    config.write_text("cohort: next\ntargets: [BGN, DCN]\n")
    named = ("--configfile", str(config))
    done = run_snakemake(tmp_path, "plan", *named)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "mean count 300" in done.stderr
    assert (tmp_path / "results/planning/plan.tsv").exists()
    whole = run_snakemake(tmp_path, *named)
    assert whole.returncode == 1
    for key in ("counts", "samples", "design"):
        assert f"missing key '{key}'" in whole.stdout + whole.stderr
    config.write_text("cohort: next\nplanning: {changed: none}\n")
    wrong = run_snakemake(tmp_path, "plan", *named)
    assert wrong.returncode == 1
    assert "planning.changed: 'none' is not valid" in wrong.stdout + wrong.stderr
