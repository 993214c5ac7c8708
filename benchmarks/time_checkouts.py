"""Time whole runs of two checkouts on the same cohorts, in turn, on the same machine.

    python benchmarks/time_checkouts.py ../before .
    python benchmarks/time_checkouts.py ../before . --cohorts toy muscle --runs 5
    python benchmarks/time_checkouts.py ../before . --write docs/performance.md

Cohorts: `toy`; `study`, 28 + 28 donors with 20,000 genes; `muscle`, the public cohort in
../shared/data (or FIBROSERUM_DATA), its 37 pairs before exercise and in recovery; `donors`, 1,000
donors; `sets`, 28 + 28 donors with 10,000 genes and 2,000 sets more; `cohorts`, the toy's two in
one run; `permutations`, the toy with 1,000 of them. Both checkouts run with the Python of this
script. Kernels are compiled in a first run of the toy, which is not counted. Prints each run, and
for each cohort the medians and their ratio. Memory is that of all processes at once.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import sys
import tempfile
from pathlib import Path
from typing import Any

import pandas as pd
import yaml
from bench_pipeline import ROOT, Size, run, write_run

from sections import write_section

DATA = Path(os.environ.get("FIBROSERUM_DATA", ROOT.parent / "shared" / "data"))
SIZES = {"study": Size(56), "donors": Size(1000), "sets": Size(56, 10_000, 2_000)}
COHORTS = ("toy", "study", "muscle", "sets", "donors", "cohorts", "permutations")
FIGURES = {
    "seconds": "seconds",
    "processor_s": "processor seconds",
    "memory_gb": "memory, GB",
    "report_mb": "page, MB",
}
PERMUTATIONS = 1_000
#: Cohorts that are run once.
ONCE = ("donors", "cohorts", "permutations")
SECTION = "## Whole runs, before and after"


def write_muscle(folder: Path) -> Path:
    """Write the pairs of the public cohort and a config; return the config's path."""
    place = DATA / "muscle_exercise_t2d"
    if not place.is_dir():
        sys.exit(f"There is no {place}: name the folder with FIBROSERUM_DATA, or leave muscle out.")
    sheet = pd.read_csv(place / "samples.csv").query("time != 'post'")
    sheet = sheet[sheet.groupby("donor")["time"].transform("nunique") == 2]
    counts = pd.read_csv(place / "counts.tsv.gz", sep="\t", index_col=0)[sheet["sample"]]
    counts[~counts.index.duplicated()].to_csv(folder / "muscle.counts.tsv.gz", sep="\t")
    sheet.to_csv(folder / "muscle.samples.tsv", sep="\t", index=False)
    design = {"group": "group", "time": "time", "before": "basal", "after": "rec"}
    config = {
        "cohort": "muscle",
        "counts": [str(folder / "muscle.counts.tsv.gz")],
        "samples": str(folder / "muscle.samples.tsv"),
        "design": {**design, "reference_group": "NGT", "randomised": False},
        "targets": ["PPARGC1A", "NR4A3", "VEGFA", "HK2", "COL1A1", "BGN"],
        "factors": {},
    }
    path = folder / "muscle.yaml"
    path.write_text(yaml.safe_dump(config, sort_keys=False), encoding="utf-8")
    return path


def config_of(name: str, folder: Path) -> Path | None:
    """Write what a cohort needs; return its config's path, None for one of the checkout."""
    if name == "muscle":
        return write_muscle(folder)
    if name not in SIZES:
        return None
    path = write_run(SIZES[name], folder)
    config = yaml.safe_load(path.read_text(encoding="utf-8"))
    # the default of each checkout, whose names have changed
    del config["differential_expression"]["second_opinion"]
    path.write_text(yaml.safe_dump(config, sort_keys=False), encoding="utf-8")
    return path


def config_in(checkout: Path, name: str, folder: Path) -> Path:
    """Return the path of a config of a checkout; that with permutations is written."""
    if name == "cohorts":
        return checkout / "config" / "cohorts.yaml"
    toy = checkout / "config" / "config.yaml"
    if name == "toy":
        return toy
    config = yaml.safe_load(toy.read_text(encoding="utf-8"))
    config["differential_expression"]["permutations"] = PERMUTATIONS
    path = folder / "permutations.yaml"
    path.write_text(yaml.safe_dump(config, sort_keys=False), encoding="utf-8")
    return path


def timed(checkout: Path, config: Path, folder: Path, cores: int) -> dict[str, float]:
    """Run a cohort once; return what it took. Its results are removed."""
    seconds, processor, memory = run(folder, config, cores, checkout)
    pages = sum(page.stat().st_size for page in folder.glob("results/*/report.html")) / 1e6
    found = dict(zip(FIGURES, (seconds, processor, memory, pages), strict=True))
    for made in ("results", "logs", ".snakemake"):
        shutil.rmtree(folder / made)
    return found


def markdown(runs: pd.DataFrame) -> str:
    """Return each cohort's medians, before and after, and their ratio, as a Markdown table."""
    medians = runs.groupby(["cohort", "checkout"], sort=False)[list(FIGURES)].median()
    rows = []
    for cohort in runs["cohort"].unique():
        before, after = (medians.loc[(cohort, name)] for name in ("before", "after"))
        row = {"cohort": cohort}
        for key, words in FIGURES.items():
            share = after[key] / before[key]
            row[words] = f"{before[key]:.3g} → {after[key]:.3g} ({share:.2f} ×)"
        rows.append(row)
    return str(pd.DataFrame(rows).to_markdown(index=False))


def main() -> None:
    """Run and print as the command line says; write build/time_checkouts.json."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("before", type=Path)
    parser.add_argument("after", type=Path)
    parser.add_argument("--cohorts", nargs="+", choices=COHORTS, default=COHORTS)
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--cores", type=int, default=2)
    parser.add_argument("--write", type=Path, help="Markdown file whose table is replaced")
    asked = parser.parse_args()
    if asked.write and set(asked.cohorts) != set(COHORTS):
        parser.error("--write replaces the whole table, so it needs all: leave out --cohorts")
    checkouts = {name: getattr(asked, name).resolve() for name in ("before", "after")}
    runs: list[dict[str, Any]] = []
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        configs = {cohort: config_of(cohort, folder) for cohort in asked.cohorts}
        for checkout in checkouts.values():
            # kernels are compiled here
            timed(checkout, config_in(checkout, "toy", folder), folder, asked.cores)
        for cohort, config in configs.items():
            for number in range(1 if cohort in ONCE else asked.runs):
                for name, checkout in checkouts.items():
                    used = config or config_in(checkout, cohort, folder)
                    took = timed(checkout, used, folder, asked.cores)
                    runs.append({"cohort": cohort, "checkout": name, **took})
                    said = " ".join(f"{key} {value:.2f}" for key, value in took.items())
                    print(f"{cohort} {number + 1} {name}: {said}", flush=True)
    text = markdown(pd.DataFrame(runs))
    print(text)
    if asked.write:
        write_section(asked.write, f"{SECTION}\n\n{text}")
    (ROOT / "build").mkdir(exist_ok=True)
    (ROOT / "build" / "time_checkouts.json").write_text(json.dumps(runs, indent=1) + "\n")


if __name__ == "__main__":
    main()
