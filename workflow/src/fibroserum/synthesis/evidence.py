"""Each cohort's estimate of a target, gene set or gene in one contrast, read from its tables."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

import numpy as np
import pandas as pd

from fibroserum import tables
from fibroserum.factors.calls import RESPONSIVE
from fibroserum.input.names import file_name
from fibroserum.multiple_testing import NORMAL_975

KINDS = ("change", "difference")
#: Words of `de` status whose estimate is not used.
WITHHELD = {
    "not_converged": "the model did not converge",
    "outlier": "a single sample drives the estimate (Cook's distance)",
    "all_zero": "no counts",
    "low_count": "too few counts to fit the model",
}


@dataclass(frozen=True, order=True)
class Key:
    """What contrasts of several cohorts have in common: kind, group, reference ("" for a change).

    The levels of time may be called differently in each cohort.
    """

    kind: str
    group: str
    reference: str = ""

    @property
    def name(self) -> str:
        """The contrast's name in the synthesis."""
        against = f"_vs_{self.reference}" if self.reference else ""
        return f"{self.group}{against}_change"


@dataclass(frozen=True)
class Evidence:
    """A cohort's tables. genes: `de` tables by key, the rows of each by gene id.

    names: of each key in this cohort; pairs: by key; scores: set score tests by key,
    with (collection, gene_set) as index. not_estimable: keys without tables, and why.
    """

    name: str
    names: dict[Key, str]
    pairs: dict[Key, int]
    genes: dict[Key, pd.DataFrame]
    scores: dict[Key, pd.DataFrame]
    targets: dict[str, str | None]
    factors: pd.DataFrame
    not_estimable: dict[Key, str] = field(default_factory=dict)

    @cached_property
    def rows_of(self) -> dict[str, str]:
        """The gene id of each symbol, and of each gene id; of several rows the best counted."""
        if not self.genes:
            return {}
        frame = next(iter(self.genes.values()))
        ranked = frame.assign(id=frame.index).sort_values(["baseMean", "id"], na_position="first")
        symbols = ranked["symbol"].fillna("")
        named = dict(zip(symbols, ranked["id"], strict=True))
        named.pop("", None)
        return dict(zip(frame.index, frame.index, strict=True)) | named


@dataclass(frozen=True)
class Estimate:
    """One cohort's estimate of one subject in one contrast, or why it has none.

    subject: what is estimated, such as ("BGN",) or (collection, gene set). up, down: one-sided p
    values of a rise and of a fall, None where the cohort has no test that its calls rest on.
    """

    subject: tuple[str, ...]
    key: Key
    cohort: str
    value: float | None = None
    error: float | None = None
    up: float | None = None
    down: float | None = None
    reason: str = ""


def _keys(contrasts: pd.DataFrame) -> dict[Key, pd.Series]:
    return {
        Key(row["kind"], row["group"], "" if pd.isna(row["reference"]) else row["reference"]): row
        for _, row in contrasts[contrasts["kind"].isin(KINDS)].iterrows()
    }


def read_evidence(name: str, folder: str | Path) -> Evidence:
    """Read the tables of a finished cohort under `results/{cohort}/`."""
    place = Path(folder)

    def table(schema: str, **names: str) -> pd.DataFrame:
        return tables.read(schema, place / tables.schemas()[schema].path.format(**names))

    whole = _keys(table("contrasts"))
    rows = {key: row for key, row in whole.items() if row["status"] == "estimated"}
    lost = {key: row["reason"] for key, row in whole.items() if key not in rows}
    tests = table("set_score_tests").set_index(["collection", "gene_set"])
    targets = table("targets").drop_duplicates("target")
    ids = targets["gene_id"].astype(object).where(targets["gene_id"].notna(), None)
    return Evidence(
        name,
        {key: row["contrast"] for key, row in rows.items()},
        {key: int(row["pairs"]) for key, row in rows.items()},
        {
            key: table("de", contrast=file_name(row["contrast"])).set_index("gene_id")
            for key, row in rows.items()
        },
        {key: tests[tests["contrast"] == row["contrast"]] for key, row in rows.items()},
        dict(zip(targets["target"], ids, strict=True)),
        table("factors"),
        lost,
    )


def keys_of(cohorts: Iterable[Evidence]) -> list[Key]:
    """Return every change and difference contrast that any cohort has, changes first."""
    return sorted({key for cohort in cohorts for key in cohort.names})


def why_without(cohort: Evidence, key: Key) -> str:
    """Return why a cohort has no such contrast."""
    if key in cohort.not_estimable:
        return f"not estimable: {cohort.not_estimable[key]}"
    turned = Key(key.kind, key.reference, key.group)
    if turned in cohort.names:
        other = f"compares the groups in the other direction ({cohort.names[turned]})"
        return f"{other}: set reference_group"
    groups = {other.group for other in cohort.names} | {other.reference for other in cohort.names}
    missing = [group for group in (key.group, key.reference) if group and group not in groups]
    if missing:
        return f"no group '{missing[0]}'"
    return "no such contrast"


def symbol_of(target: str, cohorts: Sequence[Evidence]) -> str:
    """Return the symbol of a target in the first cohort that has it, or its own name."""
    for cohort in cohorts:
        gene = cohort.targets.get(target)
        if gene is not None and cohort.genes:
            symbol = next(iter(cohort.genes.values()))["symbol"].get(gene)
            if isinstance(symbol, str) and symbol:
                return symbol
    return target


def _missing(value: object) -> bool:
    return value is None or not np.isfinite(float(value))  # type: ignore[arg-type]


