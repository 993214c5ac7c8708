"""How many donors rise: k of n, where that says something of the contrast."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field

import pandas as pd

from fibroserum.cohort.contrasts import Contrast


@dataclass(frozen=True)
class DonorsUp:
    """How many donors' own change is positive, of how many.

    by_group: the same by group, where donors of different groups are compared; `up` is then None.
    """

    up: int | None = None
    donors: int | None = None
    by_group: Mapping[str, tuple[int, int]] = field(default_factory=dict)


def donors_up(
    changes: pd.DataFrame,
    members: Mapping[str, pd.DataFrame],
    contrasts: Sequence[Contrast],
    pooled: Collection[str],
) -> dict[tuple[str, str], DonorsUp]:
    """Return by (gene, contrast) how many donors rise.

    changes: each pair's own, (donor, group) × genes, log2; members: by contrast, its pairs; pooled:
    contrasts with a pool of sera, of whose persons nothing is known. A baseline contrast has no
    own changes. In a crossover a donor's own value is its mean change over groups, and its
    difference of changes in a difference contrast. Between groups of different donors no donor has
    a difference: both groups are counted.
    """
    found: dict[tuple[str, str], DonorsUp] = {}
    for contrast in contrasts:
        pairs = members[contrast.name].index
        count = pairs.get_level_values("donor").nunique()
        values = changes.loc[changes.index.intersection(pairs)]
        if contrast.kind == "baseline" or contrast.name in pooled:
            own = {gene: DonorsUp(None, count) for gene in changes.columns}
        elif contrast.kind == "difference" and 2 * count > len(pairs):
            own = _by_group(values, contrast, count)
        else:
            if contrast.kind == "difference":
                values = values.copy()
                values[values.index.get_level_values("group") == contrast.reference] *= -1.0
            rising = (values.groupby(level="donor").mean() > 0).sum()
            own = {gene: DonorsUp(int(rising[gene]), count) for gene in changes.columns}
        found |= {(str(gene), contrast.name): value for gene, value in own.items()}
    return found


def _by_group(values: pd.DataFrame, contrast: Contrast, count: int) -> dict[str, DonorsUp]:
    """Return the donors that rise in each of a difference's two groups."""
    groups = values.index.get_level_values("group")
    sides = {
        name: values[groups == name] > 0 for name in (str(contrast.group), str(contrast.reference))
    }
    return {
        gene: DonorsUp(
            None, count, {name: (int(up[gene].sum()), len(up)) for name, up in sides.items()}
        )
        for gene in values.columns
    }
