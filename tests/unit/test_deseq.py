"""The whole fit against R DESeq2's golden values, and what is built on it."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from scipy.optimize import minimize
from scipy.stats import false_discovery_control

from fibroserum.deseq import (
    NegativeBinomialFit,
    fit,
    independent_filtering,
    refit_genes,
    shrink,
    wald,
    with_coefficients,
)
from fibroserum.deseq.datasets import BlockedDeseqDataSet
from fibroserum.deseq.prior import match_histogram, smooth
from fibroserum.deseq.shrinking import prior_scale
from fibroserum.deseq.trend import fit_trend
from fibroserum.inference.structure import find_blocks, without_blocks

CONTRASTS = {
    "paired": {"at": [0] * 12 + [1, 0], "difference": [0] * 12 + [-1, 1]},
    "groups": {"baseline": [-1, 1]},
    "three_pairs": {"after": [0, 0, 0, 1]},
}
# sparse genes, on which least squares settle late or not at all
SPARSE = {
    "crossover": {"at": [0] * 6 + [1, 0], "difference": [0] * 6 + [-1, 1]},
    "covariate": {"at": [0] * 10 + [1, 0, 0], "difference": [0] * 10 + [-1, 1, 0]},
    "ages": {"baseline": [-1, 0, 1, 0, 0]},
}
LN2 = np.log(2)


@dataclasses.dataclass
class Golden:
    counts: pd.DataFrame
    design: pd.DataFrame
    genes: pd.DataFrame
    model: pd.Series


@pytest.fixture(scope="module")
def golden(repository: Path) -> dict[str, Golden]:
    def table(name: str, kind: str, **options) -> pd.DataFrame:
        return pd.read_csv(
            repository / "tests" / "golden" / "deseq2" / f"{name}.{kind}.tsv.gz",
            sep="\t",
            **options,
        )

    return {
        name: Golden(
            table(name, "counts", index_col=0).T,
            table(name, "design", index_col=0),
            table(name, "genes", index_col=0),
            table(name, "model").iloc[0],
        )
        for name in CONTRASTS | SPARSE
    }


@pytest.fixture(scope="module")
def without_d01(repository: Path) -> pd.DataFrame:
    return pd.read_csv(
        repository / "tests" / "golden" / "deseq2" / "paired.without_D01.tsv.gz", sep="\t"
    )


def fitted_by_class(
    counts: pd.DataFrame, design: pd.DataFrame, n_cpus: int = 1
) -> NegativeBinomialFit:
    metadata = pd.DataFrame(index=counts.index)
    dataset = BlockedDeseqDataSet(
        counts=counts, metadata=metadata, design=design, n_cpus=n_cpus, quiet=True
    )
    dataset.deseq2()
    return dataset.fitted


@pytest.fixture(scope="module")
def fits(golden):
    return {name: fitted_by_class(g.counts, g.design) for name, g in golden.items()}


def alike_p(ours, theirs) -> None:
    """Compare p values by their logarithms."""
    np.testing.assert_allclose(-np.log10(ours), -np.log10(theirs), rtol=1e-2, atol=1e-3)


@pytest.mark.parametrize("name", CONTRASTS)
def test_dispersions_match_r(golden, fits, name):
    r, ours = golden[name], fits[name]
    np.testing.assert_allclose(ours.size_factors, r.model.iloc[4:].astype(float), rtol=1e-10)
    np.testing.assert_allclose(ours.trend_coefficients, r.model[["a0", "a1"]], rtol=5e-3)
    np.testing.assert_allclose(ours.prior_variance, r.model["prior"], rtol=2e-3)
    np.testing.assert_allclose(ours.squared_logres, r.model["squared"], rtol=3e-3)
    # R's line search ends early on some genes, and 1e-8 stands for "no overdispersion seen"
    genewise = np.log(ours.genewise_dispersions / r.genes["dispGeneEst"])
    assert genewise.isna().sum() == r.genes["dispGeneEst"].isna().sum()
    assert (genewise.abs() > 0.01).mean() < 0.03
    for attribute, column in (("fitted_dispersions", "dispFit"), ("dispersions", "dispersion")):
        np.testing.assert_allclose(getattr(ours, attribute), r.genes[column], rtol=5e-3)
    assert ours.converged[np.isfinite(ours.dispersions)].all()


@pytest.mark.parametrize(("name", "contrast"), [(n, c) for n, cs in CONTRASTS.items() for c in cs])
def test_tests_match_r(golden, fits, name, contrast):
    r, vector = golden[name], np.array(CONTRASTS[name][contrast], dtype=float)
    table = wald(fits[name], r.counts, vector)
    columns = {"log2FoldChange": "lfc", "lfcSE": "se", "stat": "stat", "pvalue": "p"}
    for ours, theirs in columns.items():
        expected = r.genes[f"{contrast}.{theirs}"]
        if theirs == "p":
            alike_p(table[ours], expected)
        else:
            np.testing.assert_allclose(table[ours], expected, rtol=6e-3, atol=2e-3)
    padj = independent_filtering(table["pvalue"], fits[name].base_mean, 0.05)
    alike_p(padj, r.genes[f"{contrast}.padj"])
    calls = (padj < 0.05).sum()
    assert abs(calls - (r.genes[f"{contrast}.padj"] < 0.05).sum()) <= 0.005 * calls
    threshold = wald(fits[name], r.counts, vector, lfc_threshold=0.5)
    alike_p(threshold["pvalue"], r.genes[f"{contrast}.threshold_p"])


@pytest.mark.parametrize(("name", "contrast"), [(n, c) for n, cs in SPARSE.items() for c in cs])
def test_sparse_genes_match_r(golden, fits, name, contrast):
    r, ours = golden[name].genes, fits[name]
    table = wald(ours, golden[name].counts, np.array(SPARSE[name][contrast], dtype=float))
    padj = independent_filtering(table["pvalue"], ours.base_mean, 0.05)
    called, theirs = padj < 0.05, (r[f"{contrast}.padj"] < 0.05).to_numpy()
    assert theirs.sum() >= 10
    # two in a hundred, or the one gene that rounding puts on either side
    assert (called ^ theirs).sum() <= max(1, 0.02 * (called | theirs).sum())
    tested = (table["pvalue"].notna().to_numpy()) & r[f"{contrast}.p"].notna().to_numpy()
    assert tested.mean() > 0.9
    # where R's search within bounds had the last word, its end is not the maximum but rounding's
    settled = tested & (r["betaIter"] < 100).to_numpy()
    for genes, least in ((settled, 0.9999), (tested, 0.95)):
        pairs = (
            (table["log2FoldChange"], r[f"{contrast}.lfc"]),
            (-np.log10(table["pvalue"]), -np.log10(r[f"{contrast}.p"])),
        )
        for mine, yours in pairs:
            assert np.corrcoef(mine.to_numpy()[genes], yours.to_numpy()[genes])[0, 1] >= least


def test_outliers_are_replaced_or_withheld(golden, fits):
    ours = fits["groups"]
    assert ours.replaced[:10].sum() == 0
    assert 10 <= ours.replaced[10:30].sum() <= 20
    assert ours.count_outlier[10:30].sum() >= 5
    assert not fits["paired"].count_outlier.any()
    assert not fits["paired"].replaced.any()


def test_all_zero_genes_are_nan(golden, fits):
    ours = fits["paired"]
    assert np.isnan(ours.coefficients[0]).all()
    assert ours.base_mean[0] == 0
    assert not ours.converged[0]
    table = wald(ours, golden["paired"].counts, np.array(CONTRASTS["paired"]["at"], dtype=float))
    assert table.iloc[0].isna().all()
    assert table.iloc[1:].notna().all(axis=None)


def test_same_bits_for_any_threads_and_order(golden):
    data = golden["paired"]
    order = np.random.default_rng(0).permutation(data.counts.shape[1])
    reference = fitted_by_class(data.counts, data.design, n_cpus=1)
    threaded = fitted_by_class(data.counts, data.design, n_cpus=8)
    shuffled = fitted_by_class(data.counts.iloc[:, order], data.design, n_cpus=2)
    for name in ("genewise_dispersions", "dispersions", "coefficients"):
        expected = getattr(reference, name)
        np.testing.assert_array_equal(getattr(threaded, name), expected)
        np.testing.assert_array_equal(getattr(shuffled, name), expected[order])


def test_a_spike_in_one_gene_leaves_others_alone(golden, fits):
    data = golden["paired"]
    again = refit_genes(fits["paired"], data.counts.iloc[:, 5:25], data.design, {})
    np.testing.assert_array_equal(again.coefficients, fits["paired"].coefficients[5:25])
    np.testing.assert_array_equal(again.dispersions, fits["paired"].dispersions[5:25])
    assert again.tests == {}


def test_refit_without_a_donor(golden, fits, without_d01):
    data, whole = golden["paired"], fits["paired"]
    kept = data.design["donor[D01]"] == 0
    design = data.design.loc[kept].drop(columns="donor[D01]")
    vector = np.array(CONTRASTS["paired"]["difference"], dtype=float)[1:]
    again = refit_genes(whole, data.counts.loc[kept], design, {"difference": vector}, n_cpus=2)
    table = again.tests["difference"]
    assert table.index.equals(data.counts.columns)
    # R with the same size factors, trend and prior; see make.R for the command
    r = without_d01.set_index("gene").loc[table.index]
    known = r["lfc"].notna().to_numpy()
    assert known.sum() > 490
    np.testing.assert_array_equal(table["log2FoldChange"].notna(), known)
    changes, errors = table["log2FoldChange"], table["lfcSE"]
    np.testing.assert_allclose(changes, r["lfc"], rtol=6e-3, atol=0.02)
    np.testing.assert_allclose(errors[known], r["se"][known], rtol=0.05)
    np.testing.assert_allclose(again.dispersions[known], r["dispersion"][known], rtol=0.12)
    log_p = [np.log10(p[known]) for p in (table["pvalue"], r["p"])]
    assert np.corrcoef(*log_p)[0, 1] > 0.9999
    structure, rows = without_blocks(
        find_blocks(data.design.to_numpy(dtype=float)),
        np.array([data.design.columns.get_loc("donor[D01]")]),
    )
    np.testing.assert_array_equal(rows, kept)
    same = refit_genes(whole, data.counts.loc[kept], structure, {"difference": vector})
    pd.testing.assert_frame_equal(same.tests["difference"], table)
    np.testing.assert_array_equal(same.dispersions, again.dispersions)
    with pytest.raises(KeyError, match="that the fit does not have"):
        refit_genes(whole, data.counts.rename(columns={"g005": "other"}), data.design, {})


def test_refit_of_a_gene_without_counts_where_it_is_compared(golden, fits):
    """As R's `results()` of a numeric contrast: change 0, p 1; and as `wald` of the same fit."""
    data, whole = golden["paired"], fits["paired"]
    vector = np.array(CONTRASTS["paired"]["difference"], dtype=float)
    again = refit_genes(whole, data.counts, data.design, {"difference": vector})
    table = again.tests["difference"]
    assert (data.counts.loc[data.design["after[AT]"] == 1, "g003"] == 0).all()
    assert table.loc["g003", "log2FoldChange"] == 0
    assert table.loc["g003", "pvalue"] == 1
    pd.testing.assert_frame_equal(table, wald(whole, data.counts, vector))


