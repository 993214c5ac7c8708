"""Measure how a run's time and memory grow, at four sizes each, for docs/scaling.md.

    python benchmarks/scaling.py --write docs/scaling.md      everything: half an hour on two cores
    python benchmarks/scaling.py --only genes sets            part of it, printed

Donors, genes and sets: whole runs of simulated cohorts, as bench_pipeline.py makes them. Cohorts:
the toy cohort under several names in one run, with their synthesis. Cells: bench_cells.py. Lines
are fitted to processor seconds and to memory, of the whole run and of each job, because a cluster
must provide the largest job's memory; the figures for 10,000 donors come from these lines.
"""

from __future__ import annotations

import argparse
import json
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import yaml
from bench_pipeline import ROOT, USED, Size, jobs, run, write_run

from sections import took, write_section

CORES = 2
DONORS = (56, 150, 400, 1000)
GENES = (2_500, 5_000, 10_000, 20_000)
SETS = (250, 500, 1_000, 2_000)
COHORTS = (2, 3, 4, 6)
CELLS = (62_500, 125_000, 250_000, 500_000)
FAR = {"donors": 10_000, "genes": 60_000, "sets": 20_000, "cohorts": 50, "cells": 10_000_000}
SECTION = "## Measurements"


def measured(folder: Path, size: Size) -> dict[str, Any]:
    """Run a cohort; return seconds, processor seconds, memory (GB), size of the page (MB), jobs."""
    seconds, memory = run(folder, write_run(size, folder), CORES)
    made = pd.DataFrame(jobs(folder, size.name))
    results = folder / "results" / size.name
    page = (results / "report.html").stat().st_size / 1e6
    shutil.rmtree(results)
    return {
        "seconds": seconds,
        "processor_s": float(made["processor_s"].sum()),
        "memory_gb": memory,
        "largest_job_gb": float(made["memory_gb"].max()),
        "report_mb": page,
        "jobs": made.set_index("job"),
    }


def several(folder: Path, number: int) -> dict[str, float]:
    """Run the toy cohort under several names at once, and their synthesis."""
    toy = yaml.safe_load((ROOT / "config" / "config.yaml").read_text(encoding="utf-8"))
    paths = []
    for i in range(number):
        paths.append(folder / f"of{number}_{i}.yaml")
        paths[-1].write_text(yaml.safe_dump(toy | {"cohort": f"of{number}_{i}"}), encoding="utf-8")
    both = folder / f"of{number}.yaml"
    text = yaml.safe_dump({"cohort": f"of{number}", "cohorts": [str(path) for path in paths]})
    both.write_text(text, encoding="utf-8")
    seconds, memory = run(folder, both, CORES)
    logs = (folder / "logs").glob(f"of{number}*/*.log")
    found = [USED.search(log.read_text(encoding="utf-8")) for log in logs]
    used = np.array([[float(match[1]), float(match[2])] for match in found if match])
    return {
        "seconds": seconds,
        "processor_s": float(used[:, 0].sum()),
        "memory_gb": memory,
        "largest_job_gb": float(used[:, 1].max()),
    }


def cells(number: int) -> dict[str, float]:
    """Sum single cells per sample, as bench_cells.py does."""
    command = [sys.executable, str(Path(__file__).with_name("bench_cells.py"))]
    done = subprocess.run(
        [*command, "--cells", str(number)], capture_output=True, text=True, check=True
    )
    row = json.loads(done.stdout.splitlines()[-1])
    return {
        "seconds": float(row["seconds"]),
        "processor_s": float(row["processor_s"]),
        "largest_job_gb": float(row["memory_gb"]),
    }


def studies(folder: Path) -> Iterator[tuple[str, tuple[int, ...], Callable[[int], dict]]]:
    """Yield what is varied, its sizes, and how a size is measured."""
    yield "donors", DONORS, lambda n: measured(folder, Size(n))
    yield "genes", GENES, lambda n: measured(folder, Size(56, genes=n))
    yield "sets", SETS, lambda n: measured(folder, Size(56, genes=10_000, sets=n))
    yield "cohorts", COHORTS, lambda n: several(folder, n)
    yield "cells", CELLS, cells


