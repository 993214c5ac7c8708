"""Slopes without each pair: against refits of the linear model, and an outlier with leverage."""

from __future__ import annotations

from dataclasses import astuple
from functools import partial

import numpy as np
import pandas as pd
import pytest
import statsmodels.api as sm
from scipy import stats

from fibroserum import linear
from fibroserum.cohort.designs import Design
from fibroserum.slopes.influence import (
    HALF,
    hc3_pvalue,
    pair_variances,
    without_each_pair,
)

PAIRS = 7
# the slope among the dense columns
LEVEL = np.array([0.0, 0.0, 1.0])


def _fit(values: np.ndarray, level: np.ndarray, weights: np.ndarray) -> linear.LinearFit:
    """Fit pairs of two groups on a level, each pair's before sample first."""
    group = np.arange(PAIRS) < 3
    after = np.tile([0.0, 1.0], PAIRS)
    columns = {"after[AT]": after * np.repeat(group, 2), "after[RT]": after * np.repeat(~group, 2)}
    centred = level - np.where(group, level[group].mean(), level[~group].mean())
    columns["level"] = after * np.repeat(centred, 2)
    names = [f"D{n}{time}" for n in range(PAIRS) for time in ("a", "b")]
    design = Design(pd.DataFrame(columns, names), pd.Series([name[:2] for name in names], names))
    return linear.fit_weighted(pd.DataFrame(values, index=names), design, weights)


@pytest.fixture
def drawn() -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    rng = np.random.default_rng(6)
    shape = (2 * PAIRS, 40)
    return rng.normal(size=shape), rng.normal(size=PAIRS), rng.uniform(0.5, 2, size=shape)


def test_deletions_are_those_of_refits(drawn: tuple[np.ndarray, np.ndarray, np.ndarray]) -> None:
    values, level, weights = drawn
    fit = _fit(values, level, weights)
    found = without_each_pair(fit, 2)
    slopes = np.empty((PAIRS, 40))
    statistics = np.empty((PAIRS, 40))
    variance, total = linear.posterior_variance(fit.sigma**2, fit.df_residual)
    added = total * variance - fit.df_residual * fit.sigma**2
    for pair in range(PAIRS):
        keep = np.repeat(np.arange(PAIRS) != pair, 2)
        rest = fit.design.of(keep)
        assert f"D{pair}" not in rest.labels
        frame = pd.DataFrame(values[keep], index=rest.samples)
        again = linear.fit_weighted(frame, rest, weights[keep])
        slopes[pair], unscaled = linear.estimates(again, rest.contrast(LEVEL))
        rss = again.sigma**2 * again.df_residual + added
        statistics[pair] = slopes[pair] / (unscaled * np.sqrt(rss / (total - 1)))
    shares = slopes / fit.dense_coefficients[:, 2]
    worst = shares.argmin(axis=0)
    np.testing.assert_array_equal(found.pair, worst)
    np.testing.assert_allclose(found.share, shares.min(axis=0), rtol=1e-8)
    expected = 2 * stats.t.sf(np.abs(statistics[worst, np.arange(40)]), total - 1)
    np.testing.assert_allclose(found.pvalue, expected, rtol=1e-6)


def test_an_outlier_with_leverage_makes_no_slope(
    drawn: tuple[np.ndarray, np.ndarray, np.ndarray],
) -> None:
    values, level, weights = drawn
    level[5] = 6.0
    values[11, 0] += 40.0
    fit = _fit(values, level, weights)
    found = without_each_pair(fit, 2)
    assert linear.moderated_t(fit, fit.design.contrast(LEVEL))["pvalue"][0] < 1e-6
    assert found.pair[0] == 5
    assert found.share[0] < HALF
    assert found.pvalue[0] > 0.01


def test_a_pair_that_decides_its_own_value_is_left_alone() -> None:
    """The slope of the other group does not depend on a group of one pair."""
    rng = np.random.default_rng(7)
    level = rng.normal(size=PAIRS)
    fit = _fit(rng.normal(size=(2 * PAIRS, 5)), level, np.ones((2 * PAIRS, 5)))
    dense = fit.design.dense.assign(**{"after[only]": 0.0})
    dense.loc["D0b", ["after[only]", "after[AT]"]] = [1.0, 0.0]
    values = pd.DataFrame(fit.E, index=fit.samples)
    lonely = linear.fit_weighted(values, Design(dense, fit.design.blocks))
    found = without_each_pair(lonely, 2)
    assert (found.pair != 0).all()
    assert np.isfinite(found.share).all()


