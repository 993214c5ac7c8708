"""What the tables of a run show against the truth of a cohort of the designs.

Tables are those that a run writes, by their path below the cohort's folder (`read_run`). A measure
is named `kind.measure`, as everywhere in the study; kinds are contrasts and tables of questions.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pandas as pd

from calibration.chain import ALPHA
from calibration.cohort import BEFORE
from calibration.designs import GROUPS, OWN, TIMES

Tables = Mapping[str, pd.DataFrame]
#: signs of calls
SIGNS = {"up": 1, "down": -1, "with": 1, "against": -1}
#: how the names of sets begin in which no gene changes
NULL_SETS = "NULL_SET"
OUTCOME_TRUTH = {"change": "outcome_slope", "baseline": "outcome_before_slope"}


def read_run(folder: Path) -> dict[str, pd.DataFrame]:
    """Return the tables of a run below results/{cohort}: contrasts, gene sets, flags."""
    parts = ("de", "enrichment", "flags")
    paths = [path for part in parts for path in sorted((folder / part).glob("*.tsv"))]
    text = {"gene_id": str, "symbol": str, "target": str}
    return {
        path.relative_to(folder).as_posix(): pd.read_csv(path, sep="\t", dtype=text)
        for path in paths
    }


def measures(tables: Tables, genes: pd.DataFrame, molecules: pd.DataFrame) -> dict[str, float]:
    """Return the measures of all tables that are there.

    genes: by gene_id, the truth of each contrast and slope. molecules: by molecule, likewise, with
    `{target}_slope`.
    """
    found = _contrasts(tables, genes) | _null_sets(tables)
    for name, part in (
        ("flags/targets.tsv", _verdicts),
        ("flags/outcomes.tsv", _outcomes),
        ("flags/outcome_targets.tsv", _outcome_targets),
        ("flags/omnibus.tsv", _omnibus),
    ):
        if name in tables:
            found |= part(tables[name], genes)
    for name, part in (
        ("flags/serum_panel.tsv", _panel_changes),
        ("flags/serum_panel_targets.tsv", _panel_slopes),
        ("flags/candidates.tsv", _candidates),
    ):
        if name in tables:
            found |= part(tables[name], molecules)
    return found


def _timeless(contrast: str) -> str:
    for time in TIMES:
        contrast = contrast.replace(f"_{time}", "")
    return contrast


def claim_of(kind: str) -> str:
    """Return the claim of a kind: contrasts by what they compare, questions without their time."""
    *words, last = kind.split(" ")
    if last in TIMES:
        return " ".join(words)
    name = _timeless(last)
    if name.endswith("_dose_slope"):
        last = "dose slope"
    elif name == OWN:
        last = "own"
    elif name.endswith("_change"):
        last = "difference"
    elif last.endswith(f"_vs_{BEFORE}"):
        last = "average" if last.startswith("average_") else "change"
    elif last.endswith(f"_{BEFORE}"):
        last = "baseline"
    return " ".join([*words, last])


def rates(kind: str, said: np.ndarray, truth: np.ndarray) -> dict[str, float]:
    """Return FDP (a wrong sign is false), whether anything false is called, and power.

    said, truth: signs of calls, and true values, of the same tests.
    """
    calls, right = int((said != 0).sum()), int((said * truth > 0).sum())
    false, changed = calls - right, int((truth != 0).sum())
    found = {"R": float(calls), "fdp": false / max(calls, 1), "any": float(false > 0)}
    found |= {"power": right / changed} if changed else {}
    return {f"{kind}.{name}": value for name, value in found.items()}


def true_of(contrast: str, truth: pd.DataFrame) -> pd.Series:
    """Return the truth of a contrast; a dose slope has one value for all times.

    Raises KeyError for a contrast of which the truth is not known.
    """
    if contrast in truth:
        return truth[contrast]
    slope = _timeless(contrast)
    if slope in truth:
        return truth[slope]
    group, versus, other = slope.removesuffix("_dose_slope").partition("_vs_")
    if versus and slope.endswith("_dose_slope"):
        return truth[f"{group}_dose_slope"] - truth[f"{other}_dose_slope"]
    raise KeyError(f"the truth of the contrast {contrast} is not known")


def _signs(call: pd.Series) -> np.ndarray:
    return call.map(SIGNS).fillna(0).to_numpy()


def _contrasts(tables: Tables, genes: pd.DataFrame) -> dict[str, float]:
    found: dict[str, float] = {}
    for path, table in tables.items():
        # a contrast that the samples do not determine has no rows
        if path.startswith("de/") and len(table):
            name = Path(path).stem
            truth = true_of(name, genes).reindex(table["gene_id"]).to_numpy()
            found |= rates(name, _signs(table["call"]), truth)
    return found


def _null_sets(tables: Tables) -> dict[str, float]:
    """Return the rates of calls of sets in which no gene changes."""
    found: dict[str, float] = {}
    for path, table in tables.items():
        if path.startswith("enrichment/") and "call" in table:
            own = table[table["gene_set"].str.startswith(NULL_SETS)]
            said = _signs(own["call"])
            found |= rates(f"null sets {Path(path).stem}", said, np.zeros(len(said)))
    return found


def _verdicts(table: pd.DataFrame, genes: pd.DataFrame) -> dict[str, float]:
    found: dict[str, float] = {}
    tested = table[~table["verdict"].isin(["untestable", "absent"])]
    for contrast, own in tested.groupby("contrast"):
        truth = true_of(str(contrast), genes).reindex(own["gene_id"]).to_numpy()
        found |= rates(f"verdict {contrast}", _signs(own["verdict"]), truth)
    return found


def _outcomes(table: pd.DataFrame, genes: pd.DataFrame, word: str = "outcome") -> dict[str, float]:
    found: dict[str, float] = {}
    keys = ["question", "time"] if "time" in table else ["question"]
    for key, own in table.groupby(keys):
        truth = genes[OUTCOME_TRUTH[key[0]]].reindex(own["gene_id"]).to_numpy()
        found |= rates(f"{word} {' '.join(map(str, key))}", _signs(own["call"]), truth)
    return found


def _outcome_targets(table: pd.DataFrame, genes: pd.DataFrame) -> dict[str, float]:
    return _outcomes(table, genes, "outcome target")


def _panel_changes(table: pd.DataFrame, molecules: pd.DataFrame) -> dict[str, float]:
    found: dict[str, float] = {}
    for contrast, own in table.groupby("contrast"):
        truth = true_of(str(contrast), molecules).reindex(own["molecule"]).to_numpy()
        found |= rates(f"panel {contrast}", _signs(own["call"]), truth)
    return found


def _slope(rows: pd.DataFrame, molecules: pd.DataFrame) -> np.ndarray:
    """Return the true slope of each row's target on its molecule."""
    pairs = zip(rows["molecule"], rows["target"], strict=True)
    slopes = molecules.filter(regex="_slope$").to_dict("index")
    return np.array([slopes[molecule].get(f"{target}_slope", 0.0) for molecule, target in pairs])


