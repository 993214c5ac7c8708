"""The workflow by address: deployed with snakedeploy, and as a module of another workflow."""

from __future__ import annotations

import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import yaml

from helpers.deployed import ADDRESS, REPOSITORY_NAME, TAG, Deployed, released
from helpers.pipeline import Run, planned
from helpers.small_cohort import good
from helpers.small_runs import SECONDS, outputs

pytestmark = pytest.mark.long

MODULE = f"""
configfile: "study.yaml"

module skin:
    snakefile: github("{REPOSITORY_NAME}", path="workflow/Snakefile", tag="{TAG}")
    config: config["skin"]

use rule * from skin as skin_*

rule theirs:
    default_target: True
    input:
        rules.skin_targets.output.targets,
"""


@pytest.fixture(scope="module")
def release(tmp_path_factory: pytest.TempPathFactory) -> Deployed:
    return released(tmp_path_factory.mktemp("release"))


@pytest.fixture
def study(release: Deployed, tmp_path: Path) -> Path:
    """Return a folder into which snakedeploy has deployed the release."""
    command = Path(sys.executable).with_name("snakedeploy")
    folder = tmp_path / "study"
    release.done(tmp_path, str(command), "deploy-workflow", ADDRESS, "study", "--tag", TAG)
    assert {path.name for path in folder.iterdir()} >= {"config", "profiles", "workflow"}
    return folder


def copy_of_the_release(folder: Path) -> Path:
    (copy,) = (folder / ".snakemake").glob("fibroserum-*")
    return copy


def test_the_toy_runs_where_snakedeploy_put_it(
    release: Deployed, study: Path, toy_run: Run
) -> None:
    done = release.snakemake(study, "--dry-run")
    assert done.returncode == 0, done.stdout
    assert planned(done.stdout) >= {"counts", "fit", "report", "workbook"}
    assert not (study / "results").exists()
    done = release.snakemake(study)
    assert done.returncode == 0, done.stdout
    assert re.search(r"^ *(\d+) of \1 ", done.stdout, re.MULTILINE)
    made = {p.relative_to(toy_run.results): p for p in toy_run.results.rglob("*") if p.is_file()}
    assert len(made) > 100
    found = study / "results" / "toy"
    assert {p.relative_to(found) for p in found.rglob("*") if p.is_file()} == set(made)
    for name, path in made.items():
        assert (found / name).read_bytes() == path.read_bytes(), name
    again = release.snakemake(study)
    assert "Nothing to be done" in again.stdout


def test_a_config_of_ones_own_is_not_merged_with_that_of_the_toy(
    release: Deployed, study: Path, small_run: Path
) -> None:
    good().write(study)
    words = ("--configfile", "cohort.yaml", "--", "flags", "qc")
    done = release.snakemake(study, *words)
    assert done.returncode == 0, done.stdout
    expected, found = outputs(small_run), outputs(study)
    assert {Path(name).parts[1] for name in found} >= {"de", "flags", "qc"}
    assert [name for name in found if found[name] != expected[name]] == []
    misspelt = yaml.safe_load((study / "cohort.yaml").read_text()) | {"desing": 1}
    (study / "cohort.yaml").write_text(yaml.safe_dump(misspelt))
    done = release.snakemake(study, *words)
    assert done.returncode == 1
    assert "desing" in done.stdout
    assert "cohort.yaml" in done.stdout


def test_as_a_module_by_address(release: Deployed, tmp_path: Path, small_run: Path) -> None:
    cohort = good()
    cohort.write(tmp_path)
    (tmp_path / "study.yaml").write_text(yaml.safe_dump({"skin": cohort.config}, sort_keys=False))
    (tmp_path / "Snakefile").write_text(MODULE)
    done = release.snakemake(tmp_path)
    assert done.returncode == 0, done.stdout
    expected, found = outputs(small_run), outputs(tmp_path)
    assert "small/flags/targets.tsv" in found
    assert [name for name in found if found[name] != expected[name]] == []


def test_several_cohorts_by_address(release: Deployed, study: Path) -> None:
    done = release.snakemake(study, "--dry-run", "--configfile", "config/cohorts.yaml")
    assert done.returncode == 0, done.stdout
    assert planned(done.stdout) >= {"toy_fit", "toy_b_fit", "synthesis", "overview"}


