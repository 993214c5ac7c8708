"""The tables of a synthesis: targets, gene sets, factor-responsive genes over all cohorts."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import pandas as pd

from fibroserum import tables
from fibroserum.multiple_testing import NORMAL_975, panel_adjusted
from fibroserum.synthesis.evidence import (
    Estimate,
    Evidence,
    Key,
    directions,
    factor_estimates,
    keys_of,
    set_estimates,
    target_estimates,
    why_without,
)
from fibroserum.synthesis.pooling import Pooled, pool, random_weights
from fibroserum.synthesis.replication import replication

SIGNS = {"induced": 1.0, "suppressed": -1.0}


@dataclass(frozen=True)
class SynthesisTables:
    """The tables under `meta/`; `SCHEMAS` names the schema of each."""

    cohorts: pd.DataFrame
    targets: pd.DataFrame
    gene_sets: pd.DataFrame
    factor_genes: pd.DataFrame
    estimates: pd.DataFrame


SCHEMAS = {
    "cohorts": "meta_cohorts",
    "targets": "meta_targets",
    "gene_sets": "meta_gene_sets",
    "factor_genes": "meta_factor_genes",
    "estimates": "meta_estimates",
}


def synthesise(cohorts: Iterable[Evidence], alpha: float) -> SynthesisTables:
    """Return the synthesis of the cohorts, whose order does not matter.

    alpha: false discovery rate of the calls.
    """
    ordered = sorted(cohorts, key=lambda cohort: cohort.name)
    targets, target_rows = _pooled(target_estimates(ordered), "target", ("target", "symbol"))
    sets, set_rows = _pooled(set_estimates(ordered), "gene_set", ("collection", "gene_set"))
    genes, gene_rows = _pooled(factor_estimates(ordered), "factor_gene", ("factor", "gene"))
    return SynthesisTables(
        _cohort_rows(ordered),
        _called(targets, "meta_targets", "symbol", [], alpha),
        _called(sets, "meta_gene_sets", "gene_set", ["collection"], alpha),
        _called(
            _directed(genes, directions(ordered)), "meta_factor_genes", "gene", ["factor"], alpha
        ),
        _framed([*target_rows, *set_rows, *gene_rows], "meta_estimates"),
    )


def _framed(rows: Sequence[dict[str, Any]], schema: str) -> pd.DataFrame:
    """Return rows as a table with the schema's columns."""
    names = tables.schemas()[schema].names
    return pd.DataFrame(rows, columns=names) if rows else tables.empty(schema)


def _about(key: Key) -> dict[str, Any]:
    """Return a contrast's columns."""
    about = {"contrast": key.name, "kind": key.kind, "group": key.group}
    return about | {"reference": key.reference or None}


def _cohort_rows(cohorts: Sequence[Evidence]) -> pd.DataFrame:
    """Return one row a contrast and cohort: whether it takes part, and why not."""
    rows = []
    for key in keys_of(cohorts):
        having = [cohort for cohort in cohorts if key in cohort.names]
        for cohort in cohorts:
            own = cohort in having
            reason = why_without(cohort, key) if not own else ""
            if own and len(having) == 1:
                reason = "no other cohort has this contrast, so nothing is pooled"
            rows.append(
                _about(key)
                | {
                    "cohort": cohort.name,
                    "cohort_contrast": cohort.names.get(key),
                    "pairs": cohort.pairs.get(key),
                    "used": own,
                    "reason": reason or None,
                }
            )
    return _framed(rows, "meta_cohorts")


def _pooled(
    estimates: Sequence[Estimate], level: str, columns: tuple[str, str]
) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """Return the pooled rows, subject by subject, and the cohorts' own rows below them.

    level: what a subject is; columns: what the two parts of its name are called.
    """
    together: dict[tuple[tuple[str, ...], Key], list[Estimate]] = {}
    for one in estimates:
        together.setdefault((one.subject, one.key), []).append(one)
    pooled, own = [], []
    for (subject, key), parts in together.items():
        used = [one for one in parts if one.value is not None]
        errors = np.array([one.error for one in used], dtype=float)
        found = pool(np.array([one.value for one in used], dtype=float), errors)
        named = dict(zip(columns, subject, strict=True)) | _about(key)
        said = asdict(found) | _replication(used) | {"reason": reason(found, parts)}
        pooled.append(named | said)
        weights = dict(
            zip(
                [one.cohort for one in used],
                random_weights(errors, found.tau2) if used else [],
                strict=True,
            )
        )
        own += [_own_row(one, level, weights.get(one.cohort)) for one in parts]
    return pooled, own


