"""Thinned counts and their ranks: the numbers of numpy, the ranks of scipy."""

from __future__ import annotations

import zlib
from collections.abc import Iterator

import numpy as np
import pandas as pd
import pytest
from scipy.stats import binom, rankdata

from fibroserum.enrichment.kernels import (
    COUNTED,
    TABLED,
    _by_inversion,
    _inversion,
    thinned_ranks,
)
from fibroserum.enrichment.scores import score_samples
from fibroserum.genes.gmt import GeneSet

DRAWS = 4
SHARES = (1e-9, 1e-4, 0.02, 0.3, 0.4999999, 0.5, 0.5000001, 0.75, 0.99, 0.9999, 1 - 1e-9)


def reference(counts: np.ndarray, share: float, used: np.ndarray) -> np.ndarray:
    """Return what the kernel returns, from numpy and scipy."""
    rng = np.random.default_rng(7)
    return np.array(
        [2 * rankdata(rng.binomial(counts, share))[used] for _ in range(DRAWS)], dtype=np.int64
    )


def found(counts: np.ndarray, share: float, used: np.ndarray) -> np.ndarray:
    return thinned_ranks(np.random.default_rng(7), counts, share, used, DRAWS)


@pytest.mark.parametrize("share", SHARES)
@pytest.mark.parametrize("mean", [0, 2, 5, 9])
def test_numbers_and_ranks_are_those_of_numpy_and_scipy(share: float, mean: float) -> None:
    rng = np.random.default_rng(int(mean))
    counts = rng.poisson(np.exp(rng.normal(mean, 2.5, 3_000)))
    used = rng.permutation(3_000)[: rng.integers(1, 3_000)]
    np.testing.assert_array_equal(found(counts, share, used), reference(counts, share, used))


@pytest.mark.parametrize("share", SHARES)
@pytest.mark.parametrize(
    "values",
    [
        [0],
        [0, 0, 0],
        [1, 0, 1],
        [TABLED - 1, TABLED, TABLED + 1],
        [COUNTED - 1, COUNTED, COUNTED + 1, 0],
        [2**31 - 1, 2**31 - 1, 5, 2**40],
    ],
)
def test_counts_at_the_ends_of_the_tables(share: float, values: list[int]) -> None:
    counts = np.tile(np.array(values, dtype=np.int64), 20)
    used = np.arange(len(counts))
    np.testing.assert_array_equal(found(counts, share, used), reference(counts, share, used))


class Numbers:
    """A generator of given numbers."""

    def __init__(self, *numbers: float) -> None:
        self._left: Iterator[float] = iter(numbers)

    def random(self) -> float:
        return next(self._left)


def test_a_number_beyond_all_chances_is_drawn_again() -> None:
    """Their sum may be less than 1 by rounding: numpy draws again, too."""
    chances, begins = _inversion.py_func(np.array([6]), 0.3)
    own = chances[begins[6] :]
    assert np.isnan(own[-1])
    assert own[:-1].sum() == pytest.approx(1)
    draw = _by_inversion.py_func
    assert draw(Numbers(0.0), own) == 0
    assert draw(Numbers(0.9999), own) == 6
    assert draw(Numbers(1.5, 0.0), own) == 0
    assert draw(Numbers(1.5, 1.5, 0.5), own) == draw(Numbers(0.5), own)


def test_chances_are_those_of_the_binomial_distribution() -> None:
    counts = np.array([0, 1, 40, 3, 40, TABLED, 1_000])
    chances, begins = _inversion.py_func(counts, 0.1)
    assert np.flatnonzero(begins).tolist() == [1, 3, 40]
    for count in (1, 3, 40):
        own = chances[begins[count] :]
        own = own[: np.flatnonzero(np.isnan(own))[0]]
        np.testing.assert_allclose(own, binom.pmf(np.arange(len(own)), count, 0.1), rtol=1e-10)
        assert len(own) == count + 1 if count < 10 else len(own) > 20


def test_the_score_is_the_mean_over_16_thinnings_whose_seed_is_the_counts() -> None:
    rng = np.random.default_rng(1)
    genes = [f"g{i:03}" for i in range(200)]
    counts = pd.DataFrame(rng.poisson(np.exp(rng.normal(3, 2, (2, 200)))), ["a", "b"], genes)
    sets = [GeneSet("own", "one", "", tuple(genes[:20]))]
    found = score_samples(counts, sets, min_size=2, max_size=50, share=np.array([0.7, 1.0]))
    draws = np.random.default_rng(zlib.crc32(counts.loc["a"].to_numpy(np.int64).tobytes()))
    thinned = [draws.binomial(counts.loc["a"], 0.7) for _ in range(16)]
    for sample, each in (("a", thinned), ("b", [counts.loc["b"].to_numpy()])):
        frame = pd.DataFrame(each, columns=genes).rename(index=str)
        own = score_samples(frame, sets, min_size=2, max_size=50)["score"].mean()
        score = found.set_index("sample")["score"].loc[sample]
        assert score == pytest.approx(own, rel=1e-12)


@pytest.mark.parametrize(("count", "share"), [(-1, 0.5), (4, np.nan), (4, 1.5), (4, -0.1)])
def test_what_cannot_be_thinned_is_refused(count: int, share: float) -> None:
    counts = pd.DataFrame([[count, 3, 5]], ["a"], ["g1", "g2", "g3"])
    sets = [GeneSet("own", "one", "", ("g1", "g2"))]
    with pytest.raises(ValueError, match="cannot be thinned"):
        score_samples(counts, sets, min_size=2, max_size=50, share=np.array([share]))
