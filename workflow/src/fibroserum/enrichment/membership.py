"""Which sets are tested, which of their genes, and which sets are near-duplicates."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy import sparse

from fibroserum.genes.gmt import GeneSet

# Shared genes over the union from which on two sets are one family: two of 20 that share 15.
FAMILY_JACCARD = 0.6
# How many numbers are computed at once: they stay in the processor's cache.
STACK = 2**18


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

    def joined(self, other: Membership) -> Membership:
        """Return these sets, then the others, of the same tested genes."""
        return Membership(
            pd.concat([self.table, other.table], ignore_index=True),
            sparse.vstack([self.members, other.members], format="csr"),
            pd.concat([self.left_out, other.left_out], ignore_index=True),
        )

    def first_largest(self, values: np.ndarray) -> np.ndarray:
        """Return where in `members.indices` the (first) largest value of each set is.

        values: of each member, in that order.
        """
        starts, sizes = self.members.indptr[:-1], np.diff(self.members.indptr)
        largest = np.repeat(np.maximum.reduceat(values, starts), sizes)
        where = np.flatnonzero(values == largest)
        return where[np.searchsorted(where, starts)]

    def stacks(self, width: int) -> Iterator[tuple[np.ndarray, np.ndarray]]:
        """Yield sets of one size together: their rows, and positions (sets, genes).

        width: how many numbers a gene has in what is computed; `STACK` are in one stack.
        """
        starts, sizes = self.members.indptr[:-1], np.diff(self.members.indptr)
        for size in np.unique(sizes):
            rows = np.flatnonzero(sizes == size)
            most = max(1, STACK // (int(size) * width))
            for first in range(0, len(rows), most):
                some = rows[first : first + most]
                yield some, self.members.indices[starts[some, None] + np.arange(size)]


def over_stacks(
    task: Callable[[np.ndarray, np.ndarray], None], sets: Membership, width: int, n_cpus: int
) -> None:
    """Run a task on every of `Membership.stacks`, on several threads."""
    with ThreadPoolExecutor(max(1, n_cpus)) as pool:
        list(pool.map(lambda stack: task(*stack), sets.stacks(width)))


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
    ordered = sorted(sets, key=lambda one: (one.collection, one.name))
    members = _members(ordered, tested)
    sizes, tested_sizes = _members(ordered, matrix_genes).getnnz(1), members.getnnz(1)
    kept: list[int] = []
    left_out: list[tuple[str, str, str, str]] = []
    seen: set[tuple[str, str]] = set()
    for row, (one, found) in enumerate(zip(ordered, tested_sizes.tolist(), strict=True)):
        key, reason = (one.collection, one.name), ""
        if key in seen:
            reason = "another set of this collection has the same name"
        elif found < min_size:
            genes_of = "gene" if found == 1 else "genes"
            reason = f"{found} tested {genes_of}, fewer than min_size ({min_size})"
        elif found > max_size:
            reason = f"{found} tested genes, more than max_size ({max_size})"
        seen.add(key)
        if reason:
            left_out.append((*key, "", reason))
        else:
            kept.append(row)
    members = members[kept]
    table = pd.DataFrame(
        {
            "collection": pd.Series([ordered[row].collection for row in kept], dtype=object),
            "gene_set": pd.Series([ordered[row].name for row in kept], dtype=object),
            "size": sizes[kept].astype(int),
            "tested": tested_sizes[kept].astype(int),
        }
    )
    table.insert(2, "family", families(table, members))
    columns = ["collection", "gene_set", "gene", "reason"]
    return Membership(table, members, pd.DataFrame(left_out, columns=columns, dtype=object))


def _members(sets: Sequence[GeneSet], genes: pd.Index) -> sparse.csr_matrix:
    """Return which genes are in which set (sets x genes), 0/1; other names are left out."""
    named = [gene for one in sets for gene in one.genes]
    columns = genes.get_indexer(pd.Index(named, dtype=object))
    rows = np.repeat(np.arange(len(sets)), [len(one.genes) for one in sets])
    known = columns >= 0
    ones = np.ones(int(known.sum()))
    found = sparse.csr_matrix((ones, (rows[known], columns[known])), (len(sets), len(genes)))
    found.data[:] = 1  # a gene that a set has twice
    return found


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
        shared = sparse.coo_matrix(block @ block.T)
        sizes = np.diff(block.indptr)
        union = sizes[shared.row] + sizes[shared.col] - shared.data
        near = (shared.col < shared.row) & (shared.data / union >= FAMILY_JACCARD)
        representative = np.arange(len(order))
        pairs = sorted(zip(shared.row[near].tolist(), shared.col[near].tolist(), strict=True))
        for one, other in pairs:
            if representative[one] == one and representative[other] == other:
                representative[one] = other
        family[order] = table["gene_set"].to_numpy()[order[representative]]
    return family
