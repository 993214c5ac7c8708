"""Prerank against GSEApy and all sets of a few genes, overrepresentation, families of sets."""

from __future__ import annotations

import itertools

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from fibroserum.enrichment.membership import restrict
from fibroserum.enrichment.overrepresentation import overrepresentation
from fibroserum.enrichment.prerank import null_scores, peaks, prerank
from fibroserum.enrichment.set_tests import main_model_tests
from fibroserum.genes.gmt import GeneSet
from fibroserum.multiple_testing import adjust
from fibroserum.report.figures.edges import running_sum
from helpers.limma_cohort import LIMITS, golden, limma_sets


@pytest.fixture(scope="module")
def sets() -> list[GeneSet]:
    return limma_sets()


def test_overrepresentation_is_the_hypergeometric_tail() -> None:
    rng = np.random.default_rng(1)
    genes = pd.Index([f"g{i}" for i in range(100)])
    chosen = [tuple(rng.choice(genes, int(rng.integers(1, 50)), replace=False)) for _ in range(40)]
    own = restrict(
        [GeneSet("c", f"{i:02d}", "", members) for i, members in enumerate(chosen)],
        genes,
        genes,
        **LIMITS,
    )
    called, testable = rng.random(100) < 0.2, rng.random(100) < 0.9
    ours = overrepresentation(called, testable, own)
    for row in range(40):
        inside = np.isin(np.arange(100), own.positions(row)) & testable
        table = [
            [np.sum(inside & called), np.sum(inside & ~called)],
            [np.sum(~inside & called & testable), np.sum(~inside & ~called & testable)],
        ]
        expected = stats.fisher_exact(table, alternative="greater").pvalue
        assert ours[row] == pytest.approx(expected, rel=1e-9)


def test_prerank_is_gseapys_but_for_the_draws(sets: list[GeneSet]) -> None:
    import gseapy

    rng = np.random.default_rng(2)
    genes = pd.Index([f"G{i:03d}" for i in range(240)])
    statistic = pd.Series(rng.normal(size=240), index=genes)
    own = restrict(sets, genes, genes, **LIMITS)
    permutations = 20_000
    ours = prerank(statistic, own, permutations=permutations, seed=11)
    reference = gseapy.prerank(
        statistic.sort_values(ascending=False),
        {s.name: list(s.genes) for s in sets},
        outdir=None,
        no_plot=True,
        min_size=1,
        max_size=500,
        permutation_num=permutations,
        seed=11,
        threads=1,
    ).res2d.set_index("Term")
    reference = reference.loc[own.table["gene_set"]]
    assert list(ours["leading_edge"]) == list(reference["Lead_genes"])
    # a mean and a share of the draws of one sign, some half of them, in both: five standard errors
    np.testing.assert_allclose(ours["NES"], reference["NES"].astype(float), rtol=0.02)
    theirs = reference["NOM p-val"].astype(float).to_numpy()
    error = np.sqrt(2 * theirs * (1 - theirs) / (0.4 * permutations))
    assert (np.abs(ours["prerank_pvalue"] - theirs) <= 5 * error + 5 / permutations).all()
    assert (ours["prerank_pvalue"] > 0).all()


@given(
    statistic=st.lists(st.sampled_from([-3.0, -1.0, -0.1, 0.1, 0.5, 2.0]), min_size=3, max_size=30),
    data=st.data(),
)
def test_scores_of_drawn_sets_are_gseapys(statistic: list[float], data: st.DataObject) -> None:
    from gseapy.gse import prerank_rs

    values = sorted(statistic, reverse=True)
    genes = len(values)
    size = data.draw(st.integers(1, genes - 1))
    hits = sorted(data.draw(st.permutations(range(genes)))[:size])
    labels = [str(i) for i in range(genes)]
    reference = prerank_rs(labels, values, {"s": [labels[i] for i in hits]}, 1.0, 1, genes, 0, 1, 0)
    ours = peaks(np.abs(values), np.array([hits]))[0][0]
    # where the sum goes as far up as down either is the score
    assert abs(ours) == pytest.approx(abs(reference.summaries[0].es), abs=1e-12)
    running = np.asarray(reference.summaries[0].run_es)
    if abs(running.max() + running.min()) > 1e-9:
        assert ours == pytest.approx(reference.summaries[0].es, abs=1e-12)


def test_drawn_sets_have_the_distribution_of_all_sets() -> None:
    """All sets of 2 and of 3 of seven genes, against what is drawn."""
    weights = np.array([3.0, 2.0, 0.5, 0.2, 0.1, 1.5, 4.0])
    drawn = null_scores(weights, [2, 3], 40_000, seed=1)
    for size, scores in drawn.items():
        every = peaks(weights, np.array(list(itertools.combinations(range(7), size))))[0]
        values, counts = np.unique(np.round(every, 9), return_counts=True)
        seen = np.array([np.isclose(scores, value).mean() for value in values])
        assert seen.sum() == pytest.approx(1)
        np.testing.assert_allclose(seen, counts / counts.sum(), atol=0.01)
    assert null_scores(weights, [], 10, seed=1) == {}


