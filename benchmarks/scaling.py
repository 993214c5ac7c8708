"""Measure how a run's time and memory grow, for docs/scaling.md.

    python benchmarks/scaling.py --write docs/scaling.md      everything: 20 minutes on two cores
    python benchmarks/scaling.py --only genes sets            part of it, printed

Donors, genes and sets: whole runs of simulated cohorts, as bench_pipeline.py makes them. Cohorts:
the toy cohort under several names in one run, with their synthesis. Cells: bench_cells.py. Each
job's memory is shown too, for a cluster must provide it.
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

import pandas as pd
import yaml
from bench_pipeline import ROOT, Size, jobs, run, write_run
from time_checkouts import FIGURES

from sections import took, write_section

CORES = 2
DONORS = (56, 400, 1000, 5000)
GENES = (5_000, 10_000, 20_000)
SETS = (250, 2_000)
COHORTS = (2, 4)
CELLS = (62_500, 500_000)
SECTION = "## Measurements"


def measured(folder: Path, size: Size) -> dict[str, Any]:
    """Run a cohort; return seconds, processor seconds, memory (GB), size of the page (MB), jobs."""
    seconds, processor, memory = run(folder, write_run(size, folder), CORES)
    made = pd.DataFrame(jobs(folder, size.name))
    results = folder / "results" / size.name
    page = (results / "report.html").stat().st_size / 1e6
    shutil.rmtree(results)
    return {
        "seconds": seconds,
        "processor_s": processor,
        "memory_gb": memory,
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
    seconds, processor, memory = run(folder, both, CORES)
    return {"seconds": seconds, "processor_s": processor, "memory_gb": memory}


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
        "memory_gb": float(row["memory_gb"]),
    }


def studies(folder: Path) -> Iterator[tuple[str, tuple[int, ...], Callable[[int], dict]]]:
    """Yield what is varied, its sizes, and how a size is measured."""
    yield "donors", DONORS, lambda n: measured(folder, Size(n))
    yield "genes", GENES, lambda n: measured(folder, Size(56, genes=n))
    yield "sets", SETS, lambda n: measured(folder, Size(56, genes=10_000, sets=n))
    yield "cohorts", COHORTS, lambda n: several(folder, n)
    yield "cells", CELLS, cells


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


def table(name: str, rows: dict[int, dict[str, float]]) -> str:
    """Return a study as Markdown: its sizes, and how processor time grows between the largest."""
    words = [
        {name: f"{size:,}", **{FIGURES[key]: value for key, value in row.items()}}
        for size, row in rows.items()
    ]
    (smaller, less), (larger, more) = list(rows.items())[-2:]
    times = digits(more["processor_s"] / less["processor_s"])
    line = f"From {smaller:,} to {larger:,} {name}, processor time grows {times}-fold."
    return "\n".join([markdown(words), "", line])


def job_table(name: str, made: dict[int, pd.DataFrame]) -> str:
    """Return as Markdown what each job takes at the two largest sizes."""
    sizes = sorted(made)[-2:]
    rows = [
        {
            "job": str(job),
            **{f"processor s at {n:,} {name}": made[n].loc[job, "processor_s"] for n in sizes},
            **{f"GB at {n:,}": made[n].loc[job, "memory_gb"] for n in sizes},
        }
        for job in made[sizes[-1]].index
    ]
    return markdown(rows)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    names = ["donors", "genes", "sets", "cohorts", "cells"]
    parser.add_argument("--only", nargs="+", choices=names, default=names)
    parser.add_argument("--write", type=Path, help="Markdown file whose tables are replaced")
    asked = parser.parse_args()
    if asked.write and set(asked.only) != set(names):
        parser.error("--write replaces all tables, so it needs all of them: leave out --only")
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
            parts.append(f"### {study.capitalize()}\n\n" + table(study, rows))
            if study == "donors":
                parts.append(job_table(study, made))
            print(parts[-1], flush=True)
    text = f"{SECTION}\n\n" + "\n\n".join(parts) + f"\n\n{took(start)}\n"
    if asked.write:
        write_section(asked.write, text)
    print(took(start))


if __name__ == "__main__":
    main()
