"""How a verdict is said: short phrases that a biologist understands."""

from __future__ import annotations

from dataclasses import dataclass

from fibroserum.cohort.contrasts import SINGLE_GROUP, Contrast

# log2 ratios beyond which two decimals are too few or too many
LARGE = 3.0


@dataclass(frozen=True)
class Phrases:
    """What a contrast's effect is called.

    up, down: clauses with the target as "it", when the effect is positive and when it is negative.
    compared: the groups of a difference, whose size is a ratio of fold changes.
    noun: the effect itself. own: what of a donor is looked at for outliers. unit: what is counted.
    """

    up: str
    down: str
    noun: str
    own: str = "change"
    unit: str = "pair"
    compared: tuple[str, str] | None = None

    def size(self, log2: float) -> str:
        """Return how large an effect is, to stand after its clause."""
        if self.compared is None:
            return f", by {percent(log2)}"
        group, other = self.compared
        ratio = f"{2**log2:.2f}" if abs(log2) < LARGE else f"{2**log2:.3g}"
        return f": its ratio of after to before in {group} is {ratio} times that in {other}"

    def of(self, sign: float) -> str:
        """Return the clause of a positive or negative effect."""
        return self.up if sign > 0 else self.down


def phrases(
    contrast: Contrast, own: float | None = None, reference: float | None = None
) -> Phrases:
    """Return the phrases of a contrast.

    own, reference: the estimated changes of the two groups of a difference. "Falls more" and
    "rises less" are both negative differences: which of them it is, the groups' changes tell.
    """
    group, other = contrast.group, contrast.reference
    if contrast.kind == "change":
        where = "" if group == SINGLE_GROUP else f" in {group}"
        return Phrases(f"it rises{where}", f"it falls{where}", f"change{where}")
    if contrast.kind == "average":
        return Phrases(
            "it rises on average over the groups",
            "it falls on average over the groups",
            "mean change over the groups",
        )
    if contrast.kind == "difference":
        up, down = _compared(str(group), str(other), own, reference)
        noun = f"difference between the changes in {group} and {other}"
        return Phrases(up, down, noun, compared=(str(group), str(other)))
    return Phrases(
        f"it starts higher in {group} than in {other}",
        f"it starts lower in {group} than in {other}",
        f"difference between {group} and {other} before the intervention",
        own="level",
        unit="donor",
    )


def _compared(
    group: str, other: str, own: float | None, reference: float | None
) -> tuple[str, str]:
    """Return the clauses of a positive and of a negative difference between two changes."""
    up = f"its change in {group} lies above that in {other}"
    down = f"its change in {group} lies below that in {other}"
    if own is None or reference is None:
        return up, down
    # as printed: a change of 0.00 neither rises nor falls
    first, second = round(own, 2), round(reference, 2)
    if min(first, second) > 0:
        if first > second:
            up = f"it rises more in {group} than in {other}"
        else:
            down = f"it rises less in {group} than in {other}"
    elif max(first, second) < 0:
        if first > second:
            up = f"it falls less in {group} than in {other}"
        else:
            down = f"it falls more in {group} than in {other}"
    return up, down


def about(subject: str, clause: str) -> str:
    """Return a clause about "it" with another subject in its place."""
    if clause.startswith("its "):
        return f"{subject}'s {clause.removeprefix('its ')}"
    return f"{subject} {clause.removeprefix('it ')}"


def sentence(clause: str) -> str:
    """Return a clause with a capital at its start."""
    return clause[:1].upper() + clause[1:]


def number(value: float) -> str:
    """Return a log2 fold change as it is printed in sentences."""
    # negative zero is a zero
    return f"{round(value, 2) + 0.0:.2f}"


def fdr(value: float) -> str:
    """Return an adjusted p value as it is printed in sentences."""
    return f"{value:.3g}" if value > 0 else "below 1e-300"


def percent(log2: float) -> str:
    """Return a log2 fold change as percent, unsigned."""
    size = abs(2**log2 - 1) * 100
    return f"{size:.0f} %" if size >= 0.5 else "less than 1 %"


def unit_name(donor: str, pools: frozenset[str]) -> str:
    """Return "donor D1", or "pool D1" where the donor is a pool of sera."""
    return f"{'pool' if donor in pools else 'donor'} {donor}"
