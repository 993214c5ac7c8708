"""Do the responsive genes change in the direction predicted by the factor's measured change?

Gene by gene (`concordance`), and as a set with the genes' directions as signs (`signed_sets`).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
from scipy import sparse

from fibroserum.cohort.contrasts import Contrast
from fibroserum.enrichment.fry import fry, standardised
from fibroserum.enrichment.membership import Membership
from fibroserum.factors.calls import RESPONSIVE
from fibroserum.factors.levels import Change
from fibroserum.factors.sentences import (
    With,
    moves_of,
    no_set_sentence,
    places_of,
    set_sentence,
)
from fibroserum.intervals import sign_of_interval
from fibroserum.linear import ContrastFit, genewise_effects, variance_prior

SIGN = {"induced": 1, "suppressed": -1}


def responsive_genes(verdicts: pd.DataFrame) -> pd.DataFrame:
    """Return the rows of a factor's verdicts that were called and have a direction."""
    return verdicts[verdicts["call"].isin(RESPONSIVE) & verdicts["direction"].notna()]


def word_of(predicted: int, seen: int) -> str | None:
    """Return as_predicted or opposite for two signs, None where either is 0."""
    if predicted == 0 or seen == 0:
        return None
    return "as_predicted" if predicted == seen else "opposite"


def concordance(
    genes: pd.DataFrame, contrast: str, change: Change | None, de: pd.DataFrame
) -> pd.DataFrame:
    """Return one row a responsive gene: its change in a contrast, and whether that is as predicted.

    genes: `responsive_genes`; change: of the factor's level in this contrast, None where it was not
    measured; de: the contrast's result table. A sign counts where the 95 % interval excludes 0.
    A gene whose two kinds of evidence have opposite signs (it has a `reason`) predicts nothing.
    """
    own = de.set_index("gene_id").reindex(genes["gene_id"])
    factor = 0 if change is None else change.sign
    seen = sign_of_interval(own["ci_low"].to_numpy(float), own["ci_high"].to_numpy(float))
    opposed = genes["reason"].notna() if "reason" in genes else [False] * len(genes)
    predicted = [
        0 if torn else factor * SIGN[word]
        for word, torn in zip(genes["direction"], opposed, strict=True)
    ]
    return pd.DataFrame(
        {
            "gene_id": genes["gene_id"].to_numpy(),
            "symbol": genes["symbol"].to_numpy(),
            "contrast": contrast,
            "direction": genes["direction"].to_numpy(),
            "log2FoldChange": own["log2FoldChange"].to_numpy(float),
            "padj": own["padj"].to_numpy(float),
            "concordance": list(map(word_of, predicted, seen)),
        }
    ).astype({"concordance": object})


def signed_sets(
    factor: str,
    contrasts: Sequence[Contrast],
    fits: Mapping[str, ContrastFit],
    genes: pd.DataFrame,
    changes: Mapping[str, Change],
    de: Mapping[str, pd.DataFrame],
    alpha: float,
    *,
    n_cpus: int = 1,
) -> pd.DataFrame:
    """Return fry's test of the responsive genes in each contrast, their directions as signs.

    contrasts: the cohort's; fits: the linear model of those to test; genes: `responsive_genes`,
    without the targets; changes: of the factor's level, by contrast where it was measured; de: the
    result tables, whose estimates say how many genes rise and fall. `direction` is with_more where
    the genes move as more of the factor would move them. `concordance` has a value where the test
    is significant at `alpha` and the factor's interval excludes 0.
    """
    tested = next(iter(fits.values())).fit.genes if fits else pd.Index([])
    known = genes[genes["gene_id"].isin(tested)]
    if known.empty:
        nothing: dict[str, Any] = {"genes": 0, "fry_pvalue": np.nan, "direction": None}
        nothing |= {"rise": 0, "fall": 0, "concordance": None, "sentence": no_set_sentence(factor)}
        return pd.DataFrame([{"contrast": name} | nothing for name in fits])
    place = tested.get_indexer(known["gene_id"])
    sign = known["direction"].map(SIGN).to_numpy(float)
    one_set = Membership(
        pd.DataFrame({"tested": [len(known)]}),
        sparse.csr_matrix(np.ones((1, len(known)))),
        pd.DataFrame(),
    )
    places, by_name = places_of(contrasts), {one.name: one for one in contrasts}
    rows = []
    for name, own in fits.items():
        # all genes set the prior of the variance, the set's own signed rows make the test
        prior = variance_prior(own.fit.sigma**2, own.fit.df_residual)
        effects = genewise_effects(own.fit.of(place), own.vector, n_cpus=n_cpus)
        scaled = standardised(effects, prior) * sign[:, None]
        row = fry(scaled, one_set).iloc[0]
        pvalue, change = float(row["fry_pvalue"]), changes.get(name)
        direction: With = "with_more" if row["direction"] == "up" else "with_less"
        seen = (1 if direction == "with_more" else -1) if pvalue < alpha else 0
        estimate = de[name].set_index("gene_id")["log2FoldChange"].reindex(known["gene_id"])
        moves = moves_of(sign, estimate.to_numpy(float))
        rows.append(
            {
                "contrast": name,
                "genes": len(known),
                "fry_pvalue": pvalue,
                "direction": direction,
                "rise": moves.rise,
                "fall": moves.fall,
                "concordance": word_of(0 if change is None else change.sign, seen),
                "sentence": set_sentence(
                    factor, by_name[name], places[name], moves, direction, change, pvalue, alpha
                ),
            }
        )
    return pd.DataFrame(rows)
