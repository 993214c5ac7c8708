"""Time a PyDESeq2 script with its own engine and with `BlockedInference`, and compare the results.

    python benchmarks/bench_pydeseq2.py                              prints the section
    python benchmarks/bench_pydeseq2.py --write docs/pydeseq2.md     writes it into the page

Every measurement is a new process that starts Python, imports, reads a TSV file, and runs
`deseq2()` and `summary()`. The two engines alternate, and the smallest value of the rounds
counts. Each engine has one core and no worker processes, so that processor time is complete, and
other load on the machine matters little. Kernels are compiled before. Writes
build/bench_pydeseq2.json.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import re
import subprocess
import sys
import tempfile
import textwrap
import time
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from bench_fit import Stopwatch

from sections import write_section

ROOT = Path(__file__).resolve().parents[1]
ENGINES = ("DefaultInference", "BlockedInference")
FDR = 0.05


@dataclass(frozen=True)
class Study:
    """A design: its sample sheet, the formula, and the tested contrast.

    contrast: variable, level, reference; or two columns of the design matrix, whose difference
    is tested.
    """

    title: str
    sheet: Callable[[], pd.DataFrame]
    formula: str
    contrast: tuple[str, ...]


def two_groups(per_group: int) -> pd.DataFrame:
    condition = np.repeat(["control", "treated"], per_group)
    return pd.DataFrame({"condition": condition, "unit": np.arange(2 * per_group)})


def pairs(donors: int) -> pd.DataFrame:
    unit, condition = np.repeat(np.arange(donors), 2), np.tile(["control", "treated"], donors)
    return pd.DataFrame({"donor": [f"D{d}" for d in unit], "condition": condition, "unit": unit})


def visits(per_group: int) -> pd.DataFrame:
    """Return two groups of donors at three times; donors are numbered within groups."""
    donor, times = np.arange(2 * per_group), ["pre", "week8", "week16"]
    sheet = pd.DataFrame({"unit": np.repeat(donor, 3), "time": np.tile(times, 2 * per_group)})
    sheet["group"] = np.where(sheet["unit"] < per_group, "AT", "RT")
    sheet["member"] = "M" + (sheet["unit"] % per_group).astype(str)
    sheet["time"] = pd.Categorical(sheet["time"], times)
    return sheet


def with_age(per_group: int) -> pd.DataFrame:
    sheet = two_groups(per_group)
    return sheet.assign(age=np.random.default_rng(1).normal(size=len(sheet)).round(3))


def with_batches(per_group: int, batches: int) -> pd.DataFrame:
    sheet = two_groups(per_group)
    return sheet.assign(batch=[f"B{i % batches}" for i in range(len(sheet))])


TREATED = ("condition", "treated", "control")
STUDIES = {
    "unpaired_3": Study("2 groups of 3", lambda: two_groups(3), "~ condition", TREATED),
    "unpaired_12": Study("2 groups of 12", lambda: two_groups(12), "~ condition", TREATED),
    "unpaired_50": Study("2 groups of 50", lambda: two_groups(50), "~ condition", TREATED),
    "age": Study("2 groups of 12, age", lambda: with_age(12), "~ age + condition", TREATED),
    "batches": Study(
        "2 groups of 24, 6 batches", lambda: with_batches(24, 6), "~ batch + condition", TREATED
    ),
    "pairs_3": Study("3 pairs", lambda: pairs(3), "~ donor + condition", TREATED),
    "pairs_10": Study("10 pairs", lambda: pairs(10), "~ donor + condition", TREATED),
    "pairs_28": Study("28 pairs", lambda: pairs(28), "~ donor + condition", TREATED),
    "pairs_56": Study("56 pairs", lambda: pairs(56), "~ donor + condition", TREATED),
    "visits": Study(
        "2 groups of 14 donors, 3 times, group × time",
        lambda: visits(14),
        "~ group + group:member + group:time",
        ("group[RT]:time[T.week16]", "group[AT]:time[T.week16]"),
    ),
}


def simulate(study: Study, genes: int) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Return counts (samples × genes) and the sheet; a tenth of the genes change."""
    sheet = study.sheet()
    sheet.index = pd.Index([f"s{i}" for i in range(len(sheet))])
    rng = np.random.default_rng([len(sheet), genes])
    last = sheet.get("condition", sheet.get("time")).isin(["treated", "week16"])
    change = (last & (sheet["group"] == "RT")) if "group" in sheet else last
    mean = np.exp(rng.normal(4.5, 1.8, genes))
    dispersion = (0.02 + 1.5 / mean) * np.exp(rng.normal(0, 0.4, genes))
    effect = np.where(rng.random(genes) < 0.1, rng.normal(0, 0.4, genes), 0)
    unit = rng.normal(0, 0.3, (len(sheet), genes))[sheet["unit"]]
    rate = np.exp(np.log(mean) + unit + np.outer(change.astype(float), effect))
    rate *= np.exp(rng.normal(0, 0.3, len(sheet)))[:, None]
    counts = rng.negative_binomial(1 / dispersion, 1 / (1 + dispersion * rate))
    names = [f"g{i}" for i in range(genes)]
    return pd.DataFrame(counts, index=sheet.index, columns=names), sheet


