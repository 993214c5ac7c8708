"""The test of a set against the rest keeps its level in noise."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from fibroserum import linear
from fibroserum.enrichment.camera import (
    normal_scores,
    set_against_rest,
)
from fibroserum.enrichment.membership import restrict
from fibroserum.genes.gmt import GeneSet
from fibroserum.multiple_testing import adjust
from helpers.limma_cohort import LIMITS


def test_rest_test_is_exact_for_rotations_of_pure_noise() -> None:
    """Noise of any correlation, nothing changes: p values are uniform."""
    rng = np.random.default_rng(5)
    genes, df, draws = 300, 7, 400
    index = pd.Index([f"g{i}" for i in range(genes)])
    own = restrict([GeneSet("c", "s", "", tuple(index[:30]))], index, index, **LIMITS)
    p = np.empty(draws)
    for i in range(draws):
        noise = rng.normal(size=(genes, df + 1))
        noise[:30] = np.sqrt(0.7) * noise[:30] + np.sqrt(0.3) * rng.normal(size=df + 1)
        effects = linear.Effects(noise[:, 0], noise[:, 1:])
        p[i] = set_against_rest(normal_scores(effects), own)["competitive_pvalue"][0]
    assert stats.kstest(p, "uniform").pvalue > 0.01
    assert 0.025 < np.mean(p < 0.05) < 0.08


@pytest.mark.parametrize("df", [2, 3])
def test_rest_test_keeps_its_tail_at_three_and_four_donors(df: int) -> None:
    """Pure noise, 20 sets: an FDR call in at most 5 % of cohorts, and p < 0.001 as rare as that."""
    rng = np.random.default_rng(21)
    genes, cohorts, number = 1000, 300, 20
    index = pd.Index([f"g{i}" for i in range(genes)])
    sets = [
        GeneSet("c", f"{i:02d}", "", tuple(members))
        for i, members in enumerate(np.split(index[: number * 20], number))
    ]
    own = restrict(sets, index, index, **LIMITS)
    called, p = 0, np.empty((cohorts, number))
    for i in range(cohorts):
        deviations = np.exp(rng.normal(0, 0.6, genes))[:, None]
        noise = deviations * rng.normal(size=(genes, df + 1))
        effects = linear.Effects(noise[:, 0], noise[:, 1:])
        table = set_against_rest(normal_scores(effects), own)
        p[i] = table["competitive_pvalue"]
        called += (adjust(table["competitive_pvalue"], own.table["collection"]) < 0.05).any()
    assert called <= 0.05 * cohorts
    assert np.mean(p < 0.001) < 0.002
    assert 0.02 < np.mean(p < 0.05) < 0.06


def test_a_set_that_responds_more_in_both_directions_is_not_enriched() -> None:
    rng = np.random.default_rng(8)
    genes, df = 800, 12
    index = pd.Index([f"g{i}" for i in range(genes)])
    own = restrict([GeneSet("c", "s", "", tuple(index[:40]))], index, index, **LIMITS)
    p = np.empty(120)
    for i in range(120):
        contrast = rng.normal(size=genes)
        contrast[:40] += rng.normal(0, 3, 40)
        effects = linear.Effects(contrast, rng.normal(size=(genes, df)))
        p[i] = set_against_rest(normal_scores(effects), own)["competitive_pvalue"][0]
    assert np.mean(p < 0.05) < 0.1
