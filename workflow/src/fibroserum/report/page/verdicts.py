"""The verdicts on the targets: in which order the page shows them, and what it adds in words."""

from __future__ import annotations

from typing import Any

import pandas as pd

from fibroserum.report.figures.targets import target_names
from fibroserum.report.loading import RunTables
from fibroserum.report.theme import records

# verdicts that are shown at once, at least and at most
FEWEST_VERDICTS, MOST_VERDICTS = 8, 24


def _order_of_verdicts(run: RunTables) -> pd.Series:
    """Return 0 for verdicts on the first target, 1 for other calls, 2 for the rest."""
    names = target_names(run)
    called = run.targets["verdict"].isin(["up", "down", "no_change"])
    first = run.targets["target"] == (names[0] if names else "")
    return (2 - called.astype(int)).where(~first, 0)


def verdict_rows(run: RunTables) -> list[dict[str, Any]]:
    """Return the verdicts: the first target, then calls, then the rest, by target and contrast."""
    order = {name: number for number, name in enumerate(target_names(run))}
    place = {name: number for number, name in enumerate(run.contrast_names)}
    key = run.targets.assign(
        _part=_order_of_verdicts(run),
        _target=run.targets["target"].map(order),
        _contrast=run.targets["contrast"].map(place),
    )
    rows = key.sort_values(["_part", "_target", "_contrast"], kind="stable")
    return records(rows[list(run.targets.columns)])


def first_verdicts(run: RunTables) -> int:
    """Return how many verdicts are shown at once: on the first target, and calls of others."""
    shown = run.targets["contrast"].isin(run.opening)
    found = int((_order_of_verdicts(run)[shown] < 2).sum())
    return min(max(found, FEWEST_VERDICTS), MOST_VERDICTS)


def target_first(run: RunTables) -> dict[str, Any]:
    """Return how the glance lists the verdicts on the first target.

    in_full: contrasts whose verdict is printed with its reason. in_short: verdicts, each with
    contrasts that are only named. Of few contrasts all but averages and baselines are printed; of
    many the calls are, those that hold over all contrasts first.
    """
    names = target_names(run)
    place = {name: number for number, name in enumerate(run.contrast_names)}
    rows = run.targets[run.targets["target"] == names[0]] if names else run.targets
    rows = rows.sort_values("contrast", key=lambda column: column.map(place))
    if not run.folded:
        shown = rows[~rows["kind"].isin(["average", "baseline"])]
        return {"in_full": list(shown["contrast"]), "in_short": []}
    rows = rows[rows["contrast"].isin(run.opening)]
    called = rows["verdict"].isin(["up", "down"])
    held = rows["headline"] != "none"
    return {
        "in_full": [*rows.loc[called & held, "contrast"], *rows.loc[called & ~held, "contrast"]],
        "in_short": [
            (word, list(part["contrast"]))
            for word, part in rows[~called].groupby("verdict", sort=False)
        ],
    }
