"""The outlier rule against statsmodels, and its false alarms by simulation."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.special import polygamma
from statsmodels.regression.linear_model import WLS
from statsmodels.stats.outliers_influence import OLSInfluence

from fibroserum.targets.outliers import (
    OwnValues,
    deleted_residual_pvalues,
    log_count_variance,
    outlying_donors,
    prior_df,
)


def own(values: np.ndarray, groups: list[str], variances: np.ndarray | None = None) -> OwnValues:
    labels = np.array(groups)
    design = np.column_stack([labels == name for name in dict.fromkeys(groups)]).astype(float)
    return OwnValues(
        donors=np.array([f"D{n}" for n in range(len(groups))]),
        groups=labels,
        values=values,
        variances=np.ones_like(values) if variances is None else variances,
        design=design,
    )


def test_without_a_prior_it_is_the_externally_studentised_residual() -> None:
    rng = np.random.default_rng(4)
    groups = ["A"] * 6 + ["B"] * 7
    values, variances = rng.normal(size=(13, 3)), rng.uniform(0.5, 2, size=(13, 3))
    units = own(values, groups, variances)
    found = deleted_residual_pvalues(units, 0.0)
    for gene in range(3):
        root = 1 / np.sqrt(variances[:, gene])
        # OLS on the scaled data is the weighted fit
        fit = WLS(values[:, gene] * root, units.design * root[:, None]).fit()
        with np.errstate(invalid="ignore"):
            t = OLSInfluence(fit).resid_studentized_external
        from scipy.stats import t as student

        np.testing.assert_allclose(found[:, gene], 2 * student.sf(np.abs(t), 13 - 2 - 1), rtol=1e-8)


@pytest.mark.parametrize("variance", [0.05, 0.25, 1.0, 4.0])
def test_prior_df_has_the_variance_of_a_log_chi_square(variance: float) -> None:
    assert polygamma(1, prior_df(variance) / 2) == pytest.approx(variance, rel=1e-8)


@pytest.mark.parametrize(("pairs", "df_prior"), [(4, 9.0), (8, 9.0), (16, 4.0)])
def test_false_alarms_are_as_stated(pairs: int, df_prior: float) -> None:
    rng = np.random.default_rng(pairs)
    genes = 2000
    # gene variances as the prior has them
    scale = np.sqrt(df_prior / rng.chisquare(df_prior, genes))
    units = own(rng.normal(size=(2 * pairs, genes)) * scale, ["A"] * pairs + ["B"] * pairs)
    one = np.mean([name is not None for name in outlying_donors(units, ["B"], df_prior)])
    both = np.mean([name is not None for name in outlying_donors(units, ["A", "B"], df_prior)])
    # Bonferroni: at most 0.05, and not far below it
    assert 0.03 < one < 0.065
    assert 0.03 < both < 0.065


@pytest.mark.parametrize("mean", [2.0, 8.0, 50.0, 1000.0])
def test_counting_noise_is_no_outlier(mean: float) -> None:
    rng = np.random.default_rng(int(mean))
    pairs, genes, dispersion = 8, 2000, 0.02
    counts = rng.poisson(mean * rng.gamma(1 / dispersion, dispersion, (2, pairs, genes)))
    variance = log_count_variance(counts, np.full(genes, dispersion)).sum(axis=0)
    delta = np.diff(np.log2(counts + 0.5), axis=0)[0]
    found = outlying_donors(own(delta, ["A"] * pairs, variance), ["A"], 9.0)
    assert np.mean([name is not None for name in found]) < 0.06


def test_of_two_the_more_extreme_is_named() -> None:
    values = np.random.default_rng(4).normal(0, 1, (10, 1))
    values[2], values[7] = 7.0, -14.0
    # a strong prior keeps one from masking the other
    assert outlying_donors(own(values, ["RT"] * 10), ["RT"], 1000.0) == ["D7"]
    assert outlying_donors(own(-values[::-1], ["RT"] * 10), ["RT"], 1000.0) == ["D2"]


def test_it_names_the_donor() -> None:
    rng = np.random.default_rng(2)
    values = rng.normal(0, 1, size=(10, 1))
    values[7] += 9
    units = own(values, ["A"] * 5 + ["B"] * 5)
    assert outlying_donors(units, ["A", "B"], 9.0) == ["D7"]
    assert outlying_donors(units, ["B"], 9.0) == ["D7"]
    assert outlying_donors(units, ["A"], 9.0) == [None]


def test_three_pairs_are_too_few_to_tell() -> None:
    values = np.array([[0.0], [0.1], [50.0]])
    assert outlying_donors(own(values, ["A"] * 3), ["A"], 9.0) == [None]
    assert np.isnan(deleted_residual_pvalues(own(values[:1], ["A"]), 9.0)).all()


def test_the_order_of_donors_decides_nothing() -> None:
    rng = np.random.default_rng(8)
    values = rng.standard_t(2, size=(12, 40))
    units = own(values, ["A"] * 6 + ["B"] * 6)
    order = rng.permutation(12)
    shuffled = OwnValues(
        units.donors[order],
        units.groups[order],
        values[order],
        units.variances[order],
        units.design[order],
    )
    found = outlying_donors(units, ["A", "B"], 3.0)
    assert found == outlying_donors(shuffled, ["A", "B"], 3.0)
    assert sum(name is not None for name in found) > 5
