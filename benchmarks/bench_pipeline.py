"""Time whole runs of the pipeline, counts to report, on simulated cohorts.

    python benchmarks/bench_pipeline.py                     28 donors an arm, 20,000 genes; the toy
    python benchmarks/bench_pipeline.py --donors 1000       a consortium

Each run is the real command line in a folder of its own, compiled kernels kept from a first run of
the toy cohort. Prints seconds on the clock and, job by job, processor seconds and memory, as the
jobs' own logs tell them; writes build/bench_pipeline.json. Beside it stands R DESeq2's `DESeq()` on
as many samples and genes where build/bench_fit.json, which `bench_fit.py --slow` writes, has it.
"""

from __future__ import annotations

import argparse
import dataclasses
import json
import re
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import pandas as pd
import yaml

from fibroserum.simulate import CohortSpec, simulate_cohort, write_cohort

ROOT = Path(__file__).resolve().parents[1]
TOY = "toy"
USED = re.compile(r"took (\S+) s of processor time, (\S+) GB of memory")


@dataclasses.dataclass(frozen=True)
class Size:
    """A cohort to be run: donors in both arms together, genes, sets of the user's own, name."""

    donors: int
    genes: int = 20_000
    sets: int = 0

    @property
    def name(self) -> str:
        """Return a name for the cohort and its folder."""
        return f"d{self.donors}_g{self.genes}_s{self.sets}"


def write_sets(path: Path, genes: list[str], number: int) -> None:
    """Write a GMT file of sets of 40 genes."""
    import numpy as np

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


def run(folder: Path, config: Path | None, cores: int) -> float:
    """Run the pipeline in a folder; return the seconds on the clock, from start to report."""
    command = [sys.executable, "-m", "snakemake", "-s", str(ROOT / "Snakefile")]
    command += ["--cores", str(cores), "--directory", str(folder)]
    command += ["--configfile", str(config)] if config else []
    start = time.monotonic()
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        sys.exit(f"{done.stdout[-2000:]}\n{done.stderr[-4000:]}")
    return time.monotonic() - start


def jobs(folder: Path, cohort: str) -> list[dict[str, Any]]:
    """Return what each job of a run took, as its log says."""
    found = []
    for log in sorted((folder / "logs" / cohort).glob("*.log")):
        match = USED.search(log.read_text(encoding="utf-8"))
        if match:
            row = {"job": log.stem, "processor_s": float(match[1]), "memory_gb": float(match[2])}
            found.append(row)
    return found


def report(name: str, seconds: float, made: list[dict[str, Any]], folder: Path) -> dict[str, Any]:
    """Print a run and return it for the JSON."""
    table = pd.DataFrame(made)
    page = (folder / "results" / name / "report.html").stat().st_size / 1e6
    print(table.to_string(index=False))
    total = {
        "cohort": name,
        "seconds": round(seconds, 1),
        "processor_s": round(float(table["processor_s"].sum()), 1),
        "memory_gb": float(table["memory_gb"].max()),
        "report_mb": round(page, 1),
    }
    print(" ".join(f"{key} {value}" for key, value in total.items()), flush=True)
    return {**total, "jobs": made}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--donors", type=int, nargs="+", default=[56])
    parser.add_argument("--genes", type=int, default=20_000)
    parser.add_argument("--sets", type=int, default=0, help="sets beside the bundled ones")
    parser.add_argument("--cores", type=int, default=2)
    asked = parser.parse_args()
    runs = []
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        run(folder, None, asked.cores)  # kernels are compiled here
        (folder / "results" / TOY).rename(folder / "warm")
        seconds = run(folder, None, asked.cores)
        runs.append(report(TOY, seconds, jobs(folder, TOY), folder))
        for donors in asked.donors:
            size = Size(donors, asked.genes, asked.sets)
            seconds = run(folder, write_run(size, folder), asked.cores)
            runs.append(report(size.name, seconds, jobs(folder, size.name), folder))
    beside = ROOT / "build" / "bench_fit.json"
    if beside.exists():
        for row in json.loads(beside.read_text(encoding="utf-8")):
            if row["method"] == "R DESeq2":
                print(
                    f"R DESeq2 alone, {row['samples']} samples × {row['genes']} genes:"
                    f" {row['seconds']:.0f} s"
                )
    (ROOT / "build").mkdir(exist_ok=True)
    (ROOT / "build" / "bench_pipeline.json").write_text(json.dumps(runs, indent=1) + "\n")


if __name__ == "__main__":
    main()
