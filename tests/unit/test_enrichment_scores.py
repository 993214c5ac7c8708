"""Per-sample scores and their paired test."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from fibroserum.cohort.designs import Design
from fibroserum.enrichment.scores import SCORE_COLUMNS, TEST_COLUMNS, score_samples, test_scores
from fibroserum.genes.gmt import GeneSet
from helpers.pairs import model_of_pairs

LIMITS = {"min_size": 2, "max_size": 50}


@pytest.fixture(scope="module")
def expression() -> pd.DataFrame:
    rng = np.random.default_rng(3)
    values = rng.normal(5, 2, size=(12, 120))
    values[6:, :10] += 1.5
    samples = [f"D{i}_{t}" for t in ("pre", "post") for i in range(6)]
    return pd.DataFrame(values, index=samples, columns=[f"C{i}orf{i}" for i in range(120)])


@pytest.fixture(scope="module")
def design(expression: pd.DataFrame) -> Design:
    samples = expression.index
    after = pd.DataFrame({"after": samples.str.endswith("_post") * 1.0}, samples)
    return Design(after, pd.Series(samples.str.slice(0, 2), samples))


@pytest.fixture(scope="module")
def sets(expression: pd.DataFrame) -> list[GeneSet]:
    genes = tuple(expression.columns)
    return [
        GeneSet("b", "moved", "", genes[:10]),
        GeneSet("a", "still", "", genes[40:60]),
        GeneSet("a", "one gene", "", genes[:1]),
        GeneSet("a", "elsewhere", "", ("X", "Y", "Z")),
    ]


def test_scores_are_the_area_of_the_running_sum(
    expression: pd.DataFrame, sets: list[GeneSet]
) -> None:
    """Barbie et al. 2009: the sum over ranks of hits (weighted by rank^0.25) less misses."""
    scores = score_samples(expression, sets, **LIMITS)
    assert list(scores.columns) == SCORE_COLUMNS
    assert scores["gene_set"].unique().tolist() == ["still", "moved"]
    assert scores["sample"].tolist() == list(expression.index) * 2
    table = scores.pivot_table(index="sample", columns="gene_set", values="score")
    for sample in expression.index[[0, 7]]:
        ranks = expression.loc[sample].rank()
        order = ranks.sort_values(ascending=False)
        for gene_set in sets[:2]:
            hit = order.index.isin(gene_set.genes)
            weight = np.where(hit, (10000 * order / len(order)) ** 0.25, 0)
            area = np.cumsum(weight) / weight.sum() - np.cumsum(~hit) / (~hit).sum()
            assert table.loc[sample, gene_set.name] == pytest.approx(area.sum(), rel=1e-6)


def test_scores_are_those_of_gseapy(expression: pd.DataFrame, sets: list[GeneSet]) -> None:
    import gseapy

    upper = expression.rename(columns=str.upper)
    reference = gseapy.ssgsea(
        upper.T,
        {s.name: [gene.upper() for gene in s.genes] for s in sets[:2]},
        outdir=None,
        sample_norm_method="rank",
        min_size=2,
        max_size=50,
        permutation_num=0,
        no_plot=True,
        threads=1,
    ).res2d.set_index(["Term", "Name"])["ES"]
    ours = score_samples(expression, sets, **LIMITS).set_index(["gene_set", "sample"])["score"]
    assert len(ours) == len(reference) == 24
    np.testing.assert_allclose(ours, reference.loc[ours.index].astype(float), rtol=1e-9)


def test_tied_genes_have_no_order(expression: pd.DataFrame, sets: list[GeneSet]) -> None:
    tied = expression.round()
    turned = score_samples(tied.iloc[:, ::-1], sets, **LIMITS)
    np.testing.assert_allclose(score_samples(tied, sets, **LIMITS)["score"], turned["score"])


def test_a_set_of_all_genes_has_no_score(expression: pd.DataFrame) -> None:
    everything = [GeneSet("c", "all", "", tuple(expression.columns))]
    assert score_samples(expression, everything, min_size=1, max_size=500)["score"].isna().all()


def test_a_score_depends_on_its_own_sample_and_set_alone(
    expression: pd.DataFrame, sets: list[GeneSet]
) -> None:
    whole = score_samples(expression, sets, **LIMITS)
    part = score_samples(expression.iloc[3:5], sets[:1], **LIMITS)
    key = ["sample", "collection", "gene_set"]
    both = part.merge(whole, on=key, suffixes=("", "_whole"))
    assert len(both) == 2
    assert (both["score"] == both["score_whole"]).all()


def test_the_test_is_the_paired_t(
    expression: pd.DataFrame, design: Design, sets: list[GeneSet]
) -> None:
    scores = score_samples(expression, sets, **LIMITS)
    table = test_scores(scores, model_of_pairs(design, "after_vs_before"))
    assert list(table.columns) == TEST_COLUMNS
    for row in table.itertuples():
        values = scores[scores["gene_set"] == row.gene_set]["score"].to_numpy()
        expected = stats.ttest_rel(values[6:], values[:6])
        interval = expected.confidence_interval(0.95)
        assert row.estimate == pytest.approx(np.mean(values[6:] - values[:6]), rel=1e-9)
        assert row.pvalue == pytest.approx(expected.pvalue, rel=1e-8)
        assert (row.ci_low, row.ci_high) == pytest.approx(tuple(interval), rel=1e-8)
        assert row.padj == pytest.approx(row.pvalue)  # a collection of one set each
    moved = table.set_index("gene_set").loc["moved"]
    assert moved["pvalue"] < 0.01
    assert moved["estimate"] > 0


def test_nothing_to_score_gives_empty_tables(
    expression: pd.DataFrame, design: Design, sets: list[GeneSet]
) -> None:
    scores = score_samples(expression, sets[2:], **LIMITS)
    assert scores.empty
    assert list(scores.columns) == SCORE_COLUMNS
    assert list(test_scores(scores, model_of_pairs(design)).columns) == TEST_COLUMNS


def test_a_sample_without_scores_is_named(
    expression: pd.DataFrame, design: Design, sets: list[GeneSet]
) -> None:
    scores = score_samples(expression.iloc[1:], sets, **LIMITS)
    with pytest.raises(ValueError, match="D0_pre"):
        test_scores(scores, model_of_pairs(design, "x"))


def test_scores_without_variation_have_p_one(design: Design) -> None:
    flat = pd.DataFrame({"sample": design.samples, "collection": "c", "gene_set": "s"})
    flat["score"] = 3.0
    table = test_scores(flat, model_of_pairs(design, "x"))
    assert table["estimate"].abs().max() < 1e-12
    assert (table["pvalue"] > 0.99).all()