def posterior(beta, y, design, alpha, offset, contrast, scale) -> float:
    eta = design @ beta + offset
    likelihood = (y * eta - (y + 1 / alpha) * np.logaddexp(0, eta + np.log(alpha))).sum()
    rest = beta.copy()
    rest[np.argmax(np.abs(contrast))] = 0
    return -likelihood + np.log1p((contrast @ beta / scale) ** 2) + (rest**2).sum() / (2 * 225)


@pytest.mark.parametrize("contrast", ["at", "difference"])
def test_shrunken_changes_are_posterior_modes_of_any_contrast(golden, fits, contrast):
    data, ours = golden["paired"], fits["paired"]
    vector = np.array(CONTRASTS["paired"][contrast], dtype=float)
    table = wald(ours, data.counts, vector)
    shrunk = shrink(ours, data.counts, vector, table)
    scale = prior_scale(table["log2FoldChange"] * LN2, table["lfcSE"] * LN2)
    design = data.design.to_numpy()
    for gene in (10, 11, 57, 300):
        found = minimize(
            posterior,
            ours.coefficients[gene],
            args=(
                data.counts.iloc[:, gene].to_numpy(), design, ours.dispersions[gene],
                np.log(ours.size_factors), vector, scale,
            ),
            method="BFGS",
        )  # fmt: skip
        assert abs(vector @ found.x / LN2 - shrunk[gene]) < 2e-3


