"""Everything a report is made from: the tables of one finished run, and nothing else."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from anndata import AnnData

from fibroserum.chain.links import chained
from fibroserum.cohort import contrasts
from fibroserum.cohort.accessors import all_contrasts, change_times, settings_of
from fibroserum.cohort.opening import opening, reading_order
from fibroserum.cohort.questions import questions_of
from fibroserum.cohort.storage import open_h5ad
from fibroserum.genes.gmt import GeneSet, map_sets, read_collections
from fibroserum.input.published import read_published
from fibroserum.report.run_tables import CONFIGURED, Frames, Tables, read_tables


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


def _gene_sets(config: Mapping[str, Any], genes: pd.DataFrame) -> tuple[GeneSet, ...]:
    mapped, _ = map_sets(read_collections(config["gene_sets"]), genes)
    return tuple(mapped)


def _ranked(cohort: AnnData, results: Frames) -> dict[str, pd.Index]:
    """Return the genes that set tests rank in each contrast: those that the second model tests."""
    tested = {name: table["second_pvalue"].notna() for name, table in results.items()}
    if all(genes.any() for genes in tested.values()):
        return {name: pd.Index(results[name].loc[own, "gene_id"]) for name, own in tested.items()}
    # without its p values they are found in the counts; slow to import
    from fibroserum.enrichment.stage import tested_genes

    return tested_genes(cohort, results)


def load_run(
    folder: str | Path, config: Mapping[str, Any], provenance: Mapping[str, Any] | None = None
) -> RunTables:
    """Read what a report is made from, of a finished run under `results/{cohort}/`.

    config: the resolved config, whose gene sets and published table are read too; provenance: the
    record of the run, or None for what stands in `provenance.json`.
    """
    place = Path(folder)
    cohort = open_h5ad(place / "cohort.h5ad")
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
    # before the next matrix is read, so that two are not held at once
    ranked = _ranked(cohort, made.de)
    normalized = np.asarray(cohort.layers["normalized"])
    order = reading_order(all_contrasts(settings), settings["groups"], settings["control"])
    ordered = made.contrasts.set_index("contrast").loc[order].reset_index()
    return RunTables(
        **(vars(made) | {"contrasts": ordered}),
        published=read_published(Path(config["published"])) if config["published"] else None,
        normalized=pd.DataFrame(normalized, cohort.obs_names, cohort.var_names),
        obs=cohort.obs,
        genes=cohort.var.astype({"symbol": str}),
        settings=settings,
        gene_sets=_gene_sets(config, cohort.var),
        ranked=ranked,
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
