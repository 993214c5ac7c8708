"""Groups of two or three pairs: outliers cannot be detected, so no single pair may be needed.

The outlier rule needs four pairs. Below that a verdict must hold without any one of them: each
refit keeps the sign and half the estimate. With two pairs that means changes of one sign, the
smaller at least a third of the larger.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pandas as pd

from fibroserum.cohort.contrasts import SINGLE_GROUP
from fibroserum.targets.leave_one_out import holds
from fibroserum.targets.outliers import MIN_DONORS
from fibroserum.targets.verdict import Needed


def needed_donors(
    loo: pd.DataFrame, members: Mapping[str, pd.DataFrame], own: Mapping[str, pd.DataFrame]
) -> dict[tuple[str, str], Needed]:
    """Return by (gene, contrast) the donor of a small group that the estimate needs.

    loo: the refits with `share_kept` and `sign_holds`; members: by contrast, its pairs (index donor
    and group); own: by contrast of changes, the donors' own values, (donor, group) × genes. Where
    the model cannot be refitted without a donor and only one group is concerned, the mean of the
    others' own values is compared with the mean of all.
    """
    found: dict[tuple[str, str], Needed] = {}
    for contrast, rows in loo.groupby("contrast", sort=False):
        table = members[str(contrast)]
        sizes = table.groupby(level="group").size()
        small = sizes[sizes < MIN_DONORS]
        concerned = table[table.index.get_level_values("group").isin(small.index)]
        if concerned.empty:
            continue
        groups = dict(zip(*map(concerned.index.get_level_values, ("donor", "group")), strict=True))
        lone = list(sizes.index) if len(sizes) == 1 else []
        watched = rows[rows["left_out"].isin(groups)]
        values = own.get(str(contrast))
        filled = watched if not lone or values is None else _filled(watched, values, lone[0])
        ranked = filled.assign(rank=filled["share_kept"].fillna(-np.inf).astype(float))
        ranked = ranked[~holds(filled)]
        for row in ranked.sort_values(["rank", "left_out"]).to_dict("records"):
            group = groups[row["left_out"]]
            name = None if group == SINGLE_GROUP else str(group)
            pairs, estimate = int(small[group]), float(row["log2FoldChange"])
            needed = Needed(row["left_out"], name, pairs, estimate)
            found.setdefault((row["gene_id"], str(contrast)), needed)
    return found


def _filled(rows: pd.DataFrame, own: pd.DataFrame, group: str) -> pd.DataFrame:
    """Return refits of one group, those that cannot be fitted from the donors' own values."""
    changes = own.xs(group, level="group")
    out = rows.copy()
    for place in rows.index[rows["log2FoldChange"].isna()]:
        gene, donor = rows.loc[place, ["gene_id", "left_out"]]
        rest, whole = changes[gene].drop(donor).mean(), changes[gene].mean()
        out.loc[place, "log2FoldChange"] = rest
        out.loc[place, "share_kept"] = rest / whole if whole else np.nan
        out.loc[place, "sign_holds"] = bool(np.sign(rest) == np.sign(whole))
    return out
