"""Several cohorts in one DAG, through the real command line: two small ones and their synthesis."""

from __future__ import annotations

import contextlib
import json
import re
import subprocess
from dataclasses import dataclass
from pathlib import Path

import pandas as pd
import pytest
import yaml

from fibroserum import tables
from fibroserum.multiple_testing import NORMAL_975
from fibroserum.runtime.lock import take
from helpers.pipeline import copy_pipeline
from helpers.small_cohort import SmallCohort, good
from helpers.small_runs import outputs, run

TIMES = {"pre": "week 0", "post": "week 16"}


def _other() -> SmallCohort:
    """Return a second cohort: other levels of time, five donors, no factor, a target of its own."""
    cohort = good()
    cohort.drop_samples("D6_pre", "D6_post")
    cohort.sheet.map("timepoint", TIMES.__getitem__)
    cohort.counts.values(lambda count: int(1.3 * count) + int(count) % 7)
    cohort.design.update(before="week 0", after="week 16")
    cohort.config |= {
        "cohort": "other",
        "counts": ["other.counts.tsv"],
        "samples": "other.samples.tsv",
        "targets": ["BGN", "LUM"],
        "factors": {},
    }
    kept = ("counts.tsv", "samples.tsv")
    cohort.tables = {f"other.{name}": cohort.tables[name] for name in kept}
    cohort.instead = {"cohort.yaml": None, "other.yaml": yaml.safe_dump(cohort.config)}
    return cohort


def _list(folder: Path, *files: str) -> None:
    (folder / "cohort.yaml").write_text(yaml.safe_dump({"cohorts": files, "cohort": "both"}))


