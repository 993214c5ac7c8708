"""The tables of a finished run, read from its folder; imports nothing slow."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from fibroserum import tables
from fibroserum.input.names import file_name

Frames = dict[str, pd.DataFrame]

# fields of Tables that are one table each, by the name of its schema
SINGLE = {
    "samples": "samples",
    "checks": "checks",
    "left_out_genes": "left_out_genes",
    "metrics": "qc_metrics",
    "variance": "qc_variance",
    "distances": "qc_distances",
    "contrasts": "contrasts",
    "scores": "set_scores",
    "score_tests": "set_score_tests",
    "left_out": "sets_left_out",
    "targets": "targets",
    "donors": "target_donors",
    "loo": "target_loo",
    "power": "target_power",
    "baseline": "target_baseline",
    "patterns": "target_patterns",
    "sensitivity": "sensitivity",
    "context": "context",
    "levels": "factor_levels",
    "pairs": "factor_pairs",
    "factors": "factors",
    "concordance": "factor_concordance",
    "sets": "factor_sets",
    "mediation": "mediation",
    "calibration": "calibration",
    "omnibus": "omnibus",
    "gene_lists": "gene_lists",
    "planning": "planning",
    "panel": "serum_panel",
    "panel_targets": "serum_panel_targets",
    "candidates": "candidates",
    "outcome_pairs": "outcome_pairs",
    "outcomes": "outcomes",
    "outcome_targets": "outcome_targets",
    "outcome_sets": "outcome_sets",
    "chain": "chain",
}
# keys of the config that ask for tables (omnibus: the contrasts do; chain: several keys), with
# their tables: the first has a row wherever it is asked for. Else no table is read, though an
# earlier run may have left it.
CONFIGURED = {
    "omnibus": ("omnibus",),
    "gene_lists": ("gene_lists",),
    "serum_panel": ("panel", "panel_targets", "candidates"),
    "outcomes": ("outcome_pairs", "outcomes", "outcome_targets", "outcome_sets"),
    "chain": ("chain",),
}
# written only where they can be
OPTIONAL = {"calibration"}


@dataclass(frozen=True)
class Tables:
    """The tables of a run, as `tables.yaml` describes them.

    de, enrichment: by contrast; stimulation: by factor, empty where there is no arm.
    """

    samples: pd.DataFrame
    checks: pd.DataFrame
    left_out_genes: pd.DataFrame
    metrics: pd.DataFrame
    variance: pd.DataFrame
    distances: pd.DataFrame
    contrasts: pd.DataFrame
    de: Frames
    enrichment: Frames
    scores: pd.DataFrame
    score_tests: pd.DataFrame
    left_out: pd.DataFrame
    targets: pd.DataFrame
    donors: pd.DataFrame
    loo: pd.DataFrame
    power: pd.DataFrame
    baseline: pd.DataFrame
    patterns: pd.DataFrame
    sensitivity: pd.DataFrame
    context: pd.DataFrame
    levels: pd.DataFrame
    pairs: pd.DataFrame
    factors: pd.DataFrame
    concordance: pd.DataFrame
    sets: pd.DataFrame
    mediation: pd.DataFrame
    calibration: pd.DataFrame
    omnibus: pd.DataFrame
    gene_lists: pd.DataFrame
    planning: pd.DataFrame
    outcome_pairs: pd.DataFrame
    outcomes: pd.DataFrame
    outcome_targets: pd.DataFrame
    outcome_sets: pd.DataFrame
    panel: pd.DataFrame
    panel_targets: pd.DataFrame
    candidates: pd.DataFrame
    chain: pd.DataFrame
    stimulation: Frames


def frames_of(run: Tables) -> Iterator[tuple[str, pd.DataFrame]]:
    """Yield every table of a run with the name of its schema."""
    for name in ("de", "enrichment", "stimulation"):
        yield from ((name, frame) for frame in getattr(run, name).values())
    yield from ((schema, getattr(run, field)) for field, schema in SINGLE.items())


def explained_columns(there: Collection[tuple[str, str]]) -> dict[str, list[tables.Column]]:
    """Return the columns to explain of each schema: the optional ones where a table has them.

    there: schemas and names of the columns of all tables.
    """
    return {
        schema.name: [c for c in schema.columns if not c.optional or (schema.name, c.name) in there]
        for schema in tables.schemas().values()
    }


def explained(run: Tables) -> dict[str, list[tables.Column]]:
    """Return the columns to explain of the tables of a run, see `explained_columns`."""
    return explained_columns({(name, str(c)) for name, frame in frames_of(run) for c in frame})


def _read(name: str, folder: Path, **names: str) -> pd.DataFrame:
    return tables.read(name, folder / tables.schemas()[name].path.format(**names))


def single_files(folder: Path, configured: Collection[str]) -> dict[str, Path | None]:
    """Return the file of each field of SINGLE, None where a run has no such table.

    See `read_tables`.
    """
    absent = {
        field for key, fields in CONFIGURED.items() if key not in configured for field in fields
    }
    files = {field: folder / tables.schemas()[name].path for field, name in SINGLE.items()}
    absent |= {field for field in OPTIONAL if not files[field].exists()}
    return {field: None if field in absent else path for field, path in files.items()}


def read_tables(
    folder: str | Path, stimulated: Mapping[str, bool], configured: Collection[str] = ()
) -> Tables:
    """Read the tables of a finished run under `results/{cohort}/`.

    stimulated: by factor, whether there is an arm of cells treated with it. configured: the keys
    of CONFIGURED that the config sets.
    """
    place = Path(folder)
    single = {
        field: tables.read(SINGLE[field], path) if path else tables.empty(SINGLE[field])
        for field, path in single_files(place, configured).items()
    }
    files = {name: file_name(name) for name in single["contrasts"]["contrast"]}
    return Tables(
        **single,
        de={name: _read("de", place, contrast=file) for name, file in files.items()},
        enrichment={
            name: _read("enrichment", place, contrast=file) for name, file in files.items()
        },
        stimulation={
            factor: _read("stimulation", place, factor=file_name(factor))
            if arm
            else tables.empty("stimulation")
            for factor, arm in stimulated.items()
        },
    )
