"""The designs' and questions' calls where the truth is known, by the library's own stages.

python benchmarks/calibrate_designs.py toy results.tsv    # the bundled generator, seeds 1 to 20
python benchmarks/calibrate_designs.py all results.tsv    # and the independent simulator
python benchmarks/calibrate_designs.py report results.tsv --write docs/calibration.md

Cohorts of all rows take turns, so that a run that was ended has some of each; it goes on where it
stopped. Rows and seeds were fixed before the first run.
"""

from __future__ import annotations

import argparse
import os
import tempfile
import time
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

# before numpy: sums must not depend on the number of BLAS threads
os.environ.update(dict.fromkeys(["OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS"], "1"))

import numpy as np
import pandas as pd
import yaml

import fibroserum as fs
from calibration import results
from calibration.designs import LIMIT, DesignDials, simulate_designs
from calibration.designs_measures import claim_of, measures
from calibration.judging import Figure, figures, passes
from calibration.results import Line
from fibroserum.de.omnibus import omnibus_table
from fibroserum.outcomes.stage import OutcomeSettings, flag_outcomes
from fibroserum.serum_panel.stage import flag_panel
from fibroserum.simulate import DesignsSpec, write_designs
from fibroserum.simulate import simulate_designs as simulate_toy
from sections import write_section

ROOT = Path(__file__).resolve().parents[1]
VARIANT, COHORT = "library", "designs"
UNEVEN = {"control": 0.5, "AT": 1.0, "RT": 2.0}


@dataclass(frozen=True)
class Row:
    """A setting: its cohorts, the seed of the first, and how each is written into a folder.

    write: takes a folder and a seed; returns the config, the truth of genes and of molecules.
    whole: in how many of the cohorts, the last ones, verdicts are made and gene sets tested too.
    """

    name: str
    title: str
    cohorts: int
    seed: int
    write: Callable[[Path, int], tuple[dict[str, Any], pd.DataFrame, pd.DataFrame]] = field(
        repr=False
    )
    null: bool = False
    whole: int = 0


def toy(*, null: bool) -> Callable[..., Any]:
    """Return a function that writes cohorts of the bundled toy's generator, with its config."""
    spec = DesignsSpec()
    if null:
        spec = replace(
            spec,
            base=replace(spec.base, effect_scale=0.0),
            planted=(),
            molecules=tuple(replace(molecule, change={}) for molecule in spec.molecules),
            outcome_change={},
        )

    def write(folder: Path, seed: int) -> tuple[dict[str, Any], pd.DataFrame, pd.DataFrame]:
        drawn = simulate_toy(spec, seed)
        write_designs(drawn, folder)
        text = (ROOT / "config" / "toy_designs.yaml").read_text(encoding="utf-8")
        config = yaml.safe_load(text.replace("resources/toy_designs/", f"{folder}/"))
        config |= {"cohort": COHORT, "gene_sets": [str(folder / "null_sets.gmt")]}
        return config, drawn.truth, drawn.molecules.set_index("molecule")

    return write


def simulated(dials: DesignDials) -> Callable[..., Any]:
    """Return a function that writes cohorts of the independent simulator."""

    def write(folder: Path, seed: int) -> tuple[dict[str, Any], pd.DataFrame, pd.DataFrame]:
        drawn = simulate_designs(dials, seed)
        folder.mkdir(parents=True, exist_ok=True)
        names = drawn.counts.columns
        pd.DataFrame({"gene_id": names, "symbol": names}).to_csv(
            folder / "genes.tsv", sep="\t", index=False
        )
        drawn.counts.T.to_csv(folder / "counts.tsv", sep="\t", index_label="gene_id")
        drawn.sheet.to_csv(folder / "samples.tsv", sep="\t", index=False)
        drawn.panel.to_csv(folder / "serum_panel.tsv", sep="\t", index=False)
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
        "gene_sets": [],
        "targets": list(targets),
    }


def rows() -> dict[str, Row]:
    """Return all rows by name."""
    found = [
        Row("toy", "the bundled toy's generator", 20, 1, toy(null=False), whole=2),
        Row("toy-null", "the same, nothing true", 20, 101, toy(null=True), null=True, whole=2),
    ]
    seed = 1_000
    for size in (6, 10, 20):
        for name, title, dials, null in (
            ("equal", "donors alike", {}, False),
            ("unequal", "own changes of sd 1 : 2 : 4, skewed", {"spread": UNEVEN}, False),
            ("strong", "one donor a group responds twice as strongly", {"strong": 2.0}, False),
            ("null", "nothing true, donors alike", {}, True),
            ("null-unequal", "nothing true, sd 1 : 2 : 4, skewed", {"spread": UNEVEN}, True),
        ):
            skewed = "spread" in dials
            write = simulated(DesignDials(size, skewed=skewed, null=null, **dials))  # type: ignore[arg-type]
            found.append(Row(f"{name}-n{size}", title, 20, seed, write, null))
            seed += 1_000
    return {row.name: row for row in found}