def test_a_second_run_on_a_deployed_copy_is_refused(release: Deployed, study: Path) -> None:
    words = [sys.executable, "-m", "snakemake", "--cores", "2", "--", "counts"]
    first = subprocess.Popen(
        words,
        cwd=study,
        env=release.environment(),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        stdin=subprocess.DEVNULL,
    )
    try:
        deadline = time.monotonic() + SECONDS
        while not (study / "results" / "toy" / ".lock").exists():
            assert first.poll() is None
            assert time.monotonic() < deadline
            time.sleep(0.05)
        first.send_signal(signal.SIGSTOP)
        second = release.snakemake(study, "--", "counts")
        assert second.returncode == 1
        assert "Another run is working on results/toy: process " in second.stdout
        first.send_signal(signal.SIGCONT)
        assert first.wait(SECONDS) == 0
    finally:
        first.kill()
        first.wait()


def test_a_refused_input_is_tried_once_and_listed_once(release: Deployed, study: Path) -> None:
    cohort = good()
    cohort.tables["counts.tsv"].rows[1][1] = "-4"
    cohort.write(study)
    words = ("--configfile", "cohort.yaml", "--retries", "2", "--", "counts")
    done = release.snakemake(study, *words)
    assert done.returncode == 1
    assert done.stdout.count("the count is negative (-4)") == 1


def test_a_mistake_in_the_deployed_config_is_told_with_its_file(
    release: Deployed, study: Path
) -> None:
    config = study / "config" / "config.yaml"
    config.write_text(config.read_text().replace("design:", "desing:"))
    done = release.snakemake(study, "--dry-run", "--config", "cohort=mine")
    assert done.returncode == 1
    assert "config/config.yaml" in done.stdout
    assert "'desing'" in done.stdout


def test_the_handlers_of_the_page_print_the_plan(
    release: Deployed, tmp_path: Path, repository: Path
) -> None:
    page = (repository / "docs" / "deployment.md").read_text(encoding="utf-8")
    (handlers,) = re.findall(r"```python\n(onsuccess:.*?)```", page, re.DOTALL)
    (tmp_path / "Snakefile").write_text(f"{MODULE.partition('rule theirs')[0]}\n{handlers}")
    (tmp_path / "study.yaml").write_text("skin: {targets: [BGN]}\n")
    said = release.snakemake(tmp_path, "skin_plan").stdout
    assert "All mean counts: results/planning/plan.tsv" in said


def test_two_versions_in_one_snakefile_are_refused(
    release: Deployed, tmp_path: Path, repository: Path
) -> None:
    both = f"""{MODULE.partition("rule theirs")[0]}
module local:
    snakefile: "{repository / "workflow" / "Snakefile"}"
    config: config["skin"]

use rule * from local as local_*
"""
    (tmp_path / "Snakefile").write_text(both)
    (tmp_path / "study.yaml").write_text("skin: {targets: [BGN]}\n")
    done = release.snakemake(tmp_path, "--dry-run", "skin_plan")
    assert done.returncode == 1
    assert "One Snakefile cannot use two versions of fibroserum: " in done.stdout


def test_a_copy_that_lost_files_is_made_again(release: Deployed, study: Path) -> None:
    assert release.snakemake(study, "--dry-run").returncode == 0
    lost = copy_of_the_release(study) / "workflow/src/fibroserum/runtime/packages.py"
    lost.unlink()
    assert release.snakemake(study, "--dry-run").returncode == 0
    assert lost.is_file()


def test_packages_that_are_missing_are_named_in_one_line(release: Deployed, study: Path) -> None:
    assert release.snakemake(study, "--dry-run").returncode == 0
    copy = copy_of_the_release(study)
    needs = copy / "pyproject.toml"
    text = needs.read_text().replace('"altair>=6"', '"altair>=600", "no-such-package>=2"')
    needs.write_text(text)
    done = release.snakemake(study, "--dry-run")
    assert done.returncode == 1
    *_, line = done.stdout.strip().splitlines()
    assert "altair>=600 (" in line
    assert "no-such-package>=2" in line
    assert line.endswith(f"-m pip install -r {copy / 'requirements.lock'}")
    assert (copy / "requirements.lock").is_file()
