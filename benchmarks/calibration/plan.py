"""The plan of the study: every row with its setting, numbers of cohorts and seeds (plan.toml)."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, Literal

PLAN = Path(__file__).with_name("plan.toml")
Source = Literal["simulator", "toy", "plasmode"]
#: an `again` run of a row takes its seeds from here on: never those of a first run
FRESH = 500_000


@dataclass(frozen=True)
class Row:
    """One setting of the study at one size.

    name: family and size (`1a-n10`). donors: by group, reference first. settings: of the source:
    fields of `simulator.Dials`, or the name of a real cohort. cohorts, seed: how many, and the
    seed of the first; the others follow. null: nothing changes. sets: test gene sets. verdicts:
    panels a cohort whose full verdicts are made. baseline: fit the baseline model too. block: the
    column of the sheet that is declared as `design.block`.
    """

    name: str
    family: str
    title: str
    source: Source
    donors: Mapping[str, int]
    settings: Mapping[str, Any]
    cohorts: int
    seed: int
    null: bool = False
    sets: bool = False
    verdicts: int = 0
    baseline: bool = False
    block: str | None = None

    def seeds(self, *, again: bool = False) -> range:
        """Return the seeds of the row's cohorts; again: those of the one re-run."""
        first = self.seed + (FRESH if again else 0)
        return range(first, first + self.cohorts)


@dataclass(frozen=True)
class Plan:
    """All rows, in the order of the file."""

    rows: tuple[Row, ...]

    @cached_property
    def by_name(self) -> dict[str, Row]:
        """Rows by name."""
        return {row.name: row for row in self.rows}

    def chosen(self, names: Sequence[str]) -> list[Row]:
        """Return the rows of these names or families, `all` for every one.

        Raises KeyError for a name that is neither.
        """
        if list(names) == ["all"]:
            return list(self.rows)
        found = []
        for name in names:
            own = [row for row in self.rows if name in (row.name, row.family)]
            if not own:
                raise KeyError(f"the plan has no row '{name}'")
            found += own
        return found


def read_plan(path: Path = PLAN) -> Plan:
    """Read the plan. Raises ValueError where two rows share a name or a seed."""
    with path.open("rb") as file:
        tables = tomllib.load(file)
    rows = [row for family, table in tables.items() for row in _rows(family, table)]
    names = [row.name for row in rows]
    if len(set(names)) < len(names):
        raise ValueError("two rows of the plan have the same name")
    seeds = [seed for row in rows for again in (False, True) for seed in row.seeds(again=again)]
    if len(set(seeds)) < len(seeds):
        raise ValueError("two rows of the plan share a seed")
    return Plan(tuple(rows))


def _rows(family: str, table: Mapping[str, Any]) -> list[Row]:
    """Return the rows of one table of the file: one for each `n`, or the one of its `donors`."""
    given = {"source": "simulator", "settings": {}} | dict(table)
    seed, sizes = given.pop("seed"), given.pop("n", None)
    if sizes is None:
        return [Row(name=family, family=family, seed=seed, **given)]
    return [
        Row(
            name=f"{family}-n{size}",
            family=family,
            donors={"AT": int(size), "RT": int(size)},
            cohorts=cohorts,
            # a thousand seeds a size: no row has so many cohorts
            seed=seed + 1000 * place,
            **given,
        )
        for place, (size, cohorts) in enumerate(sizes.items())
    ]
