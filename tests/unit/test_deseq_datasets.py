"""PyDESeq2's classes with the package's fit underneath."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from pydeseq2.dds import DeseqDataSet
from pydeseq2.ds import DeseqStats
from pydeseq2.preprocessing import deseq2_norm
from pydeseq2.utils import robust_method_of_moments_disp

from fibroserum import deseq
from fibroserum.deseq import fit, wald
from fibroserum.deseq.datasets import BlockedDeseqDataSet, BlockedDeseqStats
from fibroserum.deseq.outliers import cooks_distances, cutoff, outliers, robust_dispersions
from fibroserum.deseq.stages import Problem
from fibroserum.inference import BlockedInference
from fibroserum.inference.chunks import CHUNK
from fibroserum.inference.structure import find_blocks
from fibroserum.multiple_testing import benjamini_hochberg, independent_filtering


@pytest.fixture(scope="module")
def cohort() -> tuple[pd.DataFrame, pd.DataFrame, pd.DataFrame]:
    rng = np.random.default_rng(9)
    donor, after = np.repeat(np.arange(6), 2), np.tile([0.0, 1.0], 6)
    names = [f"s{i}" for i in range(12)]
    columns = {f"donor[{d}]": (donor == d).astype(float) for d in range(6)}
    design = pd.DataFrame({**columns, "after": after}, index=names)
    mean = np.exp(rng.normal(5, 1, 300))
    alpha = (0.02 + 1 / mean) * np.exp(rng.normal(0, 0.5, 300))
    rate = mean * np.exp(np.outer(after, np.where(np.arange(300) < 40, 1.0, 0)))
    counts = rng.negative_binomial(1 / alpha, 1 / (1 + alpha * rate))
    frame = pd.DataFrame(counts, index=names, columns=[f"g{i}" for i in range(300)])
    return frame, pd.DataFrame({"time": after.astype(str)}, index=names), design


@pytest.fixture
def dataset(cohort) -> BlockedDeseqDataSet:
    """Return a dataset that is not yet fitted."""
    counts, metadata, design = cohort
    return BlockedDeseqDataSet(
        counts=counts, metadata=metadata, design=design, n_cpus=1, quiet=True
    )


CONTRAST = np.eye(7)[6]


def ratios(counts: pd.DataFrame) -> np.ndarray:
    return deseq2_norm(counts.to_numpy())[1]


def test_results_are_those_of_the_functions(cohort, dataset):
    counts = cohort[0]
    dataset.deseq2()
    stats = BlockedDeseqStats(dataset, contrast=CONTRAST, quiet=True)
    stats.summary()
    np.testing.assert_allclose(dataset.obs["size_factors"], ratios(counts), rtol=1e-12)
    fitted = fit(counts, cohort[2], dataset.obs["size_factors"])
    expected = wald(fitted, counts, CONTRAST)
    for column in expected:
        np.testing.assert_array_equal(stats.results_df[column], expected[column])
    np.testing.assert_array_equal(stats.results_df["baseMean"], fitted.base_mean)
    p = expected["pvalue"].to_numpy()
    filtered = independent_filtering(p, fitted.base_mean, 0.05)
    np.testing.assert_array_equal(stats.results_df["padj"], filtered)
    assert (filtered[:40] < 0.05).sum() > 30
    plain = BlockedDeseqStats(dataset, CONTRAST, independent_filter=False, quiet=True)
    plain.summary()
    np.testing.assert_array_equal(plain.padj, benjamini_hochberg(p))
    shrunk = stats.shrink_contrast()
    np.testing.assert_array_equal(shrunk, deseq.shrink(fitted, counts, CONTRAST, expected))
    untested = BlockedDeseqStats(dataset, CONTRAST, quiet=True)
    np.testing.assert_array_equal(untested.shrink_contrast(), shrunk)


def test_a_threshold_is_given_at_first_or_to_the_summary(cohort, dataset):
    dataset.deseq2()
    above = {"lfc_null": 1.0, "alt_hypothesis": "greaterAbs"}
    strict = BlockedDeseqStats(dataset, contrast=CONTRAST, quiet=True, **above)
    strict.summary()
    expected = wald(dataset.fitted, cohort[0], CONTRAST, 1.0)
    np.testing.assert_array_equal(strict.results_df["pvalue"], expected["pvalue"])
    other = BlockedDeseqStats(dataset, contrast=CONTRAST, quiet=True)
    other.summary()
    assert (strict.p_values >= other.p_values).all()
    other.summary(**above)
    pd.testing.assert_frame_equal(other.results_df, strict.results_df)
    with pytest.raises(ValueError, match="positive lfc_null"):
        other.summary(lfc_null=-1.0)


def test_other_alternatives_are_the_parents(dataset):
    dataset.deseq2()
    above = {"lfc_null": 0.5, "alt_hypothesis": "greater"}
    ours, parents = (
        kind(dataset, CONTRAST, inference=dataset.inference, quiet=True, **above)
        for kind in (BlockedDeseqStats, DeseqStats)
    )
    ours.summary()
    parents.summary()
    pd.testing.assert_frame_equal(ours.results_df, parents.results_df)
    assert ours.tested is None


def test_shrunken_coefficients_stay_in_the_summary(dataset):
    """PyDESeq2's own shrinkage of a column, then its summary."""
    dataset.deseq2()
    stats = BlockedDeseqStats(dataset, CONTRAST, quiet=True)
    stats.summary()
    p = stats.results_df["pvalue"]
    stats.lfc_shrink("after")
    shrunken = stats.results_df["log2FoldChange"]
    stats.summary()
    pd.testing.assert_series_equal(stats.results_df["log2FoldChange"], shrunken)
    pd.testing.assert_series_equal(stats.results_df["pvalue"], p)


