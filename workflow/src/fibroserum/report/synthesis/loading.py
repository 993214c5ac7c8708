"""Everything the report of a synthesis is made from."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from fibroserum import __version__, tables
from fibroserum.report.figures.synthesis_catalogue import META
from fibroserum.report.theme import value


@dataclass(frozen=True)
class SynthesisSettings:
    """What the config says of a synthesis.

    name: of the synthesis; folders: each cohort's folder beside its own, by the cohort's name;
    order: targets in the order of their pages, factors likewise; alpha: false discovery rate of its
    calls.
    """

    name: str
    folders: dict[str, str]
    order: Sequence[str]
    factors: Sequence[str]
    alpha: float


@dataclass(frozen=True)
class SynthesisRun(SynthesisSettings):
    """The tables of a finished synthesis; summaries: `summary.json` of each cohort."""

    cohorts: pd.DataFrame
    targets: pd.DataFrame
    gene_sets: pd.DataFrame
    factor_genes: pd.DataFrame
    estimates: pd.DataFrame
    summaries: dict[str, dict[str, Any]]

    @property
    def contrasts(self) -> list[str]:
        """The contrasts that cohorts have in common, or one of them has alone."""
        return list(dict.fromkeys(self.cohorts["contrast"]))

    def estimates_of(self, level: str, name: str) -> pd.DataFrame:
        """Return the cohorts' own estimates of one subject."""
        frame = self.estimates
        return frame[(frame["level"] == level) & (frame["name"] == name)]


def read_synthesis(
    settings: SynthesisSettings, paths: Mapping[str, str | Path], summaries: Sequence[str | Path]
) -> SynthesisRun:
    """Read a synthesis; paths: of its tables by field; summaries: of the cohorts, as in folders."""
    read = {field: tables.read(f"meta_{field}", paths[field]) for field in META}
    texts = (Path(path).read_text(encoding="utf-8") for path in summaries)
    said = dict(zip(settings.folders, map(json.loads, texts), strict=True))
    return SynthesisRun(**vars(settings), **read, summaries=said)


_SHOWN = (
    "cohorts",
    "random_estimate",
    "random_ci_low",
    "random_ci_high",
    "fixed_estimate",
    "fixed_ci_low",
    "fixed_ci_high",
    "I2",
    "call",
    "replicated",
    "replicated_padj",
    "reason",
)


def _calls(frame: pd.DataFrame, name: str, column: str) -> dict[str, dict[str, list[str]]]:
    """Return the names whose `column` is up, and down, by contrast."""
    return {
        str(contrast): {way: list(rows.loc[rows[column] == way, name]) for way in ("up", "down")}
        for contrast, rows in frame.groupby("contrast", sort=False)
    }


def synthesis_summary(run: SynthesisRun) -> dict[str, Any]:
    """Return the headline figures of a synthesis, for `summary.json` and the top of its page.

    cohorts: by name, folder, pairs and warnings; contrasts: by name, the cohorts in it; target:
    the first target and, by contrast, its estimates; targets, gene_sets: what is called, by
    contrast; replicated_…: what is replicated, likewise; factors: by name, genes that any cohort
    calls responsive, and those on whose direction the cohorts that call them agree.
    """
    used = run.cohorts[run.cohorts["used"]]
    first = run.order[0] if run.order else ""
    rows = run.targets[run.targets["target"] == first]
    genes = run.factor_genes.drop_duplicates(["factor", "gene"])
    return {
        "synthesis": run.name,
        "version": __version__,
        "alpha": run.alpha,
        "cohorts": {
            name: {
                "folder": folder,
                "pairs": run.summaries[name]["pairs"],
                "warnings": run.summaries[name]["warnings"],
            }
            for name, folder in run.folders.items()
        },
        "contrasts": {
            contrast: list(used.loc[used["contrast"] == contrast, "cohort"])
            for contrast in run.contrasts
        },
        "target": {
            "name": first,
            "contrasts": {
                row["contrast"]: {name: value(row[name]) for name in _SHOWN}
                for _, row in rows.iterrows()
            },
        },
        "targets": _calls(run.targets, "target", "call"),
        "gene_sets": _calls(run.gene_sets, "gene_set", "call"),
        "replicated_targets": _calls(run.targets, "target", "replicated"),
        "replicated_gene_sets": _calls(run.gene_sets, "gene_set", "replicated"),
        "factors": {
            factor: {
                "genes": int((genes["factor"] == factor).sum()),
                "agreed": int(((genes["factor"] == factor) & genes["direction"].notna()).sum()),
            }
            for factor in run.factors
        },
    }
