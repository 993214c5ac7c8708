"""Contrasts and models of a cohort, built from its design.

Donors are blocked by one indicator column each, with one `after` column a group and no intercept:
formula designs with donors nested in unequal groups are rank-deficient. A contrast is a numeric
vector over those columns.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

from fibroserum.errors import Problem
from fibroserum.input.names import file_name, long_names, name_clashes

Kind = Literal["change", "difference", "average", "baseline"]
SINGLE_GROUP = "all"


@dataclass(frozen=True)
class Contrast:
    """One contrast: what it estimates, for which group, against which, from which model."""

    name: str
    kind: Kind
    group: str | None
    reference: str | None
    model: Literal["paired", "baseline"]

    @property
    def file(self) -> str:
        """The name as used in file names."""
        return file_name(self.name)


def order_groups(groups: Sequence[str], reference: str | None) -> list[str]:
    """Return the groups with the reference first, the others in the order of their names."""
    rest = sorted(set(groups) - {reference})
    return [reference, *rest] if reference in set(groups) else rest


def contrasts_of(groups: Sequence[str], before: str, after: str) -> list[Contrast]:
    """Return every contrast of SPEC for groups given with the reference first."""
    reference, *others = groups
    found = [Contrast(f"{g}_{after}_vs_{before}", "change", g, None, "paired") for g in groups]
    found += [
        Contrast(f"{g}_vs_{reference}_change", "difference", g, reference, "paired") for g in others
    ]
    if others:
        found.append(Contrast(f"average_{after}_vs_{before}", "average", None, None, "paired"))
    found += [
        Contrast(f"{g}_vs_{reference}_{before}", "baseline", g, reference, "baseline")
        for g in others
    ]
    return found


def name_problems(contrasts: Sequence[Contrast], where: str) -> Iterator[Problem]:
    """Yield a problem for each name that file names cannot hold or tell from another."""
    names = [contrast.name for contrast in contrasts]
    yield from name_clashes(names, where, "group and time names")
    yield from long_names(names, where)


def labels_of(groups: Sequence[str], before: str, after: str) -> dict[str, str]:
    """Return a few words for each contrast, for pictures and headings, by its name.

    No two are the same: contrasts of the same words have the same name, which `name_problems`
    refuses.
    """
    change = f"{after} vs {before}"
    return {
        contrast.name: {
            "change": change if len(groups) == 1 else f"{contrast.group}: {change}",
            "difference": f"{contrast.group} vs {contrast.reference}: change",
            "average": f"average: {change}",
            "baseline": f"{contrast.group} vs {contrast.reference}: {before}",
        }[contrast.kind]
        for contrast in contrasts_of(groups, before, after)
    }


def effects_of(groups: Sequence[str], before: str, after: str) -> dict[str, str]:
    """Return what each contrast's fold change compares, for an axis or a heading, by its name."""
    change = f"{after} vs {before}"
    return {
        contrast.name: {
            "change": change if len(groups) == 1 else f"{contrast.group}, {change}",
            "difference": f"change in {contrast.group} minus change in {contrast.reference}",
            "average": f"mean of the groups, {change}",
            "baseline": f"{contrast.group} vs {contrast.reference}, {before}",
        }[contrast.kind]
        for contrast in contrasts_of(groups, before, after)
    }