@pytest.mark.parametrize("fit_type", ["parametric", "mean"])
def test_given_size_factors_are_kept(cohort, dataset, fit_type):
    given = np.linspace(0.5, 2, 12)
    dataset.obs["size_factors"] = given
    dataset.deseq2(fit_type)
    np.testing.assert_array_equal(dataset.obs["size_factors"], given)
    means = (cohort[0].to_numpy() / given[:, None]).mean(axis=0)
    stats = BlockedDeseqStats(dataset, CONTRAST, quiet=True)
    stats.summary()
    np.testing.assert_allclose(stats.results_df["baseMean"], means, rtol=1e-12)
    if fit_type == "parametric":
        np.testing.assert_array_equal(dataset.fitted.size_factors, given)
    dataset.fit_size_factors()
    np.testing.assert_allclose(dataset.obs["size_factors"], ratios(cohort[0]), rtol=1e-12)


def test_size_factors_of_control_genes(cohort):
    counts, metadata, design = cohort
    controls = [f"g{i}" for i in range(100, 300)]
    dataset = BlockedDeseqDataSet(
        counts=counts, metadata=metadata, design=design, control_genes=controls, quiet=True
    )
    dataset.deseq2()
    np.testing.assert_allclose(dataset.obs["size_factors"], ratios(counts[controls]), rtol=1e-12)
    expected = fit(counts, design, dataset.obs["size_factors"])
    np.testing.assert_array_equal(dataset.fitted.coefficients, expected.coefficients)
    assert not dataset.layers
    # what it estimated itself is estimated again; what was set in between is kept
    dataset.control_genes = controls[:150]
    dataset.deseq2()
    again = ratios(counts[controls[:150]])
    np.testing.assert_allclose(dataset.obs["size_factors"], again, rtol=1e-12)
    dataset.obs["size_factors"] = 2 * again
    dataset.deseq2()
    np.testing.assert_array_equal(dataset.fitted.size_factors, 2 * again)


def test_outliers_are_those_of_any_number_of_threads():
    """In two groups of ten outliers are replaced; those planted are in each of three chunks."""
    rng, group = np.random.default_rng(4), np.repeat([0.0, 1.0], 10)
    counts = rng.negative_binomial(10, 0.1, (20, 2 * CHUNK + 50))
    planted = np.arange(5, counts.shape[1], CHUNK)
    counts[3, planted] = 60_000
    names = [f"s{i}" for i in range(20)]
    design = pd.DataFrame({"a": 1 - group, "b": group}, index=names)
    frame = pd.DataFrame(counts, names, [f"g{i}" for i in range(counts.shape[1])])
    one, three = (fit(frame, design, np.ones(20), n_cpus=n) for n in (1, 3))
    assert len(planted) == 3
    assert one.replaced[planted].all()
    assert one.replaced.sum() < 20
    # at once, of counts near the limit, with a dispersion of its own for each gene
    counts[3], dispersions = rng.integers(200, 2_000, (2, counts.shape[1]))
    dispersions, depths = dispersions / 100_000, np.log(rng.uniform(0.2, 3, 20))
    problem = Problem(counts, find_blocks(design.to_numpy()), depths, True, 1)
    wanted = cooks_distances(problem, dispersions, design) > cutoff(*design.shape)
    assert 0.1 < wanted[3].mean() < 0.9
    found, _ = outliers(replace(problem, n_cpus=3), dispersions, design, np.ones(20, dtype=bool))
    np.testing.assert_array_equal(found, wanted)
    for name in ("replaced", "count_outlier", "replaced_counts", "dispersions", "coefficients"):
        np.testing.assert_array_equal(getattr(three, name), getattr(one, name))


