"""The exact rotation test that decides `mixed`: against beta tails, drawn rotations, and noise."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from fibroserum.enrichment.fry import fry, standardised
from fibroserum.enrichment.kernels import chance_of_larger
from fibroserum.enrichment.membership import Membership, restrict
from fibroserum.enrichment.rotation import mixed, standardised_alike
from fibroserum.enrichment.set_tests import COLUMNS, decide
from fibroserum.genes.gmt import GeneSet
from fibroserum.linear import Effects
from fibroserum.multiple_testing import adjust


def _sets(genes: int, sizes: list[int]) -> Membership:
    names = pd.Index([f"g{i:04d}" for i in range(genes)])
    members = np.split(names[: sum(sizes)], np.cumsum(sizes)[:-1])
    sets = [GeneSet("c", f"{i:02d}", "", tuple(own)) for i, own in enumerate(members)]
    return restrict(sets, names, names, min_size=1, max_size=genes)


def _noise(rng: np.random.Generator, genes: int, df: int) -> Effects:
    """Noise of genes whose standard deviations scatter by half of their size."""
    drawn = np.exp(rng.normal(0, 0.4, genes))[:, None] * rng.normal(size=(genes, df + 1))
    return Effects(drawn[:, 0], drawn[:, 1:])


@pytest.mark.parametrize("k", [2, 3, 7, 20, 60, 400])
def test_two_eigenvalues_give_beta_tails(k: int) -> None:
    """With j eigenvalues a and k - j of b the form is b + (a - b) beta(j/2, (k - j)/2)."""
    for j in {1, k // 2, k - 1}:
        for low in (0.0, 0.5):
            values = np.r_[np.full(j, 3.0), np.full(k - j, low)]
            for tail in (0.999, 0.5, 0.05, 1e-3, 1e-6):
                share = stats.beta.isf(tail, j / 2, (k - j) / 2)
                if 1 - share < 1e-6:
                    continue  # the observed form is then the largest eigenvalue but for rounding
                expected = stats.beta.sf(share, j / 2, (k - j) / 2)
                found = chance_of_larger(values, low + (3 - low) * share)
                assert found == pytest.approx(expected, rel=1e-7)


def test_ends_and_forms_that_do_not_vary() -> None:
    assert chance_of_larger(np.array([1.0, 2.0, 3.0]), 3.0) == 0
    assert chance_of_larger(np.array([1.0, 2.0, 3.0]), 1.0) == 1
    assert chance_of_larger(np.array([2.0, 2.0, 2.0]), 2.0) == 1
    assert chance_of_larger(np.zeros(3), 0.0) == 1


@pytest.mark.parametrize("size", [1, 4, 30])
def test_it_is_the_share_of_drawn_rotations(size: int) -> None:
    """Fewer genes than effects and more: the same rotation turns every gene of the set."""
    rng = np.random.default_rng(3)
    effects = _noise(rng, 300, 7)
    effects.contrast[:size] *= 1.5
    sets = _sets(300, [size])
    both = standardised_alike(effects)[:size]
    directions = rng.normal(size=(200_000, 8))
    directions /= np.linalg.norm(directions, axis=1, keepdims=True)
    drawn = ((both @ directions.T) ** 2).sum(axis=0)
    share = np.mean(drawn >= np.sum(both[:, 0] ** 2))
    error = np.sqrt(share * (1 - share) / len(drawn))
    assert mixed(effects, sets)["mixed_pvalue"][0] == pytest.approx(share, abs=5 * error)


def test_no_rotation_changes_the_standardised_lengths() -> None:
    rng = np.random.default_rng(4)
    effects = _noise(rng, 200, 5)
    basis = np.linalg.qr(rng.normal(size=(5, 5)))[0]
    turned = Effects(effects.contrast, effects.residual @ basis)
    sets = _sets(200, [20, 60])
    np.testing.assert_allclose(mixed(turned, sets), mixed(effects, sets), rtol=1e-9)


@pytest.mark.parametrize("df", [2, 5, 18])
def test_noise_is_called_as_rarely_as_asked_though_genes_differ_in_variance(df: int) -> None:
    """FDR calls in about 5 % of cohorts of noise, where limma's closed form has 16 to 50 %."""
    rng = np.random.default_rng(22)
    sets, cohorts = _sets(800, [20] * 20), 120
    p, closed = np.empty((cohorts, 20)), np.empty((cohorts, 20))
    for i in range(cohorts):
        effects = _noise(rng, 800, df)
        p[i] = mixed(effects, sets)["mixed_pvalue"]
        closed[i] = fry(standardised(effects), sets)["fry_mixed_pvalue"]

    def called(values: np.ndarray) -> float:
        family = sets.table["collection"]
        return float(np.mean([(adjust(pd.Series(row), family) < 0.05).any() for row in values]))

    assert called(p) < 0.05 + 3 * np.sqrt(0.05 * 0.95 / cohorts)
    assert called(p) < called(closed)
    assert 0.04 < np.mean(p < 0.05) < 0.06
    assert np.mean(p < 0.001) < 0.003


