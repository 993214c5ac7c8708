"""Which contrasts a report opens with where a run has many; the others are folded away."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from fibroserum.cohort.contrasts import Contrast

#: Up to so many contrasts, a report and the end of a run show all at once.
MOST_CONTRASTS = 8


def reading_order(
    contrasts: Sequence[Contrast], groups: Sequence[str], control: str | None
) -> list[str]:
    """Return the names of the contrasts in the order of a report.

    Changes in the groups with an intervention, differences between changes, the change in the
    control group, then all others. groups: the reference first, which counts as the control group
    where the config declares none.
    """
    last = control or groups[0]

    def rank(one: Contrast) -> int:
        if one.kind == "change":
            return 2 if one.group == last and len(groups) > 1 else 0
        return {"difference": 1, "own": 3, "dose": 3}.get(one.kind, 4)

    return [one.name for one in sorted(contrasts, key=rank)]


def opening(contrasts: Sequence[Contrast]) -> list[str]:
    """Return the names of the contrasts that a report opens with.

    Of many: the changes, their slopes on a dose, the differences of both to the reference, and the
    config's own contrasts.
    contrasts: all of a run. The reference is the first group with a change.
    """
    if len(contrasts) <= MOST_CONTRASTS:
        return [one.name for one in contrasts]
    first = next((one.group for one in contrasts if one.kind == "change"), None)
    return [
        one.name
        for one in contrasts
        if one.kind in ("change", "own", "dose")
        or (one.kind in ("difference", "dose_difference") and one.reference == first)
    ]
