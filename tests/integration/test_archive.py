"""The target `crate` through the real command line, checked with the validator of RO-Crates."""

from __future__ import annotations

import hashlib
import json
import shutil
from pathlib import Path
from typing import Any

import pytest
import yaml

from helpers.crate_validator import issues
from helpers.pipeline import Run, run_snakemake
from helpers.small_cohort import SmallCohort, good
from helpers.small_runs import run

#: What the profiles recommend and a run does not know: who ran it, public addresses, a publisher.
UNKNOWN = {
    "The Action SHOULD have an agent that is a Person or Organization",
    "The Application SHOULD have a url",
    "The Main Workflow SHOULD comply with Bioschemas ComputationalWorkflow profile version 1.0 or "
    "later",
    "The SoftwareApplication id SHOULD be an absolute URI",
    "The `publisher` property of a `Root Data Entity` SHOULD be an `Organization`",
}
#: What it knows only from the config's `archive`.
NOT_GIVEN = {
    "The Root Data Entity SHOULD have a link to a Contextual Entity representing the `author` of "
    "the RO-Crate",
    "The Root Data Entity SHOULD have a link to a Contextual Entity representing the "
    "schema_org:license type",
}
#: What it says of authors, whose affiliation the config does not have.
OF_AUTHORS = {
    "The author SHOULD have a Contextual Entity which specifies the organizational `affiliation`.",
    "The author SHOULD have an organizational affiliation.",
}


def _entities(results: Path) -> dict[str, dict[str, Any]]:
    text = (results / "ro-crate-metadata.json").read_text(encoding="utf-8")
    return {one["@id"]: one for one in json.loads(text)["@graph"]}


def _wrong(results: Path) -> list[str]:
    """Return the files of a crate whose content is not what the crate says."""
    return [
        name
        for name, one in _entities(results).items()
        if "File" in one["@type"]
        and hashlib.sha256((results / name).read_bytes()).hexdigest() != one["sha256"]
    ]


def _files(results: Path) -> set[str]:
    found = {p.relative_to(results).as_posix() for p in results.rglob("*") if p.is_file()}
    return found - {"ro-crate-metadata.json"}


def test_the_toy_is_a_valid_crate(toy_run: Run, tmp_path: Path) -> None:
    # a copy: other tests read this run
    directory = tmp_path / "run"
    shutil.copytree(toy_run.directory, directory)
    done = run_snakemake(directory, "crate", snakefile=toy_run.snakefile)
    assert done.returncode == 0, done.stdout + done.stderr
    results = directory / "results" / "toy"
    metadata = results / "ro-crate-metadata.json"
    first = metadata.read_bytes()
    assert issues(results, tmp_path / "validator", "recommended") == UNKNOWN | NOT_GIVEN
    entities = _entities(results)
    assert {one["@id"] for one in entities["./"]["hasPart"]} == _files(results)
    assert _wrong(results) == []
    text = first.decode("utf-8")
    assert str(directory) not in text
    assert str(toy_run.snakefile.parent) not in text
    inputs = {one["name"]: one["sha256"] for n, one in entities.items() if n.startswith("#input/")}
    sheet = toy_run.snakefile.parent / "resources/toy/samples.tsv"
    assert inputs["resources/toy/samples.tsv"] == hashlib.sha256(sheet.read_bytes()).hexdigest()
    # an edited file is noticed
    table = results / "contrasts.tsv"
    content = table.read_bytes()
    table.write_bytes(content.replace(b"up", b"down", 1))
    assert _wrong(results) == ["contrasts.tsv"]
    table.write_bytes(content)
    # once more gives the same bytes
    metadata.unlink()
    done = run_snakemake(directory, "crate", snakefile=toy_run.snakefile)
    assert done.returncode == 0, done.stdout + done.stderr
    assert metadata.read_bytes() == first
    done = run_snakemake(directory, "crate", snakefile=toy_run.snakefile)
    assert "Nothing to be done" in done.stdout + done.stderr


def _with_outcome_and_list(elsewhere: Path) -> SmallCohort:
    """Return the small cohort with an outcome, an own gene list outside its folder, and authors."""
    cohort = good()
    values = [str(10 + n % 5 + n / 7) for n in range(len(cohort.sheet.rows) - 1)]
    cohort.sheet.add_column("thickness", values)
    elsewhere.mkdir()
    genes = elsewhere / "senescence.txt"
    genes.write_text("IL6\nCXCL8\nSERPINE1\n", encoding="utf-8")
    cohort.config |= {
        "outcomes": {"dermal thickness": {"column": "thickness"}},
        "gene_lists": {"senescence": str(genes)},
        "archive": {"authors": ["Aya Sato, 0000-0002-1825-0097"], "licence": "CC-BY-4.0"},
    }
    cohort.instead["small.yaml"] = yaml.safe_dump(cohort.config, sort_keys=False)
    return cohort


@pytest.mark.long
def test_several_cohorts_have_a_crate_each_and_one_of_their_synthesis(tmp_path: Path) -> None:
    folder, scratch = tmp_path / "run", tmp_path / "validator"
    cohort = _with_outcome_and_list(tmp_path / "elsewhere")
    other = {**good().config, "cohort": "other"}
    cohort.instead["other.yaml"] = yaml.safe_dump(other, sort_keys=False)
    cohort.config = {"cohorts": ["small.yaml", "other.yaml"], "cohort": "both"}
    cohort.write(folder)
    done = run(folder, "--", "crate")
    assert done.returncode == 0, done.stdout
    small, other_results, both = (folder / "results" / n for n in ("small", "other", "both"))
    for results in (small, other_results, both):
        assert _wrong(results) == []
        assert {one["@id"] for one in _entities(results)["./"]["hasPart"]} == _files(results)
    assert issues(small, scratch, "recommended") == UNKNOWN | OF_AUTHORS
    assert issues(both, scratch, "required") == set()
    entities = _entities(small)
    names = {one["name"] for name, one in entities.items() if name.startswith("#input/")}
    assert {"senescence.txt", "samples.tsv"} <= names
    assert str(tmp_path) not in json.dumps(entities)
    assert {"flags/outcomes.tsv", "flags/gene_lists.tsv"} <= set(entities)
    # the crate of the synthesis identifies the crates that it was made from
    crates = {n: one["sha256"] for n, one in _entities(both).items() if n.startswith("#crate/")}
    assert crates == {
        f"#crate/{one.name}": hashlib.sha256(
            (one / "ro-crate-metadata.json").read_bytes()
        ).hexdigest()
        for one in (small, other_results)
    }
