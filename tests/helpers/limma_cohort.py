"""The small cohort and gene sets of tests/golden/limma, and the fits that set tests start from."""

from __future__ import annotations

import functools
from pathlib import Path

import numpy as np
import pandas as pd

from fibroserum import linear
from fibroserum.cohort.designs import Design
from fibroserum.genes.gmt import GeneSet

GOLDEN = Path(__file__).resolve().parents[1] / "golden" / "limma"
CONTRASTS = {"AT": (1, 0), "RT": (0, 1), "difference": (-1, 1), "average": (0.5, 0.5)}
LIMITS = {"min_size": 1, "max_size": 500}


def golden(name: str) -> pd.DataFrame:
    """Return a table of R's."""
    return pd.read_csv(GOLDEN / name, sep="\t", index_col=0)


def golden_design() -> Design:
    """Return the design that R had: donors, `after[AT]` and `after[RT]`."""
    sheet = pd.read_csv(GOLDEN / "sheet.tsv", sep="\t", dtype=str, index_col=0)
    after = sheet["time"] == "post"
    dense = {f"after[{group}]": after & (sheet["group"] == group) for group in ("AT", "RT")}
    return Design(pd.DataFrame(dense).astype(float), sheet["donor"])


@functools.cache
def limma_fits() -> dict[str, linear.LinearFit]:
    """Return the fit with voom's weights and the one without, by name."""
    counts = golden("counts.tsv").T
    design = golden_design()
    voom = linear.voom_fit(counts, design)
    plain = pd.DataFrame(voom.E, index=voom.samples, columns=voom.genes)
    return {"voom": voom, "plain": linear.fit_weighted(plain, design)}


@functools.cache
def limma_sets() -> list[GeneSet]:
    """Return the sets that R tested."""
    lines = (GOLDEN / "sets.gmt").read_text(encoding="utf-8").splitlines()
    rows = [line.split("\t") for line in lines]
    return [GeneSet("golden", name, about, tuple(genes)) for name, about, *genes in rows]


def contrast_of(fit: linear.LinearFit, name: str) -> np.ndarray:
    """Return a contrast over the columns of a fit's design."""
    return fit.design.contrast(np.array(CONTRASTS[name], dtype=float))
