"""All tables on the factors of a cohort."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import anndata as ad
import numpy as np
import pandas as pd

from fibroserum import tables
from fibroserum.cohort.accessors import (
    all_contrasts,
    at_time,
    change_times,
    counts_of,
    rows_of_targets,
    settings_of,
    tested_counts,
)
from fibroserum.cohort.contrasts import Contrast
from fibroserum.enrichment.expression import set_models_of
from fibroserum.factors.combine import combine
from fibroserum.factors.concordance import concordance, responsive_genes, signed_sets
from fibroserum.factors.levels import PAIR_COLUMNS, Change, level_change, level_pairs
from fibroserum.factors.mediation_calls import mediation_rows, with_calls
from fibroserum.factors.serum import SerumModel, serum_models
from fibroserum.factors.stimulation import stimulation_evidence, stimulation_scores
from fibroserum.genes.mapping import resolve
from fibroserum.input.sheet import obs_name
from fibroserum.input.signature import on_genes
from fibroserum.linear import ContrastFit


@dataclass(frozen=True)
class FactorTables:
    """The tables on factors; `SCHEMAS` names the schema of each."""

    levels: pd.DataFrame
    pairs: pd.DataFrame
    factors: pd.DataFrame
    concordance: pd.DataFrame
    sets: pd.DataFrame
    mediation: pd.DataFrame


SCHEMAS = {
    "levels": "factor_levels",
    "pairs": "factor_pairs",
    "factors": "factors",
    "concordance": "factor_concordance",
    "sets": "factor_sets",
    "mediation": "mediation",
}


#: What the tables on the factors take from a contrast's result table.
DE_COLUMNS = ["gene_id", "log2FoldChange", "ci_low", "ci_high", "padj"]


@dataclass(frozen=True)
class FactorSettings:
    """What every table on the factors depends on.

    alpha: false discovery rate. seed: of the bootstraps. n_cpus: threads; results do not depend on
    it.
    """

    alpha: float
    seed: int
    n_cpus: int = 1


@dataclass(frozen=True)
class _Context:
    """What all factors of a cohort share.

    obs: the samples of the last time after and before, text, in groups with changes; all_obs: of
    all times. annotation: of its genes, text. targets: the ids of every row
    that means a target. paired: the samples of complete pairs. log2: log2 of normalized counts +
    0.5 of the targets that are present.
    """

    obs: pd.DataFrame
    all_obs: pd.DataFrame
    annotation: pd.DataFrame
    targets: frozenset[str]
    settings: dict[str, Any]
    contrasts: tuple[Contrast, ...]
    paired: pd.Index
    force_kept: pd.Series
    log2: pd.DataFrame
    de: Mapping[str, pd.DataFrame]
    run: FactorSettings


def flag_factors(
    cohort: ad.AnnData,
    paired: ad.AnnData,
    de: Mapping[str, pd.DataFrame],
    stimulation: Mapping[str, pd.DataFrame],
    signatures: Mapping[str, pd.DataFrame],
    factors: Mapping[str, Mapping[str, Any]],
    run: FactorSettings,
) -> FactorTables:
    """Return every table on the cohort's factors.

    cohort, paired: cohort.h5ad and the fit of changes; de: result tables by contrast name, the
    paired model's at least; stimulation, signatures: by factor, where it has one
    (`stimulation_table`, `read_signature`); factors: the config's. Without any, all are empty.
    """
    if not factors:
        return FactorTables(**{field: tables.empty(name) for field, name in SCHEMAS.items()})
    context = _context(cohort, paired, de, run)
    serum = _serum_models(factors, context, tested_counts(paired))
    # these models are as large as those of serum, of which only the tables are left
    fits = set_models_of(paired, context.force_kept, run.n_cpus)
    linear = {c.name: fits[c.file] for c in context.contrasts if c.file in fits}
    parts = [
        _one_factor(
            name, entry, context, serum[name], stimulation.get(name), signatures.get(name), linear
        )
        for name, entry in factors.items()
    ]
    rows = {field: [getattr(part, field) for part in parts] for field in SCHEMAS}
    rows["mediation"] = [with_calls(pd.concat(rows["mediation"], ignore_index=True), run.alpha)]
    return FactorTables(**{field: _stacked(name, rows[field]) for field, name in SCHEMAS.items()})


def _stacked(name: str, parts: list[pd.DataFrame]) -> pd.DataFrame:
    """Return a table's rows of all factors, columns as in its schema."""
    filled = [part.astype(object) for part in parts if len(part)]
    if not filled:
        return tables.empty(name)
    whole = pd.concat(filled, ignore_index=True).reindex(columns=tables.schemas()[name].names)
    return whole.where(whole.notna(), None).infer_objects()


