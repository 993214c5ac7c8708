"""What a stored cohort holds: counts, settings, rows of targets."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from fibroserum import tables
from fibroserum.cohort.contrasts import Contrast, contrasts_of
from fibroserum.input.normalization import FIXED
from fibroserum.input.serum_panel import KEYS, SerumPanel

if TYPE_CHECKING:
    import anndata as ad

#: Where cohort.h5ad keeps rows that are left out: in `obsm` their counts, a column for each
#: (an array: HDF5 has no room for the names of thousands of columns); in `uns` their names and why.
LEFT_OUT = "left_out"
#: Where it keeps the levels of a serum panel, in `uns`.
PANEL = "serum_panel"


def counts_of(adata: ad.AnnData) -> pd.DataFrame:
    """Return the raw counts, samples × genes."""
    return pd.DataFrame(np.asarray(adata.X), index=adata.obs_names, columns=adata.var_names)


def tested_counts(fit: ad.AnnData) -> pd.DataFrame:
    """Return the raw counts, samples × genes, of the genes that a fit's main model tests."""
    tested = (fit.var["status"].astype(str) == "tested").to_numpy()
    return counts_of(fit).loc[:, tested]


def all_samples(adata: ad.AnnData) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Return counts and obs of all samples, those in no model (without a pair) included.

    obs: donor, group, time and covariates. A sample in no model that has no value of a covariate,
    or no count, is left out.
    """
    columns = ["donor", "group", "time", *settings_of(adata)["covariates"]]
    counts, obs = counts_of(adata), adata.obs[columns].astype(str)
    if "unpaired" not in adata.uns:
        return counts, obs
    rest = adata.uns["unpaired"]["obs"].astype(str)[columns]
    own = pd.DataFrame(adata.uns["unpaired"]["counts"], rest.index, adata.var_names)
    known = (rest != "").all(axis=1) & own.any(axis=1)
    return pd.concat([counts, own[known]]), pd.concat([obs, rest[known]])


def fixed_size_factors(adata: ad.AnnData) -> pd.Series:
    """Return given size factors, or those of spike-ins, of all samples that have one.

    Samples in no model (without a pair) are included.
    """
    factors = adata.obs["size_factor"].astype(float)
    if "unpaired" in adata.uns:
        rest = adata.uns["unpaired"]
        factors = pd.concat([factors, pd.Series(rest["size_factor"], rest["obs"].index)])
    return factors.dropna()


def left_out_table(adata: ad.AnnData) -> pd.DataFrame:
    """Return `qc/left_out_genes.tsv`: rows that are no genes, or left out as the config asks."""
    if LEFT_OUT not in adata.obsm:
        return tables.empty("left_out_genes")
    rows = pd.DataFrame(adata.obsm[LEFT_OUT])
    words = {key: list(map(str, adata.uns[LEFT_OUT][key])) for key in ("gene", "reason")}
    return pd.DataFrame(words | {"total": rows.sum(min_count=1).round().to_numpy(float)})


def rows_of_targets(adata: ad.AnnData) -> set[str]:
    """Return every gene id that means a target: its own row, and others of the same symbol."""
    own = {gene for gene in settings_of(adata)["targets"].values() if gene}
    symbols = adata.var["symbol"].astype(str)
    named = set(symbols.reindex(sorted(own)).dropna()) - {""}
    return own | set(adata.var_names[symbols.isin(named).to_numpy()])


def all_contrasts(settings: Mapping[str, Any]) -> list[Contrast]:
    """Return the contrasts that a cohort was planned with; settings: `settings_of` it."""
    return contrasts_of(
        settings["groups"],
        settings["before"],
        settings["after"],
        only_before=settings.get("only_before", ()),
        pairwise=settings.get("differences", "reference") == "pairwise",
        control=settings.get("control"),
        own=settings.get("contrasts"),
        dose=settings.get("dose"),
    )


def estimated_contrasts(settings: Mapping[str, Any]) -> list[Contrast]:
    """Return the contrasts that the samples determine; settings: `settings_of` the cohort."""
    return [one for one in all_contrasts(settings) if one.name not in settings["not_estimable"]]


def change_times(settings: Mapping[str, Any]) -> list[str]:
    """Return the levels of time after the intervention, in the config's order."""
    after = settings["after"]
    return [after] if isinstance(after, str) else list(after)


def at_time(
    obs: pd.DataFrame, settings: Mapping[str, Any], time: str
) -> tuple[pd.DataFrame, dict[str, Any]]:
    """Return the complete pairs of one time after the intervention, and settings with it alone.

    obs: samples × (donor, group, time, used_for, ...). A pair is a donor's sample before and its
    sample at that time, in one group. In the settings `after` is the time, as text.
    """
    own = obs[(obs["used_for"] == "change") & obs["time"].isin([settings["before"], time])]
    paired = own.groupby(["donor", "group"], observed=True)["time"].transform("nunique") == 2
    return own[paired], {**settings, "after": time}


def settings_of(adata: ad.AnnData) -> dict[str, Any]:
    """Return what `build_cohort` noted, as plain Python values (h5ad gives arrays back)."""
    noted = {
        "pools": [],
        "block": "",
        "categorical": [],
        "only_before": [],
        "remarks": [],
        "size_factor_method": "ratio",
        **adata.uns["fibroserum"],
    }
    names, reasons = (noted.pop(key, []) for key in ("not_estimable", "why_not_estimable"))
    noted["not_estimable"] = dict(zip(map(str, names), map(str, reasons), strict=True))
    noted["contrasts"] = json.loads(noted.get("contrasts") or "{}")
    noted["control"] = str(noted.get("control", "")) or None
    noted["dose"] = str(noted.get("dose", "")) or None
    after = noted.get("after", "")
    noted["after"] = str(after) if isinstance(after, str) else [str(time) for time in after]
    for key in (
        "groups",
        "only_before",
        "pools",
        "covariates",
        "categorical",
        "lines",
        "notes",
        "remarks",
        "targets",
        "target_genes",
    ):
        noted[key] = [str(value) for value in noted[key]]
    noted["crossover"] = bool(noted["crossover"])
    noted["block"] = str(noted["block"]) or None
    if noted["size_factor_method"] in FIXED:
        noted["fixed_size_factors"] = adata.obs["size_factor"].astype(float)
    genes = [gene or None for gene in noted.pop("target_genes")]
    noted["targets"] = dict(zip(noted["targets"], genes, strict=True))
    return noted


def keep_panel(adata: ad.AnnData, panel: SerumPanel) -> None:
    """Put the levels of circulating molecules into a cohort."""
    adata.uns[PANEL] = {
        **{key: panel.rows[key].to_numpy(str) for key in panel.rows},
        "molecules": panel.levels.columns.to_numpy(str),
        "levels": panel.levels.to_numpy(float),
        "below": panel.below.to_numpy(bool),
        "scale": panel.scale,
    }


def panel_of(adata: ad.AnnData) -> SerumPanel | None:
    """Return the levels of circulating molecules that `keep_panel` put there, None without any."""
    if PANEL not in adata.uns:
        return None
    noted = adata.uns[PANEL]
    molecules = [str(name) for name in noted["molecules"]]
    return SerumPanel(
        pd.DataFrame({key: [str(value) for value in noted[key]] for key in KEYS}),
        pd.DataFrame(np.asarray(noted["levels"], dtype=float), columns=molecules),
        pd.DataFrame(np.asarray(noted["below"], dtype=bool), columns=molecules),
        str(noted["scale"]),
    )
