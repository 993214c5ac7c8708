"""The designs' and questions' calls where the truth is known, by the library's own stages.

python benchmarks/calibrate_designs.py toy results.tsv    # the bundled generator, seeds 1 to 20
python benchmarks/calibrate_designs.py all results.tsv    # and the independent simulator
python benchmarks/calibrate_designs.py report results.tsv --write docs/calibration.md

Cohorts of all rows take turns, so a run that was stopped has some of each; it continues where it
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
from itertools import product
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
from calibration.judging import LEVEL, Figure, figures, passes
from calibration.results import Line
from fibroserum.de.omnibus import omnibus_table
from fibroserum.outcomes.stage import OutcomeSettings, flag_outcomes
from fibroserum.serum_panel.stage import flag_panel
from fibroserum.simulate import DesignsSpec, write_designs
from fibroserum.simulate import simulate_designs as simulate_toy
from sections import write_section

ROOT = Path(__file__).resolve().parents[1]
VARIANT, COHORT = "library", "designs"
#: fewer cohorts make no figure
FEWEST = 10
UNEVEN = {"control": 0.5, "AT": 1.0, "RT": 2.0}


TITLE = "Designs and questions"
READING = """\
`benchmarks/calibrate_designs.py`: cohorts of three groups (one is a control) and two times after, a
dose, an outcome, and a panel of 30 molecules of which 20 correlate. A donor's two samples after
share most of its response. Each cohort goes through the library's own stages: contrasts,
outcomes, panel, candidates, omnibus questions. *toy*: the bundled generator, 12 donors per group,
seeds 1 to 20; *toy-null*: the same without any effect. The other settings come from an
independent simulator, with 6, 10 and 20 donors per group. *equal*: all donors have the same
variance. *unequal*: individual changes of genes, molecules and outcome have standard deviations of
1 : 2 : 4 in the groups, and the outcome is skewed. *strong*: the first donor of each group responds
twice as strongly. *null*, *null-unequal*: nothing is true. In parentheses: cohorts.

A claim is the mean over the contrasts of its kind, or over the times. If only the kind is named,
it is a call of a gene; *outcome* and *omnibus* are also of a gene, *outcome target* is of a target
among 12, *panel* is a molecule's change, and *panel slope* a target's slope on a molecule;
*candidate* needs both. FDP is V / max(R, 1), and a wrong sign is false; the error is over cohorts.
A figure passes at 0.05 + z standard errors (family level 0.05) and never above 0.07. If nothing is
true (in all null settings, and in the others for groups before the intervention and for what
targets predict), it passes by an exact binomial test of each contrast. Figures that do not pass
are bold.

*Outcome targets* have their own variance, not one moderated across genes. With a moderated
variance the same cohorts had false calls of what expression before predicts in 0.125 (toy), 0.125
(equal), 0.095 (unequal) and 0.143 (strong), because some targets follow a molecule and vary far
more between donors than other genes. In 40 further cohorts of 10 donors per group with equal
variance the share fell from 0.24 ± 0.05 to 0.10 ± 0.03; with 20 donors, from 0.08 ± 0.03 to 0.05 ±
0.03; with unequal groups of 10 donors, from 0.06 ± 0.03 to 0.04 ± 0.02. The test of all genes is
still moderated, and such genes are among its false calls.