def script(study: Study, folder: Path, engine: str) -> dict[str, float]:
    """Do what a user's script does, in this process; return the processor seconds of its parts."""
    from pydeseq2.dds import DeseqDataSet
    from pydeseq2.default_inference import DefaultInference
    from pydeseq2.ds import DeseqStats

    warnings.simplefilter("ignore")
    inference: Any = DefaultInference(n_cpus=1)
    if engine == "BlockedInference":
        from fibroserum.inference import BlockedInference

        inference = BlockedInference(n_cpus=1)
    counts = pd.read_csv(folder / "counts.tsv", sep="\t", index_col=0).T
    sheet = pd.read_pickle(folder / "sheet.pkl")
    watch = Stopwatch(inference, time.process_time)
    start = time.process_time()
    dds = DeseqDataSet(
        counts=counts, metadata=sheet, design=study.formula, inference=watch, quiet=True
    )
    dds.deseq2()
    fitted = time.process_time()
    columns = dds.obsm["design_matrix"].columns
    contrast: Any = list(study.contrast)
    if len(contrast) == 2:
        contrast = (columns == contrast[0]) * 1.0 - (columns == contrast[1])
    ds = DeseqStats(dds, contrast=contrast, inference=watch, quiet=True)
    ds.summary()
    end = time.process_time()
    settled = dds.var[["_genewise_converged", "_MAP_converged", "_LFC_converged"]]
    table = ds.results_df.assign(converged=settled.fillna(True).all(axis=1).to_numpy(bool))
    table.to_pickle(folder / f"{engine}.pkl")
    return {
        "fit": fitted - start,
        "calls": end - start,
        "engine": watch.seconds,
        "columns": len(columns),
        "script": time.process_time(),
    }


def in_own_process(name: str, folder: Path, engine: str, cache: Path) -> dict[str, float]:
    """Run a script in a new process; its processor seconds include the start of Python."""
    threads = {f"{library}_NUM_THREADS": "1" for library in ("OMP", "OPENBLAS", "MKL")}
    source = {"PYTHONPATH": str(ROOT / "workflow" / "src"), "NUMBA_CACHE_DIR": str(cache)}
    done = subprocess.run(
        [sys.executable, __file__, "--script", name, str(folder), engine],
        env=os.environ | source | threads, stdout=subprocess.PIPE, text=True, check=True,
    )  # fmt: skip
    return json.loads(done.stdout.splitlines()[-1])


def agreement(folder: Path) -> dict[str, float]:
    """Return how the two engines' results of a study differ.

    Differences of p values are relative. Genes for which PyDESeq2 reports that one of its searches
    did not converge are counted, and left out of the other figures.
    """
    default, blocked = (pd.read_pickle(folder / f"{engine}.pkl") for engine in ENGINES)
    tested = default["pvalue"].notna() & blocked["pvalue"].notna()
    both = tested & default["converged"]
    lfc = (default["log2FoldChange"] - blocked["log2FoldChange"]).abs()
    logs = [np.log(table["pvalue"].clip(lower=1e-300)) for table in (default, blocked)]
    p = np.expm1((logs[0] - logs[1]).abs())
    calls = [(table["padj"] < FDR).to_numpy() for table in (default, blocked)]
    return {
        "tested": int(tested.sum()), "not_converged": int((tested & ~both).sum()),
        "tested_by_one": int((default["pvalue"].notna() != blocked["pvalue"].notna()).sum()),
        "lfc_99": float(lfc[both].quantile(0.99)),
        "lfc_max": float(lfc[both].max()), "p_median": float(p[both].median()),
        "p_99": float(p[both].quantile(0.99)), "p_max": float(p[both].max()),
        "calls_default": int(calls[0].sum()), "calls_blocked": int(calls[1].sum()),
        "calls_both": int((calls[0] & calls[1]).sum()),
    }  # fmt: skip


