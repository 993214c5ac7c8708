"""Expression at one depth within each donor: set tests and scores do not see depth."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fibroserum import linear
from fibroserum.cohort.designs import Design
from fibroserum.enrichment.camera import camera, normal_scores, set_against_rest
from fibroserum.enrichment.fry import fry, standardised
from fibroserum.enrichment.membership import restrict
from fibroserum.enrichment.rotation import mixed
from fibroserum.enrichment.scores import score_samples, test_scores
from fibroserum.genes.gmt import GeneSet
from fibroserum.linear.depth import OUT_OF_REACH, thinned_log2
from fibroserum.linear.voom import log_cpm
from helpers.limma_cohort import LIMITS, contrast_of, golden, golden_design, limma_sets
from helpers.pairs import model_of_pairs


@pytest.fixture(scope="module")
def shallow() -> pd.DataFrame:
    return golden("counts_shallow.tsv").T


def test_values_and_weights_are_those_of_r(shallow: pd.DataFrame) -> None:
    """R sums over dbinom; here a recursion and a series, whose error is below 1e-6."""
    values, weights = linear.depth_matched(shallow, golden_design(), linear.tmm_factors(shallow))
    np.testing.assert_allclose(values, golden("depth_values.tsv").T, rtol=0, atol=1e-6)
    np.testing.assert_allclose(weights, golden("depth_weights.tsv").T, rtol=1e-6)


def test_fry_and_camera_of_the_values_are_those_of_limma(shallow: pd.DataFrame) -> None:
    design = golden_design()
    values, weights = linear.depth_matched(shallow, design, linear.tmm_factors(shallow))
    frame = pd.DataFrame(values, shallow.index, shallow.columns)
    fit = linear.fit_weighted(frame, design, weights)
    own = restrict(limma_sets(), fit.genes, fit.genes, **LIMITS)
    expected = golden("depth_sets_RT.tsv").loc[own.table["gene_set"]]
    effects = linear.genewise_effects(fit, contrast_of(fit, "RT"))
    ours = fry(standardised(effects), own)
    some = np.array([5, 2, 11])
    prior = linear.variance_prior(fit.sigma**2, fit.df_residual)
    few = standardised(linear.genewise_effects(fit.of(some), contrast_of(fit, "RT")), prior)
    np.testing.assert_allclose(few, standardised(effects)[some], rtol=1e-9)
    np.testing.assert_array_equal(ours["direction"], expected["direction"].str.lower())
    np.testing.assert_allclose(ours["fry_pvalue"], expected["fry_p"], rtol=1e-5)
    np.testing.assert_allclose(ours["fry_mixed_pvalue"], expected["fry_mixed_p"], rtol=1e-5)
    ours = camera(normal_scores(effects), own)
    np.testing.assert_allclose(ours["camera_pvalue"], expected["camera_p"], rtol=1e-5)


@given(st.floats(0.02, 0.98), st.integers(0, 5000))
@settings(max_examples=60, deadline=None)
def test_the_mean_log_is_that_of_the_binomial(share: float, count: int) -> None:
    from scipy.stats import binom

    counts = np.array([0, 1, count])
    kept = np.arange(count + 1)
    expected = binom.pmf(kept, count, share) @ np.log2(kept + 0.5)
    found = thinned_log2(counts, share)
    assert found[2] == pytest.approx(expected, abs=1e-6)
    assert found[1] == pytest.approx((1 - share) * -1 + share * np.log2(1.5), abs=1e-12)
    assert found[0] == -1.0


def test_rare_counts_of_a_very_deep_sample_are_exact() -> None:
    from scipy.stats import binom

    counts = np.array([OUT_OF_REACH, 5 * OUT_OF_REACH, 40000])
    expected = [
        binom.pmf(np.arange(n + 1), n, 0.01) @ np.log2(np.arange(n + 1) + 0.5) for n in counts
    ]
    np.testing.assert_allclose(thinned_log2(counts, 0.01), expected, rtol=0, atol=1e-6)


def test_the_shallowest_sample_of_a_donor_keeps_its_values(shallow: pd.DataFrame) -> None:
    design, factors = golden_design(), linear.tmm_factors(shallow)
    share = linear.kept_shares(shallow.sum(axis=1).to_numpy() * factors, design.codes)
    assert (pd.Series(share).groupby(design.codes).max() == 1).all()
    assert (share < 1).sum() == len(design.labels)
    values, _ = linear.depth_matched(shallow, design, factors)
    plain, _ = log_cpm(shallow, factors)
    np.testing.assert_array_equal(values[share == 1], plain[share == 1])
    assert not np.isclose(values[share < 1], plain[share < 1]).all()


def test_a_sample_in_no_block_keeps_its_depth() -> None:
    share = linear.kept_shares(np.array([8.0, 2.0, 4.0, 1.0]), np.array([0, 0, -1, 1]))
    np.testing.assert_array_equal(share, [0.25, 1, 1, 1])


def test_fractions_of_counts_are_refused(shallow: pd.DataFrame) -> None:
    with pytest.raises(ValueError, match="whole counts"):
        linear.depth_matched(shallow + 0.5, golden_design(), np.ones(len(shallow)))


def _null_cohort(rng: np.random.Generator, pairs: int, shallower: float) -> pd.DataFrame:
    """Return counts of pairs without a change; the second of each pair is shallower."""
    genes = 600
    mean = 15 * rng.lognormal(0, 1.2, genes)
    level = np.repeat(mean * rng.lognormal(0, 0.3, (pairs, genes)), 2, axis=0)
    depth = np.tile([1.0, 1 / shallower], pairs)[:, None] * rng.lognormal(0, 0.1, (2 * pairs, 1))
    dispersion = 0.03 + 1 / np.maximum(mean, 1)
    counts = rng.poisson(rng.gamma(1 / dispersion, dispersion, level.shape) * level * depth)
    names = [f"D{pair:02d}_{time}" for pair in range(pairs) for time in ("pre", "post")]
    return pd.DataFrame(counts, names, [f"g{gene:03d}" for gene in range(genes)])


def _paired(samples: pd.Index) -> Design:
    after = samples.str.endswith("_post") * 1.0
    return Design(
        pd.DataFrame({"after": after}, samples),
        pd.Series(samples.str[:-4], samples).str.rstrip("_"),
    )


def _weak(counts: pd.DataFrame) -> list[GeneSet]:
    """Return 8 sets of 30 genes, from the weakest expressed up."""
    genes = counts.mean().sort_index().sort_values(kind="stable").index
    return [GeneSet("c", f"weak{n}", "", tuple(genes[n * 30 : n * 30 + 30])) for n in range(8)]


def _pvalues(counts: pd.DataFrame, *, matched: bool) -> pd.DataFrame:
    design = _paired(counts.index)
    well = counts.loc[:, linear.filter_by_expr(counts, design)]
    fit = linear.voom_fit(well, design)
    if matched:
        values, weights = linear.depth_matched(well, design, linear.tmm_factors(well))
        fit = linear.fit_weighted(pd.DataFrame(values, well.index, well.columns), design, weights)
    sets = restrict(_weak(well), well.columns, well.columns, **LIMITS)
    effects = linear.genewise_effects(fit, design.contrast(np.ones(1)))
    found = {
        "fry": fry(standardised(effects), sets)["fry_pvalue"],
        "mixed": mixed(effects, sets)["mixed_pvalue"],
        "rest": set_against_rest(normal_scores(effects), sets)["competitive_pvalue"],
    }
    return pd.DataFrame(found).set_axis(sets.table["gene_set"])


def test_order_and_names_do_not_matter() -> None:
    rng = np.random.default_rng(4)
    counts = _null_cohort(rng, 5, 3)
    expected = _pvalues(counts, matched=True)
    moved = counts.iloc[rng.permutation(len(counts)), rng.permutation(counts.shape[1])]
    pd.testing.assert_frame_equal(_pvalues(moved, matched=True), expected, rtol=1e-9)
    # order of names is kept: with weights the residuals' basis depends on it
    renamed = counts.set_axis([f"Z{name[1:]}" for name in counts.index])
    pd.testing.assert_frame_equal(_pvalues(renamed, matched=True), expected, rtol=1e-9)


def test_scores_do_not_depend_on_order_names_other_samples_or_threads() -> None:
    rng = np.random.default_rng(5)
    counts = _null_cohort(rng, 4, 3)
    share = np.where(np.arange(8) % 2 == 0, 0.3, 1.0)
    sets = [GeneSet("c", "s", "", tuple(counts.columns[:25]))]

    def scores(table: pd.DataFrame, kept: np.ndarray) -> np.ndarray:
        return score_samples(table, sets, share=kept, **LIMITS)["score"].to_numpy()

    expected = scores(counts, share)
    order = rng.permutation(8)
    moved = counts.iloc[order, rng.permutation(counts.shape[1])].set_axis([f"x{i}" for i in order])
    np.testing.assert_allclose(scores(moved, share[order]), expected[order], rtol=1e-12)
    np.testing.assert_array_equal(scores(counts.iloc[:3], share[:3]), expected[:3])
    threads = score_samples(counts, sets, share=share, n_cpus=3, **LIMITS)["score"]
    np.testing.assert_array_equal(threads, expected)
    plain = score_samples(counts, sets, **LIMITS)["score"].to_numpy()
    np.testing.assert_array_equal(expected[share == 1], plain[share == 1])
    assert (expected[share < 1] != plain[share < 1]).all()


@pytest.fixture(scope="module")
def calibrated() -> pd.DataFrame:
    """Return p values of weak sets in 25 null cohorts of 24 pairs, 4 times shallower after."""
    found = []
    for seed in range(25):
        counts = _null_cohort(np.random.default_rng([6, seed]), 24, 4)
        for matched in (False, True):
            found.append(_pvalues(counts, matched=matched).assign(matched=matched))
        design = _paired(counts.index)
        share = linear.kept_shares(counts.sum(axis=1).to_numpy(float), design.codes)
        for matched, kept in ((False, None), (True, share)):
            scores = score_samples(counts, _weak(counts), share=kept, **LIMITS)
            tests = test_scores(scores, model_of_pairs(design, "after"))
            found.append(pd.DataFrame({"scores": tests["pvalue"], "matched": matched}))
    return pd.concat(found, ignore_index=True)


@pytest.mark.parametrize("test", ["fry", "mixed", "rest", "scores"])
def test_null_sets_keep_their_level_at_unequal_depth(calibrated: pd.DataFrame, test: str) -> None:
    """200 sets: 0.05 has a standard error of 0.015."""
    p = calibrated.loc[calibrated["matched"], test].dropna()
    assert len(p) == 200
    assert (p < 0.05).mean() < 0.09


@pytest.mark.parametrize("test", ["fry", "scores"])
def test_null_sets_are_found_at_the_samples_own_depth(calibrated: pd.DataFrame, test: str) -> None:
    """The cohorts show what the step is for."""
    p = calibrated.loc[~calibrated["matched"], test].dropna()
    assert (p < 0.05).mean() > 0.12
