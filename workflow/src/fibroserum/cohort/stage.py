"""A cohort: technical replicates summed, lines combined, pairs found, each loss with a row."""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import anndata as ad
import numpy as np
import pandas as pd

from fibroserum.cohort.accessors import LEFT_OUT, all_contrasts, keep_panel
from fibroserum.cohort.contrasts import MODEL_WORDS
from fibroserum.cohort.inputs import Inputs, read_all
from fibroserum.cohort.lines import line_shift, lines_per_donor
from fibroserum.cohort.samples import (
    Combined,
    canonical_sheet,
    combined_samples,
    covariate_settings,
)
from fibroserum.cohort.size_factors import (
    SizeFactors,
    from_spike_ins,
    given,
    of_genes,
    spike_in_rows,
)
from fibroserum.counts.table import smallest_type
from fibroserum.errors import InputError, Problem
from fibroserum.input.normalization import FIXED
from fibroserum.input.outcomes import with_changes
from fibroserum.input.sheet import IGNORED, IGNORED_TIME, obs_name, pools_of

#: Why a sample that was counted is not in the cohort.
NO_ROW = "excluded: it has counts, but no row in the sample sheet"


@dataclass(frozen=True)
class Cohort:
    """The cohort's AnnData (samples × genes), its table of libraries, its stimulation arms."""

    adata: ad.AnnData
    samples: pd.DataFrame
    stimulation: dict[str, ad.AnnData]


def read_cohort(config: dict[str, Any], summed: Sequence[Path], min_count: int) -> Cohort:
    """Return the cohort that the complete `config` describes, everything it names read and checked.

    summed: single cells that other jobs have read; min_count: as in `build_cohort`. Raises
    InputError with every problem found.
    """
    return build_cohort(read_all(config, summed), config, min_count)


def _stored(compared: Mapping[str, Any]) -> dict[str, Any]:
    """Return `comparisons` as h5ad holds them; `settings_of` reads them."""
    dose = {"dose": compared["dose"]} if compared["dose"] else {}
    return {
        **{key: value for key, value in compared.items() if key != "dose"},
        **dose,
        "control": compared["control"] or "",
        "contrasts": json.dumps(compared["contrasts"]),
    }


def _normalized_layers(adata: ad.AnnData) -> None:
    factors = adata.obs["size_factor"].to_numpy(float)
    normalized, logs = (np.empty(adata.shape, dtype=np.float32) for _ in range(2))
    for row, counts in enumerate(np.asarray(adata.X)):
        own = counts / factors[row]
        normalized[row], logs[row] = own, np.log1p(own)
    adata.layers["normalized"], adata.layers["log1p_normalized"] = normalized, logs


