"""limma's prior of variances, edgeR's filter and TMM factors: equal to edgepython's ports."""

from __future__ import annotations

import edgepython
import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from fibroserum.cohort.designs import Design
from fibroserum.linear import filter_by_expr, tmm_factors, variance_prior

RNG = np.random.default_rng(5)


def variances(genes: int, df: float, prior: float) -> np.ndarray:
    """Draw variances of genes; prior: degrees of freedom of the variance between genes."""
    true = 0.04 * (prior / RNG.chisquare(prior, genes) if np.isfinite(prior) else np.ones(genes))
    return true * RNG.chisquare(df, genes) / df


@pytest.mark.parametrize("trended", [False, True])
@pytest.mark.parametrize("prior", [0.5, 4.0, 40.0, np.inf])
@pytest.mark.parametrize("genes", [3, 5, 8, 29, 30, 2000])
def test_prior_of_variances(genes: int, prior: float, trended: bool) -> None:
    for df in (1.0, 4.0, 54.0):
        values = variances(genes, df, prior)
        values[0] = 0.0
        mean = RNG.gamma(3.0, 2.0, genes) if trended else None
        found = variance_prior(values, df, mean)
        known = edgepython.squeeze_var(values, np.full(genes, df), covariate=mean, legacy=True)
        assert_allclose(found.df, float(np.squeeze(known["df_prior"])), rtol=1e-6)
        assert_allclose(found.posterior(values, df), known["var_post"], rtol=1e-8)
        level = np.broadcast_to(np.asarray(known["var_prior"], float), (genes,))
        assert_allclose(found.variance, level, rtol=1e-8)


def test_prior_with_unequal_degrees_of_freedom_and_genes_without_any() -> None:
    df = RNG.integers(0, 9, 400).astype(float)
    values = np.where(df > 0, variances(400, 4.0, 5.0), np.nan)
    found = variance_prior(values, df)
    known = edgepython.squeeze_var(values, df, legacy=True)
    assert_allclose(found.df, known["df_prior"], rtol=1e-6)
    assert_allclose(found.variance, known["var_prior"], rtol=1e-8)
    assert found.most == df.sum()


@pytest.mark.parametrize("genes", [1, 2])
def test_one_or_two_genes_have_no_prior(genes: int) -> None:
    assert variance_prior(variances(genes, 4.0, 4.0), 4.0).df == 0.0


def test_a_trend_over_equal_means_is_no_trend() -> None:
    values = variances(200, 6.0, 5.0)
    flat, none = variance_prior(values, 6.0, np.full(200, 3.0)), variance_prior(values, 6.0)
    assert flat.df == none.df
    assert_array_equal(flat.variance, none.variance)


@pytest.mark.parametrize("share", [0.3, 0.6, 0.9])
@pytest.mark.parametrize("place", [0.0, 0.5, 1.0])
def test_a_trend_where_many_means_are_equal(share: float, place: float) -> None:
    values, mean = variances(500, 6.0, 5.0), RNG.uniform(0, 1, 500)
    mean[: int(share * 500)] = place
    found = variance_prior(values, 6.0, mean)
    assert np.isfinite(found.variance).all()
    assert 2 < found.df < 20
    # the true mean of log variances is the same at all means
    assert np.abs(np.log(found.variance / 0.04)).max() < 1.5


def cohort(samples: int, genes: int, sparse: bool) -> pd.DataFrame:
    mean = RNG.gamma(0.3, 2.0 if sparse else 900.0, genes)
    depth = RNG.uniform(0.3, 3.0, samples)
    counts = RNG.poisson(RNG.gamma(2.0, 0.5, (samples, genes)) * mean * depth[:, None])
    names = [f"S{i}" for i in range(samples)]
    return pd.DataFrame(counts, index=names, columns=[f"G{i}" for i in range(genes)])


@pytest.mark.filterwarnings("ignore:One or more quantiles are zero")
@pytest.mark.parametrize("sparse", [False, True])
@pytest.mark.parametrize("samples", [2, 7, 60])
def test_tmm_factors(samples: int, sparse: bool) -> None:
    counts = cohort(samples, 800, sparse)
    known = edgepython.calc_norm_factors(counts.to_numpy(float).T, method="TMM")
    assert_allclose(tmm_factors(counts), known, rtol=1e-12)


def test_tmm_factors_of_one_sample_and_of_none_in_common() -> None:
    counts = cohort(4, 50, False)
    assert_array_equal(tmm_factors(counts.iloc[:1]), [1.0])
    apart = pd.DataFrame(np.kron(np.eye(2, dtype=int), np.full((1, 5), 9)), index=["A", "B"])
    assert_allclose(tmm_factors(apart), [1.0, 1.0])


@pytest.mark.parametrize("samples", [6, 12, 60])
@pytest.mark.parametrize("columns", [1, 2])
def test_filter_by_expr(samples: int, columns: int) -> None:
    counts = cohort(samples, 2000, False) // 20
    after = np.tile([0.0, 1.0], samples // 2)
    late = np.where(np.arange(samples) < samples // 3, after, 0.0)
    dense = pd.DataFrame(np.column_stack([after, late])[:, :columns], index=counts.index)
    dense.columns = [f"c{i}" for i in range(columns)]
    blocks = pd.Series(np.repeat([f"D{i}" for i in range(samples // 2)], 2), index=counts.index)
    found = filter_by_expr(counts, Design(dense, blocks))
    known = edgepython.filter_by_expr(counts.to_numpy(float).T, design=dense.to_numpy())
    assert 0 < found.sum() < 2000
    assert_array_equal(found, known)
