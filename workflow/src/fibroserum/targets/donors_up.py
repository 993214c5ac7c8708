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
    values: Mapping[str, pd.DataFrame],
    members: Mapping[str, pd.DataFrame],
    contrasts: Sequence[Contrast],
    pooled: Collection[str],
    genes: Sequence[str],
) -> dict[tuple[str, str], DonorsUp]:
    """Return by (gene, contrast) how many donors rise.

    values: by contrast of changes, the donors' own values, (donor, group) × genes, log2; members:
    by contrast, its donors; pooled: contrasts with a pool of sera, of whose persons nothing is
    known. Baseline contrasts and slopes have no own values. Where donors are in several groups a
    donor's own value is the contrast of its groups' values. Between groups of different donors no
    donor has a
    difference: each group is counted.
    """
    found: dict[tuple[str, str], DonorsUp] = {}
    for contrast in contrasts:
        pairs = members[contrast.name].index
        count = pairs.get_level_values("donor").nunique()
        scales = {group: contrast.scale(group) for group in contrast.groups}
        if contrast.model != "paired" or contrast.name in pooled:
            own = {gene: DonorsUp(None, count) for gene in genes}
        elif min(scales.values()) < 0 and 2 * count > len(pairs):
            own = _by_group(values[contrast.name], contrast, count)
        else:
            table = values[contrast.name]
            weight = table.index.get_level_values("group").map(scales).to_numpy(float)
            rising = (table.mul(weight, axis=0).groupby(level="donor").sum() > 0).sum()
            own = {gene: DonorsUp(int(rising[gene]), count) for gene in genes}
        found |= {(str(gene), contrast.name): value for gene, value in own.items()}
    return found


def _by_group(values: pd.DataFrame, contrast: Contrast, count: int) -> dict[str, DonorsUp]:
    """Return the donors that rise in each group of a contrast."""
    groups = values.index.get_level_values("group")
    sides = {name: values[groups == name] > 0 for name in contrast.groups}
    return {
        gene: DonorsUp(
            None, count, {name: (int(up[gene].sum()), len(up)) for name, up in sides.items()}
        )
        for gene in values.columns
    }
