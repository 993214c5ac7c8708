"""The rows that the contrasts have of the genes of own lists. Lists have no part in any test."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import anndata as ad
import pandas as pd

from fibroserum import tables
from fibroserum.cohort.accessors import counts_of
from fibroserum.cohort.annotation import find_targets, unknown_in_lists
from fibroserum.errors import InputError

#: Columns of `de` that a list's table shows of each gene.
SHOWN = (
    *("baseMean", "log2FoldChange", "lfcSE", "ci_low", "ci_high", "pvalue", "padj"),
    *("log2FoldChange_shrunken", "second_pvalue", "second_padj", "weighted_padj", "status", "call"),
)
ABSENT = "not_in_matrix"


def gene_list_table(
    cohort: ad.AnnData, lists: Mapping[str, Sequence[str]], de: Mapping[str, pd.DataFrame]
) -> pd.DataFrame:
    """Return `flags/gene_lists.tsv`: a row for each list, gene and contrast.

    lists: as `input.gene_lists.read_gene_lists` returns them; de: by contrast, the result table. A
    gene that a list has under two names is in it once; of several rows of one gene the one with
    most counts is taken. Raises InputError for names that are no gene's.
    """
    if problems := unknown_in_lists(lists, cohort.var):
        raise InputError(problems)
    counts = counts_of(cohort)
    parts = []
    for name, genes in lists.items():
        rows, _ = find_targets(list(genes), cohort.var, counts)
        own = pd.DataFrame({"list": name, "gene": list(rows), "gene_id": list(rows.values())})
        parts.append(own[own["gene_id"].isna() | ~own["gene_id"].duplicated()])
    if not parts:
        return tables.empty("gene_lists")
    whole = pd.concat(parts, ignore_index=True)
    found = pd.concat(
        [
            whole.assign(contrast=contrast, order=whole.index).merge(
                table[["gene_id", "symbol", *SHOWN]], "left", "gene_id"
            )
            for contrast, table in de.items()
        ]
    ).sort_values("order", kind="stable", ignore_index=True)
    # the table of a contrast that is not estimable has no rows
    found["status"] = (
        found["status"].fillna("not_estimable").where(found["gene_id"].notna(), ABSENT)
    )
    found["call"] = found["call"].fillna("none")
    return found.drop(columns="order")[tables.schemas()["gene_lists"].names]
