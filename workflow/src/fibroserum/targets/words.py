"""How a verdict is said: short phrases that a biologist understands."""

from __future__ import annotations

from dataclasses import dataclass

from fibroserum.design import SINGLE_GROUP, Contrast


@dataclass(frozen=True)
class Phrases:
    """What a contrast's effect is called when positive, when negative, and at all."""

    up: str
    down: str
    noun: str

    def of(self, sign: float) -> str:
        """Return the phrase of a positive or negative effect."""
        return self.up if sign > 0 else self.down


def phrases(contrast: Contrast) -> Phrases:
    """Return the phrases of a contrast."""
    group, reference = contrast.group, contrast.reference
    if contrast.kind == "change":
        where = "" if group == SINGLE_GROUP else f" in {group}"
        return Phrases(f"rises{where}", f"falls{where}", f"change{where}")
    if contrast.kind == "average":
        return Phrases(
            "rises on average over the groups",
            "falls on average over the groups",
            "mean change over the groups",
        )
    if contrast.kind == "difference":
        return Phrases(
            f"changes more upwards in {group} than in {reference}",
            f"changes more downwards in {group} than in {reference}",
            f"difference between the changes in {group} and {reference}",
        )
    return Phrases(
        f"starts higher in {group} than in {reference}",
        f"starts lower in {group} than in {reference}",
        f"difference between {group} and {reference} before the intervention",
    )


def number(value: float) -> str:
    """Return a log2 fold change as it is printed in sentences."""
    # negative zero is a zero
    return f"{round(value, 2) + 0.0:.2f}"


def fdr(value: float) -> str:
    """Return an adjusted p value as it is printed in sentences."""
    return f"{value:.3g}"


def percent(log2: float) -> str:
    """Return a log2 fold change as percent, unsigned."""
    return f"{abs(2**log2 - 1) * 100:.0f} %"