def _context(
    cohort: ad.AnnData,
    paired: ad.AnnData,
    de: Mapping[str, pd.DataFrame],
    run: FactorSettings,
) -> _Context:
    settings, obs = _of_last_time(settings_of(cohort), cohort.obs.astype(str))
    annotation = cohort.var.drop(columns="target").astype(str)
    force_kept = cohort.var["target"].astype(bool)
    present = [gene for gene in dict.fromkeys(settings["targets"].values()) if gene]
    raw = counts_of(cohort[:, present]).to_numpy(float)
    factors = paired.obs["size_factors"].astype(float).reindex(cohort.obs_names)
    scale = factors.fillna(cohort.obs["size_factor"]).to_numpy(float)[:, None]
    planned = all_contrasts(settings_of(cohort))
    own = tuple(contrast for contrast in planned if contrast.model == "paired")
    return _Context(
        obs=obs,
        all_obs=cohort.obs.astype(str),
        annotation=annotation,
        targets=frozenset(rows_of_targets(cohort)),
        settings=settings,
        contrasts=own,
        paired=paired.obs_names,
        force_kept=force_kept,
        log2=pd.DataFrame(np.log2(raw / scale + 0.5), index=cohort.obs_names, columns=present),
        de=de,
        run=run,
    )


def last_pairs(cohort: ad.AnnData, samples: pd.Index) -> tuple[pd.DataFrame, dict[str, Any]]:
    """Return the complete pairs of the last time after, text, and settings with it alone.

    samples: of the cohort, from which the pairs are taken.
    """
    settings, _ = _of_last_time(settings_of(cohort), cohort.obs)
    return at_time(cohort.obs.loc[samples].astype(str), settings, settings["after"])


def _of_last_time(
    settings: dict[str, Any], obs: pd.DataFrame
) -> tuple[dict[str, Any], pd.DataFrame]:
    """Return settings and samples of the last time after alone, and of groups with changes.

    A donor's changes at several times are not independent: the evidence on genes and the mediation
    are of one.
    """
    last = change_times(settings)[-1]
    groups = [group for group in settings["groups"] if group not in settings["only_before"]]
    kept = obs["group"].isin(groups) & obs["time"].isin([settings["before"], last])
    return {**settings, "groups": groups, "after": last}, obs[kept]


def _one_factor(
    name: str,
    entry: Mapping[str, Any],
    context: _Context,
    serum: SerumModel,
    stimulation: pd.DataFrame | None,
    signature: pd.DataFrame | None,
    linear: Mapping[str, ContrastFit],
) -> FactorTables:
    changes = _changes(entry, context)
    verdicts = factor_genes(serum, stimulation, signature, context.annotation, context.run.alpha)
    called = responsive_genes(verdicts)
    in_matrix = called[called["gene_id"].isin(context.annotation.index)]
    agreement = [
        concordance(called, contrast.name, changes.get(contrast.name), context.de[contrast.name])
        for contrast in context.contrasts
        if contrast.name not in context.settings["not_estimable"]
    ]
    sets = signed_sets(
        name,
        context.contrasts,
        linear,
        in_matrix[~in_matrix["gene_id"].isin(context.targets) & in_matrix["reason"].isna()],
        changes,
        context.de,
        context.run.alpha,
        n_cpus=context.run.n_cpus,
    )
    parts = FactorTables(
        levels=_levels(entry, changes, context),
        pairs=serum.pairs,
        factors=verdicts,
        concordance=pd.concat(agreement, ignore_index=True),
        sets=sets,
        mediation=mediation_rows(
            name, serum.pairs, context.log2, context.obs, context.settings, context.run.seed
        ),
    )
    return FactorTables(**{field: getattr(parts, field).assign(factor=name) for field in SCHEMAS})


def _serum_models(
    factors: Mapping[str, Mapping[str, Any]], context: _Context, counts: pd.DataFrame
) -> dict[str, SerumModel]:
    """Return the serum evidence by factor, unavailable where one has no measured level.

    counts: samples of complete pairs × genes fitted.
    """
    time = context.settings["after"]
    own, settings = at_time(context.all_obs.loc[counts.index], context.settings, time)
    nothing = pd.DataFrame({"serum_slope": [], "serum_pvalue": []}, dtype=float)
    none = SerumModel(nothing, pd.DataFrame(columns=PAIR_COLUMNS), "the level was not measured")
    pairs = {
        name: _pairs(entry, context, time) for name, entry in factors.items() if entry["serum"]
    }
    found = serum_models(
        counts, own, settings, pairs, context.force_kept, n_cpus=context.run.n_cpus
    )
    return dict.fromkeys(factors, none) | found


