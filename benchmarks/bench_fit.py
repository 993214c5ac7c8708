"""Time the negative binomial fit, side by side on the same matrix in the same run.

    python benchmarks/bench_fit.py                  what `make bench` runs
    python benchmarks/bench_fit.py --slow           with R's DESeq2 and edgeR too (half an hour)
    python benchmarks/bench_fit.py --write docs/performance.md

Every measurement is a separate process, so peak memory is its own; the first run of the engine is
cold (compilation), and counted separately. "two contrasts": size factors to Wald results of
the second group's change and of the difference. Prints a table, writes build/bench_fit.json.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import shutil
import subprocess
import sys
import tempfile
import time
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from sections import write_section

ROOT = Path(__file__).resolve().parents[1]
R_SCRIPT = Path(__file__).with_name("bench_fit.R")
CPUS = 2
SIZES = {16: "dense", 112: "blocked", 400: "blocked", 2000: "blocked"}
ENGINE = "fibroserum.deseq.fit"
SUBCLASS = "BlockedDeseqDataSet"
BLOCKED = "PyDESeq2, BlockedInference"
DEFAULT = "PyDESeq2, DefaultInference"
SECTION = "## The fit"
R_METHODS = {"R limma-voom": "voom", "R DESeq2": "deseq2", "R edgeR glmQLFit": "edger"}


def simulate(samples: int, genes: int, kind: str) -> tuple[pd.DataFrame, pd.DataFrame, np.ndarray]:
    """Return counts (samples × genes), design, contrasts (2 × columns); seeded by its arguments."""
    rng = np.random.default_rng([samples, genes])
    if kind == "dense":
        # 4 levels of a treatment, a batch and a continuous covariate; no two columns disjoint
        level, batch = np.arange(samples) % 4, np.arange(samples) // 4 % 2
        columns = {"intercept": np.ones(samples), "batch": batch}
        columns |= {f"level{i}": level >= i for i in range(1, 4)}
        columns["covariate"] = rng.normal(size=samples)
        subject, change = np.arange(samples), (level >= 3).astype(float)
        contrasts = np.eye(6)[[4, 3]] - np.array([[0.0], [1.0]]) * np.eye(6)[[2]]
    else:
        subject, after = np.repeat(np.arange(samples // 2), 2), np.tile([0, 1], samples // 2)
        second = subject >= samples // 4
        columns = {f"donor[D{d}]": subject == d for d in range(samples // 2)}
        columns |= {"after[AT]": after * ~second, "after[RT]": after * second}
        change = (after * second).astype(float)
        contrasts = np.zeros((2, len(columns)))
        contrasts[:, -1] = 1
        contrasts[1, -2] = -1
    names = [f"s{i}" for i in range(samples)]
    design = pd.DataFrame({k: np.asarray(v, dtype=float) for k, v in columns.items()}, index=names)
    mean = np.exp(rng.normal(4.5, 1.8, genes))
    dispersion = (0.02 + 1.5 / mean) * np.exp(rng.normal(0, 0.4, genes))
    effect = np.where(rng.random(genes) < 0.1, rng.normal(0, 0.4, genes), 0)
    rate = np.log(mean) + rng.normal(0, 0.3, (samples, genes))[subject] + np.outer(change, effect)
    rate = np.exp(rate) * np.exp(rng.normal(0, 0.3, samples))[:, None]
    counts = rng.negative_binomial(1 / dispersion, 1 / (1 + dispersion * rate))
    frame = pd.DataFrame(counts, index=names, columns=[f"g{i}" for i in range(genes)])
    return frame, design, contrasts


class Stopwatch:
    """An inference engine that counts the seconds of a clock spent in its methods."""

    def __init__(self, engine: Any, clock: Callable[[], float] = time.perf_counter):
        self.engine, self.clock = engine, clock
        self.seconds = 0.0

    def __getattr__(self, name: str) -> Any:
        attribute = getattr(self.engine, name)
        if not callable(attribute):
            return attribute

        def timed(*arguments: Any, **named: Any) -> Any:
            start = self.clock()
            try:
                return attribute(*arguments, **named)
            finally:
                self.seconds += self.clock() - start

        return timed


def through_pydeseq2(
    dataset: Any, stats: Any, engine: Any, data: tuple[pd.DataFrame, pd.DataFrame, np.ndarray]
) -> dict[str, Any]:
    counts, design, contrasts = data
    metadata = pd.DataFrame({"sample": counts.index}, index=counts.index)
    watch = Stopwatch(engine)
    start = time.perf_counter()
    fitted = dataset(counts=counts, metadata=metadata, design=design, inference=watch, quiet=True)
    fitted.deseq2()
    tables = []
    for contrast in contrasts:
        test = stats(fitted, contrast=contrast, inference=watch, quiet=True)
        test.summary()
        tables.append(test.results_df["padj"])
    seconds = time.perf_counter() - start
    inference = watch.seconds if dataset.__name__ == "DeseqDataSet" else None
    return {"seconds": seconds, "inference": inference, "calls": called(tables)}


def called(padj: list[Any]) -> list[int]:
    return [int((np.asarray(column) < 0.05).sum()) for column in padj]


def engine_alone(data: tuple[pd.DataFrame, pd.DataFrame, np.ndarray]) -> dict[str, Any]:
    from pydeseq2.preprocessing import deseq2_norm

    from fibroserum.deseq import fit, independent_filtering, wald

    counts, design, contrasts = data
    start = time.perf_counter()
    fitted = fit(counts, design, deseq2_norm(counts.to_numpy())[1], n_cpus=CPUS)
    tables = [wald(fitted, counts, contrast, n_cpus=CPUS) for contrast in contrasts]
    padj = [independent_filtering(table["pvalue"], fitted.base_mean, 0.05) for table in tables]
    return {"seconds": time.perf_counter() - start, "inference": None, "calls": called(padj)}


def runner(method: str) -> Callable[[Any], dict[str, Any]]:
    from pydeseq2.dds import DeseqDataSet
    from pydeseq2.default_inference import DefaultInference
    from pydeseq2.ds import DeseqStats

    from fibroserum.deseq.datasets import BlockedDeseqDataSet, BlockedDeseqStats
    from fibroserum.inference import BlockedInference

    classes: dict[str, Any] = {
        SUBCLASS: (BlockedDeseqDataSet, BlockedDeseqStats, BlockedInference),
        BLOCKED: (DeseqDataSet, DeseqStats, BlockedInference),
        DEFAULT: (DeseqDataSet, DeseqStats, DefaultInference),
    }
    if method == ENGINE:
        return engine_alone
    dataset, stats, inference = classes[method]
    return lambda data: through_pydeseq2(dataset, stats, inference(n_cpus=CPUS), data)


def measure(method: str, samples: int, genes: int) -> dict[str, Any]:
    """Run a method in this process: cold, then, unless it takes long, warm, the best of three."""
    warnings.simplefilter("ignore")
    run = runner(method)
    data = simulate(samples, genes, SIZES[samples])
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    if method == DEFAULT:
        # its worker processes start, and import, outside the clock
        run(simulate(16, 200, "dense"))
        best = run(data)
        cold = None
    else:
        start = time.perf_counter()
        run(simulate(samples, 300, SIZES[samples]))
        cold = time.perf_counter() - start
        best = min((run(data) for _ in range(3)), key=lambda result: result["seconds"])
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return {**best, "first_call": cold, "peak_gb": peak / 2**20, "data_gb": before / 2**20}


def measure_r(method: str, samples: int, genes: int) -> dict[str, Any]:
    counts, design, contrasts = simulate(samples, genes, SIZES[samples])
    with tempfile.TemporaryDirectory() as folder:
        counts.T.to_csv(Path(folder) / "counts.tsv", sep="\t")
        design.to_csv(Path(folder) / "design.tsv", sep="\t")
        np.savetxt(Path(folder) / "contrasts.tsv", contrasts, delimiter="\t")
        done = subprocess.run(
            ["Rscript", str(R_SCRIPT), R_METHODS[method], folder],
            stdout=subprocess.PIPE, text=True, check=True,
        )  # fmt: skip
    seconds, peak, *calls = done.stdout.split()
    return {
        "seconds": float(seconds), "inference": None, "first_call": None,
        "peak_gb": float(peak), "calls": [int(c) for c in calls],
    }  # fmt: skip


def in_own_process(method: str, samples: int, genes: int, cache: str) -> dict[str, Any]:
    done = subprocess.run(
        [sys.executable, __file__, "--one", method, str(samples), "--genes", str(genes)],
        env={
            **os.environ,
            "PYTHONPATH": str(ROOT / "workflow" / "src"),
            "NUMBA_CACHE_DIR": cache,
        },
        stdout=subprocess.PIPE, text=True, check=True,
    )  # fmt: skip
    return json.loads(done.stdout.splitlines()[-1])


def has_packages_of_r(slow: bool) -> bool:
    """Return whether R is there with the packages that are timed; print what it says if not."""
    if shutil.which("Rscript") is None:
        print("R is left out: there is no Rscript")
        return False
    names = ["limma", "edgeR", *(["DESeq2"] if slow else [])]
    code = "; ".join(f"library({name})" for name in names)
    done = subprocess.run(["Rscript", "-e", code], capture_output=True, text=True, check=False)
    if done.returncode:
        print(f"R is left out: {done.stderr.strip()}")
    return done.returncode == 0


def plan(sizes: list[int], slow: bool) -> list[tuple[str, int]]:
    has_r = has_packages_of_r(slow)
    jobs: list[tuple[str, int]] = []
    for samples in sizes:
        jobs += [(ENGINE, samples)]
        if samples <= 400:
            jobs += [(SUBCLASS, samples), (BLOCKED, samples)]
        if samples <= 112:
            jobs += [(DEFAULT, samples)]
            jobs += [("R limma-voom", samples)] if has_r else []
    if 112 in sizes and slow and has_r:
        jobs += [("R DESeq2", 112), ("R edgeR glmQLFit", 112)]
    return jobs


def markdown(table: pd.DataFrame) -> str:
    """Return seconds, how many times those of the engine, and memory, as a Markdown table.

    `DefaultInference` works in other processes, whose memory is not known.
    """
    shown = {
        "samples": table["samples"].map("{:,}".format),
        "method": table["method"].where(table["method"] != ENGINE, f"`{ENGINE}`"),
        "seconds": table["seconds"].map("{:.3g}".format),
        "times the engine's": table["ratio_to_engine"].map("{:.3g}".format),
        "memory, GB": (table["peak_gb"] * 2**30 / 1e9)
        .map("{:.2f}".format)
        .where(table["method"] != DEFAULT, ""),
    }
    return str(pd.DataFrame(shown).to_markdown(index=False, disable_numparse=True))


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    arguments.add_argument("--sizes", type=int, nargs="+", default=list(SIZES), choices=SIZES)
    arguments.add_argument("--genes", type=int, default=20_000)
    arguments.add_argument("--slow", action="store_true", help="also run R's DESeq2 and edgeR")
    arguments.add_argument("--write", type=Path, help="Markdown file whose table is replaced")
    arguments.add_argument("--one", nargs=2, metavar=("METHOD", "SAMPLES"), help=argparse.SUPPRESS)
    asked = arguments.parse_args()
    if asked.write and set(asked.sizes) != set(SIZES):
        arguments.error("--write replaces the whole table, so it needs all: leave out --sizes")
    if asked.one:
        print(json.dumps(measure(asked.one[0], int(asked.one[1]), asked.genes)))
        return
    rows = []
    with tempfile.TemporaryDirectory() as cache:
        for method, samples in plan(asked.sizes, asked.slow):
            if method in R_METHODS:
                result = measure_r(method, samples, asked.genes)
            else:
                result = in_own_process(method, samples, asked.genes, cache)
            rows.append({"samples": samples, "genes": asked.genes, "method": method, **result})
            print(f"  {samples} × {asked.genes} {method}: {result['seconds']:.2f} s", flush=True)
    table = pd.DataFrame(rows)
    engine = table[table["method"] == ENGINE].set_index("samples")["seconds"]
    table["ratio_to_engine"] = table["seconds"] / table["samples"].map(engine)
    build = ROOT / "build"
    build.mkdir(exist_ok=True)
    (build / "bench_fit.json").write_text(json.dumps(table.to_dict("records"), indent=1) + "\n")
    print(table.drop(columns=["data_gb"], errors="ignore").to_string(index=False))
    if asked.write:
        title = f"{SECTION}: {asked.genes:,} genes, {CPUS} threads"
        write_section(asked.write, f"{title}\n\n{markdown(table)}")


if __name__ == "__main__":
    main()
