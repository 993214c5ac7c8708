"""All tables on the outcomes of a cohort."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import anndata as ad
import numpy as np
import pandas as pd

from fibroserum import tables
from fibroserum.cohort.accessors import at_time, change_times, settings_of, tested_counts
from fibroserum.genes.gmt import GeneSet, map_sets
from fibroserum.input.outcomes import UNAVAILABLE
from fibroserum.multiple_testing import benjamini_hochberg, panel_adjusted
from fibroserum.outcomes.pairs import outcome_pairs, outcome_slope
from fibroserum.outcomes.sentences import not_tested, reason
from fibroserum.outcomes.sets import set_slopes
from fibroserum.slopes.design import VALUE, Question, keys_of
from fibroserum.slopes.influence import slopes_without
from fibroserum.slopes.model import SlopeModel, with_own_variance

QUESTIONS: tuple[Question, ...] = ("change", "baseline")


@dataclass(frozen=True)
class OutcomeTables:
    """The tables on outcomes; `SCHEMAS` names the schema of each."""

    pairs: pd.DataFrame
    genes: pd.DataFrame
    targets: pd.DataFrame
    sets: pd.DataFrame


SCHEMAS = {
    "pairs": "outcome_pairs",
    "genes": "outcomes",
    "targets": "outcome_targets",
    "sets": "outcome_sets",
}


@dataclass(frozen=True)
class OutcomeSettings:
    """alpha, the sizes between which sets are tested, threads (results do not depend on them)."""

    alpha: float
    min_size: int
    max_size: int
    n_cpus: int = 1


@dataclass(frozen=True)
class _Cohort:
    """What all outcomes share.

    obs: the cohort's samples, text; counts: samples of complete pairs × genes fitted; symbols: by
    gene, "" where it has none; sets: of matrix gene ids.
    """

    obs: pd.DataFrame
    settings: dict[str, Any]
    counts: pd.DataFrame
    symbols: pd.Series
    force_kept: pd.Series
    sets: Sequence[GeneSet]
    run: OutcomeSettings


def flag_outcomes(
    cohort: ad.AnnData,
    paired: ad.AnnData,
    sets: Sequence[GeneSet],
    outcomes: Mapping[str, Mapping[str, Any]],
    run: OutcomeSettings,
) -> OutcomeTables:
    """Return every table on the cohort's outcomes.

    cohort, paired: cohort.h5ad and the fit of changes; sets: as `read_gmt` gives them; outcomes:
    the config's. Each outcome has two questions at each time after: whether expression changes
    with it (`change`), and whether expression before predicts its change (`baseline`).
    """
    shared = _Cohort(
        cohort.obs.astype(str),
        settings_of(cohort),
        tested_counts(paired),
        cohort.var["symbol"].astype(str),
        cohort.var["target"].astype(bool),
        map_sets(sets, cohort.var)[0],
        run,
    )
    found: dict[str, list[pd.DataFrame]] = {field: [] for field in SCHEMAS}
    known: dict[tuple[str, Question], pd.Series] = {}
    for name, entry in outcomes.items():
        for time in change_times(shared.settings):
            one = _one_time(name, entry, time, shared, known)
            for field in SCHEMAS:
                found[field].append(getattr(one, field).assign(outcome=name, time=time))
    return OutcomeTables(**{field: _stacked(SCHEMAS[field], own) for field, own in found.items()})


def _stacked(name: str, parts: Sequence[pd.DataFrame]) -> pd.DataFrame:
    """Return a table's rows, columns as in its schema."""
    filled = [part.astype(object) for part in parts if len(part)]
    if not filled:
        return tables.empty(name)
    whole = pd.concat(filled, ignore_index=True).reindex(columns=tables.schemas()[name].names)
    return whole.where(whole.notna(), None).infer_objects()


def _one_time(
    name: str,
    entry: Mapping[str, Any],
    time: str,
    shared: _Cohort,
    known: dict[tuple[str, Question], pd.Series],
) -> OutcomeTables:
    """Return the tables of one outcome at one time after, without the columns that name them.

    known: normalisation factors of the last outcome's models, which are replaced by this one's.
    """
    obs, settings = at_time(shared.obs, shared.settings, time)
    pairs = outcome_pairs(obs, settings, entry)
    last, other = change_times(shared.settings)[-1], ""
    if entry["change_column"] and time != last:
        other = f"the column holds only the change up to {last}, the last of the times after"
        pairs = pairs.assign(change=np.nan, used=False, reason=f"{UNAVAILABLE}{other}")
    described, counts, run = pairs, shared.counts.loc[obs.index], shared.run
    found: dict[str, list[pd.DataFrame]] = {"genes": [], "targets": [], "sets": []}
    for question in QUESTIONS:
        model = (
            SlopeModel.without(other)
            if other
            else outcome_slope(
                counts,
                obs,
                settings,
                pairs,
                shared.force_kept,
                name=name,
                question=question,
                norm_factors=known.get((time, question)),
                n_cpus=run.n_cpus,
            )
        )
        if model.norm_factors is not None:
            known[time, question] = model.norm_factors
        genes = gene_rows(model, run.alpha)
        about = {"outcome": name, "question": question}
        per = "each doubling" if entry["scale"] == "log2" else "each unit"
        own = with_own_variance(model, obs["group"], n_cpus=run.n_cpus).assign(
            padj=genes.set_index("gene_id")["padj"]
        )
        parts = {
            "genes": genes,
            "targets": target_rows(model, own, settings["targets"], about, run.alpha, per),
        }
        if model.fit is not None:
            parts["sets"] = set_slopes(
                model,
                counts,
                obs["group"],
                shared.sets,
                min_size=run.min_size,
                max_size=run.max_size,
                alpha=run.alpha,
                n_cpus=run.n_cpus,
            )
        for field, rows in parts.items():
            found[field].append(rows.assign(question=question))
        if question == "change":
            described = _described(pairs, model)
    made = {field: pd.concat(rows, ignore_index=True) for field, rows in found.items() if rows}
    genes, sets = made["genes"], made.get("sets", tables.empty("outcome_sets"))
    ids = genes["gene_id"]
    return OutcomeTables(
        described,
        genes.assign(symbol=ids.map(shared.symbols).replace("", None)),
        made["targets"].assign(
            symbol=made["targets"]["gene_id"].map(shared.symbols).replace("", None)
        ),
        sets.assign(carried_by=sets["carried_by"].map(_names(shared.symbols), na_action="ignore")),
    )


