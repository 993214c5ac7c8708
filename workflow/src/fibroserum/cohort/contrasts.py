"""Contrasts of a cohort, built from its design.

A contrast of the model of changes is a weighted sum of the groups' changes, each from before to one
time after; a baseline contrast compares levels before. Donors are blocked by one indicator column
each, with one column for each group and time after, and no intercept: formula designs with donors
nested in unequal groups are rank-deficient.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import Literal

from fibroserum.errors import Problem, listed, nearest
from fibroserum.input.names import file_name, long_names, name_clashes, nameless

Kind = Literal["change", "difference", "average", "own", "baseline", "dose", "dose_difference"]
#: A group at a time.
Arm = tuple[str, str]
SINGLE_GROUP = "all"
#: How far from 0 or 1 the weights of a contrast may sum.
SUM_TOLERANCE = 1e-9
#: How far from it the sum of rounded fractions, such as 0.33, may be.
ROUNDED = 0.05


#: What messages call each model.
MODEL_WORDS = {
    "paired": "the model of changes",
    "baseline": "the baseline model",
    "dose": "the model of the dose",
}


@dataclass(frozen=True)
class Contrast:
    """One contrast: what it estimates, for which group, against which, from which model.

    weights: of the change of each group at each time after (in a baseline contrast, of the level
    before; of a dose, of the change's slope on it). time: the time after that all of them have, or
    None. before: the level of time before. dose: the column of the dose in `obs`.
    """

    name: str
    kind: Kind
    group: str | None
    reference: str | None
    model: Literal["paired", "baseline", "dose"]
    weights: tuple[tuple[Arm, float], ...]
    before: str
    time: str | None = None
    dose: str | None = None

    @property
    def file(self) -> str:
        """The name as used in file names."""
        return file_name(self.name)

    @property
    def groups(self) -> list[str]:
        """The groups that are compared, in the order of the weights."""
        return list(dict.fromkeys(group for (group, _), _ in self.weights))

    def scale(self, group: str) -> float:
        """Return the weight of a donor's value in the contrast, if the donor is in `group`."""
        own = [weight for (name, _), weight in self.weights if name == group]
        total = sum(own)
        return total if abs(total) > SUM_TOLERANCE else sum(w for w in own if w > 0)

    def profile(self, group: str) -> dict[str, float]:
        """Return the weight of each time in the value of a donor of `group`.

        The value of a change is after minus before.
        """
        scale = self.scale(group)
        own = {time: weight / scale for (name, time), weight in self.weights if name == group}
        total = sum(own.values())
        if self.model == "baseline" or abs(total) <= SUM_TOLERANCE:
            return own
        return own | {self.before: -total}


def order_groups(groups: Sequence[str], reference: str | None) -> list[str]:
    """Return the groups with the reference first, the others in the order of their names."""
    rest = sorted(set(groups) - {reference})
    return [reference, *rest] if reference in set(groups) else rest


def contrasts_of(
    groups: Sequence[str],
    before: str,
    after: str | Sequence[str],
    *,
    only_before: Collection[str] = (),
    pairwise: bool = False,
    control: str | None = None,
    own: Mapping[str, Mapping[str, float]] | None = None,
    dose: str | None = None,
) -> list[Contrast]:
    """Return every contrast of a cohort.

    groups: the reference first; after: one time or several; only_before: groups that were measured
    before only; pairwise: compare every two groups, not each with the reference alone; control: a
    group that the average leaves out; own: contrasts of the config, each with the weight of each
    arm (`arm_of`), as `own_problems` accepts them; dose: the column of the dose in `obs`.
    """
    times = [after] if isinstance(after, str) else list(after)
    changing = [group for group in groups if group not in only_before]
    found: list[Contrast] = []

    def paired(
        name: str,
        kind: Kind,
        weights: Mapping[Arm, float],
        group: str | None = None,
        reference: str | None = None,
    ) -> Contrast:
        of = {time for _, time in weights}
        time = of.pop() if len(of) == 1 else None
        return Contrast(
            name, kind, group, reference, "paired", tuple(weights.items()), before, time
        )

    for time in times:
        found += [
            paired(f"{group}_{time}_vs_{before}", "change", {(group, time): 1.0}, group)
            for group in changing
        ]
    for time in times:
        at = f"_{time}" if len(times) > 1 else ""
        found += [
            paired(
                f"{group}_vs_{other}_change{at}",
                "difference",
                {(group, time): 1.0, (other, time): -1.0},
                group,
                other,
            )
            for group, other in _compared(groups, pairwise)
            if not {group, other} & set(only_before)
        ]
    averaged = averaged_groups(changing, control)
    if len(averaged) > 1:
        found += [
            paired(
                f"average_{time}_vs_{before}",
                "average",
                {(group, time): 1.0 / len(averaged) for group in averaged},
            )
            for time in times
        ]
    for name, asked in (own or {}).items():
        weights = {arm_of(key, groups, times): float(weight) for key, weight in asked.items()}
        found.append(paired(name, "own", {arm: w for arm, w in weights.items() if w}))
    if dose:
        found += _slopes(changing, times, before, dose, _compared(groups, pairwise))
    found += [
        Contrast(
            f"{group}_vs_{other}_{before}",
            "baseline",
            group,
            other,
            "baseline",
            (((group, before), 1.0), ((other, before), -1.0)),
            before,
        )
        for group, other in _compared(groups, pairwise)
    ]
    return found


def _slopes(
    changing: Sequence[str],
    times: Sequence[str],
    before: str,
    dose: str,
    compared: Sequence[tuple[str, str]],
) -> Iterator[Contrast]:
    """Yield the slopes of the groups' changes on the dose, and the differences between them."""
    for time in times:
        at = f"_{time}" if len(times) > 1 else ""
        for group in changing:
            name, weights = f"{group}{at}_dose_slope", (((group, time), 1.0),)
            yield Contrast(name, "dose", group, None, "dose", weights, before, time, dose)
        for group, other in compared:
            if {group, other} <= set(changing):
                yield Contrast(
                    f"{group}_vs_{other}_dose_slope{at}",
                    "dose_difference",
                    group,
                    other,
                    "dose",
                    (((group, time), 1.0), ((other, time), -1.0)),
                    before,
                    time,
                    dose,
                )


def _compared(groups: Sequence[str], pairwise: bool) -> list[tuple[str, str]]:
    """Return which groups are compared, each with the one that it is compared with."""
    pairs = [(later, earlier) for earlier, later in combinations(groups, 2)]
    return pairs if pairwise else pairs[: max(len(groups) - 1, 0)]


def averaged_groups(changing: Sequence[str], control: str | None) -> list[str]:
    """Return the groups that the average runs over."""
    return [group for group in changing if group != control]


def arm_of(key: str, groups: Sequence[str], times: Sequence[str]) -> Arm:
    """Return the arm that a key of a contrast names: `RT`, or `RT@week8` with several times.

    Raises KeyError where it names none.
    """
    arms = {f"{group}@{time}": (group, time) for group in groups for time in times}
    if len(times) == 1:
        arms |= {group: (group, times[0]) for group in groups}
    return arms[key]


def own_problems(
    own: Mapping[str, Mapping[str, float]],
    groups: Sequence[str],
    times: Sequence[str],
    only_before: Collection[str],
    where: str,
    before: str | None = None,
) -> Iterator[Problem]:
    """Yield every problem of the config's own contrasts.

    where: the config's section; before: the level of time before, which has no weight.
    """
    changing = [group for group in groups if group not in only_before]
    several = len(times) > 1
    arms = [f"{g}@{t}" for g in changing for t in times] if several else changing
    for name, weights in own.items():
        place, sound = f"{where}.{name}", True
        if nameless(name):
            what = f"the name '{name}' has no letter or digit, so no file can be named after it"
            yield Problem(what, where, "a name with a letter or a digit")
        for key in weights:
            try:
                group, _ = arm_of(key, groups, times)
            except KeyError:
                sound = False
                yield _unknown_arm(key, groups, times, arms, place, before)
                continue
            if group in only_before:
                sound = False
                yield Problem(
                    f"the group '{group}' has no sample after, so it has no change",
                    place,
                    f"groups with a change: {listed(changing)}",
                )
        if not sound:
            continue
        named = [arm_of(key, groups, times) for key in weights]
        if len(set(named)) < len(named):
            yield Problem("the same group is named twice", place, "one weight per group and time")
        total = sum(weights.values())
        away = min(abs(total), abs(total - 1))
        if not math.isfinite(total):
            yield Problem("a weight is not a finite number", place, "numbers")
        elif not any(weights.values()):
            yield Problem("every weight is 0", place, "weights that sum to 0 or to 1")
        elif away > SUM_TOLERANCE:
            yield Problem(
                f"the weights sum to {total:.10g}",
                place,
                "a sum of 0 (a difference) or of 1 (an average)",
                "Write a third with ten digits, as 0.3333333333." if away <= ROUNDED else "",
            )


def _unknown_arm(
    key: str,
    groups: Sequence[str],
    times: Sequence[str],
    arms: Sequence[str],
    place: str,
    before: str | None,
) -> Problem:
    if key in groups:
        return Problem(
            f"'{key}' names no time",
            place,
            f"a group and a time: {listed([f'{key}@{time}' for time in times], 8)}",
        )
    group, _, time = key.rpartition("@")
    if group in groups and time == before:
        return Problem(
            f"'{key}' is the time before, which is already the reference of every change",
            place,
            f"one of {listed(arms, 8)}",
            f"Remove '{key}'.",
        )
    if group in groups:
        what = f"'{key}' names a time that is not in design.after"
        return Problem(what, place, f"one of {listed(times, 8)}", nearest(time, times, ""))
    what = f"'{key}' is not a group" + (" and time" if len(times) > 1 else "")
    return Problem(what, place, f"one of {listed(arms, 8)}", nearest(key, arms, ""))


def name_problems(contrasts: Sequence[Contrast], where: str) -> Iterator[Problem]:
    """Yield a problem for each name that file names cannot hold or tell from another."""
    made = {file_name(one.name).casefold(): one.name for one in contrasts if one.kind != "own"}
    taken = [one for one in contrasts if one.kind == "own" and one.file.casefold() in made]
    for one in taken:
        other = made[one.file.casefold()]
        what = f"'{other}' is already the name of a contrast that every run has"
        what += "" if other == one.name else f", and '{one.name}' becomes the same file name"
        yield Problem(what, where, "another name for the own contrast", f"Rename '{one.name}'.")
    names = [contrast.name for contrast in contrasts if contrast not in taken]
    yield from name_clashes(names, where, "names of groups, times and own contrasts")
    yield from long_names(names, where)


def labels_of(contrasts: Sequence[Contrast], *, control: str | None = None) -> dict[str, str]:
    """Return a few words for each contrast, for figures and headings, by its name.

    No two are the same: contrasts of the same words have the same name, which `name_problems`
    refuses.
    """
    alone, several = _alone(contrasts), _several_times(contrasts)
    found = {}
    for one in contrasts:
        at = f" at {one.time}" if several else ""
        change = f"{one.time} vs {one.before}"
        over = f"average of {joined(one.groups)}" if control else "average"
        found[one.name] = {
            "change": change if alone else f"{one.group}: {change}",
            "difference": f"{one.group} vs {one.reference}: change{at}",
            "average": f"{over}: {change}",
            "own": one.name,
            "baseline": f"{one.group} vs {one.reference}: {one.before}",
            "dose": f"{'' if alone else f'{one.group}: '}slope on {one.dose}{at}",
            "dose_difference": f"{one.group} vs {one.reference}: slope on {one.dose}{at}",
        }[one.kind]
    return found


def effects_of(contrasts: Sequence[Contrast], *, control: str | None = None) -> dict[str, str]:
    """Return what each contrast's fold change compares, for an axis or a heading, by its name."""
    alone, several = _alone(contrasts), _several_times(contrasts)
    found = {}
    for one in contrasts:
        at = f" at {one.time}" if several else ""
        change = f"{one.time} vs {one.before}"
        over = f"mean of {joined(one.groups)}" if control else "mean of the groups"
        found[one.name] = {
            "change": change if alone else f"{one.group}, {change}",
            "difference": f"change in {one.group} minus change in {one.reference}{at}",
            "average": f"{over}, {change}",
            "own": weighted_words(one, several=several),
            "baseline": f"{one.group} vs {one.reference}, {one.before}",
            "dose": f"{'' if alone else f'{one.group}, '}change{at} per unit of {one.dose}",
            "dose_difference": f"change{at} per unit of {one.dose}, {one.group} minus "
            f"{one.reference}",
        }[one.kind]
    return found


def weighted_words(contrast: Contrast, *, several: bool) -> str:
    """Return a contrast as a weighted sum in words: `0.5 AT + 0.5 RT - control, change`.

    several: whether the cohort has several times after. Where all weights are of one of them it
    stands behind the sum, else behind each group.
    """
    parts = []
    for (group, time), weight in contrast.weights:
        size = "" if abs(weight) == 1 else f"{abs(weight):.3g} "
        arm = f"{group} at {time}" if several and contrast.time is None else group
        parts.append(("- " if weight < 0 else "+ ") + size + arm)
    total = " ".join(parts).removeprefix("+ ")
    if contrast.time is None:
        return f"{total}, changes from {contrast.before}"
    return f"{total}, change" + (f" at {contrast.time}" if several else "")


def _alone(contrasts: Sequence[Contrast]) -> bool:
    return len({one.group for one in contrasts if one.kind == "change"}) < 2


def _several_times(contrasts: Sequence[Contrast]) -> bool:
    return len({one.time for one in contrasts if one.kind == "change"}) > 1


def joined(names: Sequence[str]) -> str:
    """Return names as words: `AT, RT and control`."""
    return f"{', '.join(names[:-1])} and {names[-1]}" if len(names) > 1 else "".join(names)
