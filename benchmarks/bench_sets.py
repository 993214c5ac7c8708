"""Speed of the second model and the set tests, compared with edgepython and R limma.

    python benchmarks/bench_sets.py                        # 5,000 sets, 20,000 genes, 112 samples
    python benchmarks/bench_sets.py --donors 400 --json benchmarks/bench_sets.json

Prints a Markdown table of seconds and peak memory. Imports and JIT compilation are counted
separately.
"""

from __future__ import annotations

import argparse
import json
import resource
import shutil
import subprocess
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd

from edger import edger_ql
from fibroserum.cohort.designs import Design
from fibroserum.enrichment.membership import Membership, restrict
from fibroserum.enrichment.prerank import prerank
from fibroserum.enrichment.set_tests import main_model_tests, rotation_tests
from fibroserum.genes.gmt import GeneSet
from fibroserum.linear import LinearFit, moderated_t, tmm_factors, voom_fit


def cohort(donors: int, genes: int) -> tuple[pd.DataFrame, Design, dict[str, np.ndarray]]:
    """Return counts, design and four contrasts of a cohort of two groups, half the donors each."""
    rng = np.random.default_rng(1)
    donor, after = np.repeat(np.arange(donors), 2), np.tile([0.0, 1.0], donors)
    second = donor >= donors // 2
    mean = rng.lognormal(4.5, 1.6, genes) * np.exp(rng.normal(0, 0.4, (donors, genes)))[donor]
    mean *= rng.lognormal(0, 0.25, (2 * donors, 1))
    samples = [f"s{i}" for i in range(2 * donors)]
    counts = pd.DataFrame(
        rng.poisson(rng.gamma(20, mean / 20)), samples, [f"g{i:05d}" for i in range(genes)]
    )
    dense = pd.DataFrame({"after[AT]": after * ~second, "after[RT]": after * second}, samples)
    design = Design(dense, pd.Series(donor.astype(str), samples))
    weights = {"AT": (1, 0), "RT": (0, 1), "difference": (-1, 1), "average": (0.5, 0.5)}
    contrasts = {n: design.contrast(np.array(w)) for n, w in weights.items()}
    return counts, design, contrasts


def gene_sets(genes: pd.Index, number: int) -> list[GeneSet]:
    """Return sets of 5 to 500 genes, of log-normal sizes around 40."""
    rng = np.random.default_rng(2)
    sizes = np.clip(rng.lognormal(3.7, 0.9, number), 5, 500).astype(int)
    return [
        GeneSet("bench", f"s{i:05d}", "", tuple(rng.choice(genes, m, replace=False)))
        for i, m in enumerate(sizes)
    ]


def timed(action: Callable[[], object]) -> tuple[float, object]:
    """Return seconds and the answer."""
    start = time.perf_counter()
    answer = action()
    return time.perf_counter() - start, answer


def all_tests(
    fit: LinearFit, contrasts: dict[str, np.ndarray], sets: list[GeneSet], n_cpus: int
) -> Membership:
    """Run every set test in every contrast."""
    own = restrict(sets, fit.genes, fit.genes, min_size=5, max_size=500)
    for contrast in contrasts.values():
        rotation_tests(fit, contrast, own, n_cpus)
        table = moderated_t(fit, contrast).assign(padj=1.0, weight=1.0)
        table["call"] = np.where(table["pvalue"] < 0.01, "up", "none")
        main_model_tests(own, fit.genes, table, 0.05)
        prerank(table["t"], own, permutations=1000, seed=1)
    return own


def library(fit: LinearFit, contrast: np.ndarray, own: Membership) -> None:
    """Run edgepython's weighted fry and camera for one contrast."""
    import edgepython

    index = {str(row): own.positions(row) for row in range(len(own.table))}
    data = {"E": np.ascontiguousarray(fit.E.T), "weights": np.ascontiguousarray(fit.weights.T)}
    design = fit.design.matrix.to_numpy()
    edgepython.fry(data, index, design, contrast, sort="none")
    edgepython.camera(data, index, design, contrast, inter_gene_cor=None, sort=False)


def limma(counts: pd.DataFrame, design: Design) -> float:
    """Return seconds of R's voom, lmFit and eBayes; NaN without Rscript."""
    if shutil.which("Rscript") is None:
        return float("nan")
    script = """
    suppressPackageStartupMessages({library(limma); library(edgeR)})
    x <- t(as.matrix(read.csv("counts.csv", row.names = 1)))
    d <- as.matrix(read.csv("design.csv", row.names = 1, check.names = FALSE))
    cat(system.time({y <- calcNormFactors(DGEList(x))
      e <- eBayes(lmFit(voom(y, d), d))})[["elapsed"]])
    """
    with tempfile.TemporaryDirectory() as folder:
        counts.to_csv(Path(folder, "counts.csv"))
        design.matrix.to_csv(Path(folder, "design.csv"))
        answer = subprocess.run(
            ["Rscript", "-e", script], cwd=folder, capture_output=True, text=True, check=True
        )
    return float(answer.stdout)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--donors", type=int, default=56)
    parser.add_argument("--genes", type=int, default=20000)
    parser.add_argument("--sets", type=int, default=5000)
    parser.add_argument("--cpus", type=int, default=2)
    parser.add_argument("--references", action="store_true", help="also edgepython, R limma")
    parser.add_argument("--json", type=Path)
    asked = parser.parse_args()
    seconds: dict[str, float] = {}
    small, small_design, small_contrasts = cohort(6, 300)
    names = gene_sets(small.columns, 10)
    seconds["imports and JIT (or its cache), once"], _ = timed(
        lambda: all_tests(
            voom_fit(small, small_design, n_cpus=asked.cpus), small_contrasts, names, asked.cpus
        )
    )
    counts, design, contrasts = cohort(asked.donors, asked.genes)
    seconds["TMM factors"], factors = timed(lambda: tmm_factors(counts))
    seconds["voom, fitted"], fit = timed(
        lambda: voom_fit(counts, design, norm_factors=factors, n_cpus=asked.cpus)
    )
    sets = gene_sets(counts.columns, asked.sets)
    seconds[f"{asked.sets} sets, 4 contrasts"], own = timed(
        lambda: all_tests(fit, contrasts, sets, asked.cpus)
    )
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
    if asked.references:
        seconds["edgepython fry and camera, one contrast"], _ = timed(
            lambda: library(fit, contrasts["RT"], own)
        )
        seconds["edgepython glmQLFit and F tests, 4 contrasts"], _ = timed(
            lambda: edger_ql(counts, design, contrasts, norm_factors=factors)
        )
        seconds["R limma: TMM, voom, lmFit, eBayes"] = limma(counts, design)
    print(f"{2 * asked.donors} samples × {asked.genes} genes, {asked.cpus} cores\n")
    print("| step | seconds |\n| --- | --- |")
    for step, value in seconds.items():
        print(f"| {step} | {value:.2f} |")
    print(f"\nPeak memory {peak:.2f} GB (before the references).")
    if asked.json:
        record = {"asked": vars(asked) | {"json": str(asked.json)}, "seconds": seconds, "GB": peak}
        asked.json.write_text(json.dumps(record, indent=1), encoding="utf-8")


if __name__ == "__main__":
    main()
