"""What a contrast's effect is called in sentences, and how numbers are printed in them."""

from __future__ import annotations

from dataclasses import dataclass

from fibroserum.cohort.contrasts import SINGLE_GROUP, Contrast, joined

# log2 ratios beyond which two decimals are too few or too many
LARGE = 3.0
# the largest log2 ratio that is printed as a detectable effect: a thousandfold change
LARGEST = 10


@dataclass(frozen=True)
class Phrases:
    """What a contrast's effect is called.

    up, down: clauses with the target as "it", when the effect is positive and when it is negative.
    compared: the groups of a difference, whose size is a ratio of fold changes. weighted: whether
    the effect is a weighted sum of the config's own. per: the dose that a slope is per unit of.
    noun: the effect itself. own: what of a donor is looked at for outliers. unit: what is counted.
    """

    up: str
    down: str
    noun: str
    own: str = "change"
    unit: str = "pair"
    compared: tuple[str, str] | None = None
    weighted: bool = False
    per: str = ""

    def number(self, value: float) -> str:
        """Return an effect as it is printed: a slope per unit may be small, and has 3 digits."""
        return f"{value + 0.0:.3g}" if self.per else number(value)

    @property
    def name(self) -> str:
        """What the number of an effect is."""
        return f"log2 slope per unit of {self.per}" if self.per else "log2 fold change"

    def size(self, log2: float) -> str:
        """Return how large an effect is, to follow its clause."""
        if self.per:
            return f": a fold change of {2**log2:.4g} for each unit of {self.per}"
        ratio = f"{2**log2:.2f}" if abs(log2) < LARGE else f"{2**log2:.3g}"
        if self.weighted:
            return f": a fold change of {ratio}"
        if self.compared is None:
            return f" by {percent(log2)}"
        group, other = self.compared
        return f": the ratio of after to before in {group} is {ratio} times the ratio in {other}"

    def of(self, sign: float) -> str:
        """Return the clause of a positive or negative effect."""
        return self.up if sign > 0 else self.down


def phrases(
    contrast: Contrast,
    own: float | None = None,
    reference: float | None = None,
    *,
    several: bool = False,
    control: bool = False,
) -> Phrases:
    """Return the phrases of a contrast.

    own, reference: the estimated changes of the two groups of a difference. "Falls more" and
    "rises less" are both negative differences: the groups' changes decide which of them applies.
    several: whether there are several times after, so that each is named. control: whether averages
    leave out a control, so that their groups are named.
    """
    group, other = contrast.group, contrast.reference
    at = f" at {contrast.time}" if several and contrast.time else ""
    if contrast.kind == "change":
        where = at if group == SINGLE_GROUP else f" in {group}{at}"
        return Phrases(f"it rises{where}", f"it falls{where}", f"change{where}")
    if contrast.kind == "average":
        over = f"across {joined(contrast.groups) if control else 'the groups'}{at}"
        return Phrases(
            f"it rises on average {over}", f"it falls on average {over}", f"mean change {over}"
        )
    if contrast.kind == "dose":
        where = at if group == SINGLE_GROUP else f" in {group}{at}"
        return Phrases(
            f"its change{where} increases with {contrast.dose}",
            f"its change{where} decreases with {contrast.dose}",
            f"slope of the change{where} on {contrast.dose}",
            per=str(contrast.dose),
        )
    if contrast.kind == "dose_difference":
        noun = f"slope of the change on {contrast.dose}"
        return Phrases(
            f"its change has a higher slope on {contrast.dose} in {group} than in {other}{at}",
            f"its change has a lower slope on {contrast.dose} in {group} than in {other}{at}",
            f"difference between {group} and {other} in the {noun}{at}",
            per=str(contrast.dose),
        )
    if contrast.kind == "own":
        noun = f"contrast {contrast.name}"
        return Phrases(
            f"its {noun} is above 0", f"its {noun} is below 0", noun, own="value", weighted=True
        )
    if contrast.kind == "difference":
        up, down = (f"{clause}{at}" for clause in _compared(str(group), str(other), own, reference))
        noun = f"difference between the changes in {group} and {other}{at}"
        return Phrases(up, down, noun, compared=(str(group), str(other)))
    return Phrases(
        f"its level before the intervention is higher in {group} than in {other}",
        f"its level before the intervention is lower in {group} than in {other}",
        f"difference between {group} and {other} before the intervention",
        own="level",
        unit="donor",
    )


def _compared(
    group: str, other: str, own: float | None, reference: float | None
) -> tuple[str, str]:
    """Return the clauses of a positive and of a negative difference between two changes."""
    up = f"its change is higher in {group} than in {other}"
    down = f"its change is lower in {group} than in {other}"
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


def or_more(log2: float) -> str:
    """Return the smallest effect that a study would detect, as it is printed in sentences."""
    if log2 > LARGEST:
        return f"more than {LARGEST} (log2)"
    return f"{number(log2)} or more (log2)"


def percent(log2: float) -> str:
    """Return a log2 fold change as percent, unsigned."""
    size = abs(2**log2 - 1) * 100
    return f"{size:.0f} %" if size >= 0.5 else "less than 1 %"
