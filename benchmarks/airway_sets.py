"""Set tests of the airway cohort compared with R limma: the table of docs/methods.md.

    FIBROSERUM_DATA=../shared/data python benchmarks/airway_sets.py

Reads airway/ and genesets/ of FIBROSERUM_DATA. "Same settings" uses the filter and span of the R
tables, "as in a run" this project's.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

import edgepython
import numpy as np
import pandas as pd
from set_depth import fit_at_one_depth

from fibroserum import linear
from fibroserum.cohort.designs import Design
from fibroserum.enrichment.camera import camera, normal_scores, set_against_rest
from fibroserum.enrichment.fry import fry, standardised
from fibroserum.enrichment.membership import restrict
from fibroserum.enrichment.prerank import prerank
from fibroserum.enrichment.rotation import mixed
from fibroserum.genes.gmt import GeneSet, map_sets, read_gmt
from fibroserum.genes.mapping import annotate
from fibroserum.linear import voom_fit
from fibroserum.multiple_testing import adjust

FILES = ("NABA_human_v7.4.gmt", "h.all.v7.4.symbols.gmt", "SAUL_SEN_MAYO.v2023.1.Hs.gmt")
# Shown whatever their p values: what a dermal cohort would look at.
ALWAYS = (
    "NABA_COLLAGENS",
    "NABA_PROTEOGLYCANS",
    "NABA_ECM_GLYCOPROTEINS",
    "NABA_CORE_MATRISOME",
    "HALLMARK_EPITHELIAL_MESENCHYMAL_TRANSITION",
)
ALPHA, MIN_COUNT, PERMUTATIONS = 0.05, 10, 1000


def tests(
    counts: pd.DataFrame,
    design: Design,
    sets: list[GeneSet],
    statistic: pd.Series,
    span: float | None,
) -> pd.DataFrame:
    """Return every test's p value by set; counts: of the genes to be fitted.

    span: of voom's trend; None: the fit is a run's, at one depth within each donor.
    """
    fit = fit_at_one_depth(counts, design) if span is None else voom_fit(counts, design, span=span)
    own = restrict(sets, fit.genes, fit.genes, min_size=5, max_size=1000)
    effects = linear.genewise_effects(fit, design.contrast(np.ones(1)))
    scores = normal_scores(effects)
    ranked = prerank(statistic.reindex(fit.genes), own, permutations=PERMUTATIONS, seed=1)
    parts = [own.table, fry(standardised(effects), own), mixed(effects, own), camera(scores, own)]
    table = pd.concat([*parts, set_against_rest(scores, own), ranked], axis=1)
    for test in ("fry", "mixed", "camera", "competitive", "prerank"):
        table[f"{test}_padj"] = adjust(table[f"{test}_pvalue"], table["tested"] * 0)
    return table.set_index("gene_set")


def collect(data: Path) -> pd.DataFrame:
    """Return R's answers, and ours with the suffixes `_same` (settings) and `_run`."""
    sheet = pd.read_csv(data / "airway/samples.csv", index_col="sample")
    counts = pd.read_csv(data / "airway/counts.tsv.gz", sep="\t", index_col=0).T.loc[sheet.index]
    after = (sheet["dex"] == "treated").astype(float)
    # named so that donors keep the order they have in the sheet, and in R's qr()
    donors = pd.Series(pd.factorize(sheet["donor"])[0].astype(str), sheet.index)
    design = Design(after.to_frame("after"), donors)
    given = [one for file in FILES for one in read_gmt(data / "genesets" / file)]
    sets, _ = map_sets(given, annotate(list(counts.columns), "ensembl"))
    reference = data / "airway/reference"
    wald = pd.read_csv(reference / "deseq2_R_dex_treated_vs_control_paired.csv.gz", index_col=0)[
        "stat"
    ]
    theirs = pd.read_csv(
        reference / "camera_fry_dex_treated_vs_control_paired.csv", index_col="set"
    )
    in_r = edgepython.filter_by_expr(
        counts.to_numpy(dtype=float).T, design=design.matrix.to_numpy()
    )
    fitted = counts.loc[:, counts.sum() >= MIN_COUNT]
    in_run = linear.filter_by_expr(fitted, design)
    same = tests(counts.loc[:, in_r], design, sets, wald, 0.5)
    run = tests(fitted.loc[:, in_run], design, sets, wald, None)
    return theirs.join(same.add_suffix("_same")).join(run.add_suffix("_run"))


def page(table: pd.DataFrame) -> list[str]:
    """Return the lines of the table: sets that any fry calls, and those always shown."""
    fry_columns = ["fry_fdr", "fry_padj_same", "fry_padj_run"]
    shown = (table[fry_columns] < ALPHA).any(axis=1) | table.index.isin(ALWAYS)
    number = {name: int((table[name] < ALPHA).sum()) for name in table if "fdr" in name}
    number |= {name: int((table[name] < ALPHA).sum()) for name in table if "padj" in name}
    lines = [
        f"{len(table)} sets. Called at FDR {ALPHA}: fry {number['fry_fdr']} in R,"
        f" {number['fry_padj_same']} with the same settings, {number['fry_padj_run']} as in a run;"
        f" camera {number['camera_fdr']}, {number['camera_padj_same']},"
        f" {number['camera_padj_run']};"
        f" exact mixed {number['mixed_padj_run']}, set against rest"
        f" {number['competitive_padj_run']}, prerank {number['prerank_padj_run']} as in a run.",
        "",
        "| set | direction | fry FDR: R | same settings | as in a run | camera p: R | same settings"
        " | as in a run | set against rest p | prerank FDR |",
        "| --- " * 10 + "|",
    ]
    for name, row in table[shown].iterrows():
        cells = [f"{row[column]:.3f}" for column in fry_columns]
        cells += [f"{row[c]:.2f}" for c in ("camera_p", "camera_pvalue_same", "camera_pvalue_run")]
        cells += [f"{row['competitive_pvalue_run']:.2g}", f"{row['prerank_padj_run']:.3f}"]
        words = str(name).replace("HALLMARK_", "H: ").replace("_", " ")
        lines.append(f"| {words} | {row['fry_dir'].lower()} | {' | '.join(cells)} |")
    return lines


def main() -> None:
    data = Path(os.environ.get("FIBROSERUM_DATA", "data"))
    if not (data / "airway/counts.tsv.gz").exists():
        sys.exit(f"{data} holds no airway/counts.tsv.gz: set FIBROSERUM_DATA")
    print("\n".join(page(collect(data))))


if __name__ == "__main__":
    main()
