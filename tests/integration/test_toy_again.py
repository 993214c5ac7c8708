"""What a second run of the toy cohort does: in one module, so that no two work in its folder."""

from __future__ import annotations

import zipfile
from pathlib import Path

import pytest

from helpers.pipeline import REPOSITORY, Run, planned, run_snakemake


def test_another_alpha_runs_what_follows_the_fit(toy_run: Run) -> None:
    config = toy_run.directory / "alpha.yaml"
    text = (REPOSITORY / "config" / "config.yaml").read_text(encoding="utf-8")
    assert "alpha: 0.05" in text
    config.write_text(text.replace("alpha: 0.05", "alpha: 0.1"), encoding="utf-8")
    done = run_snakemake(
        toy_run.directory, "-n", "--configfile", str(config), snakefile=toy_run.snakefile
    )
    assert done.returncode == 0, done.stderr
    rules = planned(done.stdout + done.stderr)
    after = {"differential_expression", "enrichment", "targets", "factors", "report", "workbook"}
    assert after <= rules
    assert rules.isdisjoint({"counts", "fit", "qc"})


def test_an_edited_module_runs_the_rules_that_use_it(toy_run: Run) -> None:
    edited = toy_run.snakefile.parent / "workflow/src/fibroserum/qc/checks.py"
    text = edited.read_text(encoding="utf-8")
    edited.write_text(text + "\n# an edit\n", encoding="utf-8")
    try:
        done = run_snakemake(toy_run.directory, "-n", snakefile=toy_run.snakefile)
    finally:
        edited.write_text(text, encoding="utf-8")
    assert done.returncode == 0, done.stderr
    assert planned(done.stdout + done.stderr) == {"qc", "report", "workbook"}


def test_a_config_without_factors_has_none(toy_run: Run) -> None:
    config = toy_run.directory / "plain.yaml"
    lines = (REPOSITORY / "config" / "config.yaml").read_text(encoding="utf-8").split("factors:")[0]
    config.write_text(lines.replace("cohort: toy", "cohort: plain"), encoding="utf-8")
    asked = ("-n", "--configfile", str(config))
    done = run_snakemake(toy_run.directory, *asked, snakefile=toy_run.snakefile)
    assert done.returncode == 0, done.stderr
    rules = planned(done.stdout + done.stderr)
    assert "stimulation" not in rules
    assert "report" in rules
    assert "CCL28" not in done.stdout


@pytest.mark.parametrize("snakefile", ["Snakefile", "workflow/Snakefile"])
def test_both_entries_run_the_same(snakefile: str, toy_run: Run) -> None:
    own = toy_run.snakefile.parent / snakefile
    done = run_snakemake(toy_run.directory, snakefile=own)
    assert done.returncode == 0, done.stderr
    assert "Nothing to be done" in done.stdout + done.stderr


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