def tables_of(config: dict[str, Any], *, whole: bool) -> dict[str, pd.DataFrame]:
    """Return the tables that a run of a config writes, by their path below the cohort's folder."""
    cohort = fs.read_cohort(fs.load_config(config, ROOT))
    alpha = cohort.config["differential_expression"]["alpha"]
    fits = fs.fit(cohort)
    found = fs.results(cohort, fits)
    # without gene sets their sizes decide nothing
    settings = OutcomeSettings(alpha, min_size=10, max_size=500)
    outcomes = flag_outcomes(cohort.adata, fits["paired"], [], cohort.config["outcomes"], settings)
    factors = {name: one["serum"] for name, one in cohort.config["factors"].items()}
    panel = flag_panel(cohort.adata, fits["paired"], found, factors, alpha)
    tables = {
        "flags/omnibus.tsv": omnibus_table(cohort.adata, fits["paired"], alpha),
        "flags/outcomes.tsv": outcomes.genes,
        "flags/outcome_targets.tsv": outcomes.targets,
        "flags/serum_panel.tsv": panel.changes,
        "flags/serum_panel_targets.tsv": panel.targets,
        "flags/candidates.tsv": panel.candidates,
    }
    tables |= {f"de/{name}.tsv": table for name, table in found.items()}
    if whole:
        tables["flags/targets.tsv"] = fs.target_tables(cohort, fits, found).targets
        sets = fs.set_tests(cohort, fits, found)
        tables |= {f"enrichment/{name}.tsv": table for name, table in sets.items()}
    return tables


def run_cohort(name: str, seed: int) -> Line:
    """Draw, analyse and measure one cohort of a row."""
    start, row = time.monotonic(), rows()[name]
    with tempfile.TemporaryDirectory() as folder:
        config, genes, molecules = row.write(Path(folder).resolve() / "cohort", seed)
        tables = tables_of(config, whole=seed >= row.seed + row.cohorts - row.whole)
    found = measures(tables, genes, molecules)
    return Line(row.name, VARIANT, seed, time.monotonic() - start, found)


def by_claim(table: pd.DataFrame) -> pd.DataFrame:
    """Return the results with the mean over the contrasts, or times, of each claim of a cohort."""
    keys = ["row", "variant", "seed", "kind", "measure"]
    claims = table.assign(kind=table["kind"].map(claim_of))
    return claims.groupby(keys, sort=False, as_index=False)["value"].mean()


def judged(table: pd.DataFrame, known: dict[str, Row]) -> list[tuple[Figure, bool | None]]:
    """Return the figure of each row and claim, with whether it passes.

    Where something is true, the mean FDP. In a null row, the share of cohorts with a call, which
    passes where that of each contrast does.
    """
    parts = [one for one in figures(table) if known[one.row].null and one.measure == "any"]
    own = [
        figure
        for figure in figures(by_claim(table))
        if figure.measure == ("any" if known[figure.row].null else "fdp")
    ]
    tests = len(parts) + sum(not known[figure.row].null for figure in own)
    failed = {(one.row, claim_of(one.kind)) for one in parts if not passes(one, tests)}
    return [
        (one, (one.row, one.kind) not in failed if known[one.row].null else passes(one, tests))
        for one in own
    ]


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
        (row.name, row.seed + number)
        for number in range(max(row.cohorts for row in chosen))
        for row in chosen
        if number < (asked.cohorts or row.cohorts)
        if (row.name, VARIANT, row.seed + number) not in done
    ]
    with ProcessPoolExecutor(asked.processes) as pool:
        for future in as_completed([pool.submit(run_cohort, *one) for one in todo]):
            line = future.result()
            results.append(place, [line])
            shown = np.mean([v for k, v in line.measures.items() if k.endswith(".fdp")])
            print(f"{line.row} {line.seed}: {line.seconds:.0f} s, mean FDP {shown:.3f}", flush=True)


if __name__ == "__main__":
    main()