@pytest.mark.parametrize(("sign", "contrast"), [(1, [-1, 1]), (-1, [1, -1])])
def test_shrinkage_keeps_signs(golden, fits, sign, contrast):
    data = golden["paired"]
    vector = np.array([0.0] * 12 + contrast)
    table = wald(fits["paired"], data.counts, vector)
    shrunk = shrink(fits["paired"], data.counts, vector, table)
    clear = (table["stat"].abs() > 2).to_numpy()
    assert (np.sign(shrunk[clear]) == np.sign(table["log2FoldChange"][clear])).all()
    assert (np.abs(shrunk[clear]) <= table["log2FoldChange"][clear].abs() * 1.02 + 1e-3).all()
    opposite = wald(fits["paired"], data.counts, -vector)
    mirrored = shrink(fits["paired"], data.counts, -vector, opposite)
    np.testing.assert_allclose(shrunk, -mirrored, atol=1e-4)
    known = pd.Series(shrunk, index=data.counts.columns)[table["stat"].idxmax()]
    assert known > 0


def test_a_gene_of_known_direction(golden):
    counts, design = golden["paired"].counts.copy(), golden["paired"].design
    after = design["after[RT]"].to_numpy() == 1
    sizes = fitted_by_class(counts, design).size_factors
    counts["up"] = np.round(np.where(after, 400, 100) * sizes).astype(int)
    fitted = fitted_by_class(counts, design)
    vector = np.array(CONTRASTS["paired"]["difference"], dtype=float)
    table = wald(fitted, counts, vector)
    assert abs(table.loc["up", "log2FoldChange"] - 2) < 0.5
    shrunken = shrink(fitted, counts, vector, table)[-1]
    assert 1 < shrunken < table.loc["up", "log2FoldChange"] + 0.01


