"""The template of a config: refused with a placeholder in it, complete once they are filled."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from bad_inputs.cases.serum_panel import panel
from fibroserum.cohort.plan import Plan, plan
from fibroserum.errors import InputError
from fibroserum.input.schema import config_schema
from helpers.small_cohort import good

FILLED = {
    "name of the cohort": "mine",
    "path of the count matrix": "counts.tsv",
    "path of the sample sheet": "samples.tsv",
    "column of the study arm": "group",
    "group that the others are compared with": "AT",
    "level of the time column before the intervention": "pre",
    "level of the time column after the intervention": "post",
    "path of a GMT file": "sets.gmt",
    "group without an intervention": "AT",
    "a group": "RT",
    "another group": "AT",
    "path of the count matrix of the stimulation experiment": "arm.counts.tsv",
    "path of its sample sheet": "arm.samples.tsv",
    "path of the table of levels": "serum.tsv",
}


@pytest.fixture
def planned(
    repository: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Callable[[dict[str, Any]], Plan]:
    """Return what plans a config in the folder of the small cohort."""
    cohort = good()
    panel(cohort)
    columns = {"line": "L1", "batch": "123", "hours": "123456", "plate": "AB"}
    columns |= {"thickness_mm": "12345", "delta_mm": "7", "sessions": "56789"}
    for column, values in columns.items():
        if column in cohort.sheet.header:
            cohort.sheet.drop_column(column)
        cells = [values[n % len(values)] for n in range(12)] if column != "line" else ["L1"] * 12
        cohort.sheet.add_column(column, cells)
    cohort.write(tmp_path)
    monkeypatch.chdir(tmp_path)
    schema = config_schema()
    return lambda raw: plan(raw, schema, repository, "mine.yaml")


def template(repository: Path, *, optional: bool) -> str:
    """Return the template, the optional lines uncommented where they are asked for."""
    text = (repository / "config" / "template.yaml").read_text(encoding="utf-8")
    return re.sub(r"(?m)^# ?(?=[ \w])", "", text) if optional else text


def filled(text: str) -> dict[str, Any]:
    return yaml.safe_load(re.sub(r"<([^<>\n]+)>", lambda m: FILLED.get(m[1], m[0]), text))


def test_every_placeholder_is_refused_in_words_and_nothing_else_is_said(
    repository: Path, planned: Callable[[dict[str, Any]], Plan]
) -> None:
    with pytest.raises(InputError) as refused:
        planned(yaml.safe_load(template(repository, optional=False)))
    said = [str(problem) for problem in refused.value.problems]
    assert len(said) == 7
    assert said[1] == (
        "mine.yaml, counts: the placeholder '<path of the count matrix>' is not filled in; "
        "expected the path of the count matrix. Replace the words in angle brackets."
    )


@pytest.mark.parametrize("optional", [False, True])
def test_the_template_runs_once_it_is_filled_in(
    repository: Path, planned: Callable[[dict[str, Any]], Plan], optional: bool
) -> None:
    raw = filled(template(repository, optional=optional))
    assert ("factors" in raw) is optional
    if optional:
        assert raw["design"]["covariates"] == [{"batch": "categorical"}, {"hours": "numeric"}]
        del raw["design"]["covariates"], raw["design"]["block"]  # too many for twelve samples
        assert raw["design"].pop("ignore_times") == ["follow_up"]
    made = planned(raw)
    assert made.folder == "mine"
    assert ("design.randomised" in made.defaults, "targets" in made.defaults) == (
        (False, False) if optional else (True, True)
    )


@pytest.mark.parametrize(
    ("spoil", "key"),
    [
        (lambda c: c["gene_sets"].append("resources/toy/null_sets.gmt"), "gene_sets"),
        (lambda c: c.update(samples="resources/toy_b/samples.tsv"), "samples"),
        (lambda c: c["counts"].append("resources/toy/AT.counts.tsv.gz"), "counts"),
        (
            lambda c: c["factors"]["CCL28"]["stimulation"].update(
                counts="./resources/toy/ccl28_stimulation.counts.tsv.gz"
            ),
            "factors.CCL28.stimulation.counts",
        ),
    ],
)
def test_a_file_of_the_toy_cohort_is_refused_beside_other_counts(
    repository: Path,
    planned: Callable[[dict[str, Any]], Plan],
    spoil: Callable[[dict[str, Any]], object],
    key: str,
) -> None:
    raw = good().config
    spoil(raw)
    (Path.cwd() / "resources").symlink_to(repository / "resources")
    with pytest.raises(InputError) as refused:
        planned(raw)
    (said,) = [p for p in refused.value.problems if "belongs to a simulated toy cohort" in p.what]
    assert said.where == f"mine.yaml, {key}"
    assert said.hint.endswith("For teaching, write 'allow_toy_files: true'.")
    if key == "gene_sets":
        assert planned(raw | {"allow_toy_files": True}).config["gene_sets"] == raw["gene_sets"]


def test_the_toy_cohorts_name_their_own_files(repository: Path) -> None:
    schema = config_schema()
    for name in ("config.yaml", "toy_b.yaml"):
        raw = yaml.safe_load((repository / "config" / name).read_text(encoding="utf-8"))
        assert plan(raw, schema, repository, name).folder == raw["cohort"]