def _names(symbols: pd.Series) -> dict[str, str]:
    """Return the symbol of each gene id, or the id where it has none."""
    return {str(gene): str(symbol or gene) for gene, symbol in symbols.items()}


def _described(pairs: pd.DataFrame, model: SlopeModel) -> pd.DataFrame:
    """Return the pairs with leverage and variance, or with why none of them is used."""
    if model.unavailable:
        why = pairs["reason"].where(~pairs["used"], f"{UNAVAILABLE}{model.unavailable}")
        return pairs.assign(used=False, reason=why)
    known = model.pairs.reindex(keys_of(pairs))
    return pairs.assign(**{name: known[name].to_numpy() for name in known})


def calls_of(padj: pd.Series, slope: pd.Series, alpha: float) -> np.ndarray:
    """Return with, against or none."""
    return np.where(padj < alpha, np.where(slope > 0, "with", "against"), "none")


def gene_rows(model: SlopeModel, alpha: float) -> pd.DataFrame:
    """Return the rows of `outcomes` of one model: gene_id, slope … call."""
    table = model.table[["slope", "ci_low", "ci_high", "pvalue"]].rename_axis("gene_id")
    table = table.reset_index().astype({"gene_id": object})
    table["padj"] = benjamini_hochberg(table["pvalue"].to_numpy(float))
    return table.assign(call=calls_of(table["padj"], table["slope"], alpha))


def target_rows(
    model: SlopeModel,
    slopes: pd.DataFrame,
    targets: Mapping[str, str | None],
    about: Mapping[str, str],
    alpha: float,
    per: str,
) -> pd.DataFrame:
    """Return the rows of `outcome_targets` of one model, a row a target.

    slopes: `with_own_variance`, with padj over all genes; targets: gene id by name, None where the
    matrix has none; about: `outcome` and `question`; per: as `sentences.reason` takes it.
    """
    own = slopes.drop(columns=["se", "df"]).reindex([gene or "" for gene in targets.values()])
    rows = own.assign(
        target=list(targets), gene_id=list(targets.values()), pairs=len(model.pairs), **about
    )
    rows = rows.reset_index(drop=True).join(_without_pairs(model, list(targets.values())))
    rows["panel_padj"] = panel_adjusted(rows["pvalue"].to_numpy(float), rows["gene_id"])
    rows["call"] = calls_of(rows["panel_padj"], rows["slope"], alpha)
    panel = int(rows.loc[rows["pvalue"].notna(), "gene_id"].nunique())
    rows["reason"] = [
        reason(row, per=per, panel=panel)
        if np.isfinite(row["pvalue"])
        else not_tested(
            model.unavailable
            or (
                "it has too few counts to fit the model"
                if row["gene_id"]
                else "it is not in the count matrix"
            )
        )
        for row in rows.to_dict("records")
    ]
    return rows


def _without_pairs(model: SlopeModel, genes: Sequence[str | None]) -> pd.DataFrame:
    """Return what is left of each gene's slope without each pair.

    slope_min, slope_max; left_out: the donor (in a crossover, with the group) of the pair without
    which least is left, share_kept: over the whole slope. Rows of genes without a slope are empty.
    """
    columns = ["slope_min", "slope_max", "left_out", "share_kept"]
    if model.fit is None:
        return pd.DataFrame(index=range(len(genes)), columns=columns)
    column = model.fit.design.dense.columns.get_loc(VALUE)
    place = model.fit.genes.get_indexer([gene or "" for gene in genes])
    slopes = {
        int(position): slope[position - own.start] / model.size
        for own, slope, _ in slopes_without(model.fit, column)
        for position in np.intersect1d(place, np.arange(own.start, own.start + len(slope)))
    }
    donors = model.pairs.index.get_level_values(0)
    several = donors.duplicated().any()
    names = [f"{donor} ({group})" if several else donor for donor, group in model.pairs.index]
    rows = []
    for position in place:
        if position < 0:
            rows.append(dict.fromkeys(columns))
            continue
        own, whole = slopes[position], model.table["slope"].iloc[position]
        share = own / whole if whole else np.ones(len(own))
        worst = int(np.nanargmin(share))
        rows.append(
            dict(
                zip(
                    columns,
                    (np.nanmin(own), np.nanmax(own), names[worst], float(share[worst])),
                    strict=True,
                )
            )
        )
    return pd.DataFrame(rows, columns=columns)