@pytest.mark.parametrize("blocks", [list("AAABB"), list("AABBC")])
def test_blocks_that_are_no_pairs_are_refused(blocks: list[str]) -> None:
    design = Design(pd.DataFrame({"x": [0, 1, 2, 0, 3.0]}), pd.Series(blocks))
    frame = pd.DataFrame(np.random.default_rng(8).normal(size=(5, 4)))
    with pytest.raises(ValueError, match="two samples"):
        without_each_pair(linear.fit_weighted(frame, design), 0)


def test_samples_without_blocks_count_as_pairs_do(
    drawn: tuple[np.ndarray, np.ndarray, np.ndarray],
) -> None:
    """Least squares of pair differences and of samples with these values are one model."""
    values, level, _ = drawn
    paired = _fit(values, level, np.ones_like(values))
    alone = Design(paired.design.dense.iloc[1::2])
    frame = pd.DataFrame(values[1::2] - values[::2], index=alone.samples)
    # a difference has twice a sample's variance
    single = linear.fit_weighted(frame, alone, np.full(frame.shape, 0.5))
    groups = np.array(["AT"] * 3 + ["RT"] * 4)
    np.testing.assert_allclose(hc3_pvalue(single, 2), hc3_pvalue(paired, 2), rtol=1e-8)
    for test in (without_each_pair, partial(pair_variances, groups=groups)):
        for one, other in zip(*(astuple(test(fit, 2)) for fit in (paired, single)), strict=True):
            np.testing.assert_allclose(one, other, rtol=1e-8)


def test_hc3_is_that_of_the_pair_differences(
    drawn: tuple[np.ndarray, np.ndarray, np.ndarray],
) -> None:
    """With one weight for all samples the fit is least squares of the pairs' differences."""
    values, level, _ = drawn
    fit = _fit(values, level, np.ones_like(values))
    found = hc3_pvalue(fit, 2)
    group = (np.arange(PAIRS) < 3).astype(float)
    x = np.column_stack([group, 1 - group, level])
    for gene in range(40):
        change = values[1::2, gene] - values[::2, gene]
        robust = sm.OLS(change, x).fit().get_robustcov_results("HC3", use_t=True)
        assert found[gene] == pytest.approx(robust.pvalues[2], rel=1e-6)


def test_a_poor_library_is_seen_in_all_genes_together() -> None:
    rng = np.random.default_rng(11)
    level = rng.normal(size=PAIRS)
    level[5] = 2.0
    values = rng.normal(size=(2 * PAIRS, 4000))
    groups = np.array(["AT"] * 3 + ["RT"] * 4)
    alike = pair_variances(_fit(values, level, np.ones_like(values)), 2, groups)
    # 7 pairs, one with a leverage of .74: the ratio itself varies by a few hundredths
    assert alike.ratio < 1.1
    np.testing.assert_allclose(alike.variances, 1.0, atol=0.25)
    values[11] += rng.normal(0, 3, 4000)
    poor = pair_variances(_fit(values, level, np.ones_like(values)), 2, groups)
    assert poor.variances.argmax() == 5
    assert poor.leverage[5] > 0.5
    assert poor.ratio > 2


def test_a_group_that_varies_more_as_a_whole_is_the_groups_variance() -> None:
    rng = np.random.default_rng(12)
    level = rng.normal(size=PAIRS)
    values = rng.normal(size=(2 * PAIRS, 4000))
    values[6:] *= 2
    fit = _fit(values, level, np.ones_like(values))
    by_group = pair_variances(fit, 2, np.array(["AT"] * 3 + ["RT"] * 4))
    alike = pair_variances(fit, 2, np.zeros(PAIRS))
    np.testing.assert_allclose(by_group.variances, alike.variances)
    assert by_group.ratio < alike.ratio