def build_cohort(inputs: Inputs, config: dict[str, Any], min_count: int) -> Cohort:
    """Return the cohort that `inputs` and the complete `config` describe.

    min_count: genes with fewer counts over all samples have no say in the size factors. Genes and
    samples come out sorted by name, so that the order of the input changes nothing. Raises
    InputError as `check_design` does.
    """
    design = config["design"]
    whole = with_changes(canonical_sheet(inputs.sheet, design), config.get("outcomes", {}))
    full = whole.drop(index=list(inputs.dropped))
    counts = inputs.counts.loc[full.index].sort_index(axis=1)
    combined, compared, why, not_estimable = combined_samples(full, config)
    obs, summed = combined.sheet, combined.sum(counts)
    used = obs["used_for"] != "none"
    asked = {one.model for one in all_contrasts(compared) if one.name not in not_estimable}
    _check_depth(summed, obs, inputs, config, min_count, asked)
    factors = _size_factors(inputs, config, full, combined, summed.loc[used], min_count)
    obs = obs.drop(columns=_given_column(config) or [])
    obs.insert(5, "size_factor", factors.by_sample)
    reasons = combined.reasons | inputs.dropped
    samples = _sample_table(counts, summed, whole, obs, reasons, why)
    samples = pd.concat([samples, _without_row(inputs)], ignore_index=True)
    modelled = summed.loc[used].to_numpy()
    adata = ad.AnnData(
        # in the order that a file has: sums over an array depend on its order in their last digit
        X=np.ascontiguousarray(modelled, dtype=smallest_type(modelled)),
        obs=obs.loc[used].fillna(""),
        var=_gene_table(inputs, summed.columns),
    )
    if len(inputs.left_out.columns):
        rows = inputs.left_out.loc[full.index].groupby(combined.into).sum(min_count=1)
        rows = rows.loc[adata.obs_names].sort_index(axis=1)
        adata.obsm[LEFT_OUT] = rows.to_numpy(float)
        names = [str(name) for name in rows]
        adata.uns[LEFT_OUT] = {"gene": names, "reason": [inputs.reasons[name] for name in names]}
    adata.uns["fibroserum"] = {
        "cohort": config["cohort"],
        **_stored(compared),
        "crossover": design["crossover"],
        "pools": pools_of(inputs.sheet, design),
        **covariate_settings(whole, design),
        "block": obs_name(design["block"]) if design.get("block") else "",
        "lines": sorted(full["line"].unique()),
        "lines_per_donor": lines_per_donor(full),
        "not_estimable": list(not_estimable),
        "why_not_estimable": list(not_estimable.values()),
        "size_factor_method": factors.method,
        "targets": list(inputs.targets),
        "target_genes": [gene or "" for gene in inputs.targets.values()],
        "notes": [*inputs.notes, *factors.notes],
        "remarks": list(inputs.remarks),
    }
    if factors.spike_ins:
        adata.uns["fibroserum"]["spike_ins"] = list(factors.spike_ins)
    in_pair = full.index.map(combined.into).isin(obs.index[obs["used_for"] == "change"])
    shift = line_shift(counts, full[in_pair], design["before"])
    if shift is not None:
        adata.uns["fibroserum"]["line_shift"] = asdict(shift)
    if not used.all():
        # of donors without a pair, and in no model: a sensitivity analysis of the targets uses them
        kept = ["donor", "group", "time", *adata.uns["fibroserum"]["covariates"]]
        adata.uns["unpaired"] = {
            "obs": obs.loc[~used, kept].fillna("").astype(str),
            "counts": summed.loc[~used].to_numpy(dtype=np.int64),
        }
        if factors.method in FIXED:
            adata.uns["unpaired"]["size_factor"] = factors.by_sample[~used].to_numpy(float)
    if inputs.panel is not None:
        keep_panel(adata, inputs.panel)
    _normalized_layers(adata)
    arms = {name: stimulation_arm(*arm, adata.var) for name, arm in inputs.stimulation.items()}
    return Cohort(adata, samples, arms)


def _check_depth(
    summed: pd.DataFrame,
    obs: pd.DataFrame,
    inputs: Inputs,
    config: dict[str, Any],
    min_count: int,
    asked: Collection[str],
) -> None:
    """Raise InputError where no gene reaches min_count over the samples of a fit.

    asked: the models that have contrasts.
    """
    before = config["design"]["before"]
    rows = {
        "paired": obs["used_for"] == "change",
        "baseline": (obs["used_for"] != "none") & (obs["time"] == before),
        "dose": obs["used_for"] == "change",
    }
    parts = {MODEL_WORDS[name]: summed[own] for name, own in rows.items() if name in asked}
    for factor, (counts, sheet) in inputs.stimulation.items():
        arm = config["factors"][factor]["stimulation"]
        own = sheet[arm["column"]].isin([arm["control"], arm["treated"]])
        used = list(sheet.loc[own, "sample"])
        parts[f"the stimulation experiment of {factor}"] = counts.loc[used]
    problems = []
    for name, counts in parts.items():
        totals = counts.sum(axis=0)
        if totals.max() < max(min_count, 1):
            what = (
                f"no gene reaches min_count ({min_count:,}) over the {len(counts)} samples of "
                f"{name}. The largest total is {totals.max():,} ({totals.idxmax()})"
            )
            hint = "Write a lower min_count, or sequence deeper."
            where = "config, differential_expression.min_count"
            problems.append(Problem(what, where, f"at most {totals.max():,}", hint))
    if problems:
        raise InputError(problems)


