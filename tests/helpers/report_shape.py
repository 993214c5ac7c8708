"""What a fabricated run looks like, and how its tables are written."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from fibroserum import tables
from fibroserum.cohort.contrasts import contrasts_of
from fibroserum.input.config import with_defaults
from fibroserum.input.schema import config_schema

HOSTILE = (
    "<script>alert(1)</script>",
    "=cmd|' /C calc'!A0",
    "../../x",
    'a "quoted", comma\'d name',
    "Жёлтый 猫 é",
    "-1+2",
    "@sum",
    "SEPT9",
    "a.b[0]['c']",
    "{{ 7*7 }}</script><img src=x onerror=alert(1)>",
)
TARGETS = ("BGN", "DCN", "VCAN", "HAS1", "HAS2", "COL1A1", "COL1A2", "COL3A1")


@dataclass(frozen=True)
class Shape:
    """What a fabricated run looks like.

    changed: share of genes called; evidence: whether the factors have any; names: put in place of
    the first genes, donors, sets and factors; times: those after; only_before, pairwise, control,
    own: as `contrasts_of` takes them.
    """

    groups: tuple[str, ...] = ("AT", "RT")
    pairs: int = 8
    genes: int = 800
    changed: float = 0.04
    evidence: bool = True
    targets: tuple[str, ...] = TARGETS
    factors: tuple[str, ...] = ("CCL28", "CXCL4")
    outcomes: tuple[str, ...] = ()
    names: tuple[str, ...] = ()
    sample_prefix: str = ""
    dropped: int = 1
    cohort: str = "made-up"
    sets: int = 12
    published: Path | None = None
    lines: tuple[str, ...] = ("",)
    lines_per_donor: str = "all"
    times: tuple[str, ...] = ("post",)
    only_before: tuple[str, ...] = ()
    pairwise: bool = False
    control: str | None = None
    own: dict[str, dict[str, float]] = field(default_factory=dict)
    extra: dict[str, str] = field(default_factory=dict)
    lists: dict[str, list[str]] = field(default_factory=dict)

    @property
    def after(self) -> str | list[str]:
        """The times after as a config and a cohort hold them."""
        return self.times[0] if len(self.times) == 1 else list(self.times)


#: Three groups, two of them with three times after, and all that makes contrasts many.
SEVERAL = Shape(
    groups=("control", "AT", "RT", "healthy"),
    only_before=("healthy",),
    times=("week16", "week4", "week8"),
    pairwise=True,
    control="control",
    own={
        "trained": {"AT@week8": 0.5, "RT@week8": 0.5, "control@week8": -1},
        "late": {"RT@week8": 1, "RT@week4": -1},
    },
    pairs=5,
    genes=150,
)


def config_of(shape: Shape, repository: Path, folder: Path) -> dict[str, Any]:
    """Return the resolved config of a fabricated run."""
    given = {
        "cohort": shape.cohort,
        "counts": ["counts.tsv"],
        "samples": "samples.tsv",
        "design": {
            "group": "group" if len(shape.groups) > 1 else None,
            "before": "pre",
            "after": shape.after,
            "reference_group": shape.groups[0] if len(shape.groups) > 1 else None,
        },
        "gene_sets": [str(folder / "inputs" / "matrix.gmt")],
        "targets": list(shape.targets),
        "gene_lists": shape.lists,
        "published": None if shape.published is None else str(shape.published),
        "factors": {
            name: {"gene": None, "serum": "level" if shape.evidence else None}
            for name in shape.factors
        },
        "outcomes": {name: {"column": "thickness"} for name in shape.outcomes},
    }
    schema = config_schema()
    resolved = with_defaults(given, schema)
    if shape.evidence and shape.factors:
        resolved["factors"][shape.factors[0]]["stimulation"] = {"counts": "stimulation.tsv"}
    return resolved


class Tables:
    """Writes tables of one fabricated run."""

    def __init__(self, shape: Shape, folder: Path, repository: Path, seed: int = 1):
        self.shape, self.folder = shape, folder
        self.config = config_of(shape, repository, folder)
        self.rng = np.random.default_rng(seed)
        self.contrasts = contrasts_of(
            shape.groups,
            "pre",
            shape.times,
            only_before=shape.only_before,
            pairwise=shape.pairwise,
            control=shape.control,
            own=shape.own,
        )
        plain = [f"GENE{i:05d}" for i in range(shape.genes)]
        for i, name in enumerate((*shape.targets, *shape.names)):
            plain[i] = name
        self.symbols = plain
        self.ids = [f"ENSG{i:011d}" for i in range(shape.genes)]
        names = list(shape.names)
        self.donors = {
            group: [
                names[i]
                if g == 0 and i < len(names)
                else f"{shape.sample_prefix}{group[:12]}{i + 1:02d}"
                for i in range(shape.pairs)
            ]
            for g, group in enumerate(shape.groups)
        }
        self.set_names = [*names, *(f"matrix set {i + 1}" for i in range(shape.sets))][: shape.sets]

    def write(self, table: str, rows: Any, **names: str) -> pd.DataFrame:
        """Write a table given as rows or a frame; absent columns are empty."""
        schema = tables.schemas()[table]
        frame = rows if isinstance(rows, pd.DataFrame) else pd.DataFrame(rows)
        columns = [column.name for column in schema.columns_of(frame)]
        frame = frame.reindex(columns=columns).astype(object)
        frame = frame.where(frame.notna(), None)
        tables.write(table, frame, self.folder / schema.path.format(**names))
        return frame
