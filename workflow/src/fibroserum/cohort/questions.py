"""Omnibus questions: do the changes differ between groups, or over the times?"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from fibroserum.cohort.contrasts import SUM_TOLERANCE, Arm, Contrast


@dataclass(frozen=True)
class Question:
    """One omnibus question.

    name: `groups`, whether the changes of three groups or more differ at one time after; `times`,
    whether a group's change differs between the times after. time: of `groups`. changes: by arm,
    the contrast of its change. contrasts: what is 0 wherever the answer is no.
    """

    name: Literal["groups", "times"]
    time: str | None
    changes: dict[Arm, str]
    contrasts: tuple[str, ...]


def spanned(question: Question, contrasts: Sequence[Contrast]) -> bool:
    """Return whether the answer is no wherever all contrasts of a question are 0."""
    arms = {arm: place for place, arm in enumerate(question.changes)}
    rows = np.zeros((len(question.contrasts), len(arms)))
    for row, one in zip(rows, (c for c in contrasts if c.name in question.contrasts), strict=True):
        for arm, weight in one.weights:
            if arm in arms:
                row[arms[arm]] = weight
    sets = 1 if question.name == "groups" else len({group for group, _ in arms})
    return bool(np.linalg.matrix_rank(rows) == len(arms) - sets)


def questions_of(contrasts: Sequence[Contrast]) -> list[Question]:
    """Return the omnibus questions that contrasts (those that are estimated) allow."""
    changes = {(str(c.group), str(c.time)): c.name for c in contrasts if c.kind == "change"}
    times = list(dict.fromkeys(time for _, time in changes))
    groups = list(dict.fromkeys(group for group, _ in changes))
    others = [c for c in contrasts if c.kind in ("difference", "own")]
    found = []
    for time in times:
        own = {arm: name for arm, name in changes.items() if arm[1] == time}
        if len(own) > 2:
            within = [c.name for c in others if c.time == time and _sums_to_0(c.weights)]
            found.append(Question("groups", time, own, tuple(within)))
    steady = {
        arm: name
        for arm, name in changes.items()
        if len(times) > 1 and all((arm[0], time) in changes for time in times)
    }
    if steady:
        within = [
            c.name
            for c in others
            if all(_sums_to_0([w for w in c.weights if w[0][0] == g]) for g in groups)
        ]
        found.append(Question("times", None, steady, tuple(within)))
    return found


def _sums_to_0(weights: Sequence[tuple[Arm, float]]) -> bool:
    return abs(sum(weight for _, weight in weights)) <= SUM_TOLERANCE
