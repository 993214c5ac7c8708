"""How many donors rise: k of n, where that says something of the contrast."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

import pandas as pd

from fibroserum.cohort.contrasts import Contrast


@dataclass(frozen=True)
class Rising:
    """How many donors' own change is positive, of how many; or both groups' in a sentence."""

    up: int | None = None
    donors: int | None = None
    sentence: str = ""


def donors_up(
    changes: pd.DataFrame,
    members: Mapping[str, pd.DataFrame],
    contrasts: Sequence[Contrast],
    pooled: Collection[str],
) -> dict[tuple[str, str], Rising]:
    """Return by (gene, contrast) how many donors rise.

    changes: each pair's own, (donor, group) × genes, log2; members: by contrast, its pairs; pooled:
    contrasts with a pool of sera, of whose persons nothing can be said. A baseline contrast has no
    own changes. In a crossover a donor's own value is its mean change over groups, and its
    difference of changes in a difference contrast. Between groups of different donors no donor has
    a difference: a sentence counts both groups.
    """
    found: dict[tuple[str, str], Rising] = {}
    for contrast in contrasts:
        pairs = members[contrast.name].index
        count = pairs.get_level_values("donor").nunique()
        values = changes.loc[changes.index.intersection(pairs)]
        if contrast.kind == "baseline" or contrast.name in pooled:
            own = {gene: Rising(None, count) for gene in changes.columns}
        elif contrast.kind == "difference" and 2 * count > len(pairs):
            own = _by_group(values, contrast, count)
        else:
            if contrast.kind == "difference":
                values = values.copy()
                values[values.index.get_level_values("group") == contrast.reference] *= -1.0
            rising = (values.groupby(level="donor").mean() > 0).sum()
            own = {gene: Rising(int(rising[gene]), count) for gene in changes.columns}
        found |= {(str(gene), contrast.name): value for gene, value in own.items()}
    return found


def _by_group(values: pd.DataFrame, contrast: Contrast, count: int) -> dict[str, Rising]:
    """Return the donors that rise in each of a difference's two groups, in words."""
    groups = values.index.get_level_values("group")
    sides = {name: values[groups == name] > 0 for name in (contrast.group, contrast.reference)}
    told = {
        gene: ", ".join(f"{int(s[gene].sum())} of {len(s)} in {name}" for name, s in sides.items())
        for gene in values.columns
    }
    return {gene: Rising(None, count, f" Donors that rise: {text}.") for gene, text in told.items()}
