"""The designs' and questions' calls where the truth is known: each cohort is run as a user runs it.

python benchmarks/calibrate_designs.py toy results.tsv    # the bundled generator, seeds 1 to 20
python benchmarks/calibrate_designs.py all results.tsv    # and the independent simulator
python benchmarks/calibrate_designs.py report results.tsv --write docs/calibration.md

A run that was ended goes on where it stopped. Rows, cohorts and seeds were fixed before the first
run.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import yaml

from calibration import results
from calibration.designs import LIMIT, DesignDials, simulate_designs
from calibration.designs_measures import measures, read_run
from calibration.judging import Figure, figures, passes
from calibration.results import Line
from fibroserum.simulate import DesignsSpec, write_designs
from fibroserum.simulate import simulate_designs as simulate_toy
from sections import write_section

ROOT = Path(__file__).resolve().parents[1]
VARIANT, COHORT = "pipeline", "designs"
UNEVEN = {"control": 0.5, "AT": 1.0, "RT": 2.0}
SET_SIZE = 30


@dataclass(frozen=True)
class Row:
    """A setting: its cohorts, the seed of the first, and how each is written into a folder.

    write: takes a folder and a seed; returns the config, the truth of genes and of molecules.
    """

    name: str
    title: str
    cohorts: int
    seed: int
    write: Callable[[Path, int], tuple[dict[str, Any], pd.DataFrame, pd.DataFrame]] = field(
        repr=False
    )
    null: bool = False


def toy(folder: Path, seed: int) -> tuple[dict[str, Any], pd.DataFrame, pd.DataFrame]:
    """Write a cohort of the bundled toy's generator, with the bundled config."""
    drawn = simulate_toy(DesignsSpec(), seed)
    write_designs(drawn, folder)
    text = (ROOT / "config" / "toy_designs.yaml").read_text(encoding="utf-8")
    config = yaml.safe_load(text.replace("resources/toy_designs/", f"{folder}/"))
    return config | {"cohort": COHORT}, drawn.truth, drawn.molecules.set_index("molecule")


def simulated(dials: DesignDials) -> Callable[..., Any]:
    """Return a function that writes cohorts of the independent simulator."""

    def write(folder: Path, seed: int) -> tuple[dict[str, Any], pd.DataFrame, pd.DataFrame]:
        drawn = simulate_designs(dials, seed)
        folder.mkdir(parents=True, exist_ok=True)
        names = drawn.counts.columns
        changed = drawn.genes.ne(0).any(axis=1)
        unchanged = names[~changed.to_numpy()][:SET_SIZE]
        pd.DataFrame({"gene_id": names, "symbol": names}).to_csv(
            folder / "genes.tsv", sep="\t", index=False
        )
        drawn.counts.T.to_csv(folder / "counts.tsv", sep="\t", index_label="gene_id")
        drawn.sheet.to_csv(folder / "samples.tsv", sep="\t", index=False)
        drawn.panel.to_csv(folder / "serum_panel.tsv", sep="\t", index=False)
        (folder / "sets.gmt").write_text("\t".join(["UNCHANGED", "", *unchanged]) + "\n")
        return config_of(folder, drawn.molecules), drawn.genes, drawn.molecules

    return write


def config_of(folder: Path, molecules: pd.DataFrame) -> dict[str, Any]:
    """Return the config of a cohort of the independent simulator: the toy's without its factors."""
    text = (ROOT / "config" / "toy_designs.yaml").read_text(encoding="utf-8")
    config = yaml.safe_load(text)
    for key in ("factors", "gene_lists"):
        del config[key]
    config["serum_panel"] |= {
        "table": str(folder / "serum_panel.tsv"),
        "detection_limit": LIMIT,
    }
    config["design"] |= {"line_sex": None}
    targets = molecules.filter(regex="_slope$").columns.str.removesuffix("_slope")
    return config | {
        "cohort": COHORT,
        "counts": [str(folder / "counts.tsv")],
        "samples": str(folder / "samples.tsv"),
        "genes": {"annotation": str(folder / "genes.tsv")},
        "gene_sets": [str(folder / "sets.gmt")],
        "targets": list(targets),
    }


