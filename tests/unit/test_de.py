"""Calls and result tables: both models, same sign; statuses; what `alpha` may change."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydeseq2.ds import DeseqStats
from scipy.stats import false_discovery_control

from fibroserum import tables
from fibroserum.cohort.contrasts import contrasts_of
from fibroserum.cohort.members import pairs_of
from fibroserum.cohort.models import Model, models_of
from fibroserum.cohort.size_factors import size_factors
from fibroserum.cohort.storage import write_h5ad
from fibroserum.de.fitting import fit_model, initial_status, read_fit
from fibroserum.de.settings import FitSettings, SecondOpinion
from fibroserum.de.stage import call_genes, contrast_row, half_width, result_table
from fibroserum.deseq.datasets import BlockedDeseqDataSet, BlockedDeseqStats
from fibroserum.multiple_testing import NORMAL_975, adjusted_beside, benjamini_hochberg
from fibroserum.simulate import CohortSpec, simulate_cohort

SETTINGS = {
    "groups": ["AT", "RT"],
    "before": "pre",
    "after": "post",
    "crossover": False,
    "covariates": [],
}


@pytest.fixture(scope="module")
def simulated() -> tuple[pd.DataFrame, pd.DataFrame, pd.DataFrame]:
    cohort = simulate_cohort(CohortSpec(genes=1000), seed=3)
    obs = cohort.samples.set_index("sample").rename(columns={"timepoint": "time"})
    pairs = obs.groupby("donor")["time"].transform("nunique") == 2
    obs["used_for"] = np.where(pairs, "change", "baseline")
    return cohort.counts.loc[obs.index], obs, cohort.truth


@pytest.fixture(scope="module")
def models(simulated: tuple[pd.DataFrame, pd.DataFrame, pd.DataFrame]) -> list[Model]:
    return models_of(simulated[1], SETTINGS)


def test_bh_ignores_missing() -> None:
    p = np.array([0.01, np.nan, 0.04, 0.03])
    assert benjamini_hochberg(p) == pytest.approx([0.03, np.nan, 0.04, 0.04], nan_ok=True)
    assert np.isnan(benjamini_hochberg(np.array([np.nan]))).all()
    assert benjamini_hochberg(np.array([])).size == 0


def test_a_p_value_beside_others_is_adjusted_as_one_of_them() -> None:
    others = np.array([0.04, np.nan, 0.001, 0.04, 0.3])
    values = np.array([0.0, 0.001, 0.02, 0.04, 0.05, 1.0, np.nan])
    expected = [benjamini_hochberg(np.append(value, others))[0] for value in values]
    np.testing.assert_array_equal(adjusted_beside(values, others), expected)
    np.testing.assert_array_equal(adjusted_beside(values, others[:0]), values)


@given(st.lists(st.floats(0, 1) | st.sampled_from([0.0, 0.01, 0.05, 1.0, np.nan]), max_size=60))
def test_bh_is_scipys(pvalues: list[float]) -> None:
    p = np.array(pvalues, dtype=float)
    known = np.isfinite(p)
    expected = np.full(len(p), np.nan)
    if known.any():
        expected[known] = false_discovery_control(p[known])
    np.testing.assert_allclose(benjamini_hochberg(p), expected, rtol=1e-12, atol=1e-300)


@pytest.mark.parametrize(
    ("lfc", "padj", "second_lfc", "second_padj", "second_se", "call"),
    [
        (0.2, 0.01, 0.2, 0.01, 0.05, "up"),
        (-0.2, 0.01, -0.1, 0.04, 0.05, "down"),
        (0.2, 0.01, -0.2, 0.01, 0.05, "none"),
        (0.2, 0.01, 0.2, 0.06, 0.05, "none"),
        (0.2, 0.06, 0.2, 0.01, 0.05, "none"),
        (0.2, np.nan, 0.2, 0.01, 0.05, "none"),
        (0.2, 0.01, np.nan, np.nan, np.nan, "none"),
        # the second model's estimate is larger, and so is its standard error
        (0.2, 0.01, 0.4, 0.01, 0.11, "none"),
    ],
)
def test_a_call_needs_both_models_and_an_interval_without_0(
    lfc: float, padj: float, second_lfc: float, second_padj: float, second_se: float, call: str
) -> None:
    numbers = pd.DataFrame({"lfcSE": [0.05], "second_lfcSE": [second_se], "second_df": [8.0]})
    half = half_width(numbers)
    row = pd.DataFrame(
        {
            "log2FoldChange": [lfc],
            "lfcSE": [0.05],
            "ci_low": lfc - half,
            "ci_high": lfc + half,
            "padj": [padj],
            "second_log2FoldChange": [second_lfc],
            "second_padj": [second_padj],
        }
    )
    assert call_genes(row, 0.05, main_only=False).tolist() == [call]
    alone = {True: "up", False: "down"}[lfc > 0] if padj < 0.05 else "none"
    assert call_genes(row, 0.05, main_only=True).tolist() == [alone]


def test_status_before_the_fit() -> None:
    counts = pd.DataFrame({"a": [0, 0], "b": [4, 5], "c": [5, 5]})
    assert initial_status(counts, 10).to_dict() == {
        "a": "all_zero",
        "b": "low_count",
        "c": "tested",
    }


def test_table_of_a_contrast(
    simulated: tuple[pd.DataFrame, pd.DataFrame, pd.DataFrame], models: list[Model]
) -> None:
    counts, obs, truth = simulated
    counts = counts.assign(ENSG99999999999=0)
    always = pd.Series(counts.columns == truth.index[truth["symbol"] == "BGN"][0], counts.columns)
    factors = pd.Series(size_factors(counts.to_numpy())[0], index=counts.index)
    fit = fit_model(counts, models[0], factors, always, FitSettings())
    symbols = truth["symbol"].reindex(counts.columns).fillna("")
    table = result_table(fit, "RT_post_vs_pre", symbols, 0.05)
    tables.check("de", table)
    assert table["gene_id"].tolist() == counts.columns.tolist()
    row = table.set_index("gene_id").loc["ENSG99999999999"]
    assert row["status"] == "all_zero"
    assert np.isnan(row["padj"])
    assert row["call"] == "none"
    inside = (table["ci_low"] < table["log2FoldChange"]) & (
        table["log2FoldChange"] < table["ci_high"]
    )
    assert inside[table["lfcSE"].notna()].all()
    strong = table.set_index("gene_id").loc[truth.index[truth["RT_post_vs_pre"].abs() > 0.5]]
    found = strong[strong["call"] != "none"]
    signs = np.sign(truth.loc[found.index, "RT_post_vs_pre"])
    assert len(found) >= 10
    assert (np.sign(found["log2FoldChange"]) == signs).all()
    assert (found["log2FoldChange_shrunken"].abs() <= found["log2FoldChange"].abs() + 0.02).all()
    size = table["confident_lfc"]
    np.testing.assert_array_equal(size.isna(), table["second_pvalue"].isna())
    assert (table.loc[size.fillna(0) != 0, "second_padj"] <= 0.05).all()
    called = table[(table["call"] != "none") & (size != 0)]
    assert len(called) >= 10
    # a call needs one sign in both models
    assert (np.sign(called["confident_lfc"]) == np.sign(called["log2FoldChange"])).all()
    assert (called["confident_lfc"].abs() < called["second_log2FoldChange"].abs()).all()
    looser = result_table(fit, "RT_post_vs_pre", symbols, 0.2)
    assert (looser["confident_lfc"].abs() >= size.abs())[size.notna()].all()
    assert (looser["call"] != "none").sum() > (table["call"] != "none").sum()
    pd.testing.assert_series_equal(looser["pvalue"], table["pvalue"])
    contrast = next(c for c in contrasts_of(["AT", "RT"], "pre", "post") if c.group == "RT")
    summary = contrast_row(contrast, table, fit, pairs_of(contrast, obs), 0.05)
    assert summary["up"] == (table["call"] == "up").sum()
    assert summary["pairs"] == 9
    assert summary["residual_df"] == 34 - 19


def test_without_a_second_opinion_the_main_model_decides(
    simulated: tuple[pd.DataFrame, pd.DataFrame, pd.DataFrame], models: list[Model]
) -> None:
    counts, _, truth = simulated
    always = pd.Series(False, index=counts.columns)
    factors = pd.Series(size_factors(counts.to_numpy())[0], index=counts.index)
    settings = FitSettings(second_opinion="none")
    fit = fit_model(counts, models[0], factors, always, settings)
    table = result_table(fit, "RT_post_vs_pre", truth["symbol"].reindex(counts.columns), 0.05)
    assert table["second_pvalue"].isna().all()
    assert table["confident_lfc"].isna().all()
    assert ((table["call"] != "none") == (table["padj"] < 0.05)).all()


def test_a_threshold_makes_fewer_calls(
    simulated: tuple[pd.DataFrame, pd.DataFrame, pd.DataFrame], models: list[Model]
) -> None:
    counts, _, truth = simulated
    always = pd.Series(False, index=counts.columns)
    factors = pd.Series(size_factors(counts.to_numpy())[0], index=counts.index)
    symbols = truth["symbol"].reindex(counts.columns)
    tested = {}
    for threshold in (0.0, 0.3):
        settings = FitSettings(lfc_threshold=threshold)
        fit = fit_model(counts, models[0], factors, always, settings)
        tested[threshold] = result_table(fit, "RT_post_vs_pre", symbols, 0.05)
    assert (tested[0.3]["pvalue"] >= tested[0.0]["pvalue"] - 1e-12).sum() > 950
    second = [tested[threshold]["second_pvalue"].dropna() for threshold in (0.3, 0.0)]
    assert len(second[0]) == len(second[1])
    assert (second[0] >= second[1] - 1e-12).all()
    # the size is found without the threshold, and genes significant beyond it reach it
    pd.testing.assert_series_equal(tested[0.3]["confident_lfc"], tested[0.0]["confident_lfc"])
    beyond = tested[0.3][tested[0.3]["second_padj"] < 0.05]
    assert len(beyond) > 0
    assert (beyond["confident_lfc"].abs() >= 0.3).all()
    small = tested[0.3]["log2FoldChange"].abs() < 0.3
    assert (tested[0.3].loc[small, "call"] == "none").all()


def test_pydeseq2_runs_on_a_fit_that_is_read(
    tmp_path: Path,
    simulated: tuple[pd.DataFrame, pd.DataFrame, pd.DataFrame],
    models: list[Model],
) -> None:
    counts = simulated[0].assign(ENSG99999999999=0)
    counts.loc[models[1].design.samples[0], counts.columns[:20]] = 50_000
    always = pd.Series(False, index=counts.columns)
    factors = pd.Series(size_factors(counts.to_numpy())[0], index=counts.index)
    settings = FitSettings(second_opinion="none")
    replaced = {}
    for model in models:
        fit = fit_model(counts, model, factors, always, settings)
        write_h5ad(fit, tmp_path / "fit.h5ad")
        dataset = read_fit(tmp_path / "fit.h5ad", n_cpus=1)
        assert isinstance(dataset, BlockedDeseqDataSet)
        design = dataset.obsm["design_matrix"]
        pd.testing.assert_frame_equal(design, model.design.matrix, check_exact=True)
        low = np.exp(design @ dataset.varm["LFC"].T).mul(dataset.obs["size_factors"], axis=0) < 0.5
        replaced[model.name] = dataset.var["replaced"].sum()
        for name, vector in model.contrasts.items():
            ours = BlockedDeseqStats(dataset, vector, quiet=True)
            ours.summary()
            columns = ["log2FoldChange", "lfcSE", "stat", "pvalue"]
            table = fit.varm[name][columns]
            pd.testing.assert_frame_equal(ours.results_df[columns], table, check_exact=True)
            padj = result_table(fit, name, always.map(str), 0.05)["padj"]
            np.testing.assert_array_equal(ours.results_df["padj"], padj)
            stock = DeseqStats(dataset, vector, quiet=True, n_cpus=1)
            stock.summary()
            # R bounds fitted means at 0.5 in standard errors, and PyDESeq2 does not
            same = (~low.any(axis=0)) & table["stat"].notna()
            assert same.sum() > 900
            np.testing.assert_allclose(
                stock.results_df.loc[same, columns], table[same], rtol=1e-5, atol=1e-12
            )
    assert replaced["paired"] == 0
    assert replaced["baseline"] >= 10


def test_a_second_model_that_is_not_offered_is_refused() -> None:
    with pytest.raises(
        ValueError, match="unknown second model 'edger_ql'; expected one of limma_trend, voom, none"
    ):
        FitSettings(second_opinion="edger_ql")


@pytest.mark.parametrize("alpha", [0.01, 0.05, 0.2])
@pytest.mark.parametrize("second", ["limma_trend", "voom", "none"])
def test_nothing_called_has_an_interval_with_0(
    simulated: tuple[pd.DataFrame, pd.DataFrame, pd.DataFrame],
    models: list[Model],
    alpha: float,
    second: SecondOpinion,
) -> None:
    counts = simulated[0]
    factors = pd.Series(size_factors(counts.to_numpy())[0], counts.index)
    never = pd.Series(False, index=counts.columns)
    fit = fit_model(counts, models[0], factors, never, FitSettings(second_opinion=second))
    symbols = pd.Series("", index=counts.columns)
    called = 0
    for name in models[0].contrasts:
        table = result_table(fit, name, symbols, alpha)
        own = table[table["call"] != "none"]
        called += len(own)
        assert ((own["ci_low"] > 0) | (own["ci_high"] < 0)).all()
        assert (np.sign(own["ci_low"]) == np.where(own["call"] == "up", 1, -1)).all()
        middle = (table["ci_low"] + table["ci_high"]) / 2
        np.testing.assert_allclose(middle, table["log2FoldChange"], atol=1e-9)
        wald = 2 * NORMAL_975 * table["lfcSE"]
        width = table["ci_high"] - table["ci_low"]
        untested = table["second_pvalue"].isna() & width.notna()
        assert (width[width.notna()] >= wald[width.notna()] * (1 - 1e-12)).all()
        np.testing.assert_allclose(width[untested], wald[untested], rtol=1e-9)
    assert called > 20
