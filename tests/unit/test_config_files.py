"""A config in JSON is read as Snakemake reads it, alone and among several cohorts."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from fibroserum.cohort.plan import plan
from fibroserum.cohort.several import plan_several
from fibroserum.input.config import repeated_keys
from fibroserum.input.schema import config_schema
from helpers.small_cohort import good


def test_json_may_be_indented_with_tabs(
    tmp_path: Path, repository: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    cohort = good()
    # a number to JSON, and text to YAML
    text = json.dumps(cohort.config | {"differential_expression": {"alpha": 0.05}}, indent="\t")
    cohort.instead = {"cohort.json": text.replace("0.05", "5e-2"), "cohort.yaml": None}
    cohort.write(tmp_path)
    monkeypatch.chdir(tmp_path)
    file = Path("cohort.json")
    raw = json.loads(file.read_text())
    alone = plan(raw, config_schema(), repository, str(file), [file])
    several = plan_several({"cohorts": [str(file)]}, repository, "all.yaml")
    assert several.cohorts == (alone,)
    assert alone.config["differential_expression"]["alpha"] == 0.05


def test_a_key_twice_in_json_is_a_problem(tmp_path: Path) -> None:
    path = tmp_path / "cohort.json"
    path.write_text('{\n\t"targets": ["BGN"],\n\t"targets": ["DCN"]\n}')
    (problem,) = repeated_keys(path)
    assert problem.what == "the key 'targets' is already in line 2"
    assert problem.where == f"{path}, line 3"
