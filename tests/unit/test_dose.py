"""Slopes on a dose: names, which pairs count, limma's numbers, calibration, the targets' tables."""

from __future__ import annotations

import sys
from dataclasses import replace
from pathlib import Path

import anndata as ad
import numpy as np
import pandas as pd
import pytest

from fibroserum.cohort.accessors import all_contrasts, counts_of, settings_of
from fibroserum.cohort.contrasts import contrasts_of, effects_of, labels_of
from fibroserum.cohort.dose import why_no_slopes
from fibroserum.cohort.members import doses_of, pairs_of
from fibroserum.cohort.models import Model, dose_model, models_and_reasons
from fibroserum.de.fitting import fit_cohort, fit_model
from fibroserum.de.settings import FitSettings
from fibroserum.de.stage import result_table, result_tables
from fibroserum.input.sheet_checks import _repeated_doses
from fibroserum.linear import Expression, contrast_fits
from fibroserum.slopes.contrast import contrast_slope
from fibroserum.slopes.model import SlopeSteps
from fibroserum.targets.stage import flag_targets
from fibroserum.targets.study import TargetSettings

ROOT = Path(__file__).resolve().parents[2]
GOLDEN = ROOT / "tests" / "golden" / "omnibus"
sys.path.insert(0, str(ROOT / "benchmarks"))

from design_cohorts import ALIKE, UNLIKE, Cell, cohort_of  # noqa: E402

PLAIN = SlopeSteps(group_wise=False, pair_ratio=False, hc3_beyond=np.inf, deletion=False)


def with_dose(cell: Cell, seed: int) -> tuple[ad.AnnData, np.ndarray]:
    """Return a simulated cohort whose config names the dose, and which genes have slopes in RT."""
    cohort, true = cohort_of(cell, seed)
    cohort.uns["fibroserum"]["dose"] = "sessions"
    return cohort, true


def model_of_dose(cohort: ad.AnnData) -> Model:
    """Return a cohort's model of the dose."""
    models, _ = models_and_reasons(cohort.obs, settings_of(cohort))
    return next(model for model in models if model.name == "dose")


@pytest.mark.parametrize(
    ("after", "names"),
    [
        ("post", ["AT_dose_slope", "RT_dose_slope", "RT_vs_AT_dose_slope"]),
        (
            ["w1", "w2"],
            [
                "AT_w1_dose_slope",
                "RT_w1_dose_slope",
                "RT_vs_AT_dose_slope_w1",
                "AT_w2_dose_slope",
                "RT_w2_dose_slope",
                "RT_vs_AT_dose_slope_w2",
            ],
        ),
    ],
)
def test_names_and_words(after, names) -> None:
    contrasts = contrasts_of(["AT", "RT"], "pre", after, dose="hours")
    found = [one.name for one in contrasts if one.model == "dose"]
    assert found == names
    labels, effects = labels_of(contrasts), effects_of(contrasts)
    assert len(set(labels.values())) == len(contrasts)
    assert "slope on hours" in labels[names[1]]
    assert "per unit of hours" in effects[names[2]]


def obs_of(before: list[str], after: list[str]) -> pd.DataFrame:
    """Return pairs of one group with the sheet's cells of the dose."""
    rows = [
        (f"D{n}", "RT", time, "change", cell)
        for n, cells in enumerate(zip(before, after, strict=True))
        for time, cell in zip(("pre", "post"), cells, strict=True)
    ]
    frame = pd.DataFrame(rows, columns=["donor", "group", "time", "used_for", "dose"])
    return frame.set_index(frame["donor"] + frame["time"])


@pytest.mark.parametrize(
    ("before", "after", "expected"),
    [
        (["", "", ""], ["10", "20", "30"], [10, 20, 30]),
        (["0", "0", "0"], ["10", "", "30"], [10, None, 30]),
        (["10", "20", "30"], ["10", "20", "30"], [10, 20, 30]),
        (["1", "2", "4"], ["10", "20", "30"], [9, 18, 26]),
        (["1", "2", ""], ["10", "20", "30"], [9, 18, None]),
    ],
    ids=["after alone", "the same before", "of the donor", "both vary", "one before is missing"],
)
def test_dose_of_a_pair(before, after, expected) -> None:
    found = doses_of(obs_of(before, after), "dose", "pre").droplevel(["group", "time"])
    wanted = {f"D{n}": value for n, value in enumerate(expected) if value is not None}
    assert found.to_dict() == wanted


