"""Checks of single samples: size, composition, identity of the cells, outliers."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

import anndata as ad
import numpy as np
import pandas as pd

from fibroserum.errors import listed
from fibroserum.qc.check import Check, CheckName, not_assessed, ok, warning
from fibroserum.qc.metrics import PART, log2_normalized, unit_ranks

Y_GENES = ("RPS4Y1", "DDX3Y", "KDM5D", "UTY", "EIF1AY", "USP9Y", "ZFY")
FIBROBLAST = ("COL1A1", "PDGFRA", "VIM", "LUM")
OTHERS = {
    "epithelial cells": ("KRT5", "KRT14", "EPCAM", "CDH1"),
    "blood cells": ("PTPRC",),
    "endothelial cells": ("PECAM1", "VWF", "CDH5"),
}
#: Counts of a sample beyond what a sequencer gives one: a lane has some hundred million reads.
MOST_COUNTS = 500_000_000
#: Fewer samples do not show which of them is unlike the others.
FEWEST_SAMPLES = 4
SEX: Final = "sex of the cell line"


def libraries(metrics: pd.DataFrame) -> Iterator[Check]:
    """Look for samples with far fewer counts or genes than the others."""
    size, genes = metrics["total_counts"], metrics["n_genes"]
    small = size[size < size.median() / 4]
    huge = size[size > MOST_COUNTS]
    if len(huge):
        yield warning(
            "library size",
            listed([*map(str, huge.index)], 8, quote=""),
            f"up to {huge.max():,} counts in a sample, more than a sequencer yields "
            f"({MOST_COUNTS:,}). These may be sums of coverage over bases, like the raw_counts of "
            "recount3. Then every p value is far too small",
            "Bring read counts. For recount3 use recount3::compute_read_counts(rse) in R, which "
            "divides each sample by its average mapped length.",
        )
    poor = genes[genes < 0.7 * genes.median()]
    for name, value in small.items():
        yield warning(
            "library size",
            str(name),
            f"{value:,} counts, less than a quarter of the median sample ({size.median():,.0f})",
            "Sequence the sample deeper if you can. Look at it in the PCA.",
        )
    for name, value in poor.items():
        yield warning(
            "genes detected",
            str(name),
            f"{value:,} genes detected, less than 70 % of the median sample "
            f"({genes.median():,.0f})",
            "Look at the RNA quality and the depth of this sample.",
        )
    if small.empty and poor.empty and huge.empty:
        span = f"{size.min():,} to {size.max():,} counts"
        yield ok("library size", f"{span}, {genes.min():,} to {genes.max():,} genes detected")


def composition(metrics: pd.DataFrame) -> Iterator[Check]:
    """Look for mitochondrial and haemoglobin shares that do not fit cultured fibroblasts."""
    bounds: dict[str, tuple[CheckName, float, str, str]] = {
        "pct_counts_mt": (
            "mitochondrial share",
            25.0,
            "The cells may be stressed or dying",
            "Look at the viability of this culture and at the sample in the PCA.",
        ),
        "pct_counts_hb": (
            "haemoglobin share",
            1.0,
            "There may be blood in the culture, or haemolysis in the serum",
            "Check whether this serum was haemolysed.",
        ),
    }
    for column, (name, bound, meaning, advice) in bounds.items():
        high = metrics.loc[metrics[column] > bound, column]
        for sample, value in high.items():
            message = f"{value:.1f} % of the counts, more than {bound:g} %. {meaning}"
            yield warning(name, str(sample), message, advice)
        if high.empty:
            yield ok(name, f"at most {metrics[column].max():.2f} % of the counts")


def _means(cohort: ad.AnnData, symbols: tuple[str, ...]) -> pd.DataFrame:
    """Return log2 normalized counts of the genes that the matrix has, samples × symbols."""
    own = cohort.var["symbol"].astype(str)
    genes = own[own.isin(symbols)]
    return log2_normalized(cohort, genes.index).set_axis(genes.to_numpy(), axis=1)


def cell_identity(cohort: ad.AnnData) -> Iterator[Check]:
    """Compare markers of fibroblasts with those of other cells."""
    fibroblast = _means(cohort, FIBROBLAST)
    if fibroblast.empty:
        yield warning(
            "cell identity",
            "",
            f"the count matrix has none of the fibroblast markers {', '.join(FIBROBLAST)}",
            "Check that the gene names are human and complete.",
        )
        return
    for cells, markers in OTHERS.items():
        other = _means(cohort, markers)
        if other.empty:
            yield not_assessed(
                "cell identity",
                f"the count matrix has no marker of {cells} ({', '.join(markers)})",
            )
            continue
        high = other.max(axis=1) > fibroblast.median(axis=1)
        if high.any():
            yield warning(
                "cell identity",
                listed(sorted(map(str, high.index[high])), quote=""),
                f"markers of {cells} ({', '.join(other.columns)}) are as high as those of "
                f"fibroblasts. There may be {cells} in the culture",
                "Look at how these cultures were isolated, and at the samples in the PCA.",
            )
        else:
            names = ", ".join(fibroblast.columns)
            yield ok("cell identity", f"fibroblast markers ({names}) are above those of {cells}")


def line_sex(cohort: ad.AnnData, declared: str | None) -> Iterator[Check]:
    """Compare XIST and Y genes with the declared sex of the line (of the cells, not the serum)."""
    female = _means(cohort, ("XIST",))
    male = _means(cohort, Y_GENES)
    if female.empty or male.empty:
        yield not_assessed(SEX, "XIST or the Y genes are not in the count matrix")
        return
    seen = pd.Series(
        np.where(female["XIST"] > male.mean(axis=1) + 1, "female", "male"), index=female.index
    )
    # cultured female cells may lose XIST: then neither it nor the Y genes tell the sex
    silent = (female["XIST"] < 2) & (male.mean(axis=1) < 2)
    seen[silent] = "unknown"
    counts = ", ".join(f"{n} {sex}" for sex, n in seen.value_counts().sort_index().items())
    if declared is None:
        yield not_assessed(
            SEX,
            f"the config declares no sex of the cell line. By XIST and Y genes: {counts}",
            "Write the sex of the cells under design.line_sex in the config.",
        )
        return
    odd = [str(name) for name in seen.index[(seen != declared) & (seen != "unknown")]]
    if odd:
        yield warning(
            SEX,
            listed(odd, quote=""),
            f"the config declares {declared} cells, but XIST and Y genes show {counts}. These "
            "genes show the sex of the cells, not of the serum donor",
            "Check the declared sex, and whether these cells are another cell line or were mixed "
            "up.",
        )
    elif silent.all():
        yield not_assessed(
            SEX,
            "neither XIST nor a Y gene is expressed. Cultured female cells may lose XIST, and "
            "male cells the Y chromosome",
        )
    else:
        yield ok(SEX, f"{counts}, as declared ({declared})")


def outliers(expression: pd.DataFrame) -> Iterator[Check]:
    """Look for samples that correlate less with all others than those do among themselves."""
    ranks = unit_ranks(expression)
    if len(ranks) < FEWEST_SAMPLES or not np.isfinite(ranks).all():
        reason = f"needs at least {FEWEST_SAMPLES} samples with varying counts"
        yield not_assessed("outlying sample", reason)
        return
    typical = np.empty(len(ranks))
    for start in range(0, len(ranks), PART):
        rho = ranks[start : start + PART] @ ranks.T
        np.fill_diagonal(rho[:, start:], np.nan)
        typical[start : start + PART] = np.nanmedian(rho, axis=1)
    middle = np.median(typical)
    spread = 1.4826 * np.median(np.abs(typical - middle))
    # at least 0.02: in a very even cohort three deviations are nothing to worry about
    low = typical < middle - max(5 * spread, 0.02)
    for name, value in zip(expression.index[low], typical[low], strict=True):
        yield warning(
            "outlying sample",
            str(name),
            f"its median correlation with the other samples is {value:.3f}, and a typical sample "
            f"has {middle:.3f}",
            "Look at the sample in the PCA. Keep it unless you find a reason to exclude it, such "
            "as poor RNA.",
        )
    if not low.any():
        message = f"no sample differs from all others (median correlation {middle:.3f})"
        yield ok("outlying sample", message)
