"""Do the responsive genes change in the direction predicted by the factor's measured change?

Gene by gene (`concordance`), and as a set with the genes' directions as signs (`signed_sets`).
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pandas as pd
from scipy import sparse

from fibroserum.enrichment.fry import fry, standardised
from fibroserum.enrichment.membership import Membership
from fibroserum.factors.calls import RESPONSIVE
from fibroserum.factors.levels import Change
from fibroserum.intervals import sign_of_interval
from fibroserum.linear import ContrastFit, genewise_effects

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
    A gene whose lines point in two directions (it has a `reason`) predicts nothing.
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
    fits: Mapping[str, ContrastFit],
    genes: pd.DataFrame,
    changes: Mapping[str, Change],
    alpha: float,
    *,
    n_cpus: int = 1,
) -> pd.DataFrame:
    """Return fry's test of the responsive genes in each contrast, their directions as signs.

    fits: the linear model of each contrast; genes: `responsive_genes`, without the targets;
    changes: of the factor's level, by contrast where it was measured. `direction` is up where the
    genes move as more of the factor would move them. `concordance` is said where the test is
    significant at `alpha` and the factor's interval excludes 0.
    """
    tested = next(iter(fits.values())).fit.genes if fits else pd.Index([])
    known = genes[genes["gene_id"].isin(tested)]
    nothing = {"fry_pvalue": np.nan, "direction": None, "concordance": None}
    if known.empty:
        return pd.DataFrame([{"contrast": name, "genes": 0} | nothing for name in fits])
    place = tested.get_indexer(known["gene_id"])
    sign = known["direction"].map(SIGN).to_numpy(float)
    one_set = Membership(
        pd.DataFrame({"tested": [len(known)]}),
        sparse.csr_matrix(np.ones((1, len(known)))),
        pd.DataFrame(),
    )
    rows = []
    for name, own in fits.items():
        # all genes set the prior of the variance, the set's own signed rows make the test
        effects = genewise_effects(own.fit, own.vector, n_cpus=n_cpus)
        scaled = standardised(effects)[place] * sign[:, None]
        row = fry(scaled, one_set).iloc[0]
        pvalue, direction = float(row["fry_pvalue"]), str(row["direction"])
        seen = (1 if direction == "up" else -1) if pvalue < alpha else 0
        predicted = changes[name].sign if name in changes else 0
        rows.append(
            {
                "contrast": name,
                "genes": len(known),
                "fry_pvalue": pvalue,
                "direction": direction,
                "concordance": word_of(predicted, seen),
            }
        )
    return pd.DataFrame(rows)
