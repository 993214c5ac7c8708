"""What the responsive genes of a factor did in a contrast, and why none can be confirmed: words."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from fibroserum.cohort.contrasts import Contrast
from fibroserum.factors.levels import Change

With = Literal["with_more", "with_less"]


@dataclass(frozen=True)
class Moves:
    """How many responsive genes rise and fall in a contrast, by what more of the factor does."""

    induced_rise: int = 0
    induced_fall: int = 0
    suppressed_rise: int = 0
    suppressed_fall: int = 0

    @property
    def rise(self) -> int:
        """The genes that rise."""
        return self.induced_rise + self.suppressed_rise

    @property
    def fall(self) -> int:
        """The genes that fall."""
        return self.induced_fall + self.suppressed_fall

    @property
    def induced(self) -> int:
        """The genes that more of the factor induces."""
        return self.induced_rise + self.induced_fall

    @property
    def suppressed(self) -> int:
        """The genes that more of the factor suppresses."""
        return self.suppressed_rise + self.suppressed_fall


def moves_of(sign: np.ndarray, estimate: np.ndarray) -> Moves:
    """Return how many genes move which way.

    sign: 1 where more of the factor induces the gene, -1 where it suppresses it. estimate: the
    gene's log2 fold change in a contrast; NaN is not counted.
    """

    def count(kind: int, way: int) -> int:
        return int(((sign == kind) & (np.sign(estimate) == way)).sum())

    return Moves(count(1, 1), count(1, -1), count(-1, 1), count(-1, -1))


def places_of(contrasts: Sequence[Contrast]) -> dict[str, str]:
    """Return where a change is seen, for a sentence, by contrast: `in RT`."""
    changes = [one for one in contrasts if one.kind == "change"]
    one_group = len({one.group for one in changes}) < 2
    several = len({one.time for one in changes}) > 1
    found = {}
    for one in contrasts:
        at = f" at {one.time}" if several and one.time else ""
        found[one.name] = {
            "change": f"from {one.before} to {one.time}" if one_group else f"in {one.group}{at}",
            "difference": f"in {one.group} relative to {one.reference}{at}",
            "average": f"on average over the groups{at}",
        }.get(one.kind, f"in {one.name}")
    return found


def _verb(word: Literal["rise", "fall", "change"], count: int) -> str:
    return f"{word}s" if count == 1 else word


def _genes(count: int, kind: str) -> str:
    return f"{kind} gene" if count == 1 else f"{kind} genes"


def _aligned(moves: Moves, direction: With) -> tuple[int, str]:
    """Return how many genes move as with more or less of the factor, and how each kind does."""
    less = direction == "with_less"
    induced = moves.induced_fall if less else moves.induced_rise
    suppressed = moves.suppressed_rise if less else moves.suppressed_fall
    ways: tuple[Literal["rise", "fall"], ...] = ("rise", "fall") if less else ("fall", "rise")
    words = (
        f"{suppressed} of {moves.suppressed} {_genes(moves.suppressed, 'suppressed')} "
        f"{_verb(ways[0], moves.suppressed)}, and {induced} of {moves.induced} "
        f"{_genes(moves.induced, 'induced')} {_verb(ways[1], moves.induced)}"
    )
    return induced + suppressed, words


def _event(change: Change, factor: str, contrast: Contrast) -> str:
    """Return the factor's measured change as a noun."""
    what = f"a {'fall' if change.sign < 0 else 'rise'} of {factor}"
    return f"{what} relative to {contrast.reference}" if contrast.kind == "difference" else what


def _no_prediction(change: Change | None, factor: str) -> str:
    """Return why the factor's change predicts no direction."""
    if change is None:
        return f"The change of {factor} is not estimated in this contrast."
    if not change.donors:
        return f"The level of {factor} was not measured, so no direction is predicted."
    if np.isnan(change.ci_low):
        return f"The change of {factor} has no interval, so no direction is predicted."
    return (
        f"A change of {factor} itself is not shown ({change.estimate:.2f} log2, 95 % interval "
        f"{change.ci_low:.2f} to {change.ci_high:.2f}), so no direction is predicted."
    )


