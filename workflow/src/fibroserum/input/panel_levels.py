"""The cells of a serum panel: levels, limits of detection, and what is neither."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd

from fibroserum.errors import SHOWN, Problem, listed, number_of
from fibroserum.files.table import place
from fibroserum.input.serum_levels import LEVEL, detection_limit
from fibroserum.input.sheet import MISSING
from fibroserum.input.sheet_checks import comma_hint, limit_hint

#: A level on a log2 scale is below: 2 to the 64th of any unit is in nobody's serum.
HIGHEST_LOG2 = 64.0


@dataclass(frozen=True)
class Limit:
    """Where limits of detection are: in the config, a row or a column of the table, or nowhere."""

    number: float = np.nan
    row: int | None = None
    column: int | None = None


class PanelLevels:
    """The cells of the molecules in the rows `own`: numbers, limits, and what is neither."""

    def __init__(
        self,
        table: pd.DataFrame,
        own: np.ndarray,
        places: Mapping[str, int],
        limit: Limit,
        scale: str,
    ) -> None:
        self.table, self.own, self.scale, self.limit = table, own, scale, limit
        self.names = list(places)
        columns = list(places.values())
        self.text = table.iloc[own, columns].to_numpy(object)
        self.missing = _missing(self.text)
        numbers, self.wrong = _numbers(self.text, self.missing)
        limits = np.full(self.text.shape, limit.number)
        self.wrong_limits: list[tuple[int, str]] = []
        if limit.row is not None:
            limits[:] = self._limits(table.iloc[limit.row, columns].to_numpy(object))
        elif limit.column is not None:
            limits[:] = self._limits(table.iloc[own, limit.column].to_numpy(object))[:, None]
        written = np.full(self.text.shape, np.nan)
        for row, column in np.argwhere(self.wrong):
            found = detection_limit(self.text[row, column])
            if found is not None and (scale == "log2" or found > 0):
                written[row, column] = found
        self.wrong &= np.isnan(written)
        limits = np.where(np.isnan(written), limits, written)
        self.below = ~np.isnan(written) | (numbers < limits)
        self.numbers = np.where(self.below, limits, numbers)
        self.low = np.zeros(self.text.shape, dtype=bool)
        self.high = (self.numbers > HIGHEST_LOG2) & (scale == "log2")
        if scale == "linear":
            self.low = ~self.below & (numbers <= 0)

    def _limits(self, text: np.ndarray) -> np.ndarray:
        """Return limits of a row or column; a missing one limits nothing."""
        numbers, wrong = _numbers(text, _missing(text))
        wrong |= (numbers <= 0) & (self.scale == "linear")
        self.wrong_limits = [(int(at), str(text[at])) for at in np.flatnonzero(wrong)]
        return numbers

    def problems(self) -> Iterator[Problem]:
        """Yield problems of limits, of columns of text, of cells."""
        for at, text in self.wrong_limits[:SHOWN]:
            of_row = self.limit.row is not None
            column = self.names[at] if of_row else self.table.columns[self.limit.column]
            row = self.limit.row if of_row else int(self.own[at])
            above = " above 0" if self.scale == "linear" else ""
            what = f"the limit of detection '{text}' is not a number{above}"
            yield Problem(what, place(self.table, row, column), "a limit, or an empty cell")
        if len(self.wrong_limits) > SHOWN:
            yield Problem(
                f"{number_of(len(self.wrong_limits) - SHOWN, 'more limit')} with the same problem",
                place(self.table),
            )
        texts = (self.wrong | self.missing).all(axis=0) & self.wrong.any(axis=0)
        for column in np.flatnonzero(texts)[:SHOWN]:
            name, row = self.names[column], int(np.argmax(self.wrong[:, column]))
            yield Problem(
                f"the column contains only text ('{self.text[row, column]}')",
                place(self.table, column=name),
                "numbers",
                comma_hint(self.text[row, column])
                or "If it is not a molecule, remove it from the table.",
            )
        if texts.sum() > SHOWN:
            rest = f"{number_of(int(texts.sum()) - SHOWN, 'more column')} with only text"
            yield Problem(rest, place(self.table))
        yield from self._cells(self.wrong & ~texts, "is not a finite number", LEVEL)
        yield from self._cells(self.low, "has no logarithm", "levels above 0")
        if self.high.any():
            row, column = np.argwhere(self.high)[0]
            yield Problem(
                f"the level {self.numbers[row, column]:g} is too high for a log2 level "
                f"({number_of(int(self.high.sum()), 'such cell')})",
                place(self.table, int(self.own[row]), self.names[column]),
                f"at most {HIGHEST_LOG2:g}, because serum_panel.scale is log2",
                "If the levels are concentrations, write 'scale: linear'.",
            )

    def _cells(self, wrong: np.ndarray, what: str, expected: str) -> Iterator[Problem]:
        found = np.argwhere(wrong)
        for row, column in found[:SHOWN]:
            text = str(self.text[row, column])
            hint = comma_hint(text) or limit_hint(text)
            if self.low[row, column]:
                hint = (
                    "If it is below the limit of detection, write '<' and the limit, or set "
                    "serum_panel.detection_limit. If the levels are logarithms, write 'scale: "
                    "log2'."
                )
            where = place(self.table, int(self.own[row]), self.names[column])
            yield Problem(f"the level '{text}' {what}", where, expected, hint)
        if len(found) > SHOWN:
            columns = [self.names[column] for column in dict.fromkeys(found[SHOWN:, 1])]
            rest = (
                f"{number_of(len(found) - SHOWN, 'more cell')} with the same problem "
                f"(columns {listed(columns)}): the level {what}"
            )
            yield Problem(rest, place(self.table))


def _missing(text: np.ndarray) -> np.ndarray:
    return np.isin(np.char.lower(text.astype(str)), list(MISSING))


def _numbers(text: np.ndarray, missing: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return text as finite numbers or NaN, and which cells are neither number nor missing."""
    flat = pd.to_numeric(pd.Series(text.ravel()), errors="coerce").to_numpy(float)
    shaped = flat.reshape(text.shape)
    numbers = np.where(missing | ~np.isfinite(shaped), np.nan, shaped)
    return numbers, np.isnan(numbers) & ~missing
