"""A residual variance for each group: against R's limma, against plain algebra, by simulation."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from fibroserum import linear
from fibroserum.cohort.contrasts import contrasts_of
from fibroserum.cohort.models import Model, models_of
from fibroserum.de.normalisation import norm_factors
from fibroserum.de.second_model import expression_of, second_model, well_counted
from fibroserum.de.settings import FitSettings, Steps
from fibroserum.linear.group_variance import variance_parts
from fibroserum.simulate import Arm, CohortSpec, simulate_cohort
from helpers.limma_cohort import CONTRASTS, contrast_of, golden, limma_fits


def _sheet(sizes: dict[str, int], *, crossover: bool = False) -> pd.DataFrame:
    rows = [
        {"donor": f"{'' if crossover else group}{n:04d}", "group": group, "time": time}
        for group, size in sizes.items()
        for n in range(size)
        for time in ("pre", "post")
    ]
    names = [f"{r['donor']}{r['group']}{r['time']}" for r in rows]
    return pd.DataFrame(rows, index=names).assign(used_for="change")


def _model(
    sheet: pd.DataFrame, *, crossover: bool = False, covariates: tuple[str, ...] = ()
) -> Model:
    groups = sorted(set(sheet["group"]))
    settings = {"groups": groups, "before": "pre", "after": "post"}
    settings |= {"crossover": crossover, "covariates": list(covariates)}
    return next(model for model in models_of(sheet, settings) if model.name == "paired")


def _level(
    sheet: pd.DataFrame, sd: dict[str, float], *, crossover: bool = False, genes: int = 4000
) -> dict[str, float]:
    """Return the share of nulls with p < .05 by contrast, with own spreads of the changes."""
    rng = np.random.default_rng(len(sheet))
    donors = pd.factorize(sheet["donor"])[0]
    values = rng.normal(size=(donors.max() + 1, genes))[donors]
    values += rng.normal(size=values.shape) * 0.3
    extra = sheet["group"].map(sd).to_numpy() * (sheet["time"] == "post")
    values += rng.normal(size=values.shape) * extra.to_numpy()[:, None]
    model = _model(sheet, crossover=crossover)
    frame = pd.DataFrame(values, index=sheet.index)
    fit = linear.fit_weighted(frame, model.design)
    spread = linear.group_variances(fit, model.groups)
    return {
        name: float((linear.group_wise_t(fit, vector, spread)["pvalue"] < 0.05).mean())
        for name, vector in model.contrasts.items()
    }


@pytest.fixture(scope="module")
def voom() -> tuple[linear.LinearFit, pd.Series]:
    """R's small cohort, fitted, and each sample's group."""
    return limma_fits()["voom"], golden("sheet.tsv")["group"]


@pytest.mark.parametrize("name", list(CONTRASTS))
def test_a_change_is_what_limma_has_of_the_group_alone(
    voom: tuple[linear.LinearFit, pd.Series], name: str
) -> None:
    fit, groups = voom
    spread = linear.group_variances(fit, groups)
    table = linear.group_wise_t(fit, contrast_of(fit, name), spread)
    expected = golden(f"own_spread_{name}.tsv")
    for column, reference in {
        "log2FoldChange": "logFC",
        "se": "se",
        "df_total": "df",
        "pvalue": "p",
    }.items():
        np.testing.assert_allclose(table[column], expected[reference], rtol=1e-6, atol=1e-9)
    assert spread.pooled == ()


def test_one_group_is_the_pooled_test(voom: tuple[linear.LinearFit, pd.Series]) -> None:
    fit, groups = voom
    vector = contrast_of(fit, "RT")
    pooled = linear.moderated_t(fit, vector)
    for labels in (None, pd.Series("", index=groups.index)):
        spread = linear.group_variances(fit, labels)
        own = linear.group_wise_t(fit, vector, spread)
        pd.testing.assert_frame_equal(own, pooled.astype(float), rtol=1e-12)
        assert linear.spread_ratio(fit, vector, spread) == pytest.approx(1.0, rel=1e-12)


def test_the_groups_parts_add_up_to_the_pooled_variance(
    voom: tuple[linear.LinearFit, pd.Series],
) -> None:
    fit, groups = voom
    vector = contrast_of(fit, "difference")
    parts = variance_parts(fit, vector, linear.group_variances(fit, groups))
    unscaled = linear.voom.estimates(fit, vector)[1]
    np.testing.assert_allclose(parts.sum(axis=1), unscaled**2, rtol=1e-10)
    assert (parts > 0).all()


def test_a_change_is_the_paired_t_test_of_its_own_donors() -> None:
    rng = np.random.default_rng(1)
    # within blocks of donors, as in models without donor values
    for crossover, sizes in ((False, {"AT": 5, "RT": 7, "CON": 1}), (True, {"AT": 6, "RT": 6})):
        sheet = _sheet(sizes, crossover=crossover)
        model = _model(sheet, crossover=crossover)
        # two genes are not moderated: what is left is the classical test
        frame = pd.DataFrame(rng.normal(size=(len(sheet), 2)), index=sheet.index)
        fit = linear.fit_weighted(frame, model.design)
        spread = linear.group_variances(fit, model.groups)
        alone = [name for name, size in sizes.items() if size == 1]
        assert list(spread.pooled) == alone
        pooled = linear.moderated_t(fit, model.contrasts["RT_post_vs_pre"])
        if alone:
            place = spread.groups.index("CON")
            assert spread.df[place] == pooled["df_total"].iloc[0]
        values = frame.loc[sheet["group"] == "RT"].to_numpy()
        change = values[1::2] - values[::2]
        expected = stats.ttest_1samp(change, 0).pvalue
        share = variance_parts(fit, model.contrasts["RT_post_vs_pre"], spread)
        own = share[:, spread.groups.index("RT")]
        np.testing.assert_allclose(own, 2 / sizes["RT"], rtol=1e-10)
        found = linear.group_wise_t(fit, model.contrasts["RT_post_vs_pre"], spread)["pvalue"]
        np.testing.assert_allclose(found, expected, rtol=1e-8)


def test_a_covariate_takes_its_degree_of_freedom_from_both_groups() -> None:
    sheet = _sheet({"AT": 4, "RT": 8})
    rng = np.random.default_rng(2)
    sheet["hours"] = rng.normal(size=len(sheet))
    model = _model(sheet, covariates=("hours",))
    frame = pd.DataFrame(rng.normal(size=(len(sheet), 20)), index=sheet.index)
    fit = linear.fit_weighted(frame, model.design)
    spread = linear.group_variances(fit, model.groups)
    prior = linear.posterior_variance(fit.sigma**2, fit.df_residual)
    assert np.isfinite(prior[1])
    from fibroserum.linear.group_variance import _cells, _degrees_of_freedom

    cells = _cells(fit.design.codes, spread.of_sample, 2)
    df = _degrees_of_freedom(fit, cells, spread.of_sample, 2)
    assert df.sum() == pytest.approx(fit.df_residual)
    assert 2 < df[0] < 3
    assert 6 < df[1] < 7


@pytest.mark.parametrize("crossover", [False, True])
@pytest.mark.parametrize("sd", [{"AT": 0.0, "RT": 0.0}, {"AT": 0.0, "RT": 0.9}])
def test_levels_hold_where_donors_of_one_group_respond_unequally(
    crossover: bool, sd: dict[str, float]
) -> None:
    found = _level(_sheet({"AT": 6, "RT": 6}, crossover=crossover), sd, crossover=crossover)
    assert set(found) == {c.name for c in contrasts_of(["AT", "RT"], "pre", "post")[:4]}
    for name, level in found.items():
        assert 0.03 < level < 0.065, name


def test_the_ratio_says_how_far_a_pooled_variance_is_off() -> None:
    sheet = _sheet({"AT": 10, "RT": 10})
    rng = np.random.default_rng(3)
    values = rng.normal(size=(len(sheet), 3000))
    values[(sheet["group"] == "RT").to_numpy()] *= 2
    model = _model(sheet)
    fit = linear.fit_weighted(pd.DataFrame(values, index=sheet.index), model.design)
    spread = linear.group_variances(fit, model.groups)
    found = {n: linear.spread_ratio(fit, v, spread) for n, v in model.contrasts.items()}
    # variances 4 and 1, pooled 2.5; typical ones are geometric means, which pool a little lower
    assert found["RT_post_vs_pre"] == pytest.approx(1.6, abs=0.1)
    assert found["AT_post_vs_pre"] == pytest.approx(0.4, abs=0.03)
    assert found["RT_vs_AT_change"] == pytest.approx(1.0, abs=0.06)


def test_neither_the_order_of_samples_nor_names_decide_anything() -> None:
    sheet = _sheet({"AT": 4, "RT": 5})
    rng = np.random.default_rng(4)
    frame = pd.DataFrame(rng.normal(size=(len(sheet), 30)), index=sheet.index)
    vectors, tables = [], []
    for order in (np.arange(len(sheet)), rng.permutation(len(sheet))):
        model = _model(sheet.iloc[order])
        fit = linear.fit_weighted(frame.iloc[order], model.design)
        vectors.append(model.contrasts["RT_vs_AT_change"])
        tables.append(
            linear.group_wise_t(fit, vectors[-1], linear.group_variances(fit, model.groups))
        )
    pd.testing.assert_frame_equal(tables[0], tables[1], rtol=1e-9)


def test_the_prior_counts_once_where_groups_are_compared() -> None:
    """Genes of unlike variance: without the bound a difference would claim too many."""
    sheet = _sheet({"AT": 3, "RT": 3})
    rng = np.random.default_rng(9)
    scale = np.sqrt(6 / rng.chisquare(6, 6000))
    model = _model(sheet)
    values = pd.DataFrame(rng.normal(size=(len(sheet), 6000)) * scale, index=sheet.index)
    fit = linear.fit_weighted(values, model.design)
    spread = linear.group_variances(fit, model.groups)
    table = linear.group_wise_t(fit, model.contrasts["RT_vs_AT_change"], spread)
    pooled = linear.moderated_t(fit, model.contrasts["RT_vs_AT_change"])["df_total"].iloc[0]
    assert table["df_total"].max() <= pooled
    assert 0.04 < (table["pvalue"] < 0.05).mean() < 0.06
    alone = linear.group_wise_t(fit, model.contrasts["RT_post_vs_pre"], spread)
    assert np.ptp(alone["df_total"]) < 1e-9


@pytest.mark.parametrize("unequal", [False, True])
@pytest.mark.parametrize("group_wise", [False, True])
def test_each_group_has_its_own_variance_whether_or_not_they_differ(
    unequal: bool, group_wise: bool
) -> None:
    """Without the step, only where the groups differ genome-wide."""
    arms = (Arm("AT", 6), Arm("RT", 6, change_sd=0.4 if unequal else 0.0))
    drawn = simulate_cohort(CohortSpec(arms=arms, incomplete_donors=0, genes=1000), 3)
    sheet = drawn.samples.set_index("sample").rename(columns={"timepoint": "time"})
    sheet["used_for"] = "change"
    model = _model(sheet)
    counts = drawn.counts.loc[sheet.index, drawn.counts.sum() >= 10]
    well = well_counted(counts, model, pd.Series(False, index=counts.columns))
    values = expression_of(well, model, norm_factors(well, well.columns[:0]), weighted=True)
    settings = FitSettings(steps=Steps(group_wise=group_wise))
    second = second_model(values, model, settings)
    fit = linear.voom_fit(well, model.design)
    assert (max(second.spread_ratio.values()) > linear.UNEQUAL) == unequal
    for name, vector in model.contrasts.items():
        pooled = linear.moderated_t(fit, vector)["pvalue"]
        own = linear.group_wise_t(fit, vector, linear.group_variances(fit, model.groups))["pvalue"]
        found = second.tables[name]["second_pvalue"]
        # on values of pairs, voom is what it is with donors as columns
        expected = own if unequal or group_wise else pooled
        pd.testing.assert_series_equal(found, expected, check_names=False, rtol=1e-7)
        assert not np.allclose(own, pooled)
