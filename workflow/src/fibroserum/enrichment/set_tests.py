"""All set tests of all contrasts, from one linear fit."""

from __future__ import annotations

import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from threadpoolctl import threadpool_limits

from fibroserum.de.stage import unweighted_calls
from fibroserum.enrichment.camera import camera, normal_scores, set_against_rest
from fibroserum.enrichment.fry import fry, standardised
from fibroserum.enrichment.group_wise import own_fry
from fibroserum.enrichment.membership import Membership, restrict
from fibroserum.enrichment.overrepresentation import overrepresentation
from fibroserum.enrichment.prerank import prerank
from fibroserum.enrichment.rotation import mixed
from fibroserum.genes.gmt import GeneSet
from fibroserum.linear import ContrastFit, LinearFit, genewise_effects
from fibroserum.multiple_testing import adjust

COLUMNS = [
    "collection",
    "gene_set",
    "family",
    "size",
    "tested",
    "direction",
    "mean_log2FoldChange",
    "fry_pvalue",
    "fry_padj",
    "fry_mixed_pvalue",
    "fry_mixed_padj",
    "fry_pvalue_without_strongest",
    "camera_correlation",
    "camera_pvalue",
    "camera_padj",
    "ora_pvalue",
    "ora_padj",
    "NES",
    "prerank_pvalue",
    "prerank_padj",
    "leading_edge",
    "call",
    "enriched",
    "competitive_pvalue",
    "competitive_padj",
    "mixed_pvalue",
    "mixed_padj",
    "mixed_pvalue_without_strongest",
    "fry_own_pvalue",
    "carried_by",
]


@dataclass(frozen=True)
class SetSettings:
    """alpha, the sizes between which sets are tested, permutations of prerank, seed, threads."""

    alpha: float
    min_size: int
    max_size: int
    permutations: int
    seed: int
    n_cpus: int


@dataclass(frozen=True)
class SetTests:
    """Set tests of several contrasts.

    tables: by contrast, one row a tested set, sorted by collection and name. left_out: sets without
    a test: collection, gene_set, gene (empty), reason.
    """

    tables: dict[str, pd.DataFrame]
    left_out: pd.DataFrame


def test_sets(
    fits: Mapping[str, ContrastFit],
    genes: pd.Index,
    results: Mapping[str, pd.DataFrame],
    sets: Sequence[GeneSet],
    settings: SetSettings,
) -> SetTests:
    """Test every set in every contrast.

    fits: the linear model of each contrast that the donors allow; genes: that they test. results:
    by contrast, the main model's `de` table of all genes of the matrix, by gene id. sets: of matrix
    gene ids (`gmt.map_sets`). The answer does not depend on the number of cores.
    """
    matrix_genes = next(iter(results.values())).index
    sizes = {"min_size": settings.min_size, "max_size": settings.max_size}
    restricted = restrict(sets, genes, matrix_genes, **sizes)
    tables = {}
    for name in results:
        if restricted.table.empty or name not in fits:
            tables[name] = pd.DataFrame(columns=COLUMNS)
            continue
        own = fits[name]
        parts = [
            rotation_tests(own.fit, own.vector, restricted, settings.n_cpus),
            main_model_tests(restricted, genes, results[name], settings.alpha),
            prerank(
                results[name]["stat"].reindex(genes),
                restricted,
                permutations=settings.permutations,
                seed=purpose_seed(settings.seed, "prerank"),
            ),
        ]
        table = pd.concat([restricted.table, *parts], axis=1)
        tables[name] = decide(table, settings.alpha)
    return SetTests(tables, restricted.left_out)


test_sets.__test__ = False  # type: ignore[attr-defined]  # a function of ours, not of pytest


def purpose_seed(seed: int, purpose: str) -> int:
    """Return a seed for one purpose, for libraries that take an integer."""
    generator = np.random.default_rng([seed, zlib.crc32(purpose.encode())])
    return int(generator.integers(2**31))


def rotation_tests(
    fit: LinearFit, contrast: np.ndarray, sets: Membership, n_cpus: int
) -> pd.DataFrame:
    """fry, camera, and the tests that decide `mixed` and `enriched`, from a contrast's effects.

    fry_strongest, mixed_strongest: gene ids.
    """
    effects = genewise_effects(fit, contrast, n_cpus=n_cpus)
    # one thread in BLAS: sums that it splits between threads could differ in the last bit
    with threadpool_limits(limits=1, user_api="blas"):
        own = fry(standardised(effects), sets, n_cpus=n_cpus)
        any_way = mixed(effects, sets, n_cpus=n_cpus)
        alone = own_fry(fit, contrast, sets, n_cpus=n_cpus)
        scores = normal_scores(effects)
        del effects  # genes × donors, as the scores
        parts = [own, any_way, alone, camera(scores, sets), set_against_rest(scores, sets)]
    found = pd.concat(parts, axis=1)
    strongest = {name: fit.genes[found[name]] for name in ("fry_strongest", "mixed_strongest")}
    return found.assign(**strongest)


def main_model_tests(
    sets: Membership, genes: pd.Index, result: pd.DataFrame, alpha: float
) -> pd.DataFrame:
    """Over-representation of calls and mean fold changes, from the main model.

    result: its `de` table by gene id. The background of over-representation is the genes that could
    be called: those with an adjusted p value, which independent filtering or an outlying count may
    have taken from a gene. Calls are those without weights: what another group shows of a gene is
    no evidence on a set in this contrast.
    """
    testable = result["padj"].notna().reindex(genes, fill_value=False).to_numpy(dtype=bool)
    called = unweighted_calls(result, alpha).reindex(genes).isin(["up", "down"]).to_numpy()
    change = result["log2FoldChange"].reindex(genes).to_numpy(dtype=float)
    known = np.isfinite(change)
    total = np.asarray(sets.members @ np.where(known, change, 0.0))
    count = np.asarray(sets.members @ known.astype(float))
    mean = np.full(len(total), np.nan)
    np.divide(total, count, out=mean, where=count > 0)
    ora = overrepresentation(called, testable, sets)
    return pd.DataFrame({"mean_log2FoldChange": mean, "ora_pvalue": ora})


def decide(table: pd.DataFrame, alpha: float) -> pd.DataFrame:
    """Add adjusted p values, `call`, `carried_by` and `enriched`; columns in order.

    A test calls a set where its adjusted p value is below alpha, and its p value without the set's
    strongest gene too: one gene alone makes no call. carried_by: the gene (id) for want of which
    a test that found the set does not call it, the directional one first; None elsewhere.
    """
    result = table.copy()
    for test in ("fry", "fry_mixed", "mixed", "camera", "competitive", "ora", "prerank"):
        result[f"{test}_padj"] = adjust(result[f"{test}_pvalue"], result["collection"])
    found = {test: result[f"{test}_padj"] < alpha for test in ("fry", "mixed")}
    stands = {
        test: found[test] & (result[f"{test}_pvalue_without_strongest"] < alpha) for test in found
    }
    any_way = np.where(stands["mixed"], "mixed", "none")
    result["call"] = np.where(stands["fry"], result["direction"], any_way)
    result["carried_by"] = None
    for test in ("mixed", "fry"):
        alone = found[test] & ~stands[test] & ~stands["fry"]
        result.loc[alone, "carried_by"] = result.loc[alone, f"{test}_strongest"]
    sign = np.where(result["competitive_t"] < 0, "down", "up")
    result["enriched"] = np.where(result["competitive_padj"] < alpha, sign, "none")
    return result[COLUMNS]
