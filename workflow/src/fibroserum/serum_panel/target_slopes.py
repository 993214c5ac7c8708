"""Is a target's expression associated with a molecule's level, among donors of one group?

The slope of the target's change of log2 expression on the molecule's change of log2 level, within
groups (`slopes.model`). The precision weights are computed once for all molecules, and each model
is fitted to the targets and to enough other genes to show how pairs vary. Each target has its own
variance, not one moderated across genes: a moderated test keeps its level on average over genes,
and here one target is tested against every molecule.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd

from fibroserum import linear
from fibroserum.cohort.accessors import at_time
from fibroserum.input.serum_panel import SerumPanel
from fibroserum.multiple_testing import benjamini_hochberg
from fibroserum.serum_panel.levels import pair_changes
from fibroserum.slopes.design import keys_of
from fibroserum.slopes.model import OWN_VARIANCE, slope_model
from fibroserum.slopes.shared import weighted_expression

#: Genes beside the targets that a molecule's model is fitted to.
OTHERS = 1000
COLUMNS = ["slope", "ci_low", "ci_high", "pvalue"]


def chosen_genes(expression: linear.Expression, targets: list[str], others: int) -> np.ndarray:
    """Return the places of the targets and of other genes, evenly spaced by mean expression."""
    order = np.argsort(expression.log2.mean(axis=0), kind="stable")
    rest = order[~expression.genes[order].isin(targets)]
    spaced = rest[np.unique(np.linspace(0, len(rest) - 1, min(others, len(rest))).astype(int))]
    own = np.flatnonzero(expression.genes.isin(targets))
    return np.sort(np.concatenate([own, spaced]))


def slopes_at(
    panel: SerumPanel,
    counts: pd.DataFrame,
    obs: pd.DataFrame,
    settings: Mapping[str, Any],
    time: str,
    force_kept: pd.Series,
    unusable: Mapping[str, str],
    *,
    n_cpus: int = 1,
) -> pd.DataFrame:
    """Return the slope of each target on each molecule at one time after the intervention.

    counts: samples × fitted genes, raw; obs: all samples of the cohort; settings: `settings_of` it;
    force_kept: by gene; unusable: molecules that are not tested, and why. Columns: molecule,
    target, gene_id, time, donors, slope, ci_low, ci_high, pvalue, padj (BH over molecules ×
    targets; a gene that two targets name is one test), reason.
    """
    pairs, own = at_time(obs, settings, time)
    own["groups"] = [g for g in own["groups"] if (pairs["group"].astype(str) == g).any()]
    genes = {target: gene for target, gene in settings["targets"].items() if gene}
    levels = pair_changes(panel, own, time)
    levels = levels[levels.index.isin(keys_of(pairs))]
    magnitude = np.maximum(1.0, np.abs(panel.log2).max().fillna(0.0))
    expression = None
    if len(pairs) and genes:
        whole = weighted_expression(counts.loc[pairs.index], pairs, own, force_kept)
        expression = whole.of(chosen_genes(whole, list(genes.values()), OTHERS))
    rows = []
    for molecule in levels:
        values = levels[molecule].dropna()
        why, table = unusable.get(molecule, ""), pd.DataFrame(columns=COLUMNS)
        if not why and expression is None:
            why = "there is no complete pair, or no target is in the count matrix"
        if not why:
            found = slope_model(
                counts,
                pairs,
                own,
                values,
                force_kept,
                name="the level",
                magnitude=float(magnitude[molecule]),
                expression=expression,
                n_cpus=n_cpus,
                steps=OWN_VARIANCE,
            )
            why, table = found.unavailable, found.table
        for target, gene in settings["targets"].items():
            known = gene in table.index
            reason = why or (
                None if known else "the target is not in the count matrix or has too few counts"
            )
            numbers = table.loc[gene, COLUMNS].to_dict() if known else {}
            rows.append(
                {
                    "molecule": molecule,
                    "target": target,
                    "gene_id": gene,
                    "time": time,
                    "donors": values.index.get_level_values(0).nunique(),
                    "reason": reason,
                    **numbers,
                }
            )
    table = pd.DataFrame(rows).reindex(
        columns=["molecule", "target", "gene_id", "time", "donors", *COLUMNS, "reason"]
    )
    first = table.dropna(subset=["pvalue"]).drop_duplicates(["molecule", "gene_id"])
    padj = pd.Series(
        benjamini_hochberg(first["pvalue"].to_numpy(float)),
        index=pd.MultiIndex.from_frame(first[["molecule", "gene_id"]]),
    )
    tested = pd.MultiIndex.from_frame(table[["molecule", "gene_id"]])
    return table.assign(padj=padj.reindex(tested).to_numpy())
