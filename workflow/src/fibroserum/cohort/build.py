"""A cohort: technical replicates summed, lines combined, pairs found, each loss with a row."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from fibroserum.cohort.contrasts import SINGLE_GROUP, models_of, order_groups
from fibroserum.cohort.lines import line_shift
from fibroserum.cohort.size_factors import size_factors
from fibroserum.errors import InputError, Problem
from fibroserum.input.sheet import place, pools_of

if TYPE_CHECKING:
    import anndata as ad

    from fibroserum.cohort.inputs import Inputs

CANONICAL = ("donor", "group", "time", "line")
#: Names that columns of `obs` cannot take from the sheet: the pipeline's own, and h5ad's.
_TAKEN = frozenset({*CANONICAL, "used_for", "size_factor", "sample", "_index"})


@dataclass(frozen=True)
class Cohort:
    """The cohort's AnnData (samples × genes) and its table of libraries."""

    adata: ad.AnnData
    samples: pd.DataFrame


def obs_name(column: str) -> str:
    """Return the name in `obs` of a sheet's column that is none of the design's.

    h5ad files take no `/` in names. A column that bears a name of the pipeline's own (`line`,
    `used_for`) and means something else is `sheet.{name}`.
    """
    return f"sheet.{column}" if column in _TAKEN else column.replace("/", "_")


def column_problems(sheet: pd.DataFrame, design: dict[str, Any]) -> Iterator[Problem]:
    """Yield a problem for each pair of the sheet's columns that get one name in `obs`."""
    meant = {design[name] for name in CANONICAL} | {"sample"}
    seen: dict[str, str] = {}
    for column in sheet.columns:
        if column in meant:
            continue
        other = seen.setdefault(obs_name(column), column)
        if other != column:
            yield Problem(
                f"the columns '{other}' and '{column}' both become '{obs_name(column)}'",
                f"{place(sheet)}, header",
                "names that differ in more than '/' and '_'",
                "Rename one of them.",
            )


def canonical_sheet(sheet: pd.DataFrame, design: dict[str, Any]) -> pd.DataFrame:
    """Return the sheet indexed by sample, with the columns donor, group, time and line in front.

    The other columns are named by `obs_name`.
    """
    indexed = sheet.set_index("sample")
    meant = {name: design[name] for name in CANONICAL}
    front = pd.DataFrame(index=indexed.index)
    for name, column in meant.items():
        absent = SINGLE_GROUP if name == "group" else ""
        front[name] = indexed[column] if column else absent
    rest = indexed.drop(columns=[column for column in meant.values() if column])
    rest = rest.rename(columns=obs_name)
    return pd.concat([front, rest], axis=1).sort_index()


@dataclass(frozen=True)
class Combined:
    """The libraries of a sheet, those of one donor, group and time taken together.

    sheet: as `canonical_sheet` returns it, a row for each sum, under the first of its libraries'
    names. into: library to that name. reasons: the words that say how, for libraries combined.
    """

    sheet: pd.DataFrame
    into: dict[str, str]
    reasons: dict[str, str]

    def sum(self, counts: pd.DataFrame) -> pd.DataFrame:
        """Return the summed counts (samples × genes) of the libraries."""
        return counts.groupby(counts.index.map(self.into)).sum().sort_index()


def combine_libraries(sheet: pd.DataFrame, keep_equal: Sequence[str]) -> Combined:
    """Take libraries of one donor, group and time together: technical replicates, and lines.

    sheet: as `canonical_sheet` returns it; keep_equal: columns that must agree among libraries
    that are summed. Raises InputError where they disagree.
    """
    reasons: dict[str, str] = {}
    problems: list[Problem] = []
    keys = sheet.groupby(["donor", "group", "time"], sort=True)
    into: dict[str, str] = {}
    for (donor, group, time), part in keys:
        names = sorted(part.index)
        into |= dict.fromkeys(names, names[0])
        if len(names) == 1:
            continue
        for column in keep_equal:
            if part[column].nunique(dropna=False) > 1:
                values = ", ".join(
                    f"'{value}'" for value in sorted(map(str, part[column].unique()))
                )
                problems.append(
                    Problem(
                        f"the libraries {', '.join(names)} are to be summed and differ in "
                        f"'{column}': {values}",
                        f"sample sheet, donor '{donor}', group '{group}', time '{time}'",
                        f"one value of '{column}' for a donor and time",
                    )
                )
        lines = part["line"].nunique()
        how = "technical replicates" if lines == 1 else f"libraries of {lines} lines"
        for name in names[1:]:
            reasons[name] = f"summed into {names[0]} ({how} of donor {donor} at {time})"
        reasons[names[0]] = f"sum of {', '.join(names)} ({how} of donor {donor} at {time})"
    if problems:
        raise InputError(problems)
    combined = sheet.loc[sorted(set(into.values()))].copy()
    lines_of = keys["line"].agg(lambda line: "+".join(sorted(set(line))))
    rows = combined[["donor", "group", "time"]].itertuples(index=False, name=None)
    combined["line"] = [lines_of[row] for row in rows]
    return Combined(combined, into, reasons)


