"""The genome-wide call on a target, in words, where it differs from the verdict."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from fibroserum.targets.sentences import fdr
from fibroserum.targets.verdict import CALLED, Verdict


def genome_wide_sentence(
    verdict: Verdict, gene: Mapping[str, Any] | None, genes: int, panel: int, alpha: float
) -> str:
    """Return the genome-wide call and why the verdict differs from it; empty where they agree.

    gene: the target's row in the contrast's table, None without one; genes, panel: how many genes,
    and how many targets, were tested; alpha: the limit of the call.
    """
    own = verdict.word if verdict.word in CALLED else "none"
    if gene is None or gene["call"] == own:
        return ""
    # what the call rests on: the larger of both models', and of one where one decides alone
    main, second = float(gene["weighted_padj"]), float(gene["second_weighted_padj"])
    if np.isnan(main):
        found = "its counts are too low for the genome-wide test"
    else:
        which = "adjusted p value" if np.isnan(second) else "larger adjusted p value of both models"
        padj = np.fmax(main, second)
        found = f"{which} {fdr(padj)} over {genes:,} genes"
        if gene["call"] == "none" and padj < alpha:
            # the verdict meets every other condition of a call
            found += ", but not with the size factors of the last step, which did not converge"
    return f"Genome-wide call: {gene['call']} ({found}); {_why(verdict, panel)}."


def _why(verdict: Verdict, panel: int) -> str:
    if verdict.driven_by_one_donor:
        return "the verdict is inconclusive, because it depends on a single donor"
    if verdict.ground == "few_blocks":
        return "the verdict needs more independent blocks of donors"
    targets = "the one target" if panel == 1 else f"the panel of {panel} targets"
    return f"the verdict uses {targets}, declared in advance"
