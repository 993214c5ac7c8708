"""The results: a line for each row, variant and cohort, appended as it ends."""

from __future__ import annotations

import json
from collections.abc import Container, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

HEADER = ["row", "variant", "seed", "seconds", "measures"]


@dataclass(frozen=True)
class Line:
    """What one cohort of a row shows under one variant; measures: `kind.measure` to value."""

    row: str
    variant: str
    seed: int
    seconds: float
    measures: Mapping[str, float]

    def text(self) -> str:
        """Return the line of the file, with its end; missing values are left out."""
        known = {k: round(float(v), 6) for k, v in self.measures.items() if np.isfinite(v)}
        packed = json.dumps(known, separators=(",", ":"))
        return f"{self.row}\t{self.variant}\t{self.seed}\t{self.seconds:.3f}\t{packed}\n"


def append(path: Path, lines: Iterable[Line]) -> None:
    """Append lines to the results, whole; the header first where there is no file."""
    text = "".join(line.text() for line in lines)
    if not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True)
        text = "\t".join(HEADER) + "\n" + text
    with path.open("a", encoding="utf-8") as file:
        file.write(text)


def repair(path: Path) -> None:
    """Cut off a last line that a killed run left without its end."""
    if not path.exists():
        return
    data = path.read_bytes()
    whole = data.rfind(b"\n") + 1
    if whole < len(data):
        with path.open("r+b") as file:
            file.truncate(whole)


def read(path: Path) -> list[Line]:
    """Return the lines of the results; a last line without its end is left out.

    Raises ValueError for a file with another header.
    """
    if not path.exists():
        return []
    text = path.read_text(encoding="utf-8")
    lines = text[: text.rfind("\n") + 1].splitlines()
    if lines and lines[0].split("\t") != HEADER:
        raise ValueError(f"{path} is not a file of results: its first line is {lines[0]!r}")
    found = []
    for line in lines[1:]:
        row, variant, seed, seconds, measures = line.split("\t")
        found.append(Line(row, variant, int(seed), float(seconds), json.loads(measures)))
    return found


def done(path: Path) -> set[tuple[str, str, int]]:
    """Return what is finished: row, variant, seed."""
    return {(line.row, line.variant, line.seed) for line in read(path)}


def long_table(lines: Iterable[Line], measures: Container[str] | None = None) -> pd.DataFrame:
    """Return the results with a row a measure: row, variant, seed, kind, measure, value.

    measures: which are wanted, all unless given. Of two lines of one cohort the last counts.
    """
    rows = []
    for line in lines:
        for name, value in line.measures.items():
            kind, measure = name.rsplit(".", 1)
            if measures is None or measure in measures:
                rows.append((line.row, line.variant, line.seed, kind, measure, value))
    columns = ["row", "variant", "seed", "kind", "measure", "value"]
    table = pd.DataFrame(rows, columns=columns)
    return table.drop_duplicates(columns[:-1], keep="last")