@pytest.mark.parametrize(
    ("after", "why"),
    [
        (["5", "5", "5", "5"], "the dose ('dose') is 5 in every pair of RT"),
        (
            ["5", "5", "5", "9"],
            "without donor D3 the dose ('dose') is the same in every pair of RT",
        ),
        (
            ["5", "9", "", ""],
            "in RT 2 pairs have a dose ('dose'), but a slope needs 3",
        ),
        (["", "", "", ""], "in RT no pairs have a dose ('dose'), but a slope needs 3"),
        (["5", "7", "9", ""], None),
    ],
)
def test_why_a_group_has_no_slope(after: list[str], why: str | None) -> None:
    obs = obs_of([""] * 4, after)
    own = [c for c in contrasts_of(["RT"], "pre", "post", dose="dose") if c.model == "dose"]
    assert why_no_slopes(own, obs).get("RT_dose_slope") == why
    known = sum(cell != "" for cell in after)
    assert pairs_of(own[0], obs) == known


def test_slopes_without_further_steps_are_limmas() -> None:
    sheet = pd.read_csv(GOLDEN / "sheet.tsv", sep="\t", index_col=0, dtype=str)
    counts = pd.read_csv(GOLDEN / "counts.tsv", sep="\t", index_col=0).T
    factors = pd.read_csv(GOLDEN / "factors.tsv", sep="\t", index_col=0)["tmm"]
    size = counts.sum(axis=1) * factors
    values = np.log2((counts + 0.5).div(size + 1, axis=0) * 1e6).to_numpy()
    groups, times = ["AT", "RT", "control"], ["week8", "week16"]
    contrasts = contrasts_of(groups, "pre", times, dose="sessions")
    slopes = [one for one in contrasts if one.model == "dose"]
    settings = {"groups": groups, "before": "pre", "after": times, "dose": "sessions"}
    obs = sheet.assign(used_for="change")
    model = dose_model(obs, settings | {"covariates": []}, slopes)
    fits = contrast_fits(Expression(counts.index, counts.columns, values, None), model)
    expected = pd.read_csv(GOLDEN / "limma_dose.tsv", sep="\t", index_col=0)
    for name, slope, p in (
        ("RT_week8_dose_slope", "slope", "p"),
        ("RT_vs_AT_dose_slope_week8", "difference", "difference_p"),
    ):
        found = contrast_slope(fits[name], PLAIN)
        np.testing.assert_allclose(found["log2FoldChange"], expected[slope], rtol=1e-6, atol=1e-9)
        np.testing.assert_allclose(found["pvalue"], expected[p], rtol=1e-6)


def test_slopes_are_per_unit_whatever_the_unit() -> None:
    cohort, _ = with_dose(Cell(5, times=("post",), genes=150), 1)
    counts, factors, kept = counts_of(cohort), cohort.obs["size_factor"], cohort.var["target"]
    tables = []
    for scale in (1.0, 1000.0):
        own = cohort.copy()
        own.obs["sessions"] = [f"{float(cell) * scale:g}" for cell in cohort.obs["sessions"]]
        fit = fit_model(counts, model_of_dose(own), factors, kept, FitSettings())
        tables.append(fit.varm["RT_dose_slope"])
    for column in ("log2FoldChange", "second_log2FoldChange", "lfcSE", "second_lfcSE"):
        np.testing.assert_allclose(tables[0][column], tables[1][column] * 1000, rtol=1e-5)
    for column in ("pvalue", "second_pvalue"):
        np.testing.assert_allclose(tables[0][column], tables[1][column], rtol=1e-4)


@pytest.mark.parametrize("spread", [ALIKE, UNLIKE], ids=["alike", "unlike"])
def test_planted_slopes_are_found_and_others_are_not(spread: tuple[float, ...]) -> None:
    """Two cohorts of 600 genes, 60 of them with a slope in RT: an error of FDP is some 0.03."""
    rows = []
    for seed in (1, 2):
        cohort, true = with_dose(Cell(10, spread, times=("post",), genes=600), seed)
        counts, factors = counts_of(cohort), cohort.obs["size_factor"]
        fit = fit_model(counts, model_of_dose(cohort), factors, cohort.var["target"], FitSettings())
        for name in ("AT_dose_slope", "RT_dose_slope", "control_dose_slope"):
            table = result_table(fit, name, cohort.var["symbol"], 0.05)
            planted = true & (name[:2] == "RT")
            called = (table["call"] != "none").to_numpy()
            small = (table["second_pvalue"] < 0.05).to_numpy()
            rows.append(
                (name, called[~planted].sum(), small[~planted].mean(), called[planted].sum())
            )
    found = pd.DataFrame(rows, columns=["name", "false", "small", "found"]).groupby("name").sum()
    assert (found["false"] <= 8).all()
    assert (found["small"] / 2).between(0.015, 0.07).all()
    assert found.loc["RT_dose_slope", "found"] > 50


