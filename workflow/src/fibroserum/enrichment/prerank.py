"""GSEApy's gene-permutation test of a ranked list: described, never called from.

Its p values are wrong where genes correlate (docs/calibration.md); the normalised score and the
leading edge are what readers know.
"""

from __future__ import annotations

import numpy as np
import pandas as pd

from fibroserum.enrichment.membership import Membership

# GSEApy returns the running sum of every set; in portions they stay out of memory's way. A set's
# null distribution does not depend on the sets beside it.
PORTION = 250


def prerank(
    statistic: pd.Series, sets: Membership, *, permutations: int, seed: int, n_cpus: int = 1
) -> pd.DataFrame:
    """Return NES, prerank_pvalue and leading_edge (gene ids, ';' between) of each set.

    statistic: signed, indexed by the tested genes in the order of the membership; genes without
    one (NaN) are not ranked. p = (b + 1) / (m + 1), with b the same-sign null scores at least as
    large, of m. NaN and an empty leading edge where no gene of the set, or every gene, is ranked.
    """
    from gseapy.gse import prerank_rs

    values, ranked = statistic.to_numpy(dtype=float), ranking(statistic)
    names = statistic.index.astype(str).to_numpy()
    labels = [str(i) for i in ranked]
    present = np.zeros(len(values), dtype=bool)
    present[ranked] = True
    result = pd.DataFrame(
        {"NES": np.nan, "prerank_pvalue": np.nan, "leading_edge": ""}, index=sets.table.index
    )
    members = {
        row: [str(i) for i in sets.positions(row) if present[i]] for row in range(len(sets.table))
    }
    usable = [row for row, genes in members.items() if 0 < len(genes) < len(ranked)]
    for start in range(0, len(usable), PORTION):
        portion = {str(row): members[row] for row in usable[start : start + PORTION]}
        answer = prerank_rs(
            labels,
            values[ranked].tolist(),
            portion,
            1.0,
            1,
            len(ranked),
            permutations,
            max(1, n_cpus),
            seed,
        )
        for summary in answer.summaries:
            row = int(summary.term)
            result.loc[row, "NES"] = summary.nes
            result.loc[row, "prerank_pvalue"] = _pvalue(summary.es, np.asarray(summary.esnull))
            edge = _leading_edge(summary.es, np.asarray(summary.run_es), summary.hits)
            result.loc[row, "leading_edge"] = ";".join(names[ranked[edge]])
    return result


def ranking(statistic: pd.Series) -> np.ndarray:
    """Return the positions of the genes that have a statistic, from most up to most down.

    Ties stand in the order of gene ids, so that the answer does not depend on that of the matrix.
    """
    values = statistic.to_numpy(dtype=float)
    ranked = np.flatnonzero(np.isfinite(values))
    names = statistic.index.astype(str).to_numpy()
    return ranked[np.lexsort((names[ranked], -values[ranked]))]


def _pvalue(score: float, null: np.ndarray) -> float:
    same = null[null >= 0] if score >= 0 else null[null < 0]
    return (int(np.sum(np.abs(same) >= abs(score))) + 1) / (len(same) + 1)


def _leading_edge(score: float, running: np.ndarray, hits: list[int]) -> list[int]:
    """Return ranks of the set's genes up to the peak of the running sum, strongest first."""
    if score >= 0:
        peak = int(running.argmax())
        return [hit for hit in hits if hit <= peak]
    peak = int(running.argmin())
    return [hit for hit in hits if hit >= peak][::-1]
