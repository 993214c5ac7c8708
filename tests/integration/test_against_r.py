"""Real cohorts against the tables that R DESeq2 1.38.3 made of them."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from fibroserum.deseq.datasets import BlockedDeseqDataSet, BlockedDeseqStats

LEAST_JACCARD = 0.98
LEAST_R_CHANGE = 0.9999
LEAST_R_P = 0.999


def indicators(labels: pd.Series, name: str) -> pd.DataFrame:
    return pd.get_dummies(labels, prefix=name, dtype=float)


def airway(find: Callable[[str], Path]) -> tuple[pd.DataFrame, pd.DataFrame]:
    counts = pd.read_csv(find("airway/counts.tsv.gz"), sep="\t", index_col=0)
    sheet = pd.read_csv(find("airway/samples.csv"), index_col=0).loc[counts.columns]
    treated = (sheet["dex"] == "treated").astype(float)
    return counts.T, indicators(sheet["donor"], "donor").assign(treated=treated)


def lung(find: Callable[[str], Path], question: str) -> tuple[pd.DataFrame, pd.DataFrame]:
    folder = "lung_fibroblast_hypoxia"
    counts = pd.read_csv(find(f"{folder}/counts.tsv.gz"), sep="\t", index_col=0)
    counts.index = counts.index.astype(str)
    sheet = pd.read_csv(find(f"{folder}/samples.csv"), index_col=0).loc[counts.columns]
    hypoxia = (sheet["oxygen"] == "0.5%").astype(float)
    drug = (sheet["treatment"] == "BAY").astype(float)
    design = indicators(sheet["replicate"].astype(str), "replicate")
    if question == "hypoxia":
        kept, design = drug == 0, design.assign(change=hypoxia)
    elif question == "drug":
        kept, design = hypoxia == 0, design.assign(change=drug)
    else:
        kept = drug >= 0
        design = design.assign(hypoxia=hypoxia, drug=drug, change=hypoxia * drug)
    return counts.T.loc[kept], design.loc[kept]


COHORTS = {
    "airway": "airway/reference/deseq2_R_dex_treated_vs_control_paired.csv.gz",
    "hypoxia": "lung_fibroblast_hypoxia/reference/deseq2_R_hypoxia_vs_normoxia_DMSO.csv.gz",
    "drug": "lung_fibroblast_hypoxia/reference/deseq2_R_BAY_vs_DMSO_normoxia.csv.gz",
    "interaction": ("lung_fibroblast_hypoxia/reference/deseq2_R_interaction_hypoxia_x_BAY.csv.gz"),
}


@pytest.mark.parametrize("name", COHORTS)
def test_calls_changes_and_p_values(shared_data: Callable[[str], Path], name: str):
    r = pd.read_csv(shared_data(COHORTS[name]), index_col=0)
    r.index = r.index.astype(str)
    counts, design = airway(shared_data) if name == "airway" else lung(shared_data, name)
    counts = counts.loc[:, counts.sum() >= 10]
    assert set(counts.columns) == set(r.index)
    r = r.loc[counts.columns]
    metadata = pd.DataFrame(index=counts.index)
    dataset = BlockedDeseqDataSet(
        counts=counts, metadata=metadata, design=design, n_cpus=2, quiet=True
    )
    dataset.deseq2()
    stats = BlockedDeseqStats(dataset, np.eye(design.shape[1])[-1], quiet=True)
    stats.summary()
    table = stats.results_df
    ours, theirs = (table["padj"] < 0.05).to_numpy(), (r["padj"] < 0.05).to_numpy()
    assert (ours & theirs).sum() >= LEAST_JACCARD * (ours | theirs).sum()
    assert np.corrcoef(table["log2FoldChange"], r["log2FoldChange"])[0, 1] >= LEAST_R_CHANGE
    both = (table["pvalue"].notna() & r["pvalue"].notna()).to_numpy()
    log_p = [-np.log10(p[both].clip(lower=1e-300)) for p in (table["pvalue"], r["pvalue"])]
    assert np.corrcoef(*log_p)[0, 1] >= LEAST_R_P
    np.testing.assert_allclose(table["baseMean"], r["baseMean"], rtol=1e-5)