def test_tables_of_targets_have_rows_for_slopes() -> None:
    cohort, true = with_dose(Cell(7, times=("post",), genes=400), 4)
    cohort.obs.loc[cohort.obs["group"] == "control", "sessions"] = "0"
    gone = (cohort.obs["donor"] == "RT00") & (cohort.obs["time"] == "post")
    cohort.obs.loc[gone, "sessions"] = ""
    cohort.obs.loc[cohort.obs["time"] == "pre", "sessions"] = ""
    names = [*cohort.var_names[true][:3], *cohort.var_names[~true][:2]]
    cohort.var["target"] = cohort.var_names.isin(names)
    noted = cohort.uns["fibroserum"]
    noted |= {"targets": names, "target_genes": names}
    _, reasons = models_and_reasons(cohort.obs, settings_of(cohort))
    noted |= {"not_estimable": list(reasons), "why_not_estimable": list(reasons.values())}
    assert reasons["control_dose_slope"] == "the dose ('sessions') is 0 in every pair of control"
    fits = {str(fit.uns["model"]["name"]): fit for fit in fit_cohort(cohort, FitSettings())}
    results, about = result_tables(cohort, fits, 0.05)
    rows = about.set_index("contrast")
    assert rows.loc["RT_dose_slope", ["kind", "pairs"]].tolist() == ["dose", 6]
    assert rows.loc["RT_vs_AT_dose_slope", "kind"] == "dose_difference"
    assert rows.loc["control_dose_slope", "status"] == "not_estimable"
    flags = flag_targets(cohort, fits, results, TargetSettings(0.05, 0.2, 0.5, None))
    targets = flags.targets.set_index(["target", "contrast"])
    asked = [one.name for one in all_contrasts(settings_of(cohort))]
    assert set(targets.index) == {(name, contrast) for name in names for contrast in asked}
    own = targets.xs("RT_dose_slope", level="contrast")
    planted = own.loc[names[:3]]
    assert planted["verdict"].isin(["up", "down"]).sum() >= 1
    said = planted.loc[planted["verdict"].isin(["up", "down"]), "reason"].iloc[0]
    assert "with sessions: a fold change of" in said
    assert "log2 slope per unit of sessions" in said
    # an equivalence bound of 0.2 is of a fold change, and slopes are per session
    assert "no_change" not in set(own["verdict"])
    assert targets.loc[(names[0], "control_dose_slope"), "verdict"] == "untestable"
    power = flags.power[flags.power["contrast"] == "RT_dose_slope"]
    assert power["power"].isna().all()
    assert power["detectable_lfc"].notna().any()
    without = flags.loo[flags.loo["contrast"] == "RT_dose_slope"]
    assert set(without["left_out"]) == {f"RT{n:02d}" for n in range(1, 7)}
    assert without["verdict"].notna().all()


def test_the_other_models_do_not_see_the_dose() -> None:
    cohort, _ = cohort_of(Cell(5, times=("post",), genes=120), 6)
    plain = {m.name: m for m in models_and_reasons(cohort.obs, settings_of(cohort))[0]}
    cohort.uns["fibroserum"]["dose"] = "sessions"
    dosed = {m.name: m for m in models_and_reasons(cohort.obs, settings_of(cohort))[0]}
    assert set(dosed) - set(plain) == {"dose"}
    for name, model in plain.items():
        pd.testing.assert_frame_equal(model.design.matrix, dosed[name].design.matrix)
        assert model.contrasts.keys() == dosed[name].contrasts.keys()
    kept = replace(dosed["dose"], contrasts=dict(list(dosed["dose"].contrasts.items())[:1]))
    assert list(kept.contrasts) == ["AT_dose_slope"]


@pytest.mark.parametrize(
    ("before", "after", "odd"),
    [
        (["1", "2", "4", "8"], ["1", "2", "4", "9"], "'D3' has several doses"),
        (["1", "2", "4", "8", "3"], ["1", "2", "4", "9", "4"], "'D3', 'D4' have several doses"),
        (["1", "2", "4", "8"], ["1", "2", "4", "8"], None),
        (["1", "2", "4", "8"], ["1", "2", "5", "9"], None),
        (["1", "2", "4", ""], ["1", "2", "4", "9"], None),
        (["0", "0", "0", "0"], ["0", "0", "0", "9"], None),
    ],
    ids=["one typo", "two", "repeated", "before and after", "a blank", "all before are 0"],
)
def test_a_typo_in_a_repeated_dose_is_refused(
    before: list[str], after: list[str], odd: str | None
) -> None:
    design = {"donor": "donor", "group": "group", "time": "time", "before": "pre", "dose": "dose"}
    sheet = obs_of(before, after)
    found = [problem.what for problem in _repeated_doses(sheet, design)]
    assert [str(odd) in what for what in found] == [True] * (odd is not None)
    # where one group has doses before and after, the others may repeat theirs
    other = obs_of(["1", "2", "4"], ["5", "7", "9"]).assign(group="AT")
    other["donor"] += "AT"
    both = pd.concat([sheet, other])
    assert not list(_repeated_doses(both, design))
