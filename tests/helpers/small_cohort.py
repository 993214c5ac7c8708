"""A small good cohort, made in memory: each case spoils one thing in it before it is written."""

from __future__ import annotations

import copy
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import yaml

_NAMES = """
BGN DCN VCAN HAS1 HAS2 COL1A1 COL1A2 COL3A1 COL5A1 COL6A1 COL12A1 COL14A1 LUM FN1 ELN FBN1 POSTN
SPARC TNC THBS1 THBS2 LOX LOXL1 LOXL2 MMP1 MMP2 MMP3 MMP14 TIMP1 TIMP2 TIMP3 CCN1 CCN2 TGFB1 TGFB2
TGFBR1 TGFBR2 SMAD2 SMAD3 SMAD7 ACTA2 TAGLN VIM PDGFRA PDGFRB FAP THY1 S100A4 CCL28 PF4 IL6 CXCL8
CXCL12 GAPDH ACTB B2M TUBA1B EEF1A1 RPLP0 SERPINE1
"""
GENES = _NAMES.split()
DONORS = {"D1": "AT", "D2": "AT", "D3": "AT", "D4": "RT", "D5": "RT", "D6": "RT"}
TIMES = ("pre", "post")


@dataclass
class Table:
    """Rows of text, the header first."""

    rows: list[list[str]]

    @property
    def header(self) -> list[str]:
        return self.rows[0]

    def row(self, name: str) -> list[str]:
        """Return the first row whose first cell is `name`."""
        return next(row for row in self.rows[1:] if row[0] == name)

    def put(self, name: str, column: str, value: str) -> None:
        """Write one cell."""
        self.row(name)[self.header.index(column)] = value

    def map(self, column: str, change: Callable[[str], str]) -> None:
        """Change every cell of a column."""
        index = self.header.index(column)
        for row in self.rows[1:]:
            row[index] = change(row[index])

    def values(self, change: Callable[[float], object]) -> None:
        """Change every cell but the header's and the first column's, which are numbers."""
        for row in self.rows[1:]:
            row[1:] = [str(change(float(cell))) for cell in row[1:]]

    def drop(self, *names: str) -> None:
        """Leave out rows by their first cell."""
        self.rows = [row for row in self.rows if row[0] not in names]

    def drop_column(self, *names: str) -> None:
        """Leave out columns by their header."""
        kept = [i for i, name in enumerate(self.header) if name not in names]
        self.rows = [[row[i] for i in kept] for row in self.rows]

    def add_column(self, name: str, values: Sequence[str]) -> None:
        """Add a column, a value for each row."""
        for row, value in zip(self.rows, [name, *values], strict=True):
            row.append(value)

    def rename(self, column: str, name: str) -> None:
        """Rename a column."""
        self.rows[0][self.header.index(column)] = name

    def text(self, separator: str = "\t") -> str:
        """Return the table as a file holds it."""
        return "".join(separator.join(row) + "\n" for row in self.rows)


@dataclass
class SmallCohort:
    """Config and tables of a cohort of two groups, three pairs each, with a stimulation arm.

    instead: bytes (or text) that are written under a name in place of the table there, None for
    nothing at all; `late` runs on the folder after everything is written. arguments: further
    words of the command line.
    """

    config: dict[str, Any]
    tables: dict[str, Table]
    instead: dict[str, bytes | str | None] = field(default_factory=dict)
    late: list[Callable[[Path], None]] = field(default_factory=list)
    arguments: list[str] = field(default_factory=list)

    @property
    def sheet(self) -> Table:
        return self.tables["samples.tsv"]

    @property
    def counts(self) -> Table:
        return self.tables["counts.tsv"]

    @property
    def design(self) -> dict[str, Any]:
        return self.config["design"]

    @property
    def factor(self) -> dict[str, Any]:
        return self.config["factors"]["CCL28"]

    @property
    def arm(self) -> dict[str, Any]:
        return self.factor["stimulation"]

    def rename_samples(self, change: Callable[[str], str]) -> None:
        """Rename every sample, in the sheet and in the counts."""
        self.sheet.map("sample", change)
        self.counts.rows[0][1:] = [change(name) for name in self.counts.header[1:]]

    def drop_samples(self, *names: str) -> None:
        """Leave samples out of both tables."""
        self.sheet.drop(*names)
        self.counts.drop_column(*names)

    def add_time(self, time: str, like: str = "post") -> None:
        """Give every donor one more sample at `time`, with the counts of the one at `like`."""
        for name in [row[0] for row in self.sheet.rows[1:] if row[0].endswith(f"_{like}")]:
            new = name.replace(f"_{like}", f"_{time}")
            row = list(self.sheet.row(name))
            row[0], row[self.sheet.header.index("timepoint")] = new, time
            self.sheet.rows.append(row)
            place = self.counts.header.index(name)
            for cells in self.counts.rows[1:]:
                cells.append(str(int(cells[place]) + 1))
            self.counts.header.append(new)

    def write(self, folder: Path) -> None:
        """Write config and tables into `folder`."""
        folder.mkdir(parents=True, exist_ok=True)
        text = yaml.safe_dump(self.config, sort_keys=False, allow_unicode=True)
        files: dict[str, bytes | str | None] = {"cohort.yaml": text}
        files |= {name: table.text() for name, table in self.tables.items()}
        for name, content in (files | self.instead).items():
            if content is not None:
                (folder / name).parent.mkdir(parents=True, exist_ok=True)
                raw = content.encode() if isinstance(content, str) else content
                (folder / name).write_bytes(raw)
        for change in self.late:
            change(folder)