def test_filtering_without_an_effect_of_expression():
    rng = np.random.default_rng(2)
    p, means = rng.random(400), np.exp(rng.normal(4, 1, 400))
    p[3] = np.nan
    padj = independent_filtering(p, means, 0.05)
    known = np.isfinite(p)
    np.testing.assert_allclose(padj[known], false_discovery_control(p[known]))
    assert np.isnan(padj[3])
    assert np.isnan(independent_filtering(np.full(4, np.nan), np.full(4, np.nan), 0.05)).all()


def test_trend_falls_back_to_a_mean():
    rng = np.random.default_rng(0)
    means = np.exp(rng.normal(4, 1, 300))
    trend = fit_trend(means, 1e-3 * means)
    assert trend.kind == "mean"
    assert trend.coefficients is None
    np.testing.assert_allclose(trend(means), trend.level)
    with pytest.raises(ValueError, match="floor"):
        fit_trend(means, np.full(300, 1e-8))


@pytest.mark.parametrize(("df", "variance"), [(1, 1.0), (2, 0.6), (3, 2.0)])
def test_prior_variance_is_recovered(df, variance):
    rng = np.random.default_rng(4)
    residuals = np.log(rng.chisquare(df, 20_000) / df) + rng.normal(0, np.sqrt(variance), 20_000)
    assert abs(match_histogram(residuals, df) - variance) < 0.2
    assert match_histogram(np.full(3, 30.0), df) == 0


