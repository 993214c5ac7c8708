"""Size factors, against PyDESeq2 and against mathematics."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fibroserum.cohort.size_factors import size_factors


def test_ratio_is_pydeseq2s() -> None:
    from pydeseq2.preprocessing import deseq2_norm

    rng = np.random.default_rng(1)
    counts = rng.poisson(rng.lognormal(4, 1, 300), (7, 300))
    kept = counts[:, (counts > 0).all(axis=0)]
    ours, method = size_factors(counts)
    assert method == "ratio"
    assert ours == pytest.approx(deseq2_norm(kept)[1], rel=1e-12)


@settings(max_examples=50)
@given(st.integers(0, 10_000), st.floats(0.1, 10))
def test_a_deeper_library_has_a_larger_factor(seed: int, depth: float) -> None:
    """Scaling one sample's expectation scales its factor relative to the others' exactly."""
    rng = np.random.default_rng(seed)
    base = rng.integers(1, 1000, (4, 40)).astype(float)
    scaled = base.copy()
    scaled[2] *= depth
    one, _ = size_factors(base)
    other, _ = size_factors(scaled)
    assert (other[2] / other[0]) / (one[2] / one[0]) == pytest.approx(depth, rel=1e-9)


def test_positive_counts_serve_where_every_gene_has_a_zero() -> None:
    counts = np.array([[0, 10, 20, 30], [10, 0, 20, 30], [10, 10, 0, 0]])
    factors, method = size_factors(counts)
    assert method == "poscounts"
    assert np.isfinite(factors).all()
    assert np.exp(np.log(factors).mean()) == pytest.approx(1.0)