def set_sentence(
    factor: str,
    contrast: Contrast,
    place: str,
    moves: Moves,
    direction: With,
    change: Change | None,
    pvalue: float,
    alpha: float,
) -> str:
    """Return what the responsive genes did in a contrast, and what the factor's change predicts.

    place: as `places_of` returns it. direction: as more or less of the factor would move them.
    change: of the factor's level, None in a contrast without it. pvalue: of the signed set test.
    """
    count = moves.rise + moves.fall
    if pvalue >= alpha:
        numbers = (
            f"(p = {pvalue:.2g}): {moves.rise} of {count} {_verb('rise', moves.rise)} and "
            f"{moves.fall} {_verb('fall', moves.fall)}."
        )
        if change is not None and change.sign:
            way = "falls" if change.sign < 0 else "rises"
            return (
                f"{factor} {way} {place}, but no common shift of its responsive genes is found "
                f"{numbers}"
            )
        return f"No common shift of the responsive genes is found {place} {numbers}"
    seen = -1 if direction == "with_less" else 1
    predicted = 0 if change is None else change.sign
    aligned, by_kind = _aligned(moves, direction)
    start = f"{aligned} of {count} {_genes(count, 'responsive')}"
    event = "" if change is None else _event(change, factor, contrast)
    if moves.induced and moves.suppressed:
        verb = _verb("change", count)
        if not predicted:
            more = "less" if seen < 0 else "more"
            words = f"{start} {verb} {place} as with {more} {factor}: {by_kind}."
            return f"{words} {_no_prediction(change, factor)}"
        how = "as" if predicted == seen else "against what"
        return f"{start} {verb} {place} {how} {event} predicts: {by_kind}."
    rising = (seen > 0) == bool(moves.induced)
    verb = _verb("rise" if rising else "fall", count)
    if not predicted:
        more = "less" if seen < 0 else "more"
        return f"{start} {verb} {place}, as with {more} {factor}. {_no_prediction(change, factor)}"
    if predicted == seen:
        return f"{start} {verb} {place}, as {event} predicts."
    return f"{start} {verb} {place}, although {event} predicts a {'fall' if rising else 'rise'}."


def no_set_sentence(factor: str) -> str:
    """Return the sentence of a contrast without a responsive gene to follow."""
    return (
        f"No gene other than the targets is called responsive to {factor}, so there is nothing to "
        "compare with its change."
    )


def why_unconfirmed(factor: str, *, stimulated: bool, measured: bool) -> str:
    """Return why no gene can be confirmed; nothing where both kinds of evidence exist."""
    if not stimulated:
        return "There was no stimulation experiment, so no gene can be confirmed."
    if not measured:
        return (
            f"The serum level of {factor} was not measured or could not be used, so no gene can be "
            "confirmed."
        )
    return ""


def target_sentence(target: str, factor: str, row: Mapping[str, Any] | None) -> str:
    """Return what the evidence on a factor shows of a target.

    row: of `flags/factors.tsv`, None where the target is not in the count matrix.
    """
    if row is None:
        return f"{target} is not in the count matrix."
    if row["call"] == "not_assessable":
        why = f" ({row['reason']})" if row["reason"] else ""
        return f"Whether {target} itself responds to {factor} was not assessed{why}."
    parts = []
    if not _missing(row["serum_slope"]):
        parts.append(
            f"by {row['serum_slope']:.2f} log2 per doubling of the serum level "
            f"(p = {row['serum_pvalue']:.2g})"
        )
    if not _missing(row["stimulation_log2FoldChange"]):
        parts.append(
            f"by {row['stimulation_log2FoldChange']:.2f} log2 in the stimulation experiment "
            f"(p = {row['stimulation_pvalue']:.2g})"
        )
    words = {
        "confirmed": f"is responsive to {factor} (confirmed)",
        "responsive": f"is responsive to {factor}",
        "not_responsive": f"is not called responsive to {factor}",
    }
    return f"{target} itself {words[row['call']]}: it changes {' and '.join(parts)}."


def _missing(value: object) -> bool:
    return value is None or value != value
