"""The workflow as Snakemake users meet it: two entries, a module, a stage alone, a report."""

from __future__ import annotations

import zipfile
from pathlib import Path

import pytest
import yaml

from helpers.pipeline import REPOSITORY, Run, run_snakemake


@pytest.mark.parametrize("snakefile", ["Snakefile", "workflow/Snakefile"])
def test_both_entries_run_the_same(snakefile: str, toy_run: Run) -> None:
    own = toy_run.snakefile.parent / snakefile
    done = run_snakemake(toy_run.directory, snakefile=own)
    assert done.returncode == 0, done.stderr
    assert "Nothing to be done" in done.stdout + done.stderr


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
    said = done.stdout + done.stderr
    for rule in ("skin_counts", "skin_fit", "skin_report", "theirs"):
        assert rule in said


def test_a_stage_alone(tmp_path: Path) -> None:
    done = run_snakemake(tmp_path, "-n", "--until", "qc")
    assert done.returncode == 0, done.stderr
    said = done.stdout + done.stderr
    assert "qc" in said
    assert "enrichment/" not in said


def test_snakemakes_own_report_carries_the_figures(toy_run: Run) -> None:
    done = run_snakemake(toy_run.directory, "--report", "report.zip", snakefile=toy_run.snakefile)
    assert done.returncode == 0, done.stdout + done.stderr
    with zipfile.ZipFile(toy_run.directory / "report.zip") as archive:
        names = archive.namelist()
        (page,) = (name for name in names if name.endswith("report.html"))
        text = archive.read(page).decode("utf-8")
    figures = {path.name for path in (toy_run.results / "figures").glob("*.svg")}
    assert {Path(name).name for name in names if name.endswith(".svg")} == figures
    # each figure has its caption and its label
    assert text.count('"caption": "<p>') == len(figures)
    assert text.count('"labels": {"figure": ') == len(figures)


@pytest.mark.parametrize("snakefile", ["Snakefile", "workflow/Snakefile"])
def test_the_default_profile_is_found(snakefile: str, tmp_path: Path) -> None:
    done = run_snakemake(tmp_path, "-n", "qc", snakefile=REPOSITORY / snakefile)
    assert done.returncode == 0, done.stderr
    assert "profiles/default" in done.stdout + done.stderr