def use_of_samples(
    sheet: pd.DataFrame, before: str, *, several_groups: bool
) -> tuple[pd.Series, pd.Series]:
    """Return for each sample what it is used for, and why where that is not everything."""
    paired = sheet.groupby(["donor", "group"])["time"].transform("nunique") == 2
    is_before = sheet["time"] == before
    alone = np.where(is_before & several_groups, "baseline", "none")
    used_for = pd.Series(np.where(paired, "change", alone), index=sheet.index)
    why_before = (
        "no after sample: kept for the baseline contrast alone"
        if several_groups
        else "no after sample, and one group has no baseline contrast"
    )
    why = np.where(is_before, why_before, "no before sample: a change needs both")
    return used_for, pd.Series(np.where(paired, "", why), index=sheet.index)


def check_design(sheet: pd.DataFrame, config: dict[str, Any]) -> None:
    """Raise InputError for a design that cannot be fitted.

    sheet: one in which `check_sheet` and `column_problems` found nothing. Libraries that are
    summed must agree, and the models must have full rank and residual degrees of freedom. A config
    that gives a column or a level two meanings has been refused, and there is nothing to add.
    """
    design = config["design"]
    columns = [design[name] for name in CANONICAL if design[name]] + design["covariates"]
    if design["before"] != design["after"] and len(set(columns)) == len(columns):
        _combined(canonical_sheet(sheet, design), config)


def _combined(full: pd.DataFrame, config: dict[str, Any]) -> tuple[Combined, list[str], pd.Series]:
    """Return the libraries taken together with `used_for`, the groups, and what is not used.

    Raises InputError as `check_design` does.
    """
    design = config["design"]
    serum = [factor["serum"] for factor in config["factors"].values() if factor["serum"]]
    keep_equal = [c for c in map(obs_name, (*design["covariates"], *serum)) if c in full]
    combined = combine_libraries(full, keep_equal)
    obs = combined.sheet
    groups = order_groups(list(obs["group"]), design["reference_group"])
    used_for, why = use_of_samples(obs, design["before"], several_groups=len(groups) > 1)
    obs.insert(4, "used_for", used_for)
    settings = design | {"groups": groups, "covariates": list(map(obs_name, design["covariates"]))}
    models_of(obs, settings)
    return combined, groups, why


def _normalized_layers(adata: ad.AnnData) -> None:
    factors = adata.obs["size_factor"].to_numpy(float)
    normalized = np.asarray(adata.X, dtype=float) / factors[:, None]
    adata.layers["normalized"] = normalized.astype(np.float32)
    adata.layers["log1p_normalized"] = np.log1p(normalized).astype(np.float32)