def rows() -> dict[str, Row]:
    """Return all rows by name."""
    found = [Row("toy", "the bundled toy's generator", 20, 1, toy)]
    seed = 1_000
    for size, cohorts in ((6, 40), (10, 30), (20, 20)):
        for name, title, dials, null in (
            ("equal", "donors alike", {}, False),
            ("unequal", "own changes of sd 1 : 2 : 4, skewed", {"spread": UNEVEN}, False),
            ("strong", "one donor a group responds twice as strongly", {"strong": 2.0}, False),
            ("null", "nothing true, donors alike", {}, True),
            ("null-unequal", "nothing true, sd 1 : 2 : 4, skewed", {"spread": UNEVEN}, True),
        ):
            skewed = "spread" in dials
            write = simulated(DesignDials(size, skewed=skewed, null=null, **dials))  # type: ignore[arg-type]
            number = 2 * cohorts if null else cohorts
            found.append(Row(f"{name}-n{size}", title, number, seed, write, null))
            seed += 1_000
    return {row.name: row for row in found}


def run(folder: Path, config: dict[str, Any], cores: int) -> dict[str, pd.DataFrame]:
    """Run the pipeline up to the gene sets and the flags, and return its tables.

    Raises RuntimeError with the end of the log where the run fails.
    """
    path = folder / "config.yaml"
    path.write_text(yaml.safe_dump(config, sort_keys=False), encoding="utf-8")
    command = [sys.executable, "-m", "snakemake", "flags", "enrichment"]
    command += ["-s", str(ROOT / "Snakefile"), "--cores", str(cores), "--directory", str(folder)]
    command += ["--configfile", str(path)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise RuntimeError(f"the run in {folder} failed:\n{(done.stdout + done.stderr)[-4000:]}")
    return read_run(folder / "results" / str(config["cohort"]))


def run_cohort(row: Row, seed: int, cores: int = 1) -> Line:
    """Draw, write, run and measure one cohort of a row."""
    start = time.monotonic()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name).resolve()
        config, genes, molecules = row.write(folder / "cohort", seed)
        found = measures(run(folder, config, cores), genes, molecules)
    return Line(row.name, VARIANT, seed, time.monotonic() - start, found)


def judged(table: pd.DataFrame, known: dict[str, Row]) -> list[tuple[Figure, bool | None]]:
    """Return the judged figures with whether each passes.

    Where something changes, the mean FDP; in a null row, the share of cohorts with a call.
    """
    own = [
        figure
        for figure in figures(table)
        if figure.measure == ("any" if known[figure.row].null else "fdp")
    ]
    return [(figure, passes(figure, len(own))) for figure in own]


def section(table: pd.DataFrame) -> str:
    """Return the section of docs/calibration.md."""
    known = rows()
    by_key = {(f.row, f.kind, f.measure): f for f in figures(table)}
    verdicts = {True: "yes", False: "**no**", None: "open"}
    lines = [
        "## Designs and questions",
        "",
        "`benchmarks/calibrate_designs.py`: whole runs on cohorts of three groups and two later",
        "times, with a dose, an outcome and a panel of 30 molecules. FDP is V / max(R, 1) at a",
        "nominal .05, a wrong sign is false; in null rows it is the share of cohorts with a call.",
        "A figure passes at .05 + z standard errors, family level .05, and never above .07.",
        "",
        "| setting | cohorts | claim | FDP | power | passes |",
        "| --- | --- | --- | --- | --- | --- |",
    ]
    for figure, passed in judged(table, known):
        power = by_key.get((figure.row, figure.kind, "power"))
        cells = [
            f"{known[figure.row].title} ({figure.row})",
            str(figure.cohorts),
            figure.kind,
            figure.text,
            power.text if power else "",
            verdicts[passed],
        ]
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines) + "\n"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("rows", nargs="+", help="names of rows, all, or report; then the results")
    parser.add_argument("--processes", type=int, default=2)
    parser.add_argument("--cohorts", type=int, help="fewer cohorts of each row")
    parser.add_argument("--write", type=Path)
    asked = parser.parse_args()
    *names, path = asked.rows
    place = Path(path)
    if names == ["report"]:
        text = section(results.long_table(results.read(place)))
        print(text)
        if asked.write:
            write_section(asked.write, text)
        return
    known = rows()
    chosen = [known[name] for name in (known if names == ["all"] else names)]
    results.repair(place)
    done = results.done(place)
    todo = [
        (row, seed)
        for row in chosen
        for seed in range(row.seed, row.seed + (asked.cohorts or row.cohorts))
        if (row.name, VARIANT, seed) not in done
    ]
    with ThreadPoolExecutor(asked.processes) as pool:
        for line in pool.map(lambda one: run_cohort(*one), todo):
            results.append(place, [line])
            shown = np.mean([v for k, v in line.measures.items() if k.endswith(".fdp")])
            print(f"{line.row} {line.seed}: {line.seconds:.0f} s, mean FDP {shown:.3f}", flush=True)


if __name__ == "__main__":
    main()
