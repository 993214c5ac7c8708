"""The linear model against R's limma and edgeR (tests/golden/limma) and against plain algebra."""

from __future__ import annotations

import runpy

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import rankdata

from fibroserum import linear
from fibroserum.cohort.designs import Design
from fibroserum.cohort.size_factors import PART, size_factors
from fibroserum.distributions import row_medians
from fibroserum.linear.blocks import canonical_order, check_design
from fibroserum.linear.composition import _upper_quartile, within_trim
from fibroserum.linear.effects import sample_layout
from fibroserum.linear.kernels import line_at
from helpers.limma_cohort import CONTRASTS, GOLDEN, contrast_of, golden, golden_design, limma_fits


def _reordered(design: Design, order: np.ndarray) -> Design:
    """Return the design of the same samples in another order (positions)."""
    blocks = None if design.blocks is None else design.blocks.iloc[order]
    return Design(design.dense.iloc[order], blocks)


@pytest.fixture(scope="module")
def counts() -> pd.DataFrame:
    return golden("counts.tsv").T


@pytest.fixture(scope="module")
def design() -> Design:
    return golden_design()


@pytest.fixture(scope="module")
def fit() -> linear.LinearFit:
    return limma_fits()["voom"]


def test_filter_agrees_with_edger(counts: pd.DataFrame, design: Design) -> None:
    expected = golden("filter.tsv")["kept"].to_numpy(dtype=bool)
    assert 0 < expected.sum() < len(expected)
    np.testing.assert_array_equal(linear.filter_by_expr(counts, design), expected)


def test_filter_keeps_what_it_is_told_to(counts: pd.DataFrame, design: Design) -> None:
    silent = counts.assign(zero=0, faint=0)
    silent.iloc[0, -1] = 1
    keep = np.zeros(silent.shape[1], dtype=bool)
    keep[-2:] = True
    passed = linear.filter_by_expr(silent, design, keep=keep)
    assert not passed[-2], "a gene without a single count has nothing to fit"
    assert passed[-1]
    assert not linear.filter_by_expr(silent, design)[-1]


@pytest.mark.parametrize("genes", [1, 2, 3, 7, 20, 101])
@pytest.mark.parametrize("levels", [1, 2, 5, 1000])
def test_equal_ratios_are_trimmed_together_by_their_mean_rank(genes: int, levels: int) -> None:
    values = np.random.default_rng(genes + levels).integers(0, levels, genes).astype(float)
    for share in (0.05, 0.3):
        rank, least = rankdata(values), np.floor(genes * share) + 1
        wanted = (rank >= least) & (rank <= genes + 1 - least)
        np.testing.assert_array_equal(within_trim(values, share), wanted)


def test_tmm_agrees_with_edger(counts: pd.DataFrame) -> None:
    expected = golden("norm_factors.tsv")["norm.factors"]
    np.testing.assert_allclose(linear.tmm_factors(counts), expected, rtol=1e-10)


def test_voom_agrees_with_limma(fit: linear.LinearFit) -> None:
    expected = golden("fit.tsv")
    np.testing.assert_allclose(fit.weights, golden("weights.tsv").T, rtol=1e-6)
    np.testing.assert_allclose(
        fit.coefficients, expected.iloc[:, : fit.coefficients.shape[1]], rtol=1e-6, atol=1e-9
    )
    np.testing.assert_allclose(fit.sigma, expected["sigma"], rtol=1e-6)
    np.testing.assert_allclose(fit.amean, expected["Amean"], rtol=1e-10)


@pytest.mark.parametrize("name", CONTRASTS)
def test_moderated_t_agrees_with_limma(fit: linear.LinearFit, name: str) -> None:
    table, expected = linear.moderated_t(fit, contrast_of(fit, name)), golden(f"ebayes_{name}.tsv")
    for column, reference in {
        "log2FoldChange": "logFC",
        "se": "se",
        "t": "t",
        "pvalue": "p",
        "df_total": "df",
    }.items():
        np.testing.assert_allclose(table[column], expected[reference], rtol=1e-6, atol=1e-9)


def test_voom_agrees_with_edgepython(counts: pd.DataFrame, design: Design) -> None:
    import edgepython

    factors = linear.tmm_factors(counts)
    size = counts.to_numpy(dtype=float).sum(axis=1) * factors
    reference = edgepython.voom(
        counts.to_numpy(dtype=float).T, design.matrix.to_numpy(), lib_size=size
    )
    fit = linear.voom_fit(counts, design, norm_factors=factors)
    assert fit.span == pytest.approx(reference["span"], rel=1e-12)
    np.testing.assert_allclose(fit.E.T, reference["E"], rtol=1e-12)
    np.testing.assert_allclose(fit.weights.T, reference["weights"], rtol=1e-6)


