"""Genes that change in two contrasts: from intersection-union p values, never from two lists.

Both of two null hypotheses are rejected where the larger p value is small (Berger 1982,
Technometrics 24:295). The genes that two lists share have no known false discovery rate, and a gene
that only one list holds may change as much in the other contrast (Gelman & Stern 2006, Am Stat
60:328): "shown in A, not shown in B" does not mean that it is specific to A.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd

from fibroserum.intervals import sign_of_interval
from fibroserum.multiple_testing import benjamini_hochberg

#: What two contrasts show of a gene. each: called in each of them, though not shown in both.
SHOWN = ("both", "opposite", "first", "second", "each", "neither")


def shown_in(
    first: pd.DataFrame, second: pd.DataFrame, alpha: float, *, alone: bool = False
) -> pd.DataFrame:
    """Return what two contrasts show of every gene that both have.

    Parameters
    ----------
    first, second
        Tables `de` of two contrasts.
    alpha
        False discovery rate.
    alone
        Whether the main model decides alone, without a second model.

    Returns
    -------
    pandas.DataFrame
        By `gene_id`: `pvalue`, the largest of both contrasts and models; `padj`, adjusted
        (Benjamini-Hochberg) over the genes that have one; `shown`, a word of `SHOWN`. In both, and
        in opposite directions: `padj` below alpha, each contrast's models agree in sign, and its
        interval excludes 0.
    """
    one, other = (frame.set_index("gene_id") for frame in (first, second))
    genes = one.index.intersection(other.index)
    one, other = one.loc[genes], other.loc[genes]
    models = ("",) if alone else ("", "second_")
    columns = [frame[f"{model}pvalue"] for frame in (one, other) for model in models]
    pvalue = np.max(np.column_stack([column.to_numpy(float) for column in columns]), axis=1)
    signs = [_sign(frame, models) for frame in (one, other)]
    padj = benjamini_hochberg(pvalue)
    shown = (padj < alpha) & (signs[0] != 0) & (signs[1] != 0)
    called = [frame["call"].isin(["up", "down"]).to_numpy() for frame in (one, other)]
    word = np.select(
        [
            shown & (signs[0] == signs[1]),
            shown,
            called[0] & called[1],
            called[0],
            called[1],
        ],
        ["both", "opposite", "each", "first", "second"],
        "neither",
    )
    return pd.DataFrame({"pvalue": pvalue, "padj": padj, "shown": word}, index=genes)


def _sign(frame: pd.DataFrame, models: Sequence[str]) -> np.ndarray:
    """Return the sign of each estimate; 0 where the models disagree or the interval holds 0."""
    signs = np.sign([frame[f"{model}log2FoldChange"].to_numpy(float) for model in models])
    outside = sign_of_interval(frame["ci_low"].to_numpy(float), frame["ci_high"].to_numpy(float))
    return np.where((signs == outside).all(axis=0), outside, 0)