def _panel_slopes(table: pd.DataFrame, molecules: pd.DataFrame) -> dict[str, float]:
    found: dict[str, float] = {}
    times = table["time"] if "time" in table else pd.Series("all", table.index)
    for time, own in table.groupby(times):
        said = np.where(own["padj"] < ALPHA, np.sign(own["slope"]), 0.0)
        found |= rates(f"panel slope {time}", said, _slope(own, molecules))
    return found


def _candidates(table: pd.DataFrame, molecules: pd.DataFrame) -> dict[str, float]:
    """Return the rates of candidates: true where the molecule changes and the target follows it."""
    found: dict[str, float] = {}
    for contrast, own in table.groupby("contrast"):
        change = true_of(str(contrast), molecules).reindex(own["molecule"]).to_numpy()
        # a molecule that is not tested has no estimate
        sign = np.sign(own["change_log2"] * own["slope"])
        said = np.where(own["call"].eq("candidate"), sign, 0.0)
        found |= rates(f"candidate {contrast}", said, change * _slope(own, molecules))
    return found


def _omnibus(table: pd.DataFrame, genes: pd.DataFrame) -> dict[str, float]:
    """Return the rates of the omnibus questions: an F test has no sign."""
    found: dict[str, float] = {}
    for (question, time), own in table.groupby(["question", table["time"].fillna("")]):
        rows = genes.reindex(own["gene_id"])
        change = {(g, t): rows[f"{g}_{t}_vs_{BEFORE}"].to_numpy() for g in GROUPS for t in TIMES}
        over = (
            [change[g, time] - change[GROUPS[0], time] for g in GROUPS]
            if question == "groups"
            else [change[g, t] - change[g, TIMES[0]] for g in GROUPS for t in TIMES]
        )
        truth = (np.abs(over).max(axis=0) > 1e-9).astype(float)
        said = own["call"].ne("none").to_numpy(float)
        found |= rates(f"omnibus {question} {time}".rstrip(), said, truth)
    return found