@pytest.mark.parametrize("name", ["RT", "difference"])
def test_edger_follows_r(
    counts: pd.DataFrame, design: Design, fit: linear.LinearFit, name: str
) -> None:
    """R's edgeR here is 3.40, whose fold changes are the same and whose p values are near."""
    contrast = contrast_of(fit, name)
    comparator = runpy.run_path(str(GOLDEN.parents[2] / "benchmarks" / "edger.py"))
    table = comparator["edger_ql"](counts, design, {name: contrast})[name]
    expected = golden(f"edger_{name}.tsv")
    np.testing.assert_allclose(table["log2FoldChange"], expected["logFC"], atol=0.02)
    here, there = -np.log10(table["pvalue"]), -np.log10(expected["PValue"].to_numpy())
    assert np.corrcoef(here, there)[0, 1] > 0.98
    assert (np.sign(table["t"]) == np.sign(table["log2FoldChange"])).all()
    np.testing.assert_allclose(table["se"] * np.abs(table["t"]), np.abs(table["log2FoldChange"]))


@pytest.mark.parametrize("name", CONTRASTS)
def test_the_golden_samples_stand_in_the_layout(fit: linear.LinearFit, name: str) -> None:
    _, order, donors = sample_layout(fit, np.array(CONTRASTS[name], dtype=float))
    assert donors == 9
    expected = np.arange(18)
    if name == "AT":  # the RT column comes first there, and takes an RT sample for its pivot
        expected[[9, 10]] = 10, 9
    np.testing.assert_array_equal(order, expected)


def test_order_of_samples_does_not_matter(counts: pd.DataFrame, design: Design) -> None:
    shuffled = np.random.default_rng(3).permutation(len(counts))
    factors = linear.tmm_factors(counts)
    one = linear.voom_fit(counts, design, norm_factors=factors)
    two = linear.voom_fit(
        counts.iloc[shuffled], _reordered(design, shuffled), norm_factors=factors[shuffled]
    )
    contrast = contrast_of(one, "difference")
    np.testing.assert_allclose(one.coefficients, two.coefficients, rtol=1e-9, atol=1e-10)
    first, second = (linear.genewise_effects(fit, contrast) for fit in (one, two))
    np.testing.assert_allclose(first.contrast, second.contrast, rtol=1e-8, atol=1e-8)
    np.testing.assert_allclose(first.residual, second.residual, rtol=1e-8, atol=1e-8)


@pytest.mark.parametrize("n_cpus", [2, 8])
def test_the_same_bits_for_any_number_of_threads(
    counts: pd.DataFrame, design: Design, n_cpus: int
) -> None:
    one, many = linear.voom_fit(counts, design), linear.voom_fit(counts, design, n_cpus=n_cpus)
    contrast = contrast_of(one, "AT")
    assert one.coefficients.tobytes() == many.coefficients.tobytes()
    assert one.covariance.tobytes() == many.covariance.tobytes()
    effects = [linear.genewise_effects(fit, contrast, n_cpus=n_cpus) for fit in (one, many)]
    assert effects[0].residual.tobytes() == effects[1].residual.tobytes()


def test_no_weights_are_weights_of_one(fit: linear.LinearFit) -> None:
    frame = pd.DataFrame(fit.E, fit.samples, fit.genes)
    none, ones = (
        linear.fit_weighted(frame, fit.design, weights, n_cpus=2)
        for weights in (None, np.ones(fit.E.shape))
    )
    np.testing.assert_array_equal(none.weights, ones.weights)
    for part in ("coefficients", "covariance", "sigma"):
        np.testing.assert_array_equal(getattr(none, part), getattr(ones, part))
    contrast = contrast_of(none, "AT")
    effects = [linear.genewise_effects(each, contrast).residual for each in (none, ones)]
    np.testing.assert_array_equal(*effects)
    groups = pd.Series(np.where(np.arange(len(fit.samples)) < 8, "A", "B"), fit.samples)
    spreads = [linear.group_variances(each, groups) for each in (none, ones)]
    np.testing.assert_array_equal(*(spread.variances for spread in spreads))
    assert none.of(np.arange(3)).weights.shape == (len(fit.samples), 3)


