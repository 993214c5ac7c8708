"""Set tests of the airway cohort beside R limma's, for Matrisome, Hallmark and SenMayo sets.

The reference was made with limma 3.54, `~ donor + dex`, `filterByExpr(counts, design)`, `voom`,
`camera(inter.gene.cor = NA)` and `fry`; found by rebuilding it. With voom's weights both depend on
the basis of the residual space, thus on the order of samples and the parametrisation: with three
residual degrees of freedom camera's p moves by up to 0.05 between limma and limma. Agreement to
1e-6 in one order is tested in test_enrichment_tests.py.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from fibroserum import linear
from fibroserum.cohort.designs import Design
from fibroserum.enrichment.camera import camera, normal_scores, set_against_rest
from fibroserum.enrichment.fry import fry, standardised
from fibroserum.enrichment.membership import restrict
from fibroserum.enrichment.prerank import prerank
from fibroserum.genes.gmt import map_sets, read_gmt
from fibroserum.genes.mapping import annotate
from fibroserum.multiple_testing import adjust

FILES = ("NABA_human_v7.4.gmt", "h.all.v7.4.symbols.gmt", "SAUL_SEN_MAYO.v2023.1.Hs.gmt")


@pytest.fixture(scope="module")
def airway(shared_data: Callable[[str], Path]) -> pd.DataFrame:
    """Our tests and the reference's columns, one row a set."""
    import edgepython

    sheet = pd.read_csv(shared_data("airway/samples.csv"), index_col="sample")
    counts = pd.read_csv(shared_data("airway/counts.tsv.gz"), sep="\t", index_col=0).T
    counts = counts.loc[sheet.index]
    after = (sheet["dex"] == "treated").astype(float)
    # named so that donors keep the order they have in the sheet, and in R's qr()
    donors = pd.Series(pd.factorize(sheet["donor"])[0].astype(str), sheet.index)
    design = Design(after.to_frame("after"), donors)
    # the reference's filter has the donors in its design
    whole = design.matrix.to_numpy()
    kept = edgepython.filter_by_expr(counts.to_numpy(dtype=float).T, design=whole)
    fit = linear.voom_fit(counts.loc[:, kept], design, span=0.5)
    gene_sets = [s for file in FILES for s in read_gmt(shared_data(f"genesets/{file}"))]
    mapped, _ = map_sets(gene_sets, annotate(list(counts.columns), "ensembl"))
    sets = restrict(mapped, fit.genes, counts.columns, min_size=5, max_size=1000)
    effects = linear.genewise_effects(fit, design.contrast(np.ones(1)))
    scores = normal_scores(effects)
    wald = "airway/reference/deseq2_R_dex_treated_vs_control_paired.csv.gz"
    statistic = pd.read_csv(shared_data(wald), index_col=0)["stat"].reindex(fit.genes)
    table = pd.concat(
        [
            sets.table,
            fry(standardised(effects), sets),
            camera(scores, sets),
            set_against_rest(scores, sets),
            prerank(statistic, sets, permutations=200, seed=1),
        ],
        axis=1,
    ).set_index("gene_set")
    name = "airway/reference/camera_fry_dex_treated_vs_control_paired.csv"
    return table.join(pd.read_csv(shared_data(name), index_col="set"), how="inner")


def test_sets_hold_the_genes_they_hold_in_r(airway: pd.DataFrame) -> None:
    assert len(airway) == 61
    assert (airway["tested"] == airway["n"]).sum() >= 59


def test_fry_calls_are_those_of_r(airway: pd.DataFrame) -> None:
    ours = adjust(airway["fry_pvalue"], pd.Series("all", index=airway.index))
    called = ours < 0.05
    assert set(airway.index[called]) == set(airway.index[airway["fry_fdr"] < 0.05])
    assert called.sum() == 17
    directions = airway.loc[called, "dir"].str.lower()
    assert (airway.loc[called, "direction"] == directions).all()
    assert (ours - airway["fry_fdr"]).abs().max() < 0.1


def test_camera_follows_r(airway: pd.DataFrame) -> None:
    assert (airway["camera_pvalue"] - airway["camera_p"]).abs().max() < 0.06
    assert (airway["camera_correlation"] - airway["cor"]).abs().max() < 0.02
    assert (adjust(airway["camera_pvalue"], airway["n"] * 0) > 0.05).all()


def test_prerank_calls_the_core_matrisome_and_the_competitive_tests_do_not(
    airway: pd.DataFrame,
) -> None:
    core = airway.loc["NABA_CORE_MATRISOME"]
    assert core["camera_p"] == pytest.approx(0.90, abs=0.01)
    assert core["camera_pvalue"] > 0.8
    assert core["competitive_pvalue"] > 0.5
    assert core["prerank_pvalue"] < 0.02
