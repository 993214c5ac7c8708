"""The stimulation experiment's differential expression, its whole table."""

from __future__ import annotations

from typing import Any

import anndata as ad
import numpy as np
import pandas as pd

from fibroserum import linear
from fibroserum.cohort.accessors import counts_of
from fibroserum.cohort.models import TREATED, Model, stimulation_design
from fibroserum.cohort.size_factors import size_factors
from fibroserum.de.fitting import fit_model
from fibroserum.de.settings import FitSettings
from fibroserum.de.stage import result_table
from fibroserum.de.stored_fit import linear_models_of
from fibroserum.factors.combine import Evidence, nearer_to_zero, signed_z, two_sided
from fibroserum.linear import ContrastFit

COLUMNS = [
    "gene_id",
    "symbol",
    "baseMean",
    "log2FoldChange",
    "lfcSE",
    "stat",
    "pvalue",
    "padj",
    "status",
    "second_log2FoldChange",
    "second_pvalue",
    "second_df",
    "second_residual_df",
]


def stimulation_table(
    adata: ad.AnnData, arm: dict[str, Any], *, alpha: float, min_count: int, n_cpus: int = 1
) -> pd.DataFrame:
    """Return the stimulation experiment's table: one row a gene, treated against control.

    adata: samples × genes, raw counts, obs the experiment's sheet, var with `symbol` and `target`;
    arm: the config's `stimulation`. Blocks are eliminated in both models; voom is always the
    second, whatever the cohort's own second opinion is, because the evidence on a gene needs it.
    Raises InputError where the design is rank-deficient.
    """
    sheet = adata.obs.astype(str).rename_axis("sample").reset_index()
    design = stimulation_design(sheet, arm)
    counts = counts_of(adata).loc[design.samples]
    factors, _ = size_factors(counts.loc[:, counts.sum() >= min_count].to_numpy())
    contrast = design.contrast(np.ones(1))
    model = Model("stimulation", design, {TREATED: contrast})
    settings = FitSettings(min_count=min_count, second_opinion="none", n_cpus=n_cpus)
    scale = pd.Series(factors, index=counts.index)
    force_kept = adata.var["target"].astype(bool)
    fit = fit_model(counts, model, scale, force_kept, settings)
    table = result_table(fit, TREATED, adata.var["symbol"], alpha)
    voom = linear_models_of(fit, force_kept, n_cpus)[TREATED]
    second = _second_model(voom).reindex(adata.var_names)
    return table.assign(**{name: second[name].to_numpy() for name in second})[COLUMNS]


def _second_model(voom: ContrastFit) -> pd.DataFrame:
    """Return voom's moderated t of the treatment, with its degrees of freedom."""
    table = linear.moderated_t(voom.fit, voom.vector)
    return pd.DataFrame(
        {
            "second_log2FoldChange": table["log2FoldChange"],
            "second_pvalue": table["pvalue"],
            "second_df": table["df_total"],
            "second_residual_df": float(voom.fit.df_residual),
        }
    )


def stimulation_scores(table: pd.DataFrame) -> pd.DataFrame:
    """Return each gene's evidence from a stimulation table, indexed by gene id.

    Columns: symbol, stimulation_log2FoldChange, stimulation_pvalue, z. With few cultures the Wald
    test alone yields too many false positives, so the p value is the larger of the two models',
    and 1 where they disagree on the sign; NaN where either did not test the gene.
    """
    own = table.set_index("gene_id")
    main = signed_z(own["log2FoldChange"], own["pvalue"])
    second = signed_z(own["second_log2FoldChange"], own["second_pvalue"])
    z = nearer_to_zero(main, second)
    return pd.DataFrame(
        {
            "symbol": own["symbol"],
            "stimulation_log2FoldChange": own["log2FoldChange"],
            "stimulation_pvalue": pd.Series(two_sided(z.to_numpy(float)), index=own.index),
            "z": z,
        }
    )


def stimulation_evidence(table: pd.DataFrame) -> Evidence:
    """Return a stimulation table as evidence on the factor's genes."""
    total = float(table["second_df"].max())
    residual = float(table["second_residual_df"].max())
    return Evidence("stimulation", stimulation_scores(table)["z"], total - residual, residual)