A panel makes few calls, so its FDP is 0 in most cohorts and 0.3 to 1 in some. In 120 further
cohorts that tested only the toy's panel, averages and changes had 0.053 ± 0.011 and
0.059 ± 0.009."""


@dataclass(frozen=True)
class Row:
    """A setting: its cohorts, the seed of the first, and how each is written into a folder.

    write: takes a folder and a seed; returns the config, the truth of genes and of molecules.
    whole: in how many of the cohorts, the last ones, verdicts are made and gene sets tested too.
    """

    name: str
    cohorts: int
    seed: int
    write: Callable[[Path, int], tuple[dict[str, Any], pd.DataFrame, pd.DataFrame]] = field(
        repr=False
    )
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
        Row("toy", 20, 1, toy(null=False), whole=2),
        Row("toy-null", 20, 101, toy(null=True), whole=2),
    ]
    unequal: dict[str, Any] = {"spread": UNEVEN, "skewed": True}
    settings: dict[str, dict[str, Any]] = {
        "equal": {},
        "unequal": unequal,
        "strong": {"strong": 2.0},
        "null": {"null": True},
        "null-unequal": unequal | {"null": True},
    }
    for number, (size, name) in enumerate(product((6, 10, 20), settings), 1):
        write = simulated(DesignDials(size, **settings[name]))
        found.append(Row(f"{name}-n{size}", 20, 1_000 * number, write))
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


def setting_of(row: str) -> str:
    """Return the setting of a row, which is the same for all numbers of donors."""
    return row.partition("-n")[0] if row[-1].isdigit() else row


def by_claim(table: pd.DataFrame) -> pd.DataFrame:
    """Return the results with the mean over the contrasts, or times, of each claim of a cohort."""
    keys = ["row", "variant", "seed", "kind", "measure"]
    claims = table.assign(kind=table["kind"].map(claim_of))
    return claims.groupby(keys, sort=False, as_index=False)["value"].mean()


def judged(table: pd.DataFrame) -> list[tuple[Figure, bool | None]]:
    """Return the figure of each setting and claim over all cohorts, with whether it passes.

    Where something is true, the mean FDP. Where nothing is, the share of cohorts with a call, which
    passes where that of each contrast does. Figures of fewer than `FEWEST` cohorts are left out.
    """
    table = table.assign(row=table["row"].map(setting_of))
    whole = [one for one in figures(by_claim(table)) if one.cohorts >= FEWEST]
    true = {(one.row, one.kind) for one in whole if one.measure == "power"}
    fdp = [one for one in whole if one.measure == "fdp" and (one.row, one.kind) in true]
    null = [one for one in whole if one.measure == "any" and (one.row, one.kind) not in true]
    places = {(one.row, one.kind) for one in null}
    parts = [
        one
        for one in figures(table)
        if one.measure == "any" and (one.row, claim_of(one.kind)) in places
    ]
    tests = len(parts) + len(fdp)
    failed = {(one.row, claim_of(one.kind)) for one in parts if not passes(one, tests)}
    return [
        *((one, passes(one, tests)) for one in fdp),
        *((one, (one.row, one.kind) not in failed) for one in null),
    ]


def finding(table: pd.DataFrame) -> str:
    """Return what the study shows, in sentences."""
    found = judged(table)
    failed = [figure for figure, passed in found if passed is False]
    clear = [f"{f.kind} ({f.row}, {f.text})" for f in failed if f.mean > LEVEL + 2 * f.error]
    return (
        f"{len(found) - len(failed)} of {len(found)} figures pass. Of the others, these exceed "
        f"0.05 by more than two standard errors: {', '.join(clear) or 'none'}. Candidates: mean "
        f"FDP at most {max(f.mean for f, _ in found if f.kind.startswith('candidate')):.3f}."
    )


def section(table: pd.DataFrame) -> str:
    """Return the section of docs/calibration.md."""
    found = judged(table)
    claims = sorted({figure.kind for figure, _ in found}, key=_order)
    cells = {(f.row, f.kind): f"**{f.text}**" if passed is False else f.text for f, passed in found}
    count = table.drop_duplicates(["row", "seed"])["row"].map(setting_of).value_counts(sort=False)
    settings = list(count.index)
    power = {
        (f.row, f.kind): f"{f.mean:.2f}" for f in figures(by_claim(table)) if f.measure == "power"
    }
    planted = list(dict.fromkeys(row for row, _ in power))
    heads = [f"{setting} ({count[setting]})" for setting in settings]
    return "\n".join(
        [
            f"## {TITLE}",
            "",
            READING,
            "",
            "FDP; if nothing is true, the share of cohorts with a call:",
            "",
            *_grid(claims, settings, heads, cells),
            "",
            "Power:",
            "",
            *_grid([c for c in claims if any(k == c for _, k in power)], planted, planted, power),
            "",
        ]
    )


def _order(claim: str) -> tuple[str, str]:
    words = claim.split(" ")
    return (words[0] if len(words) > 1 and words[0] != "dose" else "", claim)


def _grid(
    claims: list[str], columns: list[str], heads: list[str], cells: dict[tuple[str, str], str]
) -> list[str]:
    return [
        f"| claim | {' | '.join(heads)} |",
        f"| --- |{' ---: |' * len(columns)}",
        *(f"| {c} | {' | '.join(cells.get((col, c), '') for col in columns)} |" for c in claims),
    ]


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
        table = results.long_table(results.read(place))
        text, found = section(table), finding(table)
        print(text, found, sep="\n")
        if asked.write:
            write_section(asked.write, text, found)
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
