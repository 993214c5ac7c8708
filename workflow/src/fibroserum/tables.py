"""The tables of a run: one schema a table, checked before it is written, whole or not at all.

The schemas are in `data/tables.yaml`, a sentence a column; the documentation and the first sheet of
the workbook are made from them.
"""

from __future__ import annotations

import csv
import json
import os
import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from fibroserum.data import data_yaml

FLOAT_FORMAT = "%.10g"
LINE_BREAKS = re.compile(r"[\r\n]+")
NOT_PLAIN = re.compile(r'[\t\r\n"]')


class TableError(ValueError):
    """A table does not fit its schema: a mistake in the code, not in the input."""


@dataclass(frozen=True)
class Column:
    """A column: its name, kind or words, its sentence, and whether it may not be empty.

    optional: whether tables without the column fit their schema.
    """

    name: str
    kind: str
    about: str
    words: tuple[str, ...] = ()
    required: bool = False
    optional: bool = False


@dataclass(frozen=True)
class Table:
    """A table: its name, its path under `results/{cohort}/`, what a row is, and its columns."""

    name: str
    path: str
    row: str
    columns: tuple[Column, ...]

    @property
    def names(self) -> list[str]:
        """Names of the columns that every such table has, in order."""
        return [column.name for column in self.columns if not column.optional]

    def columns_of(self, frame: pd.DataFrame) -> list[Column]:
        """Return the columns of a table, those that are optional where it has them."""
        return [c for c in self.columns if not c.optional or c.name in frame]


def _column(name: str, entry: dict[str, Any]) -> Column:
    kind = entry["kind"]
    words = tuple(kind) if isinstance(kind, list) else ()
    return Column(
        name,
        "word" if words else kind,
        entry["about"],
        words,
        entry.get("required", False),
        entry.get("optional", False),
    )


@cache
def schemas() -> dict[str, Table]:
    """Return every table's schema by name."""
    return {
        name: Table(
            name,
            entry["path"],
            entry["row"],
            tuple(_column(column, about) for column, about in entry["columns"].items()),
        )
        for name, entry in data_yaml("tables.yaml")["tables"].items()
    }


def empty(name: str) -> pd.DataFrame:
    """Return the named table with its columns and no rows: what "nothing found" looks like."""
    return pd.DataFrame({column: pd.Series(dtype=object) for column in schemas()[name].names})


def _misfit(values: pd.Series, column: Column) -> str:
    """Return what is wrong with a column, or an empty string."""
    missing = values.isna()
    if column.required and missing.any():
        return f"{int(missing.sum())} empty values"
    present = values[~missing]
    if present.empty:
        return ""
    if column.kind == "word":
        strange = sorted(set(map(str, present.unique())) - set(column.words))
        return f"unknown words {strange}" if strange else ""
    if column.kind == "text":
        kind = pd.api.types.infer_dtype(present.astype(object), skipna=False)
        return "" if kind == "string" else "not text"
    if column.kind == "boolean":
        good = present.map(lambda value: isinstance(value, bool | np.bool_)).all()
        return "" if good else "not boolean"
    numbers = pd.to_numeric(present, errors="coerce")
    if numbers.isna().any():
        return "not numeric"
    if column.kind == "integer" and (numbers % 1 != 0).any():
        return "not whole numbers"
    if column.kind == "fraction" and not numbers.between(0, 1).all():
        return "outside 0 to 1"
    return "" if np.isfinite(numbers.astype(float)).all() else "not finite"


def check(name: str, frame: pd.DataFrame) -> pd.DataFrame:
    """Return `frame` with the schema's columns in order; raise TableError if it does not fit."""
    schema = schemas()[name]
    columns = schema.columns_of(frame)
    known = [column.name for column in columns]
    absent = [column for column in known if column not in frame]
    unknown = [str(column) for column in frame if column not in known]
    if absent or unknown:
        raise TableError(f"table {name}: missing columns {absent}, unknown columns {unknown}")
    wrong = {column.name: _misfit(frame[column.name], column) for column in columns}
    if any(wrong.values()):
        said = "; ".join(f"{column}: {text}" for column, text in wrong.items() if text)
        raise TableError(f"table {name}: {said}")
    return frame[known]


