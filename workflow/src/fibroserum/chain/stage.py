"""The table of chains: for each contrast, molecule, target and outcome its five links."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import anndata as ad
import pandas as pd

from fibroserum import tables
from fibroserum.chain import rows as row_links
from fibroserum.chain.links import (
    DIRECT_GENE,
    DIRECT_OUTCOME,
    LINKS,
    TO_GENE,
    TO_MOLECULE,
    TO_OUTCOME,
    Link,
    verdicts_of,
)
from fibroserum.chain.outcome_changes import outcome_change
from fibroserum.chain.sentences import link_sentence
from fibroserum.cohort.accessors import (
    all_contrasts,
    change_times,
    settings_of,
    tested_counts,
)
from fibroserum.cohort.contrasts import SUM_TOLERANCE, Contrast, labels_of
from fibroserum.factors.serum import serum_models
from fibroserum.factors.stage import last_pairs
from fibroserum.input.serum_panel import molecule_of
from fibroserum.intervals import Estimate

Rows = dict[tuple[str, ...], dict[str, Any]]


@dataclass(frozen=True)
class Sources:
    """The tables that decide the links; without a serum panel those of the panel are empty."""

    targets: pd.DataFrame
    outcome_pairs: pd.DataFrame
    outcome_targets: pd.DataFrame
    factor_levels: pd.DataFrame
    factor_pairs: pd.DataFrame
    factors: pd.DataFrame
    serum_panel: pd.DataFrame
    serum_panel_targets: pd.DataFrame


def flag_chain(
    cohort: ad.AnnData,
    paired: ad.AnnData,
    sources: Sources,
    factors: Mapping[str, str],
    scales: Mapping[str, str],
    alpha: float,
    n_cpus: int = 1,
) -> pd.DataFrame:
    """Return `flags/chain.tsv`.

    Parameters
    ----------
    cohort, paired : anndata.AnnData
        cohort.h5ad and the fit of changes.
    sources : Sources
        The tables whose calls are the links'.
    factors : mapping
        By factor, its `serum` (`chained`).
    scales : mapping
        By outcome, its scale.
    alpha : float
        False discovery rate of the slopes on molecules of the panel.
    n_cpus : int
        Threads; results do not depend on it.

    Returns
    -------
    pandas.DataFrame
        Five rows for each contrast of changes to one time after, factor, target and outcome.
    """
    settings = settings_of(cohort)
    planned = all_contrasts(settings)
    labels = labels_of(planned, control=settings["control"])
    to_gene = _slopes_on_levels(cohort, paired, sources, factors, alpha, n_cpus)
    to_molecule = _level_changes(sources, factors)
    genes = _by(sources.targets, "target", "contrast")
    of_change = sources.outcome_targets[sources.outcome_targets["question"] == "change"]
    to_outcome = _by(of_change, "outcome", "target", "time")
    found: list[dict[str, Any]] = []
    for contrast in planned:
        if contrast.model != "paired" or contrast.time is None:
            continue
        label, compared = labels[contrast.name], _compares(contrast)
        outcomes = {
            name: row_links.outcome_change_link(
                name,
                _outcome_change(name, contrast, sources, settings),
                label,
                scale,
                compared=compared,
            )
            for name, scale in scales.items()
        }
        for factor in factors:
            level = to_molecule[factor].get((contrast.name,))
            first = row_links.level_change(factor, level, label, compared=compared)
            for target in settings["targets"]:
                for outcome, change in outcomes.items():
                    slope = to_outcome[outcome, target, contrast.time]
                    links = {
                        TO_MOLECULE: first,
                        TO_GENE: to_gene[factor, target, contrast.time],
                        DIRECT_GENE: row_links.gene_change(genes[target, contrast.name]),
                        TO_OUTCOME: row_links.outcome_slope(slope),
                        DIRECT_OUTCOME: change,
                    }
                    found += _chain_rows(links, contrast.name, (factor, target, outcome))
    return pd.DataFrame(found) if found else tables.empty("chain")


def _chain_rows(
    links: Mapping[str, Link], contrast: str, names: tuple[str, str, str]
) -> Iterator[dict[str, Any]]:
    """Yield the rows of one chain; names: of molecule, target and outcome."""
    verdicts = verdicts_of(links)
    for name in LINKS:
        link = links[name]
        yield {
            "contrast": contrast,
            **dict(zip(("molecule", "target", "outcome"), names, strict=True)),
            "link": name,
            "estimate": link.estimate,
            "ci_low": link.ci_low,
            "ci_high": link.ci_high,
            "pvalue": link.pvalue,
            "verdict": verdicts[name],
            "sentence": link_sentence(name, links, names),
        }


def _by(table: pd.DataFrame, *keys: str) -> Rows:
    """Return the rows of a table by the columns that name them."""
    return {tuple(row[key] for key in keys): row for row in table.to_dict("records")}


def _compares(contrast: Contrast) -> bool:
    """Whether a contrast compares changes: its weights sum to 0."""
    return abs(sum(weight for _, weight in contrast.weights)) <= SUM_TOLERANCE


def _outcome_change(
    name: str, contrast: Contrast, sources: Sources, settings: Mapping[str, Any]
) -> Estimate:
    pairs = sources.outcome_pairs
    own = pairs[(pairs["outcome"] == name) & (pairs["time"] == contrast.time)]
    return outcome_change(own, contrast, crossover=settings["crossover"])


def _level_changes(sources: Sources, factors: Mapping[str, str]) -> dict[str, Rows]:
    """Return by factor the rows on the change of its level, by contrast."""
    found = {}
    for name, serum in factors.items():
        molecule = molecule_of(serum)
        if molecule is None:
            table, key = sources.factor_levels, ("factor", name)
        else:
            table, key = sources.serum_panel, ("molecule", molecule)
        found[name] = _by(table[table[key[0]] == key[1]], "contrast")
    return found


def _slopes_on_levels(
    cohort: ad.AnnData,
    paired: ad.AnnData,
    sources: Sources,
    factors: Mapping[str, str],
    alpha: float,
    n_cpus: int,
) -> dict[tuple[str, str, str], Link]:
    """Return the slope of each target on each factor's level, by factor, target and time.

    Of a level of the sample sheet only at the last time after, with the slope's interval, which no
    table holds.
    """
    settings = settings_of(cohort)
    times = change_times(settings)
    on_panel = _by(sources.serum_panel_targets, "molecule", "target", "time")
    genes = _by(sources.factors, "factor", "gene_id")
    molecules = {name: molecule_of(serum) for name, serum in factors.items()}
    on_sheet = [name for name, molecule in molecules.items() if molecule is None]
    slopes = _sheet_slopes(cohort, paired, sources.factor_pairs, on_sheet, n_cpus)
    found: dict[tuple[str, str, str], Link] = {}
    for name, molecule in molecules.items():
        if molecule is not None:
            found |= {
                (name, target, time): row_links.panel_slope(
                    name, on_panel[molecule, target, time], alpha
                )
                for target in settings["targets"]
                for time in times
            }
            continue
        for target, gene in settings["targets"].items():
            only = f"the slope on the level of {name} is estimated only at {times[-1]}"
            found |= {(name, target, time): Link(words=only) for time in times[:-1]}
            found[name, target, times[-1]] = row_links.sheet_slope(
                name, target, slopes[name].get(gene), genes.get((name, str(gene)))
            )
    return found


def _sheet_slopes(
    cohort: ad.AnnData, paired: ad.AnnData, pairs: pd.DataFrame, factors: Sequence[str], n_cpus: int
) -> dict[str, dict[str | None, dict[str, Any]]]:
    """Return by factor and gene the slope on a level of the sample sheet; pairs: `factor_pairs`."""
    if not factors:
        return {}
    models = serum_models(
        tested_counts(paired),
        *last_pairs(cohort, paired.obs_names),
        {name: pairs[pairs["factor"] == name] for name in factors},
        cohort.var["target"].astype(bool),
        n_cpus=n_cpus,
    )
    return {name: model.table.to_dict("index") for name, model in models.items()}