def test_prerank_of_a_set_does_not_depend_on_the_others(sets: list[GeneSet]) -> None:
    rng = np.random.default_rng(5)
    genes = pd.Index([f"G{i:03d}" for i in range(240)])
    statistic = pd.Series(rng.normal(size=240), index=genes)
    whole = restrict(sets, genes, genes, **LIMITS)
    together = prerank(statistic, whole, permutations=100, seed=3)
    for row, name in enumerate(whole.table["gene_set"]):
        own = restrict([one for one in sets if one.name == name], genes, genes, **LIMITS)
        alone = prerank(statistic, own, permutations=100, seed=3)
        pd.testing.assert_series_equal(alone.iloc[0], together.iloc[row], check_names=False)


def test_the_picture_of_a_running_sum_has_the_tables_leading_edge(sets: list[GeneSet]) -> None:
    """With ties, genes that are not ranked, and genes of sets that were not tested."""
    rng = np.random.default_rng(6)
    genes = golden("counts.tsv").index
    stat = pd.Series(np.round(rng.normal(size=len(genes)), 1), index=genes)
    stat[rng.choice(genes, 20, replace=False)] = np.nan
    tested = genes[rng.random(len(genes)) < 0.8]
    own = restrict(sets, tested, genes, **LIMITS)
    table = prerank(stat.reindex(tested), own, permutations=10, seed=1)
    members = {one.name: set(one.genes) for one in sets}
    compared = []
    for name, edge in zip(own.table["gene_set"], table["leading_edge"], strict=True):
        curve = running_sum(stat.reindex(tested), members[name])
        compared.append(len(edge))
        assert set(curve.loc[curve["edge"] == 1, "gene"]) == set(filter(None, edge.split(";")))
    assert sum(size > 0 for size in compared) > 5


def test_prerank_leaves_genes_without_a_statistic_out(sets: list[GeneSet]) -> None:
    genes = pd.Index([f"G{i:03d}" for i in range(240)])
    statistic = pd.Series(np.linspace(3, -3, 240), index=genes)
    statistic.iloc[7] = np.nan  # the only gene of the set `single`
    own = restrict(sets, genes, genes, **LIMITS)
    ours = prerank(statistic, own, permutations=50, seed=1)
    empty = own.table["gene_set"] == "single"
    assert ours.loc[empty, ["NES", "prerank_pvalue"]].isna().all(axis=None)
    assert ours.loc[~empty, ["NES", "prerank_pvalue"]].notna().all(axis=None)


def test_adjustment_is_within_collections() -> None:
    p = pd.Series([0.01, 0.02, 0.04, np.nan, 0.03])
    collection = pd.Series(["a", "a", "b", "b", "a"])
    np.testing.assert_allclose(adjust(p, collection), [0.03, 0.03, 0.04, np.nan, 0.03])


def test_the_background_of_overrepresentation_is_the_genes_that_could_be_called() -> None:
    rng = np.random.default_rng(6)
    genes = pd.Index([f"g{i}" for i in range(200)])
    own = restrict([GeneSet("c", "s", "", tuple(genes[:30]))], genes, genes, **LIMITS)
    tested = pd.Series(rng.random(200) < 0.6, index=genes)
    called = tested & (rng.random(200) < 0.2)
    calls = called.map({True: "up", False: "none"})
    # genes filtered or withheld have a fold change (and a statistic), but cannot be called
    change = pd.Series(1.0, index=genes)
    # the matrix has genes in another order, and one that the fit has not
    order = [*genes[::-1], "elsewhere"]
    result = pd.DataFrame(
        {
            "log2FoldChange": change.reindex(order),
            "call": calls.reindex(order, fill_value="none"),
            "weight": 1.0,
            "padj": tested.map({True: 1.0, False: np.nan}).reindex(order, fill_value=1.0),
        }
    )
    ours = main_model_tests(own, genes, result, 0.05)
    members = tested & genes.isin(genes[:30])
    overlap = int((members & called).sum())
    expected = stats.hypergeom(int(tested.sum()), int(called.sum()), int(members.sum()))
    assert 0 < overlap < called.sum()
    assert ours["ora_pvalue"][0] == pytest.approx(expected.pmf(range(overlap, 31)).sum(), rel=1e-9)


@given(st.lists(st.sets(st.integers(0, 30), min_size=1, max_size=20), min_size=1, max_size=12))
@settings(max_examples=60)
def test_families_have_one_representative_that_all_resemble(drawn: list[set[int]]) -> None:
    genes = pd.Index([f"g{i}" for i in range(31)])
    sets = [
        GeneSet("c", f"s{i:02d}", "", tuple(f"g{j}" for j in members))
        for i, members in enumerate(drawn)
    ]
    own = restrict(sets, genes, genes, **LIMITS)
    contents = {s.name: set(s.genes) for s in sets}
    family = own.table.set_index("gene_set")["family"]
    representatives = set(family)
    for name, head in family.items():
        assert family[head] == head
        shared, union = contents[name] & contents[head], contents[name] | contents[head]
        assert len(shared) / len(union) >= 0.6
        assert len(contents[head]) >= len(contents[name])
    for one in representatives:
        for other in representatives - {one}:
            assert len(contents[one] & contents[other]) / len(contents[one] | contents[other]) < 0.6


def test_families_stay_within_a_collection() -> None:
    genes = pd.Index([f"g{i}" for i in range(10)])
    members = tuple(genes[:6])
    sets = [GeneSet("a", "x", "", members), GeneSet("b", "y", "", members)]
    own = restrict(sets, genes, genes, **LIMITS)
    assert list(own.table["family"]) == ["x", "y"]