def test_samples_over_threads_have_the_same_bits(counts: pd.DataFrame) -> None:
    # more samples than a thread takes at once
    pairs, rng = 75, np.random.default_rng(3)
    many = rng.poisson(np.tile(counts.to_numpy()[:2], (pairs, 1)) + 0.5)
    names = [f"s{row}" for row in range(2 * pairs)]
    frame = pd.DataFrame(many, names, counts.columns)
    after = pd.DataFrame({"after": np.arange(2 * pairs) % 2.0}, names)
    design = Design(after, pd.Series(np.arange(2 * pairs) // 2, names))
    factors = linear.tmm_factors(frame)
    assert linear.tmm_factors(frame, n_cpus=3).tobytes() == factors.tobytes()
    one, three = (linear.depth_matched(frame, design, factors, n_cpus=n) for n in (1, 3))
    assert [part.tobytes() for part in one] == [part.tobytes() for part in three]
    weights = [linear.voom_fit(frame, design, n_cpus=n).weights for n in (1, 3)]
    assert weights[0].tobytes() == weights[1].tobytes()
    wanted = np.log2((many + 0.5) / (many.sum(axis=1) * factors + 1)[:, None] * 1e6)
    for n_cpus in (1, 3):
        levels, _ = linear.log_cpm(frame, factors, n_cpus=n_cpus)
        np.testing.assert_array_equal(levels, wanted)
    tall = np.tile(many + 1, (3, 2)) + rng.poisson(5, (6 * pairs, 2 * many.shape[1]))
    assert min(tall.shape) > PART
    found = [size_factors(tall, n_cpus=n)[0].tobytes() for n in (1, 3)]
    assert found[0] == found[1]


@given(st.integers(0, 2**32), st.integers(2, 400), st.integers(0, 3))
@settings(deadline=None)
def test_a_broken_line_is_read_off_as_numpy_does(seed: int, number: int, scale: int) -> None:
    rng = np.random.default_rng(seed)
    # knots close together and far apart
    knots = np.unique(rng.normal(size=number) * 10.0 ** rng.integers(-6, scale + 1, number))
    heights = rng.normal(size=len(knots))
    beside = np.nextafter(knots[None, :], [[-np.inf], [np.inf]])
    places = np.concatenate([rng.normal(size=(3, len(knots))) * 10.0**scale, [knots], beside])
    expected = [np.interp(row, knots, heights) for row in places]
    np.testing.assert_array_equal(line_at(places, knots, heights), expected)


@given(st.integers(0, 2**32), st.integers(1, 40), st.booleans())
def test_medians_and_quartiles_are_those_of_numpy(seed: int, number: int, whole: bool) -> None:
    rng = np.random.default_rng(seed)
    values = rng.poisson(3, (4, number)) * 1.0 if whole else rng.normal(size=(4, number))
    np.testing.assert_array_equal(row_medians(values), np.median(values, axis=1))
    expected = np.quantile(values, 0.75, axis=1)
    found = [_upper_quartile(row) for row in values]
    np.testing.assert_allclose(found, expected, rtol=0 if whole else 1e-14, atol=1e-15)


def test_a_line_has_no_height_at_nan() -> None:
    knots, heights = np.linspace(0, 1, 50), np.ones(50)
    assert np.isnan(line_at(np.full((3, 4000), np.nan), knots, heights)).all()
    tiny = np.array([0.0, 5e-324, 1e-323])
    assert np.isnan(line_at(np.array([[5e-324]]), tiny, np.ones(3))).all()


@pytest.mark.parametrize("factor", [np.nan, np.inf, 0.0, -1.0])
def test_factors_that_are_refused(counts: pd.DataFrame, design: Design, factor: float) -> None:
    factors = np.ones(len(counts))
    factors[2] = factor
    with pytest.raises(ValueError, match="factors must be finite and positive"):
        linear.voom_fit(counts, design, norm_factors=factors)
    with pytest.raises(ValueError, match="factors must be finite and positive"):
        linear.depth_matched(counts, design, factors)


def test_a_line_of_one_height_is_flat() -> None:
    knots, heights = np.array([1.0, 1.0]), np.array([3.0, 3.0])
    assert line_at(np.array([[0.0, 1.0, 2.0]]), knots, heights).tolist() == [[3.0, 3.0, 3.0]]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda d: d.assign(copy=d["after[AT]"]), "rank-deficient: copy"),
        (lambda d: d.assign(nothing=0.0), "rank-deficient: nothing"),
        (lambda d: d.assign(arm=d.index.str.startswith("A") * 1.0), "rank-deficient: arm"),
        (lambda d: d[[]], "nothing to estimate"),
        (lambda d: d.assign(age=np.nan), "not finite"),
        (lambda d: d.iloc[[0, 1, 9, 10]], r"rank-deficient: after\[RT\]"),
        (
            lambda d: d.iloc[[0, 9]][["after[AT]"]],
            "2 samples and 2 model coefficients leave no residual",
        ),
    ],
)
def test_designs_that_are_refused(design: Design, change, message: str) -> None:
    dense = change(design.dense)
    refused = Design(dense, design.blocks.loc[dense.index])
    with pytest.raises(ValueError, match=message):
        check_design(refused)
    values = pd.DataFrame(np.zeros((len(dense), 2)), dense.index)
    with pytest.raises(ValueError, match=message):
        linear.fit_weighted(values, refused)