def one_sided(estimate: float, pvalue: float) -> tuple[float, float]:
    """Return the p values of a rise and of a fall from a two-sided one and its estimate."""
    near, far = pvalue / 2, 1 - pvalue / 2
    return (near, far) if estimate > 0 else (far, near)


def _gene_test(row: pd.Series, *, both: bool) -> tuple[float | None, float | None]:
    """Return a gene's one-sided p values, each of the model that is less certain of it.

    both: whether the second model has a say, as in the cohort's own calls.
    """
    sides = np.array(
        [
            one_sided(float(row[f"{model}log2FoldChange"]), float(row[f"{model}pvalue"]))
            for model in (("", "second_") if both else ("",))
        ]
    ).max(axis=0)
    return (None, None) if np.isnan(sides).any() else (float(sides[0]), float(sides[1]))


def gene_estimate(
    subject: tuple[str, ...], gene: str | None, key: Key, cohort: Evidence
) -> Estimate:
    """Return a cohort's log2 fold change of a gene (its id there, or None) with standard error.

    The error is that of a normal interval as wide as the cohort's own, so that donors who vary
    unequally, or respond individually, have their weight.
    """
    if key not in cohort.names:
        return Estimate(subject, key, cohort.name, reason=why_without(cohort, key))
    if gene is None or gene not in cohort.genes[key].index:
        return Estimate(subject, key, cohort.name, reason="not in its count matrix")
    frame = cohort.genes[key]
    row = frame.loc[gene]
    value, low, high = (float(row[name]) for name in ("log2FoldChange", "ci_low", "ci_high"))
    error = (high - low) / (2 * NORMAL_975)
    withheld = row["status"] in ("not_converged", "outlier")
    if withheld or _missing(value) or _missing(error) or error <= 0:
        reason = WITHHELD.get(row["status"], "not estimated")
        return Estimate(subject, key, cohort.name, reason=reason)
    sides = _gene_test(row, both=bool(frame["second_pvalue"].notna().any()))
    return Estimate(subject, key, cohort.name, float(value), float(error), *sides)


def target_estimates(cohorts: Sequence[Evidence]) -> list[Estimate]:
    """Return every cohort's estimate of each target that any of them declares.

    A target that a cohort does not declare is found there by its symbol: the gene was fitted all
    the same.
    """
    declared = dict.fromkeys(target for cohort in cohorts for target in cohort.targets)
    keys = keys_of(cohorts)
    found = []
    for target in declared:
        symbol = symbol_of(target, cohorts)
        for cohort in cohorts:
            own = cohort.targets.get(target) or cohort.rows_of.get(symbol)
            found += [gene_estimate((target, symbol), own, key, cohort) for key in keys]
    return found


def set_estimates(cohorts: Sequence[Evidence]) -> list[Estimate]:
    """Return every cohort's estimate of each gene set's score, in shares of the ranking.

    Scores are in ranks, and matrices have more genes or fewer: the change is divided by the genes
    of the cohort's matrix.
    """
    keys = keys_of(cohorts)
    subjects = dict.fromkeys(
        subject for cohort in cohorts for frame in cohort.scores.values() for subject in frame.index
    )
    found = []
    for key in keys:
        known = {cohort.name: _relative(cohort, key) for cohort in cohorts if key in cohort.names}
        for subject in subjects:
            for cohort in cohorts:
                if key not in cohort.names:
                    one = Estimate(subject, key, cohort.name, reason=why_without(cohort, key))
                elif subject not in known[cohort.name]:
                    why = "not scored: the set is not in its config, or has too few genes there"
                    one = Estimate(subject, key, cohort.name, reason=why)
                else:
                    value, error, pvalue = known[cohort.name][subject]
                    sides = one_sided(value, pvalue)
                    one = Estimate(subject, key, cohort.name, value, error, *sides)
                    if _missing(value) or _missing(error) or error <= 0:
                        why = "its score cannot be tested"
                        one = Estimate(subject, key, cohort.name, reason=why)
                found.append(one)
    return found


def _relative(cohort: Evidence, key: Key) -> dict[tuple[str, str], tuple[float, float, float]]:
    """Return each set's change of score, its standard error and its p value.

    The first two are over the matrix's genes.
    """
    frame, genes = cohort.scores[key], len(cohort.genes[key])
    values, errors, pvalues = (frame[name].astype(float) for name in ("estimate", "se", "pvalue"))
    found = zip(values / genes, errors / genes, pvalues, strict=True)
    return dict(zip(frame.index, found, strict=True))


def gene_key(gene_id: str, symbol: object) -> str:
    """Return what a gene is called in every cohort: its symbol, or its id where it has none."""
    return symbol if isinstance(symbol, str) and symbol else gene_id


def directions(cohorts: Sequence[Evidence]) -> dict[tuple[str, str], dict[str, str]]:
    """Return each factor's genes that a cohort calls responsive, and the direction by cohort."""
    found: dict[tuple[str, str], dict[str, str]] = {}
    for cohort in cohorts:
        frame = cohort.factors
        called = frame[frame["call"].isin(RESPONSIVE)].dropna(subset=["direction"])
        for row in called.itertuples():
            subject = (row.factor, gene_key(row.gene_id, row.symbol))
            found.setdefault(subject, {})[cohort.name] = row.direction
    return found


def factor_estimates(cohorts: Sequence[Evidence]) -> list[Estimate]:
    """Return every cohort's log2 fold change of each gene that responds to a factor in any."""
    keys = keys_of(cohorts)
    return [
        gene_estimate(subject, cohort.rows_of.get(subject[1]), key, cohort)
        for subject in sorted(directions(cohorts))
        for cohort in cohorts
        for key in keys
    ]
