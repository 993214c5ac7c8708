"""Designs and questions of the second toy cohort, end to end, against its truth; the examples."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from fibroserum import tables
from fibroserum.cohort.plan import plan
from fibroserum.input.config import read_config
from fibroserum.input.schema import config_schema
from fibroserum.report.run_tables import CONFIGURED, SINGLE
from helpers.pipeline import REPOSITORY, Run, run_snakemake

BUNDLED = sorted(
    path.stem
    for path in (REPOSITORY / "config" / "examples").glob("*.yaml")
    if "resources/toy_designs" in path.read_text(encoding="utf-8")
)
TOY = REPOSITORY / "resources" / "toy_designs"


@pytest.mark.parametrize("name", BUNDLED)
def test_an_example_on_bundled_files_is_planned_as_it_is(name: str) -> None:
    raw = read_config(REPOSITORY / "config" / "examples" / f"{name}.yaml")
    made = plan(raw, config_schema(), REPOSITORY, f"{name}.yaml")
    assert made.folder == f"example_{name}"
    assert {contrast.kind for contrast in made.contrasts} >= {"change", "baseline"}


@pytest.fixture(scope="module")
def designs(tmp_path_factory: pytest.TempPathFactory) -> Run:
    directory = tmp_path_factory.mktemp("designs")
    config = REPOSITORY / "config" / "toy_designs.yaml"
    done = run_snakemake(directory, "--configfile", str(config))
    assert done.returncode == 0, done.stdout + done.stderr
    return Run(directory, directory / "results" / "toy_designs", done.stdout + done.stderr)


def truth() -> pd.DataFrame:
    return pd.read_csv(TOY / "truth.tsv", sep="\t", index_col="gene_id")


@pytest.mark.long
def test_every_table_on_request_is_there(designs: Run) -> None:
    for fields in CONFIGURED.values():
        for name in (SINGLE[field] for field in fields):
            path = designs.results / tables.schemas()[name].path
            assert len(tables.check(name, tables.read(name, path))), name
    assert (designs.results / "report.html").stat().st_size > 0


@pytest.mark.long
def test_each_contrast_has_the_truths_sign(designs: Run) -> None:
    true, contrasts = truth(), designs.table("contrasts").set_index("contrast")
    estimated = [c for c in contrasts.index[contrasts["status"] == "estimated"] if c in true]
    assert {"exercise_vs_control_change", "RT_vs_AT_change_week16", "healthy_vs_RT_pre"} <= {
        *estimated
    }
    for name in estimated:
        table = designs.table("de", name).set_index("gene_id")
        own = true[name].reindex(table.index)
        known = (own != 0) & table["log2FoldChange"].notna()
        if known.sum() > 30:
            assert np.corrcoef(own[known], table.loc[known, "log2FoldChange"])[0, 1] > 0.6, name
        called = table["call"] != "none"
        turned = called & (np.sign(table["log2FoldChange"]) == -np.sign(own))
        assert turned.sum() <= 0.02 * max(called.sum(), 1), name


@pytest.mark.long
def test_donors_inform_the_contrasts_of_their_times(designs: Run) -> None:
    contrasts = designs.table("contrasts").set_index("contrast")
    samples = designs.table("samples")
    for group in ("control", "AT", "RT"):
        for time in ("week8", "week16"):
            own = samples[samples["group"] == group].groupby("donor")["time"].agg(set)
            pairs = sum({"pre", time} <= times for times in own)
            assert contrasts.loc[f"{group}_{time}_vs_pre", "pairs"] == pairs
    healthy = samples[samples["group"] == "healthy"]
    assert set(healthy["used_for"]) == {"baseline"}
    assert contrasts.loc["control_week16_dose_slope", "status"] == "not_estimable"


@pytest.mark.long
def test_questions_find_what_was_planted(designs: Run) -> None:
    true = truth()
    outcomes = designs.table("outcomes").query("question == 'change' and time == 'week16'")
    outcomes = outcomes.set_index("gene_id")
    called = outcomes["call"] != "none"
    goes = true["outcome_slope"].reindex(outcomes.index) != 0
    assert (called & goes).sum() >= 10
    assert (called & ~goes).sum() <= 0.25 * called.sum()
    panel = designs.table("serum_panel").set_index(["contrast", "molecule"])
    assert panel.loc[("RT_week16_vs_pre", "CCL28"), "change_log2"] < 0
    assert panel.loc[("RT_week16_vs_pre", "IL17A"), "reason"]
    assert panel.loc[("RT_week16_vs_pre", "IL17A"), "call"] is None
    slopes = designs.table("serum_panel_targets")
    bgn = slopes[(slopes["target"] == "BGN") & slopes["molecule"].isin(["CCL28", "IGF1"])]
    signs = bgn.groupby("molecule")["slope"].mean()
    assert signs["CCL28"] < 0 < signs["IGF1"]
    chain = designs.table("chain")
    assert set(chain["verdict"]) <= {"supported", "contradicts", "not established", "not measured"}