def fitted(sizes: np.ndarray, values: np.ndarray, far: int) -> tuple[float, float, float]:
    """Return intercept and slope of a line, and its value far away."""
    slope, intercept = np.polyfit(sizes, values, 1)
    return float(intercept), float(slope), float(intercept + slope * far)


def digits(value: float) -> str:
    """Return a number with three digits, thousands apart."""
    return f"{float(f'{value:.3g}'):,g}"


def markdown(rows: list[dict[str, Any]]) -> str:
    """Return rows as a Markdown table."""
    shown = [
        {name: value if isinstance(value, str) else digits(value) for name, value in row.items()}
        for row in rows
    ]
    return pd.DataFrame(shown).to_markdown(index=False, disable_numparse=True)


def table(name: str, rows: dict[int, dict[str, float]], made: dict[int, pd.DataFrame]) -> str:
    """Return a study as Markdown: its sizes, and the lines through them.

    made: each size's jobs, empty where they are not told apart. The largest job far away is not
    the one that is largest here: it is that whose own line ends highest.
    """
    words = [
        {name: f"{size:,}", **{key.replace("_", " "): value for key, value in row.items()}}
        for size, row in rows.items()
    ]
    text = [markdown(words), ""]
    sizes = np.array(list(rows), dtype=float)
    processor = np.array([row["processor_s"] for row in rows.values()])
    memory = {"": np.array([row["largest_job_gb"] for row in rows.values()])}
    if made:
        jobs = made[max(made)].index
        memory = {
            f" ({job})": np.array([found.loc[job, "memory_gb"] for found in made.values()])
            for job in jobs
        }
    largest = max(memory, key=lambda job: fitted(sizes, memory[job], FAR[name])[2])
    lines = {"s of processor time": processor, f"GB in the largest job{largest}": memory[largest]}
    for unit, values in lines.items():
        a, b, value = fitted(sizes, values, FAR[name])
        line = f"{a:.3g} + {b:.3g} × {name}; at {FAR[name]:,} {name}: **{digits(value)}**"
        flat = b * max(rows) < 0.05 * values.max()
        text.append(f"* {unit}: {f'does not grow with {name}' if flat else line}")
    return "\n".join(text)


def job_table(name: str, made: dict[int, pd.DataFrame]) -> str:
    """Return as Markdown what each job takes at the largest size, and would take far away."""
    sizes, far = np.array(list(made), dtype=float), FAR[name]
    rows = []
    for job in made[max(made)].index:
        row: dict[str, Any] = {"job": str(job)}
        for column, unit in (("processor_s", "s"), ("memory_gb", "GB")):
            values = np.array([jobs.loc[job, column] for jobs in made.values()], dtype=float)
            row[f"{unit} at {max(made):,} {name}"] = values[-1]
            # a line that falls is noise
            row[f"{unit} at {far:,}"] = max(fitted(sizes, values, far)[2], values[-1])
        rows.append(row)
    return markdown(rows)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    names = ["donors", "genes", "sets", "cohorts", "cells"]
    parser.add_argument("--only", nargs="+", choices=names, default=names)
    parser.add_argument("--write", type=Path, help="Markdown file whose tables are replaced")
    asked = parser.parse_args()
    start = time.monotonic()
    parts = []
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        run(folder, None, CORES)  # kernels are compiled here
        for study, sizes, measure in studies(folder):
            if study not in asked.only:
                continue
            rows, made = {}, {}
            for size in sizes:
                row = measure(size)
                if "jobs" in row:
                    made[size] = row.pop("jobs")
                rows[size] = row
                print(study, size, row, flush=True)
            parts.append(f"### {study.capitalize()}\n\n" + table(study, rows, made))
            if made:
                parts.append(job_table(study, made))
            print(parts[-1], flush=True)
    text = f"{SECTION}\n\n" + "\n\n".join(parts) + f"\n\n{took(start)}\n"
    if asked.write:
        write_section(asked.write, text)
    print(took(start))


if __name__ == "__main__":
    main()