def _given_column(config: dict[str, Any]) -> str | None:
    """Return the name in `obs` of the column of given size factors, which obs itself leaves out."""
    column = config.get("normalization", {}).get("column")
    return obs_name(column) if column else None


def _size_factors(
    inputs: Inputs,
    config: dict[str, Any],
    full: pd.DataFrame,
    combined: Combined,
    modelled: pd.DataFrame,
    min_count: int,
) -> SizeFactors:
    """Return the size factors as `normalization` asks for them.

    full: the sheet by sample as sequenced; modelled: summed counts of the samples of models.
    """
    section = config.get("normalization", {"method": "ratio"})
    used = pd.Series(combined.sheet.index.isin(modelled.index), combined.sheet.index)
    if section["method"] == "given":
        return given(full[str(_given_column(config))], combined.into, used)
    if section["method"] == "spike_ins":
        rows, unfitted = spike_in_rows(inputs.reasons, section["genes"], len(inputs.counts.columns))
        counts = inputs.left_out.loc[full.index, rows]
        return from_spike_ins(counts, combined.into, used, unfitted)
    enough = modelled.sum(axis=0) >= min_count
    return of_genes(modelled.loc[:, enough] if enough.any() else modelled, used)


def _gene_table(inputs: Inputs, genes: pd.Index) -> pd.DataFrame:
    table = inputs.annotation.reindex(genes).fillna("")
    table["target"] = table.index.isin([gene for gene in inputs.targets.values() if gene])
    return table


def stimulation_arm(counts: pd.DataFrame, sheet: pd.DataFrame, var: pd.DataFrame) -> ad.AnnData:
    """Return a stimulation arm (samples × genes) with the cohort's annotation of its genes."""
    obs = sheet.set_index("sample").sort_index()
    own = var.reindex(counts.columns).astype(object)
    own["target"] = own["target"].eq(True)
    matrix = np.ascontiguousarray(counts.loc[obs.index].to_numpy(np.int64))
    return ad.AnnData(X=matrix, obs=obs, var=own.fillna(""))


def _sample_table(
    counts: pd.DataFrame,
    summed: pd.DataFrame,
    sheet: pd.DataFrame,
    obs: pd.DataFrame,
    reasons: dict[str, str],
    why: pd.Series,
) -> pd.DataFrame:
    """Return `samples.tsv` of the sheet's samples: what each is used for.

    A sample that stands for a sum has the sum's counts and genes; `reason` tells its own counts.
    """
    table = sheet[["donor", "group", "time"]].copy()
    own = counts.sum(axis=1)
    table["library_size"] = summed.sum(axis=1).combine_first(own).astype(own.dtype)
    genes = (counts > 0).sum(axis=1)
    table["genes_detected"] = (summed > 0).sum(axis=1).combine_first(genes)
    table["size_factor"] = obs["size_factor"]
    table["used_for"] = obs["used_for"].reindex(table.index).fillna("none")
    sums = own.index[own != table["library_size"].reindex(own.index)]
    reasons = reasons | {
        name: f"{reasons[name]}; this row describes the sum, to which {name} contributes "
        f"{own[name]:,} counts"
        for name in sums
    }
    said = [
        "; ".join(part for part in (reasons.get(name, ""), why.get(name, "")) if part)
        for name in table.index
    ]
    table["reason"] = [text or None for text in said]
    return table.rename_axis("sample").reset_index()


def _without_row(inputs: Inputs) -> pd.DataFrame:
    """Return the rows of `samples.tsv` of samples that have no row in the sheet, or are ignored."""
    ignored = inputs.sheet.attrs.get(IGNORED, {})
    rows = [
        {
            "sample": name,
            **dict(zip(("donor", "group", "time"), ignored.get(name, ()), strict=False)),
            "used_for": "none",
            "reason": f"{IGNORED_TIME} {ignored[name][2]}" if name in ignored else NO_ROW,
        }
        for name in sorted({*inputs.unlisted, *ignored})
    ]
    return pd.DataFrame(rows, columns=["sample", "donor", "group", "time", "used_for", "reason"])
