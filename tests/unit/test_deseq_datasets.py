"""PyDESeq2's classes with the package's fit underneath."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from pydeseq2.dds import DeseqDataSet
from pydeseq2.ds import DeseqStats

from fibroserum.deseq import fit, wald
from fibroserum.deseq.datasets import BlockedDeseqDataSet, BlockedDeseqStats
from fibroserum.inference import BlockedInference


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


def test_results_are_those_of_the_functions(cohort):
    counts, metadata, design = cohort
    dataset = BlockedDeseqDataSet(
        counts=counts, metadata=metadata, design=design, n_cpus=1, quiet=True
    )
    dataset.deseq2()
    contrast = np.eye(7)[6]
    stats = BlockedDeseqStats(dataset, contrast=contrast, quiet=True)
    stats.summary()
    expected = wald(fit(counts, design), counts, contrast)
    for column in expected:
        np.testing.assert_allclose(stats.results_df[column], expected[column], rtol=1e-12)
    assert (stats.results_df["padj"][:40] < 0.05).sum() > 30
    shrunk = stats.shrink_contrast()
    assert (shrunk[:40] > 0).mean() > 0.95
    strict = BlockedDeseqStats(
        dataset, contrast=contrast, quiet=True, lfc_null=1.0, alt_hypothesis="greaterAbs"
    )
    strict.summary()
    assert (strict.p_values >= stats.p_values).all()


def test_stock_classes_run_with_the_engine_and_agree(cohort):
    counts, metadata, design = cohort
    engine = BlockedInference(n_cpus=2)
    stock = DeseqDataSet(
        counts=counts, metadata=metadata, design=design, inference=engine, quiet=True
    )
    stock.deseq2()
    stats = DeseqStats(stock, contrast=np.eye(7)[6], inference=engine, quiet=True)
    stats.summary()
    nearer = wald(fit(counts, design), counts, np.eye(7)[6])
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
    tests = [
        kind(dataset, contrast=np.eye(7)[6], quiet=True) for kind in (BlockedDeseqStats, DeseqStats)
    ]
    for test in tests:
        test.run_wald_test()
    pd.testing.assert_series_equal(tests[0].p_values, tests[1].p_values)


@pytest.mark.parametrize("limit", [{"refit_cooks": False}, {"min_mu": 1.0}, {"min_disp": 1e-6}])
def test_other_limits_go_the_parents_way(cohort, limit):
    counts, metadata, design = cohort
    dataset = BlockedDeseqDataSet(
        counts=counts, metadata=metadata, design=design, n_cpus=1, quiet=True
    )
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
