"""Everything a report is made from: the tables of one finished run, and nothing else."""

from __future__ import annotations

import json
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pandas as pd

from fibroserum import tables
from fibroserum.chain.links import chained
from fibroserum.cohort import contrasts
from fibroserum.cohort.accessors import all_contrasts, change_times, settings_of
from fibroserum.cohort.opening import opening, reading_order
from fibroserum.cohort.questions import questions_of
from fibroserum.cohort.storage import read_h5ad
from fibroserum.enrichment.stage import tested_genes
from fibroserum.genes.gmt import GeneSet, map_sets, read_collections
from fibroserum.input.names import file_name
from fibroserum.input.published import read_published

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


@dataclass(frozen=True)
class RunTables(Tables):
    """The tables of a run, and what else a report needs.

    published: as `read_published` returns it, or None; normalized: samples × genes; obs and genes:
    the cohort's sheet and annotation; settings: before, after, groups (reference first), crossover,
    lines …; gene_sets: with the matrix's gene ids; ranked: by contrast, the genes that set tests
    rank.
    """

    published: pd.DataFrame | None
    normalized: pd.DataFrame
    obs: pd.DataFrame
    genes: pd.DataFrame
    settings: dict[str, Any]
    gene_sets: tuple[GeneSet, ...]
    ranked: dict[str, pd.Index]
    provenance: dict[str, Any]

    @property
    def contrast_names(self) -> list[str]:
        """The contrasts in the order of a report: those of the control group last."""
        return list(self.contrasts["contrast"])

    @property
    def planned(self) -> list[contrasts.Contrast]:
        """The contrasts that the cohort was planned with."""
        return all_contrasts(self.settings)

    @property
    def times(self) -> list[str]:
        """The times after the intervention."""
        return change_times(self.settings)

    @property
    def groups(self) -> list[str]:
        """The groups, reference first."""
        return list(self.settings["groups"])

    def of_kind(self, *kinds: str) -> list[str]:
        """Return the contrasts of these kinds."""
        return list(self.contrasts.loc[self.contrasts["kind"].isin(kinds), "contrast"])

    @property
    def opening(self) -> list[str]:
        """The contrasts that the page opens with: all, where they are few."""
        first = opening(self.planned)
        return [name for name in self.contrast_names if name in first]

    @property
    def folded(self) -> list[str]:
        """The other contrasts."""
        return [name for name in self.contrast_names if name not in self.opening]


def only(run: RunTables, names: Sequence[str]) -> RunTables:
    """Return a run with these contrasts alone in its tables of contrasts and targets.

    Plans of slopes, which are of no contrast, stay.
    """
    others = set(run.contrast_names) - set(names)

    def of(frame: pd.DataFrame) -> pd.DataFrame:
        return frame[~frame["contrast"].isin(others)]

    return replace(
        run,
        contrasts=of(run.contrasts),
        de={name: frame for name, frame in run.de.items() if name not in others},
        enrichment={name: frame for name, frame in run.enrichment.items() if name not in others},
        targets=of(run.targets),
        loo=of(run.loo),
        power=of(run.power),
        planning=of(run.planning),
    )


def frames_of(run: Tables) -> Iterator[tuple[str, pd.DataFrame]]:
    """Yield every table of a run with the name of its schema."""
    for name in ("de", "enrichment", "stimulation"):
        yield from ((name, frame) for frame in getattr(run, name).values())
    yield from ((schema, getattr(run, field)) for field, schema in SINGLE.items())


def explained(run: Tables) -> dict[str, list[tables.Column]]:
    """Return the columns to explain of each schema: the optional ones where a table has them."""
    there = {(schema, str(name)) for schema, frame in frames_of(run) for name in frame}
    return {
        schema.name: [c for c in schema.columns if not c.optional or (schema.name, c.name) in there]
        for schema in tables.schemas().values()
    }


def _read(name: str, folder: Path, **names: str) -> pd.DataFrame:
    return tables.read(name, folder / tables.schemas()[name].path.format(**names))


def _gene_sets(config: Mapping[str, Any], genes: pd.DataFrame) -> tuple[GeneSet, ...]:
    mapped, _ = map_sets(read_collections(config["gene_sets"]), genes)
    return tuple(mapped)


def read_tables(
    folder: str | Path, stimulated: Mapping[str, bool], configured: Collection[str] = ()
) -> Tables:
    """Read the tables of a finished run under `results/{cohort}/`.

    stimulated: by factor, whether there is an arm of cells treated with it. configured: the keys
    of CONFIGURED that the config sets.
    """
    place = Path(folder)
    absent = {
        field for key, fields in CONFIGURED.items() if key not in configured for field in fields
    }
    single = {
        field: tables.empty(name)
        if field in absent
        or (field in OPTIONAL and not (place / tables.schemas()[name].path).exists())
        else _read(name, place)
        for field, name in SINGLE.items()
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


def load_run(
    folder: str | Path, config: Mapping[str, Any], provenance: Mapping[str, Any] | None = None
) -> RunTables:
    """Read what a report is made from, of a finished run under `results/{cohort}/`.

    config: the resolved config, whose gene sets and published table are read too; provenance: the
    record of the run, or None for what stands in `provenance.json`.
    """
    place = Path(folder)
    cohort = read_h5ad(place / "cohort.h5ad")
    asked = [key for key in CONFIGURED if config.get(key)]
    asked += ["omnibus"] if questions_of(all_contrasts(settings_of(cohort))) else []
    asked += ["chain"] if chained(config) else []
    made = read_tables(
        place,
        {name: bool(about["stimulation"]) for name, about in config["factors"].items()},
        asked,
    )
    if provenance is None:
        provenance = json.loads((place / "provenance.json").read_text(encoding="utf-8"))
    settings = settings_of(cohort)
    order = reading_order(all_contrasts(settings), settings["groups"], settings["control"])
    ordered = made.contrasts.set_index("contrast").loc[order].reset_index()
    return RunTables(
        **(vars(made) | {"contrasts": ordered}),
        published=read_published(Path(config["published"])) if config["published"] else None,
        normalized=cohort.to_df("normalized"),
        obs=cohort.obs,
        genes=cohort.var.astype({"symbol": str}),
        settings=settings,
        gene_sets=_gene_sets(config, cohort.var),
        ranked=tested_genes(cohort, made.de),
        provenance=dict(provenance),
    )


def filled_words(run: RunTables) -> str:
    """Return the legend's title where hollow marks are before and filled ones after."""
    *rest, last = run.times
    words = f"{', '.join(rest)} or {last}" if rest else last
    return f"Group (hollow {run.settings['before']}, filled {words})"


def labels_of(run: RunTables) -> dict[str, str]:
    """Return the few words that stand for each contrast in pictures and headings.

    They say which contrasts are not estimable.
    """
    words = contrasts.labels_of(run.planned, control=run.settings["control"])
    lost = run.settings["not_estimable"]
    return {name: f"{own} (not estimable)" if name in lost else own for name, own in words.items()}


def labelled(run: RunTables, frame: pd.DataFrame) -> pd.DataFrame:
    """Add the words of `labels_of` (column `label`) to a table with a column `contrast`."""
    return frame.assign(label=frame["contrast"].map(labels_of(run)))


def label_order(run: RunTables) -> list[str]:
    """Return the words of `labels_of` in the order of `contrasts.tsv`."""
    labels = labels_of(run)
    return [labels[name] for name in run.contrast_names]


def effect_of(run: RunTables, contrast: str) -> str:
    """Return what a contrast's fold change compares, for an axis or a heading."""
    return contrasts.effects_of(run.planned, control=run.settings["control"])[contrast]