def test_outliers_are_withheld_unless_asked_for(cohort):
    """Two groups of three: an outlier is not replaced, and its gene has no p value."""
    counts, group = cohort[0].iloc[::2].copy(), np.repeat([0.0, 1.0], 3)
    counts.iloc[0, 200] = 100_000
    design = pd.DataFrame({"a": 1 - group, "b": group}, index=counts.index)
    dataset = BlockedDeseqDataSet(
        counts=counts, metadata=pd.DataFrame(index=counts.index), design=design, quiet=True
    )
    dataset.deseq2()
    assert dataset.cooks_outlier()["g200"]
    tests = {}
    for asked in (True, False):
        stats = BlockedDeseqStats(dataset, np.array([-1.0, 1.0]), cooks_filter=asked, quiet=True)
        stats.summary()
        tests[asked] = stats.results_df["pvalue"]
    assert np.isnan(tests[True]["g200"])
    assert tests[False].notna().all()
    known = tests[True].notna()
    assert known.sum() >= 290
    pd.testing.assert_series_equal(tests[True][known], tests[False][known])


def test_stock_classes_run_with_the_engine_and_agree(cohort):
    counts, metadata, design = cohort
    engine = BlockedInference(n_cpus=2)
    stock = DeseqDataSet(
        counts=counts, metadata=metadata, design=design, inference=engine, quiet=True
    )
    stock.deseq2()
    stats = DeseqStats(stock, contrast=CONTRAST, inference=engine, quiet=True)
    stats.summary()
    nearer = wald(fit(counts, design, ratios(counts)), counts, CONTRAST)
    r = np.corrcoef(stats.results_df["log2FoldChange"], nearer["log2FoldChange"])[0, 1]
    assert r > 0.9999
    stats.lfc_shrink("after")
    assert np.isfinite(stats.results_df["log2FoldChange"]).all()


def test_other_trends_go_the_parents_way(cohort):
    counts, metadata, design = cohort
    dataset = BlockedDeseqDataSet(
        counts=counts, metadata=metadata, design=design, fit_type="mean", n_cpus=1, quiet=True
    )
    dataset.deseq2()
    assert dataset.fitted is None
    assert dataset.uns["disp_function_type"] == "mean"
    with pytest.raises(ValueError, match="not fitted by"):
        BlockedDeseqStats(dataset, contrast=CONTRAST, quiet=True).shrink_contrast()
    tests = [
        kind(dataset, contrast=CONTRAST, quiet=True) for kind in (BlockedDeseqStats, DeseqStats)
    ]
    for test in tests:
        test.run_wald_test()
    pd.testing.assert_series_equal(tests[0].p_values, tests[1].p_values)


@pytest.mark.parametrize("limit", [{"refit_cooks": False}, {"min_mu": 1.0}, {"min_disp": 1e-6}])
def test_other_limits_go_the_parents_way(dataset, limit):
    dataset.deseq2()
    assert dataset.fitted is not None
    for name, value in limit.items():
        setattr(dataset, name, value)
    dataset.deseq2()
    assert dataset.fitted is None, "of the fit before"


def test_rank_deficiency_is_refused(cohort):
    counts, metadata, design = cohort
    with pytest.raises(ValueError, match="full rank"):
        BlockedDeseqDataSet(
            counts=counts, metadata=metadata, design=design.assign(all=1.0), quiet=True
        )


@pytest.mark.parametrize("sizes", [(3, 9), (30, 24, 2), (4, 3)])
def test_robust_dispersions_are_pydeseq2s(sizes: tuple[int, ...]) -> None:
    rng = np.random.default_rng(len(sizes))
    group = np.repeat(np.arange(len(sizes)), sizes)
    design = pd.DataFrame(np.eye(len(sizes))[rng.permutation(group)])
    normalized = (
        rng.negative_binomial(5, 0.1, (len(group), 50)) / rng.uniform(0.5, 2, len(group))[:, None]
    )
    theirs = robust_method_of_moments_disp(normalized, design)
    np.testing.assert_allclose(robust_dispersions(normalized, design), theirs, rtol=1e-12)