def prepare(name: str, folder: Path, genes: int) -> Path:
    """Write the input of a study's script; return its folder."""
    counts, sheet = simulate(STUDIES[name], genes)
    place = folder / name
    place.mkdir()
    counts.T.to_csv(place / "counts.tsv", sep="\t")
    sheet.to_pickle(place / "sheet.pkl")
    return place


Runs = dict[str, dict[str, list[dict[str, float]]]]


def rows_of(runs: Runs, places: dict[str, Path], genes: int) -> list[dict[str, Any]]:
    """Return a row for each study: the smallest seconds of each part, and the agreement."""
    return [
        {
            "study": name,
            "samples": len(STUDIES[name].sheet()),
            "columns": by_engine[ENGINES[1]][0]["columns"],
            "genes": genes,
            "rounds": len(by_engine[ENGINES[1]]),
            "seconds": {
                engine: {part: min(run[part] for run in found) for part in found[0]}
                for engine, found in by_engine.items()
            },
            "agreement": agreement(places[name]),
        }
        for name, by_engine in runs.items()
    ]


def measure(names: list[str], genes: int, rounds: int) -> dict[str, Any]:
    """Return the rows of all studies, and the seconds that compilation takes in the first run."""
    result = ROOT / "build" / "bench_pydeseq2.json"
    result.parent.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory() as root:
        folder, cache = Path(root), Path(root) / "kernels"
        places = {name: prepare(name, folder, genes) for name in names}
        # designs of another kind need a few more kernels
        cold = [in_own_process(name, place, ENGINES[1], cache) for name, place in places.items()]
        runs: Runs = {name: {engine: [] for engine in ENGINES} for name in names}
        for _ in range(rounds):
            for name, place in places.items():
                for engine in ENGINES:
                    found = in_own_process(name, place, engine, cache)
                    runs[name][engine].append(found)
                    print(name, engine, json.dumps(found), flush=True)
            rows = rows_of(runs, places, genes)
            compilation = cold[0]["script"] - rows[0]["seconds"][ENGINES[1]]["script"]
            report = {"compilation": compilation, "machine": machine(), "rows": rows}
            result.write_text(json.dumps(report, indent=1) + "\n", encoding="utf-8")
    return report


def machine() -> str:
    """Return the processor and the versions, for the page."""
    text = Path("/proc/cpuinfo").read_text(encoding="utf-8")
    [model, *_] = re.findall(r"^model name\s*: (.*)$", text, re.MULTILINE)
    packages = ", ".join(f"{name} {version(name.lower())}" for name in ("PyDESeq2", "numba"))
    return f"{os.cpu_count()} cores ({model}), Python {platform.python_version()}, {packages}"


def ratio(row: dict[str, Any], part: str) -> float:
    default, blocked = (row["seconds"][engine][part] for engine in ENGINES)
    return default / blocked


def estimate(row: dict[str, Any], cores: int = 8) -> float:
    """Return the ratio of scripts whose engines' methods are divided among cores."""
    default, blocked = (
        seconds["script"] - seconds["engine"] * (1 - 1 / cores)
        for seconds in (row["seconds"][engine] for engine in ENGINES)
    )
    return default / blocked


def speed_line(row: dict[str, Any]) -> str:
    default, blocked = (row["seconds"][engine] for engine in ENGINES)
    study = STUDIES[row["study"]]
    return (
        f"| {study.title} | `{study.formula}` | {row['samples']} | {row['columns']} "
        f"| {default['script']:.1f} | {blocked['script']:.1f} | **{ratio(row, 'script'):.1f}** "
        f"| {ratio(row, 'fit'):.0f} | {ratio(row, 'engine'):.0f} | {estimate(row):.1f} |"
    )