def test_contrasts_that_are_refused(fit: linear.LinearFit) -> None:
    p = fit.design.n_columns
    with pytest.raises(ValueError, match="all zero"):
        linear.moderated_t(fit, np.zeros(p))
    with pytest.raises(ValueError, match="donors"):
        linear.moderated_t(fit, np.eye(p)[0])
    with pytest.raises(ValueError, match="columns"):
        linear.moderated_t(fit, np.ones(2))


def test_counts_that_are_refused(counts: pd.DataFrame, design: Design) -> None:
    with pytest.raises(ValueError, match="two genes"):
        linear.voom_fit(counts.iloc[:, :1], design)
    with pytest.raises(ValueError, match="not negative"):
        linear.voom_fit(counts - 5000, design)
    with pytest.raises(ValueError, match="all zero"):
        linear.voom_fit(counts * (np.arange(18) != 3)[:, None], design, norm_factors=np.ones(18))
    with pytest.raises(ValueError, match="same samples"):
        linear.voom_fit(counts.iloc[::-1], design)


def test_hostile_genes_give_finite_numbers(counts: pd.DataFrame, design: Design) -> None:
    hostile = counts.assign(zero=0, constant=7, one_sample=0, huge=10**9)
    hostile.loc[hostile.index[4], "one_sample"] = 500
    fit = linear.voom_fit(hostile, design, norm_factors=np.ones(len(hostile)))
    table = linear.moderated_t(fit, contrast_of(fit, "difference"))
    assert np.isfinite(table.to_numpy()).all()


@st.composite
def _weighted_models(draw: st.DrawFn) -> tuple[pd.DataFrame, Design, np.ndarray]:
    """Values, a design with blocks of any size or without blocks, and weights, in any order."""
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    sizes = [*draw(st.lists(st.integers(1, 4), max_size=6)), 6]
    columns = [f"x{j}" for j in range(draw(st.integers(1, 3)))]
    names = np.repeat([f"d{i}" for i in range(len(sizes))], sizes)
    blocks = pd.Series(rng.permutation(names), [f"s{i}" for i in range(len(names))])
    dense = pd.DataFrame(rng.normal(size=(len(names), len(columns))), blocks.index, columns)
    values = pd.DataFrame(rng.normal(size=(len(names), 5)), index=blocks.index)
    design = Design(dense, blocks if draw(st.booleans()) else None)
    return values, design, rng.uniform(0.2, 5, size=values.shape)


@given(_weighted_models())
@settings(max_examples=40)
def test_elimination_is_least_squares(model: tuple) -> None:
    values, design, weights = model
    fit = linear.fit_weighted(values, design, weights)
    contrast = design.contrast(np.linspace(1, 2, design.dense.shape[1]))
    effects = linear.genewise_effects(fit, contrast)
    for g in range(values.shape[1]):
        root = np.sqrt(weights[:, g])
        x, y = design.matrix.to_numpy() * root[:, None], values.to_numpy()[:, g] * root
        beta, *_ = np.linalg.lstsq(x, y, rcond=None)
        np.testing.assert_allclose(fit.coefficients[g], beta, rtol=1e-6, atol=1e-7)
        rss = float(np.sum((y - x @ beta) ** 2))
        assert fit.sigma[g] ** 2 * fit.df_residual == pytest.approx(rss, rel=1e-7)
        variance = contrast @ np.linalg.pinv(x.T @ x) @ contrast
        assert effects.contrast[g] == pytest.approx(contrast @ beta / np.sqrt(variance), rel=1e-5)
        assert float(np.sum(effects.residual[g] ** 2)) == pytest.approx(rss, rel=1e-7)


def test_samples_are_ordered_by_donor_then_time(design: Design) -> None:
    order = canonical_order(design)
    assert list(design.samples[order[:4]]) == ["A1_pre", "A1_post", "A2_pre", "A2_post"]


@pytest.mark.parametrize("bad", [np.nan, np.inf, 0.0, -1.0])
def test_unusable_weights_are_refused(bad: float):
    rng = np.random.default_rng(0)
    design = Design(pd.DataFrame({"after": [0, 1, 0, 1]}), pd.Series(list("AABB")))
    expression = pd.DataFrame(rng.normal(size=(4, 3)))
    weights = np.ones((4, 3))
    weights[2, 1] = bad
    with pytest.raises(ValueError, match="weights finite and positive"):
        linear.fit_weighted(expression, design, weights)