@dataclass(frozen=True)
class _Both:
    """A finished run of both: its working directory, what it said, its Snakefile."""

    folder: Path
    said: str
    snakefile: Path

    def again(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """Run once more."""
        return run(self.folder, "-s", str(self.snakefile), *arguments)


def _jobs(said: str) -> set[str]:
    """Return the rules that a dry run would run."""
    return set(re.findall(r"^ *rule (\w+):", said, re.M))


@pytest.fixture(scope="module")
def several(tmp_path_factory: pytest.TempPathFactory) -> _Both:
    """Run both, from a copy of the pipeline."""
    folder = tmp_path_factory.mktemp("several")
    small = good()
    small.instead["small.yaml"] = yaml.safe_dump(small.config, sort_keys=False)
    small.write(folder)
    _other().write(folder)
    _list(folder, "small.yaml", "other.yaml")
    snakefile = copy_pipeline(tmp_path_factory.mktemp("pipeline"))
    done = run(folder, "-s", str(snakefile))
    assert done.returncode == 0, done.stdout
    return _Both(folder, done.stdout, snakefile)


def _table(folder: Path, name: str) -> pd.DataFrame:
    schema = f"meta_{name}"
    return tables.read(schema, folder / "results" / "both" / tables.schemas()[schema].path)


def test_each_cohort_is_what_it_is_alone(several: _Both, small_run: Path) -> None:
    found, alone = outputs(several.folder), outputs(small_run)
    assert [name for name in alone if found[name] != alone[name]] == []
    assert {name.split("/")[0] for name in found} == {"small", "other", "both"}


def test_contrasts_are_matched_whatever_their_times_are_called(several: _Both) -> None:
    rows = _table(several.folder, "cohorts")
    assert rows["used"].all()
    assert set(rows["contrast"]) == {"AT_change", "RT_change", "RT_vs_AT_change"}
    called = rows.set_index(["contrast", "cohort"])["cohort_contrast"]
    assert called["RT_change", "small"] == "RT_post_vs_pre"
    assert called["RT_change", "other"] == "RT_week 16_vs_week 0"


def test_what_is_pooled_is_what_the_cohorts_say(several: _Both) -> None:
    folder = several.folder
    pooled = _table(folder, "targets").set_index(["target", "contrast"])
    own = _table(folder, "estimates")
    assert set(pooled.index.get_level_values("target")) == {"BGN", "DCN", "COL1A1", "LUM"}
    # a target that one cohort declares is found in the other, too
    assert (pooled["cohorts"] == 2).all()
    assert (pooled["call"] == "none").all()
    for name, time in (("small", "post_vs_pre"), ("other", "week_16_vs_week_0")):
        de = tables.read("de", folder / "results" / name / "de" / f"RT_{time}.tsv")
        lum = de[de["symbol"] == "LUM"].iloc[0]
        row = own[
            (own["name"] == "LUM") & (own["cohort"] == name) & (own["contrast"] == "RT_change")
        ]
        assert row["estimate"].item() == lum["log2FoldChange"]
        half = (lum["ci_high"] - lum["ci_low"]) / 2
        assert row["se"].item() == pytest.approx(half / NORMAL_975, rel=1e-8)
        assert row["se"].item() >= lum["lfcSE"] * (1 - 1e-8)
    weights = own[own["used"]].groupby(["level", "family", "name", "contrast"], dropna=False)[
        "weight"
    ]
    assert weights.sum().to_numpy() == pytest.approx(1)


def test_the_standard_error_of_a_score_is_that_of_its_test(several: _Both) -> None:
    own = _table(several.folder, "estimates")
    tests = tables.read(
        "set_score_tests", several.folder / "results/small/enrichment/score_tests.tsv"
    )
    tests = tests.set_index(["contrast", "gene_set"])
    rows = own[(own["level"] == "gene_set") & (own["cohort"] == "small")]
    assert len(rows) == 6
    names = {"AT_change": "AT_post_vs_pre", "RT_change": "RT_post_vs_pre"}
    for row in rows.itertuples():
        test = tests.loc[(names.get(row.contrast, row.contrast), row.name)]
        assert row.se == pytest.approx(test["se"] / 60)
        assert row.estimate == pytest.approx(test["estimate"] / 60)


def test_the_terminal_has_a_line_for_each(several: _Both) -> None:
    said = several.said
    assert re.search(r"^other: results/other/report.html; BGN \w+ in AT_", said, re.M)
    assert re.search(
        r"^small: results/small/report.html; BGN .*CCL28-responsive genes: \d", said, re.M
    )
    line = r"^both: results/both/report.html; log2 fold change of BGN: AT_change [-+]0\.\d\d \("
    assert re.search(line, said, re.M)


def test_the_page_links_to_the_cohorts_own_and_to_nothing_else(several: _Both) -> None:
    place = several.folder / "results" / "both"
    page = (place / "report.html").read_text(encoding="utf-8")
    links = set(re.findall(r'href="([^"#][^"]*)"', page))
    assert links == {"../other/report.html", "../small/report.html", "data:,"}
    assert all((place / link).exists() for link in links if link != "data:,")
    drawn = {path.name for path in (place / "figures").iterdir()}
    assert {"forest_BGN.svg", "forest_LUM.png", "heterogeneity.svg", "factor_CCL28.svg"} <= drawn
    summary = json.loads((place / "summary.json").read_text())
    assert summary["contrasts"]["RT_change"] == ["other", "small"]
    provenance = json.loads((place / "provenance.json").read_text())
    assert "results/small/summary.json" in provenance["inputs"]


def test_nothing_is_run_again_in_whatever_order_cohorts_are_listed(
    several: _Both,
) -> None:
    folder = several.folder
    _list(folder, "other.yaml", "small.yaml")
    done = several.again("--dry-run")
    jobs = _jobs(done.stdout)
    # the list itself stands in the provenance
    assert jobs <= {"overview", "default"}, done.stdout


def test_an_edit_of_one_cohort_leaves_the_other_alone(several: _Both) -> None:
    folder = several.folder
    before = (folder / "other.yaml").read_text()
    config = yaml.safe_load(before) | {"differential_expression": {"alpha": 0.1}}
    (folder / "other.yaml").write_text(yaml.safe_dump(config))
    done = several.again("--dry-run")
    (folder / "other.yaml").write_text(before)
    jobs = _jobs(done.stdout)
    assert {"other_differential_expression", "other_report", "synthesis"} <= jobs
    assert not {job for job in jobs if job.startswith("small_")}
    assert "other_fit" not in jobs


@pytest.mark.parametrize("stage", ["qc", "flags"])
def test_a_stage_of_all_cohorts(stage: str, several: _Both) -> None:
    done = several.again("--dry-run", "--forceall", "--", stage)
    assert done.returncode == 0, done.stdout
    jobs = _jobs(done.stdout)
    assert {
        "small_counts",
        "other_counts",
        "small_qc" if stage == "qc" else "small_targets",
    } <= jobs
    assert not jobs & {"synthesis", "small_report"}


def test_a_run_is_refused_while_another_works_on_one_of_the_cohorts(
    several: _Both,
) -> None:
    folder = several.folder
    with contextlib.chdir(folder), contextlib.closing(_Held("results/other")):
        done = several.again("--forcerun", "small_qc", "--", "qc")
    assert done.returncode != 0
    assert "Another run is working on results/other" in done.stdout
    assert not (folder / "results/small/.lock").exists()


class _Held:
    """A lock of results, as a run holds it."""

    def __init__(self, folder: str):
        self.lock = take(folder, print)

    def close(self) -> None:
        self.lock.release()


def test_as_a_module_the_form_of_several_works_too(several: _Both, repository: Path) -> None:
    folder = several.folder
    (folder / "theirs.smk").write_text(
        f'''
module skin:
    snakefile: "{several.snakefile.parent / "workflow" / "Snakefile"}"
    config: {{"cohorts": ["small.yaml", "other.yaml"], "cohort": "theirs"}}

use rule * from skin as skin_*
'''
    )
    done = run(
        folder, "-s", str(folder / "theirs.smk"), "--dry-run", "--", "skin_all", config=False
    )
    assert done.returncode == 0, done.stdout
    jobs = _jobs(done.stdout)
    assert {"skin_synthesis", "skin_overview"} <= jobs
    # each cohort's results are there already
    assert "skin_small_fit" not in jobs