def _replication(used: Sequence[Estimate]) -> dict[str, Any]:
    """Return the p value of replication over the cohorts with a test, and its direction."""
    sides = np.array([(one.up, one.down) for one in used if one.up is not None], dtype=float)
    if len(sides) < 2:
        return {"replicated_pvalue": None, "replicated": "none"}
    pvalue, way = replication(*sides.T)
    return {"replicated_pvalue": pvalue, "replicated": way}


def _own_row(one: Estimate, level: str, weight: float | None) -> dict[str, Any]:
    """Return a cohort's own row."""
    # a target's second part is its symbol; of the others the first is the family
    family, name = (None, one.subject[0]) if level == "target" else one.subject
    half = None if one.error is None else NORMAL_975 * one.error
    ends = (
        (None, None) if one.value is None or half is None else (one.value - half, one.value + half)
    )
    return {
        "level": level,
        "family": family,
        "name": name,
        "contrast": one.key.name,
        "kind": one.key.kind,
        "cohort": one.cohort,
        "estimate": one.value,
        "se": one.error,
        "ci_low": ends[0],
        "ci_high": ends[1],
        "up_pvalue": one.up,
        "down_pvalue": one.down,
        "weight": weight,
        "used": one.value is not None,
        "reason": one.reason or None,
    }


def reason(found: Pooled, parts: Sequence[Estimate]) -> str:
    """Return in words what a pooled row rests on, and which cohorts are missing."""
    out = "; ".join(f"{one.cohort}: {one.reason}" for one in parts if one.value is None)
    if found.cohorts == 0:
        return f"no cohort has an estimate ({out})"
    if found.cohorts == 1:
        said = "only one cohort: its own estimate, nothing is pooled"
    else:
        up = f"{found.positive} of {found.cohorts} cohorts positive"
        few = "; the interval has 1 degree of freedom" if found.cohorts == 2 else ""
        said = f"{up}{few}"
    return f"{said}; not included: {out}" if out else said


def _directed(
    rows: list[dict[str, Any]], found: dict[tuple[str, str], dict[str, str]]
) -> list[dict[str, Any]]:
    """Add what the cohorts say of each gene's direction, and the estimates turned along it."""
    made = []
    for row in rows:
        said = found[row["factor"], row["gene"]]
        words = set(said.values())
        direction = words.pop() if len(words) == 1 else None
        sign = SIGNS[direction] if direction else None
        turned = {
            f"signed_{name}": None if sign is None or row[name] is None else sign * row[name]
            for name in ("fixed_estimate", "random_estimate")
        }
        named = ", ".join(f"{cohort} ({word})" for cohort, word in sorted(said.items()))
        made.append(row | turned | {"direction": direction, "responsive_in": named})
    return made


def _called(
    rows: list[dict[str, Any]], schema: str, subject: str, family: list[str], alpha: float
) -> pd.DataFrame:
    """Return pooled rows with BH-adjusted p values, calls and claims of replication.

    subject: column of what is tested; a gene that two targets name is one test. The families are a
    contrast's rows (of one collection, or of one factor) with two cohorts or more; a row of one
    cohort repeats that cohort, which has corrected for itself.
    """
    names = tables.schemas()[schema].names
    if not rows:
        return tables.empty(schema)
    frame = pd.DataFrame(rows)
    several = frame["cohorts"] >= 2
    families = [frame[name] for name in ("kind", "contrast", *family)]
    for kind in ("fixed", "random", "replicated"):
        pvalues = frame[f"{kind}_pvalue"].astype(float).where(several)
        frame[f"{kind}_padj"] = pvalues.groupby(families).transform(
            lambda own: panel_adjusted(own, frame.loc[own.index, subject])
        )
    frame["replicated"] = frame["replicated"].where(frame["replicated_padj"] < alpha, "none")
    sure = (frame["random_padj"] < alpha).to_numpy()
    sign = np.where(frame["random_estimate"].astype(float) > 0, "up", "down")
    frame["call"] = np.select(
        [frame["cohorts"] == 0, frame["cohorts"] == 1, sure],
        ["not_estimated", "one_cohort", sign],
        "none",
    )
    return frame[names]
