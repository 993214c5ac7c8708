"""Time whole runs of the pipeline, counts to report, on simulated cohorts.

    python benchmarks/bench_pipeline.py                     28 + 28 donors, 20,000 genes; the toy
    python benchmarks/bench_pipeline.py --donors 1000       a consortium
    python benchmarks/bench_pipeline.py --slow              also R DESeq2, on the same counts

Each run is the real command line in a separate folder, with kernels compiled in a first run of the
toy cohort. Prints seconds of wall time and, for each job, processor seconds and memory from the
jobs' own logs; writes build/bench_pipeline.json.
"""

from __future__ import annotations

import argparse
import contextlib
import dataclasses
import json
import os
import re
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import psutil
import yaml

from fibroserum.cohort.accessors import counts_of
from fibroserum.cohort.designs import design_of
from fibroserum.cohort.storage import read_h5ad
from fibroserum.simulate import CohortSpec, simulate_cohort, write_cohort

ROOT = Path(__file__).resolve().parents[1]
TOY = "toy"
USED = re.compile(r"took (\S+) s of processor time, (\S+) GB of memory")


@dataclasses.dataclass(frozen=True)
class Size:
    """A cohort to run: donors in both groups together, genes, the user's own sets, name."""

    donors: int
    genes: int = 20_000
    sets: int = 0

    @property
    def name(self) -> str:
        """Return a name for the cohort and its folder."""
        return f"d{self.donors}_g{self.genes}_s{self.sets}"


def write_sets(path: Path, genes: list[str], number: int) -> None:
    """Write a GMT file of sets of 40 genes."""
    rng = np.random.default_rng(number)
    lines = [
        "\t".join([f"SET_{i:05d}", "", *rng.choice(genes, 40, replace=False)])
        for i in range(number)
    ]
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")


