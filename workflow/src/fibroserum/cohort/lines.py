"""Cell lines: what groups share, and what summing a donor's lines does to a gene.

A donor's libraries of several lines are summed within donor and time. Where one line has a larger
share of the sum after than before, its genes seem to rise though nothing changes: by
log2(share after / share before) at most, for a gene that no other line expresses.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd

from fibroserum.cohort.contrasts import Contrast


@dataclass(frozen=True)
class LineShift:
    """The false change that unequal depths of lines make.

    worst: largest |log2(share after / share before)| of a line within one donor, who is `donor`;
    change: largest mean |log2 change| over a group's donors that the lines' own profiles foretell
    for any gene, which is `gene` in `group`; genes: how many exceed `NOTABLE` so.
    """

    worst: float
    donor: str
    change: float
    gene: str
    group: str
    genes: int


#: log2 change that is worth a warning: half of a small effect of serum.
NOTABLE = 0.05
#: Mean counts a library of genes that are looked at: with fewer a line's own level is not known.
FEWEST = 10


def unshared_lines(sheet: pd.DataFrame, contrasts: Iterable[Contrast]) -> dict[str, str]:
    """Return why contrasts between groups are confounded with their cell lines.

    sheet: `group` and `line` of each library behind the contrasts.
    """
    lines = {str(name): set(map(str, own)) for name, own in sheet.groupby("group")["line"]}
    found = {}
    for contrast in contrasts:
        scales = [contrast.scale(group) for group in contrast.groups]
        if min(scales) >= 0 or set.intersection(*(lines.get(g, set()) for g in contrast.groups)):
            continue
        said = "; ".join(f"{g}: {', '.join(sorted(lines.get(g, ())))}" for g in contrast.groups)
        found[contrast.name] = (
            f"the groups share no cell line ({said}), so a difference between the groups may be "
            "a difference between the cell lines. Test the sera of both groups on the same "
            "cell lines"
        )
    return found


def lines_per_donor(sheet: pd.DataFrame) -> str:
    """Return whether `all`, `some` or `none` of the donors were tested on several cell lines.

    `all`: each on every line. sheet: as `unshared_lines` takes it, with `donor`.
    """
    own = sheet.groupby(["donor", "group"])["line"].nunique()
    if (own == sheet["line"].nunique()).all():
        return "all"
    return "some" if (own > 1).any() else "none"


def line_shift(counts: pd.DataFrame, sheet: pd.DataFrame, before: str) -> LineShift | None:
    """Return what unequal depths of lines do, or None where no pair has several lines.

    counts: raw, libraries × genes, at least the sheet's libraries; sheet: donor, group, time and
    line of each library of a pair; before: the first level of time.
    """
    if sheet["line"].nunique() < 2:
        return None
    libraries = counts.loc[sheet.index]
    depth = libraries.sum(axis=1).astype(float)
    seen = libraries.loc[:, libraries.mean() >= FEWEST]
    if seen.empty:
        return None
    profiles = seen.groupby(sheet["line"]).sum().div(depth.groupby(sheet["line"]).sum(), axis=0)
    changes: dict[str, list[np.ndarray]] = {}
    shifts: dict[str, float] = {}
    for (donor, group), part in sheet.groupby(["donor", "group"], sort=True):
        shares = {
            is_before: own.groupby(part["line"]).sum() / own.sum()
            for is_before, own in depth[part.index].groupby(part["time"] == before)
        }
        changes.setdefault(str(group), []).append(_log2_ratio(shares, profiles))
        if part["line"].nunique() > 1:
            shifts[str(donor)] = float(np.log2(shares[False] / shares[True]).abs().max())
    if not shifts:
        return None
    means = pd.DataFrame({name: np.mean(rows, axis=0) for name, rows in changes.items()})
    means.index = profiles.columns
    sizes = means.abs()
    gene = sizes.max(axis=1).idxmax()
    group = sizes.loc[gene].idxmax()
    donor = max(shifts, key=lambda name: shifts[name])
    many = int((sizes.max(axis=1) > NOTABLE).sum())
    return LineShift(
        shifts[donor], donor, float(sizes.loc[gene, group]), str(gene), str(group), many
    )


def _log2_ratio(shares: Mapping[bool, pd.Series], profiles: pd.DataFrame) -> np.ndarray:
    """Return each gene's log2 ratio of the mixed profiles, after over before; 0 without counts.

    shares: of each line, by whether the time is before.
    """
    mixed = {
        is_before: own.to_numpy() @ profiles.loc[own.index].to_numpy()
        for is_before, own in shares.items()
    }
    seen = (mixed[True] > 0) & (mixed[False] > 0)
    ratio = np.ones(len(seen))
    np.divide(mixed[False], mixed[True], out=ratio, where=seen)
    return np.log2(ratio)
