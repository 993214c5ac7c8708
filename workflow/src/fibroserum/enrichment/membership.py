"""Which sets are tested, which of their genes, and which sets are near-duplicates."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy import sparse

from fibroserum.genes.gmt import GeneSet

# Shared genes over the union from which on two sets are one family: two of 20 that share 15.
FAMILY_JACCARD = 0.6


@dataclass(frozen=True)
class Membership:
    """Sets restricted to the tested genes, sorted by collection and name.

    table: one row a set: collection, gene_set, family, size, tested. members: (sets x genes), 0/1,
    columns in the order of the tested genes. left_out: collection, gene_set, gene (empty), reason.
    """

    table: pd.DataFrame
    members: sparse.csr_matrix
    left_out: pd.DataFrame

    def positions(self, row: int) -> np.ndarray:
        """Return the positions of a set's genes among the tested genes."""
        return self.members.indices[self.members.indptr[row] : self.members.indptr[row + 1]]


def restrict(
    sets: Sequence[GeneSet],
    tested: pd.Index,
    matrix_genes: pd.Index,
    *,
    min_size: int,
    max_size: int,
) -> Membership:
    """Restrict sets (of matrix gene ids) to the tested genes and drop what cannot be tested.

    Sets with fewer than `min_size` or more than `max_size` tested genes, and a second set of the
    same collection and name, are listed in `left_out` with the reason.
    """
    kept: list[tuple[str, str, int, np.ndarray]] = []
    left_out: list[tuple[str, str, str, str]] = []
    seen: set[tuple[str, str]] = set()
    for gene_set in sorted(sets, key=lambda s: (s.collection, s.name)):
        key = (gene_set.collection, gene_set.name)
        genes = pd.Index(dict.fromkeys(gene_set.genes), dtype=object)
        where = tested.get_indexer(genes)
        found = np.sort(where[where >= 0])
        reason = ""
        if key in seen:
            reason = "another set of this collection has the same name"
        elif len(found) < min_size:
            genes_of = "gene" if len(found) == 1 else "genes"
            reason = f"{len(found)} tested {genes_of}, fewer than min_size ({min_size})"
        elif len(found) > max_size:
            reason = f"{len(found)} tested genes, more than max_size ({max_size})"
        seen.add(key)
        if reason:
            left_out.append((*key, "", reason))
        else:
            kept.append((*key, int((matrix_genes.get_indexer(genes) >= 0).sum()), found))
    lengths = [len(found) for *_, found in kept]
    columns = np.concatenate([np.empty(0, int), *(found for *_, found in kept)]).astype(np.int64)
    members = sparse.csr_matrix(
        (np.ones(len(columns)), columns, np.cumsum([0, *lengths])),
        shape=(len(kept), len(tested)),
    )
    table = pd.DataFrame(
        {
            "collection": pd.Series([row[0] for row in kept], dtype=object),
            "gene_set": pd.Series([row[1] for row in kept], dtype=object),
            "size": np.array([row[2] for row in kept], dtype=int),
            "tested": np.array(lengths, dtype=int),
        }
    )
    table.insert(2, "family", families(table, members))
    columns_out = ["collection", "gene_set", "gene", "reason"]
    return Membership(table, members, pd.DataFrame(left_out, columns=columns_out, dtype=object))


def families(table: pd.DataFrame, members: sparse.csr_matrix) -> pd.Series:
    """Return each set's family: the name of the near-duplicate that represents it.

    Within a collection, from the largest set to the smallest (ties by name), a set joins the first
    representative with which its Jaccard index is at least FAMILY_JACCARD, else it represents a
    family of its own. No chains: every member resembles its representative.
    """
    family = pd.Series("", index=table.index, dtype=object)
    for _, rows in table.groupby("collection", sort=True):
        order = rows.sort_values(["tested", "gene_set"], ascending=[False, True]).index.to_numpy()
        block = members[order]
        shared = sparse.csr_matrix(block @ block.T)
        sizes = np.diff(block.indptr)
        representative = np.full(len(order), -1)
        for i in range(len(order)):
            span = slice(shared.indptr[i], shared.indptr[i + 1])
            others, common = shared.indices[span], shared.data[span]
            jaccard = common / (sizes[i] + sizes[others] - common)
            near = others[
                (others < i) & (representative[others] == others) & (jaccard >= FAMILY_JACCARD)
            ]
            representative[i] = near.min() if len(near) else i
        family[order] = table["gene_set"].to_numpy()[order[representative]]
    return family