def write_run(size: Size, folder: Path) -> Path:
    """Write a cohort and its config, like the toy's; return the config's path."""
    arms = [
        dataclasses.replace(arm, donors=size.donors // 2 + (i * size.donors) % 2)
        for i, arm in enumerate(CohortSpec().arms)
    ]
    cohort = simulate_cohort(CohortSpec(arms=tuple(arms), genes=size.genes), 1)
    written = write_cohort(cohort, folder / size.name)
    config = yaml.safe_load((ROOT / "config" / "config.yaml").read_text(encoding="utf-8"))
    text = json.dumps(config).replace("resources/toy/", f"{folder / size.name}/")
    config = json.loads(text) | {"cohort": size.name}
    config["gene_sets"] = ["resources/gene_sets/dermal_ecm.gmt"]
    if size.sets:
        symbols = pd.read_csv(written[0], sep="\t", usecols=[0]).iloc[:, 0].tolist()
        write_sets(folder / f"{size.name}.gmt", symbols, size.sets)
        config["gene_sets"].append(str(folder / f"{size.name}.gmt"))
    path = folder / f"{size.name}.yaml"
    path.write_text(yaml.safe_dump(config, sort_keys=False), encoding="utf-8")
    return path


def resident(root: psutil.Process) -> int:
    """Return the bytes in memory of a process and of all that it has started."""
    total = 0
    for process in [root, *root.children(recursive=True)]:
        with contextlib.suppress(psutil.NoSuchProcess):
            total += process.memory_info().rss
    return total


def processor_seconds() -> float:
    """Return the processor seconds of this process's children that have ended, and of theirs."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def run(
    folder: Path, config: Path | None, cores: int, checkout: Path = ROOT
) -> tuple[float, float, float]:
    """Run the pipeline in a folder, from start to report.

    Returns seconds on the clock, processor seconds of all processes, and the most memory that they
    held at once (GB).
    """
    command = [sys.executable, "-m", "snakemake", "-s", str(checkout / "Snakefile")]
    command += ["--cores", str(cores), "--directory", str(folder)]
    command += ["--configfile", str(config)] if config else []
    start, used, most = time.monotonic(), processor_seconds(), 0
    environment = os.environ | {"PYTHONPATH": ""}
    with (folder / "run.log").open("w", encoding="utf-8") as log:
        child = psutil.Popen(command, env=environment, stdout=log, stderr=subprocess.STDOUT)
        while child.poll() is None:
            with contextlib.suppress(psutil.NoSuchProcess):
                most = max(most, resident(child))
            with contextlib.suppress(psutil.TimeoutExpired):
                child.wait(0.5)
    seconds = time.monotonic() - start
    if child.returncode:
        sys.exit((folder / "run.log").read_text(encoding="utf-8")[-6000:])
    return seconds, processor_seconds() - used, most / 1e9


def jobs(folder: Path, cohort: str) -> list[dict[str, Any]]:
    """Return what each job of a run took, as its log says."""
    found = []
    for log in sorted((folder / "logs" / cohort).glob("*.log")):
        match = USED.search(log.read_text(encoding="utf-8"))
        if match:
            row = {"job": log.stem, "processor_s": float(match[1]), "memory_gb": float(match[2])}
            found.append(row)
    return found


def whole(folder: Path, cohort: str, config: Path | None, cores: int) -> dict[str, Any]:
    """Run a cohort, print what it took and return it."""
    seconds, processor, memory = run(folder, config, cores)
    made = jobs(folder, cohort)
    table = pd.DataFrame(made)
    page = (folder / "results" / cohort / "report.html").stat().st_size / 1e6
    print(table.to_string(index=False))
    total = {
        "cohort": cohort,
        "seconds": round(seconds, 1),
        "processor_s": round(processor, 1),
        "memory_gb": round(memory, 2),
        "largest_job_gb": float(table["memory_gb"].max()),
        "report_mb": round(page, 1),
    }
    print(" ".join(f"{key} {value}" for key, value in total.items()), flush=True)
    return {**total, "jobs": made}


def deseq2(folder: Path, cohort: str) -> float:
    """Return the seconds of R DESeq2's `DESeq()` on the counts and design of a finished run."""
    fit = read_h5ad(folder / "results" / cohort / "fit" / "paired.h5ad")
    place = folder / f"deseq2_{cohort}"
    place.mkdir()
    counts_of(fit).T.to_csv(place / "counts.tsv", sep="\t")
    design_of(fit).matrix.to_csv(place / "design.tsv", sep="\t")
    contrasts = np.array(list(fit.uns["model"]["contrasts"].values()), dtype=float)[:2]
    np.savetxt(place / "contrasts.tsv", contrasts, delimiter="\t")
    command = ["Rscript", str(Path(__file__).with_name("bench_fit.R")), "deseq2", str(place)]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    return float(done.stdout.split()[0])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--donors", type=int, nargs="+", default=[56])
    parser.add_argument("--genes", type=int, default=20_000)
    parser.add_argument("--sets", type=int, default=0, help="sets in addition to the bundled ones")
    parser.add_argument("--cores", type=int, default=2)
    parser.add_argument("--slow", action="store_true", help="also run R DESeq2 on the same counts")
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        run(folder, None, asked.cores)  # kernels are compiled here
        (folder / "results" / TOY).rename(folder / "warm")
        runs = [whole(folder, TOY, None, asked.cores)]
        for donors in asked.donors:
            size = Size(donors, asked.genes, asked.sets)
            runs.append(whole(folder, size.name, write_run(size, folder), asked.cores))
            if asked.slow:
                runs[-1]["deseq2_s"] = deseq2(folder, size.name)
                share = runs[-1]["deseq2_s"] / runs[-1]["seconds"]
                print(f"R's DESeq() by itself: {runs[-1]['deseq2_s']:.0f} s, {share:.1f} times")
    (ROOT / "build").mkdir(exist_ok=True)
    (ROOT / "build" / "bench_pipeline.json").write_text(json.dumps(runs, indent=1) + "\n")


if __name__ == "__main__":
    main()