def _counts(samples: Sequence[str], seed: int) -> Table:
    rng = np.random.default_rng(seed)
    means = np.exp(rng.normal(6, 1.2, len(GENES)))
    depth = np.exp(rng.normal(0, 0.2, len(samples)))
    spread = rng.gamma(10, 1 / 10, (len(GENES), len(samples)))
    drawn = rng.poisson(means[:, None] * depth * spread)
    rows = [[gene, *map(str, row)] for gene, row in zip(GENES, drawn, strict=True)]
    return Table([["gene_id", *samples], *rows])


def _sheet() -> Table:
    header = ["sample", "donor", "group", "timepoint", "ccl28", "age", "plate", "rin"]
    rng = np.random.default_rng(3)
    rows = []
    for index, (donor, group) in enumerate(DONORS.items()):
        for time in TIMES:
            rows.append(
                [f"{donor}_{time}", donor, group, time, f"{rng.uniform(300, 700):.1f}",
                 str(45 + 3 * index), f"P{(index + (time == 'post')) % 2 + 1}",
                 f"{rng.uniform(7, 10):.1f}"]
            )  # fmt: skip
    return Table([header, *rows])


def _published() -> Table:
    header = ["gene", "group", "pairs", "before", "before_se", "after", "after_se", "p"]
    return Table([header, ["BGN", "RT", "29", "1.0", "0.1", "1.4", "0.1", "<0.01"]])


def good() -> SmallCohort:
    """Return a cohort with nothing wrong in it."""
    sheet = _sheet()
    cultures = [f"C{n}" for n in (1, 2, 3)]
    levels = ("vehicle", "ccl28")
    arm = [[f"{c}_{level}", c, level] for c in cultures for level in levels]
    config = {
        "cohort": "small",
        "counts": ["counts.tsv"],
        "samples": "samples.tsv",
        "design": {"group": "group", "before": "pre", "after": "post", "reference_group": "AT"},
        "gene_sets": ["sets.gmt"],
        "targets": ["BGN", "DCN", "COL1A1"],
        "published": "published.tsv",
        "factors": {
            "CCL28": {
                "gene": "CCL28",
                "serum": "ccl28",
                "stimulation": {
                    "counts": "arm.counts.tsv",
                    "samples": "arm.samples.tsv",
                    "column": "treatment",
                    "control": "vehicle",
                    "treated": "ccl28",
                    "block": "culture",
                },
                "signature": "signature.tsv",
            }
        },
    }
    gmt = [["ECM", "matrix", *GENES[:16]], ["TGFB", "signalling", *GENES[33:42]]]
    signature = [["gene", "direction"], ["BGN", "down"], ["COL1A1", "up"]]
    tables = {
        "samples.tsv": sheet,
        "counts.tsv": _counts([row[0] for row in sheet.rows[1:]], 1),
        "arm.samples.tsv": Table([["sample", "culture", "treatment"], *arm]),
        "arm.counts.tsv": _counts([row[0] for row in arm], 2),
        "sets.gmt": Table(gmt),
        "signature.tsv": Table(signature),
        "published.tsv": _published(),
    }
    return SmallCohort(copy.deepcopy(config), tables)