def test_one_gene_alone_carries_a_set_and_it_is_seen() -> None:
    rng = np.random.default_rng(24)
    effects = _noise(rng, 500, 8)
    effects.contrast[3] = 40 * np.sqrt(np.mean(effects.residual[3] ** 2))
    found = mixed(effects, _sets(500, [8, 1, 30]))
    less = mixed(effects, _sets(500, [3]))["mixed_pvalue"][0]
    assert found["mixed_pvalue"][0] < 0.05
    assert found["mixed_pvalue_without_strongest"][0] > 0.05
    assert np.isnan(found["mixed_pvalue_without_strongest"][1])
    rest = Effects(np.delete(effects.contrast, 3), np.delete(effects.residual, 3, axis=0))
    assert found["mixed_pvalue_without_strongest"][0] == pytest.approx(
        mixed(rest, _sets(499, [7]))["mixed_pvalue"][0], rel=0.05
    )
    assert less > 0.05


def test_small_sets_are_seen_with_many_donors() -> None:
    """Twelve genes, thirty residual degrees of freedom: the closed form could not see them."""
    rng = np.random.default_rng(23)
    sets, p, closed = _sets(500, [12]), np.empty(60), np.empty(60)
    for i in range(60):
        effects = _noise(rng, 500, 30)
        size = np.sqrt(np.mean(effects.residual[:12] ** 2, axis=1))
        effects.contrast[:12] += 1.5 * size * rng.choice([-1, 1], 12)
        p[i] = mixed(effects, sets)["mixed_pvalue"][0]
        closed[i] = fry(standardised(effects), sets)["fry_mixed_pvalue"][0]
    assert np.mean(p < 0.05) > 0.7
    assert np.mean(closed < 0.05) < 0.2


def _decided(**given: list[float]) -> pd.DataFrame:
    """Decide on sets of a collection each, whose p values are .5 where none is given."""
    count = len(next(iter(given.values())))
    tests = ["fry", "fry_mixed", "mixed", "camera", "competitive", "ora", "prerank"]
    table = pd.DataFrame({f"{test}_pvalue": [0.5] * count for test in tests})
    table["collection"] = [f"c{number}" for number in range(count)]
    table["direction"], table["competitive_t"] = "up", 1.0
    for test in ("fry", "mixed"):
        table[f"{test}_pvalue_without_strongest"] = 0.001
        table[f"{test}_strongest"] = f"{test}'s"
    table = table.assign(**given)
    decided = {"call", "carried_by", "enriched", *(f"{test}_padj" for test in tests)}
    table[sorted(set(COLUMNS) - set(table) - decided)] = 0
    return decide(table, 0.05)


def test_mixed_is_said_by_the_exact_test_alone_and_after_a_direction() -> None:
    table = _decided(
        fry_pvalue=[0.01, 0.5, 0.5, 0.5],
        mixed_pvalue=[0.01, 0.01, 0.5, 0.06],
        fry_mixed_pvalue=[0.5, 0.5, 0.001, 0.001],
    )
    assert list(table["call"]) == ["up", "mixed", "none", "none"]
    assert table["carried_by"].isna().all()


def test_one_gene_carries_no_call_and_is_named() -> None:
    table = _decided(
        fry_pvalue=[0.01, 0.01, 0.01, 0.5, 0.5, 0.01, 0.01],
        fry_pvalue_without_strongest=[0.06, 0.06, 0.06, 0.9, 0.9, np.nan, 0.01],
        mixed_pvalue=[0.5, 0.01, 0.01, 0.01, 0.5, 0.01, 0.01],
        mixed_pvalue_without_strongest=[0.9, 0.06, 0.01, 0.06, 0.9, np.nan, 0.06],
    )
    # the fifth was found by no test, the sixth is a single gene, the last needs no second test
    assert list(table["call"]) == ["none", "none", "mixed", "none", "none", "none", "up"]
    named = ["fry's", "fry's", "fry's", "mixed's", None, "fry's", None]
    assert [None if gene is None else str(gene) for gene in table["carried_by"]] == named


@pytest.mark.parametrize("weight", [1, -1])
def test_the_strongest_gene_is_the_one_named(weight: int) -> None:
    """A set of noise and one gene that moves far: each test names that gene."""
    rng = np.random.default_rng(25)
    effects = _noise(rng, 500, 8)
    effects.contrast[33] = weight * 40 * np.sqrt(np.mean(effects.residual[33] ** 2))
    sets = _sets(500, [8, 30, 1])
    found = fry(standardised(effects), sets)
    assert list(found["fry_strongest"][1:]) == [33, 38]
    assert list(mixed(effects, sets)["mixed_strongest"][1:]) == [33, 38]
    assert found["direction"][1] == ("up" if weight > 0 else "down")