def agreement_line(row: dict[str, Any]) -> str:
    found = row["agreement"]
    return (
        f"| {STUDIES[row['study']].title} | {found['tested'] - found['not_converged']:,} "
        f"| {found['lfc_99']:.0e} | {found['lfc_max']:.0e} | {found['p_median']:.0e} "
        f"| {found['p_99']:.0e} | {found['p_max']:.0e} | {found['not_converged']:,} "
        f"| {found['calls_default']:,} | {found['calls_blocked']:,} | {found['calls_both']:,} |"
    )


def paragraph(text: str) -> list[str]:
    return [textwrap.fill(" ".join(text.split()), 128, break_on_hyphens=False), ""]


def section(report: dict[str, Any]) -> str:
    """Return the page's section: speed, what limits it, and agreement."""
    rows = sorted(report["rows"], key=lambda row: ratio(row, "script"))
    least, most = (f"{ratio(row, 'script'):.1f} ({STUDIES[row['study']].title})"
                   for row in (rows[0], rows[-1]))  # fmt: skip
    blocked = [row["seconds"][ENGINES[1]] for row in rows]
    rest = [seconds["script"] - seconds["engine"] for seconds in blocked]
    start = [seconds["script"] - seconds["calls"] for seconds in blocked]
    shares = [100 * other / each["script"] for other, each in zip(rest, blocked, strict=True)]
    lines = [
        "## Measured",
        "",
        *paragraph(
            f"""`benchmarks/bench_pydeseq2.py` wrote this section. It simulates {rows[0]["genes"]:,}
            genes for each design. Each measurement is a whole script in a new process: start of
            Python, imports, reading a TSV file, `deseq2()` and `summary()`. The two engines
            alternate, each with one core. The tables show processor seconds, the smallest of
            {min(row["rounds"] for row in rows)} rounds. Kernels are compiled before. Machine:
            {report["machine"]}, shared with other load."""
        ),
        *paragraph(
            f"""**The smallest ratio of whole scripts is {least}**, the largest {most}. With 8 cores
            it would be {min(map(estimate, rows)):.1f} to {max(map(estimate, rows)):.1f}, which is
            calculated. The first script on a machine also compiles, for
            {report["compilation"]:.0f} s of processor time: this uses up the gain of one script
            with few samples on one core, and more than the gain on several cores."""
        ),
        "| design | formula | samples | columns | `DefaultInference`: s | `BlockedInference`: s "
        "| times faster | only `deseq2()` | only the engine's methods | 8 cores, calculated |",
        "| --- " * 10 + "|",
        *(speed_line(row) for row in rows),
        "",
        *paragraph(
            f"""**What limits a whole script.** No engine can change the parts outside its methods:
            {min(start):.1f} to {max(start):.1f} s for imports and reading, and PyDESeq2's own steps
            (Cook's distances, refits, filtering). With `BlockedInference` they take {min(rest):.1f}
            to {max(rest):.1f} s, {min(shares):.0f} to {max(shares):.0f} % of the script. More cores
            shorten only the methods, so the ratio of whole scripts decreases with the number of
            cores. The last column divides the time in the methods of both engines by 8: it is
            calculated, not measured. It ignores that `DefaultInference` starts worker
            processes."""
        ),
        *paragraph(
            f"""**Agreement.** The table has absolute differences of log2 fold changes and relative
            differences of p values, for the genes whose searches converged in PyDESeq2. "Called"
            means adjusted p < {FDR}, among all genes."""
        ),
        "| design | genes | log2 fold change, 99 % of genes | largest | p value, median "
        "| 99 % of genes | largest | genes not converged | called, `DefaultInference` "
        "| called, `BlockedInference` | called by both |",
        "| --- " * 11 + "|",
        *(agreement_line(row) for row in rows),
    ]
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--studies", nargs="+", default=list(STUDIES), choices=STUDIES)
    parser.add_argument("--genes", type=int, default=10_000)
    parser.add_argument("--rounds", type=int, default=2)
    parser.add_argument("--write", type=Path, help="page with the section")
    parser.add_argument("--script", nargs=3, help=argparse.SUPPRESS)
    asked = parser.parse_args()
    if asked.script:
        name, folder, engine = asked.script
        print(json.dumps(script(STUDIES[name], Path(folder), engine)))
        return
    text = section(measure(asked.studies, asked.genes, asked.rounds))
    if asked.write:
        write_section(asked.write, text)
    else:
        print(text)


if __name__ == "__main__":
    main()