def _printable(values: pd.Series, column: Column) -> list[str]:
    """Return the cells of a column, empty where a value is missing."""
    if column.kind in ("number", "fraction"):
        # negative zero is a zero: its sign would depend on the order of a sum
        numbers = (pd.to_numeric(values).astype(float) + 0.0).tolist()
        return [FLOAT_FORMAT % number if number == number else "" for number in numbers]
    if column.kind == "integer":
        values = pd.to_numeric(values).astype("Int64")
    known = zip(values.tolist(), values.isna().tolist(), strict=True)
    if column.kind == "boolean":
        return ["" if missing else "true" if value else "false" for value, missing in known]
    cells = ["" if missing else str(value) for value, missing in known]
    # all cells at once: few columns hold any of these characters
    return [*map(_one_line, cells)] if NOT_PLAIN.search("".join(cells)) else cells


def _one_line(cell: str) -> str:
    """Return a cell of one line, quoted where needed: a tab or a line break would break the table.

    As `csv` quotes, which `read` understands.
    """
    plain = LINE_BREAKS.sub(" ", cell.replace("\t", " "))
    return '"' + plain.replace('"', '""') + '"' if '"' in plain else plain


def write(name: str, frame: pd.DataFrame, path: str | os.PathLike[str]) -> None:
    """Check `frame` against the named schema and write it as TSV, whole or not at all."""
    fitting = check(name, frame)
    columns = schemas()[name].columns_of(fitting)
    cells = [_printable(fitting[column.name], column) for column in columns]
    header = "\t".join(column.name for column in columns)
    lines = map("\t".join, zip(*cells, strict=True))
    write_text("\n".join([header, *lines, ""]), path)


def write_text(text: str, path: str | os.PathLike[str]) -> None:
    """Write UTF-8 text so that the file appears whole or not at all."""
    write_bytes(text.encode("utf-8"), path)


def write_json(value: Any, path: str | os.PathLike[str]) -> None:
    """Write indented JSON so that the file appears whole or not at all."""
    text = json.dumps(value, ensure_ascii=False, indent=2, allow_nan=False)
    write_text(text + "\n", path)


def write_bytes(data: bytes, path: str | os.PathLike[str]) -> None:
    """Write bytes so that the file appears whole or not at all."""
    target = Path(path)
    target.parent.mkdir(parents=True, exist_ok=True)
    draft = target.with_name(f".{target.name}.{os.getpid()}.part")
    try:
        with draft.open("wb") as stream:
            stream.write(data)
            stream.flush()
            os.fsync(stream.fileno())  # or a power cut may leave the name without the content
        os.replace(draft, target)
    finally:
        draft.unlink(missing_ok=True)


def read(
    name: str, path: str | os.PathLike[str], columns: Sequence[str] | None = None
) -> pd.DataFrame:
    """Read a table that `write` made: text stays text, an empty field is missing.

    columns: those that are read, by default all. Most of the time goes into exact numbers.
    """
    schema = schemas()[name]
    numbers = [one.name for one in schema.columns if one.kind in ("number", "fraction")]
    raw = pd.read_csv(
        path,
        sep="\t",
        usecols=columns,
        dtype={one.name: float if one.name in numbers else str for one in schema.columns},
        keep_default_na=False,
        na_values={name: [""] for name in numbers},
        quoting=csv.QUOTE_MINIMAL,
        float_precision="round_trip",
    )
    out = {}
    for column in schema.columns_of(raw):
        if columns is not None and column.name not in columns:
            continue
        values = raw[column.name]
        if column.name in numbers:
            out[column.name] = values
        elif column.kind == "integer":
            out[column.name] = pd.to_numeric(values.where(values != "")).astype("Int64")
        elif column.kind == "boolean":
            out[column.name] = values.map({"true": True, "false": False}).astype("boolean")
        else:
            out[column.name] = values.where(values != "", None)
    return pd.DataFrame(out)