def build_cohort(inputs: Inputs, config: dict[str, Any], min_count: int) -> Cohort:
    """Return the cohort that `inputs` and the complete `config` describe.

    min_count: genes with fewer counts over all samples have no say in the size factors. Genes and
    samples come out sorted by name, so that the order of the input changes nothing. Raises
    InputError as `check_design` does.
    """
    import anndata as ad

    design = config["design"]
    whole = canonical_sheet(inputs.sheet, design)
    full = whole.drop(index=list(inputs.dropped))
    counts = inputs.counts.loc[full.index].sort_index(axis=1)
    combined, groups, why = _combined(full, config)
    obs, summed = combined.sheet, combined.sum(counts)
    used = obs["used_for"] != "none"
    factors, method = size_factors(_well_counted(summed.loc[used], min_count))
    obs.insert(5, "size_factor", pd.Series(factors, index=summed.index[used]))
    reasons = combined.reasons | inputs.dropped
    samples = _sample_table(counts, summed, whole, obs, reasons, why)
    adata = ad.AnnData(
        X=summed.loc[used].to_numpy(dtype=np.int64),
        obs=obs.loc[used].fillna(""),
        var=_gene_table(inputs, summed.columns),
    )
    adata.uns["fibroserum"] = {
        "cohort": config["cohort"],
        "before": design["before"],
        "after": design["after"],
        "groups": groups,
        "crossover": design["crossover"],
        "pools": pools_of(inputs.sheet, design),
        "covariates": [obs_name(name) for name in design["covariates"]],
        "lines": sorted(full["line"].unique()),
        "size_factor_method": method,
        "targets": list(inputs.targets),
        "target_genes": [gene or "" for gene in inputs.targets.values()],
        "notes": [*inputs.notes, *_size_factor_note(method)],
    }
    in_pair = full.index.map(combined.into).isin(obs.index[obs["used_for"] == "change"])
    shift = line_shift(counts[in_pair], full[in_pair], design["before"])
    if shift is not None:
        adata.uns["fibroserum"]["line_shift"] = asdict(shift)
    _normalized_layers(adata)
    return Cohort(adata, samples)


def _well_counted(counts: pd.DataFrame, min_count: int) -> np.ndarray:
    enough = counts.sum(axis=0) >= min_count
    return (counts.loc[:, enough] if enough.any() else counts).to_numpy()


def _gene_table(inputs: Inputs, genes: pd.Index) -> pd.DataFrame:
    table = inputs.annotation.reindex(genes).fillna("")
    table["target"] = table.index.isin([gene for gene in inputs.targets.values() if gene])
    return table


def _size_factor_note(method: str) -> list[str]:
    if method == "ratio":
        return []
    return [
        "no gene is counted in every sample: size factors come from positive counts alone "
        "(DESeq2's poscounts); look at the libraries"
    ]


def counts_of(adata: ad.AnnData) -> pd.DataFrame:
    """Return the raw counts, samples × genes."""
    return pd.DataFrame(np.asarray(adata.X), index=adata.obs_names, columns=adata.var_names)


def stimulation_arm(counts: pd.DataFrame, sheet: pd.DataFrame, var: pd.DataFrame) -> ad.AnnData:
    """Return a stimulation arm (samples × genes) with the cohort's annotation of its genes."""
    import anndata as ad

    obs = sheet.set_index("sample").sort_index()
    own = var.reindex(counts.columns).astype(object)
    own["target"] = own["target"].eq(True)
    return ad.AnnData(X=counts.loc[obs.index].to_numpy(np.int64), obs=obs, var=own.fillna(""))


def rows_of_targets(adata: ad.AnnData) -> set[str]:
    """Return every gene id that means a target: its own row, and others of the same symbol."""
    own = {gene for gene in settings_of(adata)["targets"].values() if gene}
    symbols = adata.var["symbol"].astype(str)
    named = set(symbols.reindex(sorted(own)).dropna()) - {""}
    return own | set(adata.var_names[symbols.isin(named).to_numpy()])


def _sample_table(
    counts: pd.DataFrame,
    summed: pd.DataFrame,
    sheet: pd.DataFrame,
    obs: pd.DataFrame,
    reasons: dict[str, str],
    why: pd.Series,
) -> pd.DataFrame:
    """Return `samples.tsv`: a row for every library, with what became of it.

    A library that stands for a sum has the sum's counts and genes; `reason` tells its own counts.
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
        name: f"{reasons[name]}: its row is the sum's, {own[name]:,} counts are its own"
        for name in sums
    }
    said = [
        "; ".join(part for part in (reasons.get(name, ""), why.get(name, "")) if part)
        for name in table.index
    ]
    table["reason"] = [text or None for text in said]
    return table.rename_axis("sample").reset_index()


def settings_of(adata: ad.AnnData) -> dict[str, Any]:
    """Return what `build_cohort` noted, as plain Python values (h5ad gives arrays back)."""
    noted = {"pools": [], **adata.uns["fibroserum"]}
    for key in ("groups", "pools", "covariates", "lines", "notes", "targets", "target_genes"):
        noted[key] = [str(value) for value in noted[key]]
    noted["crossover"] = bool(noted["crossover"])
    genes = [gene or None for gene in noted.pop("target_genes")]
    noted["targets"] = dict(zip(noted["targets"], genes, strict=True))
    return noted