def test_smoothing_keeps_parabolas():
    x = np.linspace(0, 8, 200)
    at = np.linspace(0, 8, 31)
    np.testing.assert_allclose(smooth(x, (x - 3) ** 2, at), (at - 3) ** 2, atol=1e-8)


def test_refusals(golden):
    data = golden["three_pairs"]
    counts, design = data.counts, data.design
    refused = [
        (counts + 0.5, design, "whole"),
        (-counts, design, "negative"),
        (counts * np.nan, design, "whole"),
        (counts.astype(str), design, "numbers"),
        (counts * 0, design, "Every count is zero"),
        (counts, design.iloc[1:], "5 rows for 6 samples"),
        (counts, design.iloc[::-1], "same order"),
        (counts, design.assign(other=1.0), "full rank"),
        (counts.iloc[:4], design.iloc[:4, [0, 1, 3]].assign(x=[1.0, 0, 0, 0]), "no replicates"),
    ]
    for matrix, model, message in refused:
        with pytest.raises(ValueError, match=message):
            fit(matrix, model, np.ones(len(matrix)))
    for size_factors in (np.zeros(6), np.ones(5), np.full(6, np.nan)):
        with pytest.raises(ValueError, match="Size factors"):
            fit(counts, design, size_factors)
    fitted = fit(counts, design, np.ones(6))
    with pytest.raises(ValueError, match="4 numbers"):
        wald(fitted, counts, np.zeros(4))
    with pytest.raises(ValueError, match="not those that were fitted"):
        wald(fitted, counts.iloc[:, 1:], np.eye(4)[3])


def spiked_groups() -> tuple[pd.DataFrame, pd.DataFrame]:
    """Return counts of two groups of ten, the first sixty genes with an outlier, and the design."""
    rng = np.random.default_rng(4)
    group = np.repeat([0.0, 1.0], 10)
    counts = rng.negative_binomial(10, 0.1, (20, 300))
    counts[rng.integers(0, 20, 60), np.arange(60)] = 60_000
    names = [f"s{i}" for i in range(20)]
    design = pd.DataFrame({"group[AT]": 1 - group, "group[RT]": group}, index=names)
    return pd.DataFrame(counts, index=names, columns=[f"g{i}" for i in range(300)]), design


def test_shrinkage_is_of_the_counts_that_were_fitted() -> None:
    """With seven replicates outlying counts are replaced; the shrunken estimate must know it."""
    counts, design = spiked_groups()
    fitted = fitted_by_class(counts, design)
    contrast = np.array([-1.0, 1.0])
    assert fitted.replaced[:60].sum() > 50
    table = wald(fitted, counts, contrast)
    estimate = table["log2FoldChange"].to_numpy()
    shrunken = shrink(fitted, counts, contrast, table)
    assert (np.abs(shrunken) <= np.abs(estimate) + 1e-3).all()
    assert (shrunken * estimate >= -1e-4).all()


@pytest.mark.parametrize("name", ["paired", "groups", "crossover", "covariate"])
def test_coefficients_come_back_from_dispersions(golden, fits, name):
    """A file holds the dispersions only: genes × donors would be most of it."""
    whole = fits[name]
    held = dataclasses.replace(whole, coefficients=np.full_like(whole.coefficients, np.nan))
    again = with_coefficients(held, golden[name].counts, n_cpus=2)
    np.testing.assert_array_equal(again.coefficients, whole.coefficients)


def test_coefficients_of_replaced_counts_come_back() -> None:
    counts, design = spiked_groups()
    whole = fitted_by_class(counts, design)
    assert whole.replaced.any()
    held = dataclasses.replace(whole, coefficients=np.full_like(whole.coefficients, np.nan))
    again = with_coefficients(held, counts)
    np.testing.assert_array_equal(again.coefficients, whole.coefficients)
