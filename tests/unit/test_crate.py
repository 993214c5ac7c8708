"""What an RO-Crate says of a run: paths, parameters, authors, checksums; the commit of the code."""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import tomllib
from pathlib import Path
from typing import Any

import pytest

from fibroserum.report.crate import Code, Run, figure_words, metadata, parameters, shown_path
from fibroserum.runtime.commit import commit_of
from fibroserum.runtime.extras import only_with

NOON = 1_700_000_000  # 2023-11-14, 22:13:20 UTC


def _finished(folder: Path, archive: dict[str, Any], inputs: dict[str, str]) -> Run:
    """Write a small run that has finished, and return it."""
    config = {"cohort": "my study", "counts": ["/elsewhere/a/counts.tsv"], "archive": archive}
    record = {
        "versions": {"python": "3.12.1", "fibroserum": "9.9", "snakemake": "9.27"},
        "config": config,
        "inputs": inputs,
    }
    files = {
        "provenance.json": json.dumps(record),
        "summary.json": json.dumps({"story": "Two donors."}),
        "report.html": "<html></html>",
        "README.md": "# fibroserum\n",
        "de/RT_post_vs_pre.tsv": "gene_id\n",
        "figures/pca.svg": "<svg/>",
        "workflow/Snakefile": "rule all:\n",
        "workflow/rules/fit.smk": "rule fit:\n",
    }
    results = folder / "results"
    for name, text in files.items():
        (results / name).parent.mkdir(parents=True, exist_ok=True)
        (results / name).write_text(text, encoding="utf-8")
    os.utime(results / "report.html", (NOON, NOON))
    made = tuple(
        results / name for name in files if name.split("/")[0] not in ("workflow", "README.md")
    )
    return Run(
        results,
        "my study",
        made,
        (results / "workflow/Snakefile", results / "workflow/rules/fit.smk"),
        {"pca": ("Principal components", "Each mark is a sample.")},
        (),
    )


def _entities(run: Run, commit: str | None = None) -> dict[str, dict[str, Any]]:
    return {one["@id"]: one for one in metadata(run, Code("snakemake", commit))["@graph"]}


