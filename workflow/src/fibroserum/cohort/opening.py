"""Which contrasts a report opens with where a run has many; the others are folded away."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from fibroserum.cohort.contrasts import Contrast

#: Up to so many contrasts, a report and the end of a run show all at once.
MOST_CONTRASTS = 8


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