def _changes(entry: Mapping[str, Any], context: _Context) -> dict[str, Change]:
    """Return the change of the factor's level by change and difference contrast."""
    asked = [one for one in context.contrasts if one.kind in ("change", "difference")]
    pairs = {time: _pairs(entry, context, time) for time in {str(one.time) for one in asked}}
    crossover = context.settings["crossover"]
    return {one.name: level_change(pairs[str(one.time)], one, crossover=crossover) for one in asked}


def _pairs(entry: Mapping[str, Any], context: _Context, time: str) -> pd.DataFrame:
    """Return the factor's level of each pair at a time after; empty where it was not measured."""
    if not entry["serum"]:
        return pd.DataFrame(columns=PAIR_COLUMNS)
    settings, obs = {**context.settings, "after": time}, context.all_obs
    obs = obs[obs["group"].isin(settings["groups"])]
    return level_pairs(obs, settings, obs_name(entry["serum"]), entry["serum_scale"])


def _levels(
    entry: Mapping[str, Any], changes: Mapping[str, Change], context: _Context
) -> pd.DataFrame:
    """Return the rows of factor_levels: the serum level, and apart from it the own gene's mRNA."""
    gene = None
    if entry["gene"]:
        found, _ = resolve([entry["gene"]], context.annotation)
        gene = found[entry["gene"]][0] if found else None
    rows = []
    for name, change in changes.items():
        own = context.de[name].set_index("gene_id")
        rows.append(
            {
                "contrast": name,
                "donors": change.donors,
                "change_log2": change.estimate,
                "ci_low": change.ci_low,
                "ci_high": change.ci_high,
                "pvalue": change.pvalue,
                "own_gene": entry["gene"],
                "own_gene_log2FoldChange": own["log2FoldChange"].get(gene, np.nan),
                "own_gene_padj": own["padj"].get(gene, np.nan),
            }
        )
    return pd.DataFrame(rows)


def factor_genes(
    serum: SerumModel,
    stimulation: pd.DataFrame | None,
    signature: pd.DataFrame | None,
    annotation: pd.DataFrame,
    alpha: float,
) -> pd.DataFrame:
    """Return the verdict on every gene: the cohort's, then those of the stimulation only.

    stimulation: `stimulation_table`; signature: `read_signature`. A gene of the signature that is
    in neither matrix has a row that says so.
    """
    sources, symbols = [], annotation["symbol"].astype(object)
    evidence = pd.DataFrame(index=annotation.index)
    if stimulation is not None:
        evidence = stimulation_scores(stimulation)
        sources.append(stimulation_evidence(stimulation))
        symbols = symbols.reindex(symbols.index.append(evidence.index.difference(symbols.index)))
        symbols = symbols.fillna(evidence["symbol"])
    if not serum.unavailable:
        sources.append(serum.evidence())
    out = combine(sources, symbols.index, alpha)
    out.insert(0, "symbol", symbols.where(symbols != "", None))
    for column in ("stimulation_log2FoldChange", "stimulation_pvalue"):
        out[column] = evidence[column].reindex(out.index) if column in evidence else np.nan
    for column in ("serum_slope", "serum_pvalue"):
        out[column] = serum.table[column].reindex(out.index)
    out = out.rename_axis("gene_id").reset_index()
    return _with_signature(out, signature, annotation)


def _with_signature(
    verdicts: pd.DataFrame, signature: pd.DataFrame | None, annotation: pd.DataFrame
) -> pd.DataFrame:
    """Add what the signature says: its own direction, and whether it supports the evidence's."""
    if signature is None:
        return verdicts.assign(signature="none", signature_direction=None)
    said, left_out = on_genes(signature, annotation)
    direction = said.map({"up": "induced", "down": "suppressed"})
    out = verdicts.assign(signature_direction=verdicts["gene_id"].map(direction))
    out["signature"] = list(map(_support, out["direction"], out["signature_direction"]))
    absent = [name for name in left_out if name not in set(out["gene_id"])]
    rows = pd.DataFrame(
        {
            "gene_id": absent,
            "call": "not_assessable",
            "reason": [f"a gene of the signature: {left_out[name]}" for name in absent],
        }
    )
    return (
        pd.concat([out.astype(object), rows.astype(object)], ignore_index=True) if absent else out
    )


def _support(direction: str | None, said: str | float | None) -> str | None:
    """Return what a signature's direction says of the evidence's, None where there is none."""
    if not isinstance(said, str):
        return "none"
    if not isinstance(direction, str):
        return None
    return "supports" if direction == said else "contradicts"