def test_no_folder_of_the_machine_is_shown(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert shown_path("data/counts.tsv") == "data/counts.tsv"
    assert shown_path(str(tmp_path / "data" / "counts.tsv")) == "data/counts.tsv"
    assert shown_path("/elsewhere/people/counts.tsv") == "counts.tsv"


def test_every_setting_is_a_parameter() -> None:
    config = {
        "cohort": "toy",
        "counts": ["/elsewhere/people/a.tsv", "b.tsv"],
        "design": {"randomised": True, "line": None, "covariates": []},
        "seed": 1,
        "factors": {},
        "targets": ["BGN"],
    }
    assert dict(parameters(config)) == {
        "cohort": "toy",
        "counts": ["a.tsv", "b.tsv"],
        "design.randomised": True,
        "design.line": "null",
        "design.covariates": "[]",
        "seed": 1,
        "factors": "{}",
        # a list of one is its only value
        "targets": "BGN",
    }


def test_files_have_their_checksum_size_and_description(tmp_path: Path) -> None:
    run = _finished(tmp_path, {"authors": [], "licence": None}, {})
    entities = _entities(run)
    for path in (*run.made, *run.workflow):
        entity = entities[path.relative_to(run.folder).as_posix()]
        content = path.read_bytes()
        assert entity["sha256"] == hashlib.sha256(content).hexdigest()
        assert entity["contentSize"] == str(len(content))
        assert entity["description"]
    table = entities["de/RT_post_vs_pre.tsv"]
    assert table["description"] == "Table. One row: one gene of the input."
    assert table["encodingFormat"] == "text/tab-separated-values"
    assert entities["workflow/Snakefile"]["encodingFormat"] == "text/x-python"
    assert entities["figures/pca.svg"]["name"] == "Principal components (SVG)"
    assert entities["figures/pca.svg"]["description"] == "Each mark is a sample."
    listed = {one["@id"] for one in entities["./"]["hasPart"]}
    assert listed == {
        p.relative_to(run.folder).as_posix() for p in run.folder.rglob("*") if p.is_file()
    }


def test_a_file_without_a_description_is_an_error(tmp_path: Path) -> None:
    run = _finished(tmp_path, {}, {})
    (run.folder / "unknown.bin").write_bytes(b"x")
    more = Run(**{**vars(run), "made": (*run.made, run.folder / "unknown.bin")})
    with pytest.raises(ValueError, match=r"no description of unknown\.bin"):
        metadata(more, Code("snakemake", None))


def test_authors_and_licence_are_written_only_if_given(tmp_path: Path) -> None:
    plain = _entities(_finished(tmp_path / "plain", {"authors": [], "licence": None}, {}))
    assert "author" not in plain["./"]
    assert plain["./"]["license"] == "No licence has been given for these results."
    archive = {"authors": ["Aya Sato, 0000-0002-1825-0097", "Bo Li"], "licence": "CC-BY-4.0"}
    given = _entities(_finished(tmp_path / "given", archive, {}))
    sato, li = given["./"]["author"]
    assert sato["@id"] == "https://orcid.org/0000-0002-1825-0097"
    assert [given[one["@id"]]["name"] for one in (sato, li)] == ["Aya Sato", "Bo Li"]
    assert given["./"]["license"]["@id"] == "https://spdx.org/licenses/CC-BY-4.0"


def test_inputs_of_one_name_are_told_apart_and_named_without_their_folders(tmp_path: Path) -> None:
    paths = [f"/elsewhere/{folder}/counts.tsv" for folder in ("a", "b", "c")]
    run = _finished(tmp_path, {}, dict(zip(paths, ["1" * 64, "2" * 64, "2" * 64], strict=True)))
    entities = _entities(run)
    inputs = [one for name, one in entities.items() if name.startswith("#input/")]
    # the last two are one input: name and content are the same
    assert [one["sha256"][0] for one in inputs] == ["1", "2"]
    assert {one["name"] for one in inputs} == {"counts.tsv"}
    assert {one["encodingFormat"] for one in inputs} == {"text/tab-separated-values"}
    assert "elsewhere" not in json.dumps(entities)
    used = {one["@id"] for one in entities["#run"]["object"]}
    assert {one["@id"] for one in inputs} < used
    assert entities["#parameter/counts"]["value"] == "counts.tsv"


def test_dates_are_the_day_of_the_report_and_equal_runs_give_equal_crates(tmp_path: Path) -> None:
    one, other = (_finished(tmp_path / name, {}, {"x.tsv": "1" * 64}) for name in ("one", "other"))
    entities = _entities(one)
    assert entities["./"]["datePublished"] == entities["#run"]["endTime"] == "2023-11-14"
    assert entities == _entities(other)


def test_software_and_workflow_have_their_versions(tmp_path: Path) -> None:
    entities = _entities(_finished(tmp_path, {}, {}), "swh:1:rev:" + "a" * 40)
    entry = entities["workflow/Snakefile"]
    assert entry["version"] == "9.9"
    assert entry["identifier"] == "swh:1:rev:" + "a" * 40
    assert entities[entry["programmingLanguage"]["@id"]]["version"] == "9.27"
    needed = [entities[one["@id"]] for one in entry["softwareRequirements"]]
    assert {one["name"]: one["softwareVersion"] for one in needed} == {
        "python": "3.12.1",
        "snakemake": "9.27",
    }
    assert "identifier" not in _entities(_finished(tmp_path, {}, {}))["workflow/Snakefile"]


def test_figure_words_are_those_of_the_catalogue(tmp_path: Path) -> None:
    (tmp_path / "ma.rst").write_text("Mean and\nchange.\n", encoding="utf-8")
    entries = {"ma_RT": {"caption": "ma.rst", "label": {"figure": "MA", "contrast": "RT"}}}
    assert figure_words(entries, tmp_path) == {"ma_RT": ("MA, RT", "Mean and change.")}


def test_a_missing_extra_ends_the_run_with_one_line(repository: Path) -> None:
    assert only_with("crate", "json", ["report.html"]) == ["report.html"]
    with pytest.raises(SystemExit) as ended:
        only_with("crate", "no_such_module", [])
    # all that the extra adds: it works without a clone too
    project = tomllib.loads((repository / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    (requirement,) = project["optional-dependencies"]["crate"]
    install = f"pip install '{requirement}'"
    assert ended.value.code == f"no_such_module is not installed. Install it with: {install}"
    page = (repository / "docs/archive.md").read_text(encoding="utf-8")
    assert f"`{install}`" in page


def _git(folder: Path, *words: str) -> str:
    identity = ["-c", "user.name=a", "-c", "user.email=a@example.org"]
    done = subprocess.run(
        ["git", "-C", str(folder), *identity, *words], capture_output=True, text=True, check=True
    )
    return done.stdout.strip()


def test_a_commit_is_known_only_if_the_code_is_exactly_this_commit(tmp_path: Path) -> None:
    assert commit_of(tmp_path) is None
    _git(tmp_path, "init", "-q")
    assert commit_of(tmp_path) is None
    (tmp_path / "code").mkdir()
    (tmp_path / "code/a.py").write_text("1\n", encoding="utf-8")
    _git(tmp_path, "add", ".")
    _git(tmp_path, "commit", "-qm", "first")
    assert commit_of(tmp_path) == f"swh:1:rev:{_git(tmp_path, 'rev-parse', 'HEAD')}"
    # files of a run are not code
    (tmp_path / "results.tsv").write_text("1\n", encoding="utf-8")
    assert commit_of(tmp_path) is not None
    # a folder of another repository is not a clone of the pipeline
    assert commit_of(tmp_path / "code") is None
    (tmp_path / "code/a.py").write_text("2\n", encoding="utf-8")
    assert commit_of(tmp_path) is None
