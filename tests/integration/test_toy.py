"""The toy cohort end to end: its truth is known, so what comes out can be held against it."""

from __future__ import annotations

import json

import pandas as pd
import pytest

from fibroserum import tables
from fibroserum.report.run_tables import CONFIGURED, SINGLE
from helpers.pipeline import REPOSITORY, Run

CONTRASTS = (
    "AT_post_vs_pre",
    "RT_post_vs_pre",
    "RT_vs_AT_change",
    "average_post_vs_pre",
    "RT_vs_AT_pre",
)


@pytest.fixture(scope="module")
def truth() -> pd.DataFrame:
    return pd.read_csv(REPOSITORY / "resources" / "toy" / "truth.tsv", sep="\t", index_col=0)


def test_a_run_leaves_no_lock_where_it_was_started_from_another_folder(toy_run: Run) -> None:
    assert [path.name for path in toy_run.results.rglob(".*")] == []


def test_every_output_of_the_interface_is_there(toy_run: Run) -> None:
    on_request = {SINGLE[field] for fields in CONFIGURED.values() for field in fields}
    for schema in tables.schemas().values():
        if schema.name.startswith("calibration") or schema.path.startswith("meta/"):
            continue  # when permutations were asked for; of several cohorts
        if schema.name in on_request or schema.name == "plan":
            assert not (toy_run.results / schema.path).exists()
            continue
        names = [
            schema.path.replace("{contrast}", c).replace("{factor}", "CCL28") for c in CONTRASTS
        ]
        for name in names:
            assert (toy_run.results / name).stat().st_size > 0, name
            tables.check(schema.name, tables.read(schema.name, toy_run.results / name))
    for name in ("report.html", "cohort.h5ad", "tables.xlsx", "summary.json", "provenance.json"):
        assert (toy_run.results / name).stat().st_size > 0, name
    assert list((toy_run.results / "figures").glob("*.svg"))
    assert not list(toy_run.results.rglob("*.part"))


def test_the_end_of_the_run_says_what_matters(toy_run: Run) -> None:
    assert "Report: results/toy/report.html" in toy_run.said
    summary = json.loads((toy_run.results / "summary.json").read_text(encoding="utf-8"))
    assert summary["story"] in " ".join(toy_run.said.split())
    assert "18 donors, 17 complete pairs (9 in RT, 8 in AT)." in summary["story"]
    assert "CCL28 fell in RT" in summary["story"]
    assert "1 warning of quality control" in toy_run.said
    # 185 lines before there was one line a job
    assert len(toy_run.said.splitlines()) < 30


def test_bgn_rises_and_the_verdict_says_how_sure_that_is(toy_run: Run) -> None:
    """Nine pairs: the interval holds the truth and excludes 0, one model is not sure of it."""
    targets = toy_run.table("targets").set_index(["target", "contrast"])
    change = targets.loc[("BGN", "RT_post_vs_pre")]
    assert 0 < change["ci_low"] < 0.45 < change["ci_high"]
    assert change["panel_padj"] < 0.05 < change["second_panel_padj"]
    assert change["verdict"] == "inconclusive"
    assert targets.loc[("BGN", "average_post_vs_pre"), "verdict"] == "up"
    assert targets.loc[("BGN", "AT_post_vs_pre"), "verdict"] != "up"
    unchanged = targets.xs("RT_post_vs_pre", level="contrast").loc[["DCN", "VCAN", "HAS2"]]
    assert not unchanged["verdict"].isin(["up", "down"]).any()
    assert targets.loc[("HAS1", "RT_post_vs_pre"), "verdict"] == "untestable"


def test_signs_are_right(toy_run: Run, truth: pd.DataFrame) -> None:
    for contrast in ("AT_post_vs_pre", "RT_post_vs_pre", "RT_vs_AT_change", "RT_vs_AT_pre"):
        de = toy_run.table("de", contrast).set_index("gene_id")
        called = de[de["call"] != "none"]
        true = truth.loc[called.index, contrast]
        planted = true[true != 0]
        assert len(planted) >= 15, contrast
        wrong = (planted > 0) != (called.loc[planted.index, "call"] == "up")
        assert wrong.sum() == 0, contrast


def test_few_calls_are_false(toy_run: Run, truth: pd.DataFrame) -> None:
    called = false = 0
    for contrast in CONTRASTS:
        de = toy_run.table("de", contrast).set_index("gene_id")
        genes = de.index[de["call"] != "none"]
        called += len(genes)
        false += int((truth.loc[genes, contrast] == 0).sum())
    # binomial: 0.05 expected; one cohort alone may lie above it
    assert called > 100
    assert false / called < 0.10


def test_ccl28_responsive_genes_are_found(toy_run: Run, truth: pd.DataFrame) -> None:
    factors = toy_run.table("factors").query("factor == 'CCL28'").set_index("gene_id")
    called = factors[factors["call"].isin(["responsive", "confirmed"])]
    planted = truth[truth["ccl28_responsive"]]
    found = called.index.intersection(planted.index)
    assert len(found) >= 0.6 * len(planted)
    assert len(called.index.difference(planted.index)) <= 0.15 * len(called)
    right = called.loc[found, "direction"] == planted.loc[found, "ccl28_direction"]
    assert right.all()


def test_cxcl4_and_null_sets_call_nothing(toy_run: Run) -> None:
    factors = toy_run.table("factors").query("factor == 'CXCL4'")
    assert factors["call"].isin(["responsive", "confirmed"]).sum() <= 3
    for contrast in CONTRASTS:
        sets = toy_run.table("enrichment", contrast).query("collection == 'null_sets'")
        assert len(sets) == 6
        assert (sets["call"] == "none").all(), contrast
        assert (sets["enriched"] == "none").all(), contrast


def test_a_donor_without_a_pair_has_a_row_that_says_so(toy_run: Run) -> None:
    samples = toy_run.table("samples").set_index("sample")
    assert samples.loc["RT10_pre", "used_for"] == "baseline"
    assert "no after sample" in samples.loc["RT10_pre", "reason"]
    contrasts = toy_run.table("contrasts").set_index("contrast")
    assert contrasts.loc["RT_post_vs_pre", "pairs"] == 9
    assert contrasts.loc["RT_vs_AT_pre", "pairs"] == 18


def test_provenance_names_inputs_and_versions(toy_run: Run) -> None:
    record = json.loads((toy_run.results / "provenance.json").read_text())
    assert record["versions"]["pydeseq2"]
    assert any(path.endswith("RT.counts.tsv.gz") for path in record["inputs"])
    assert record["config"]["differential_expression"]["alpha"] == 0.05
    assert record["seed"] == 1
