"""Verdicts and patterns on panels of targets, with the rules on outliers and single donors."""

from __future__ import annotations

import numpy as np
import pandas as pd

from calibration.chain import ALPHA, Chain
from calibration.cohort import Cohort, kind_of
from calibration.measures import CHANGED, PANEL_COUNT, PANEL_SIZE
from fibroserum.targets.patterns import Comparison, pattern_table
from fibroserum.targets.stage import refit_table, verdict_table
from fibroserum.targets.study import Study, rule_of, target_study


def verdict_panels(cohort: Cohort, seed: int, number: int) -> list[list[str]]:
    """Return disjoint panels of well counted genes, four of which change (none: where none do).

    They change in RT by more than the weak genes. Where some change in the reference too by a
    part of that, two of the four are of these, and two change in RT only.
    """
    rng = np.random.default_rng([32, seed])
    change = cohort.change.reindex(cohort.counts.columns)
    enough = cohort.counts.to_numpy().mean(axis=0) >= PANEL_COUNT
    own, reference = change.iloc[:, -1], change.iloc[:, 0]
    strong = enough & (own.abs() > 0.3)
    part = strong & (reference != 0) & ((own - reference).abs() > 1e-12)
    alone = strong & (reference == 0)
    kinds = [(part, CHANGED // 2), (alone, CHANGED // 2)] if part.any() else [(strong, CHANGED)]
    if not strong.any():
        kinds = []
    nulls = PANEL_SIZE - sum(count for _, count in kinds)
    kinds.append((enough & (change == 0).all(axis=1), nulls))
    drawn = [rng.permutation(change.index[chosen]) for chosen, _ in kinds]
    possible = min(len(d) // c for d, (_, c) in zip(drawn, kinds, strict=True))
    return [
        [
            gene
            for genes, (_, count) in zip(drawn, kinds, strict=True)
            for gene in genes[place * count : (place + 1) * count]
        ]
        for place in range(min(number, possible))
    ]


def verdict_measures(cohort: Cohort, chain: Chain, seed: int, number: int) -> dict[str, float]:
    """Return the mean false share and power of verdicts on panels, and of `specific`."""
    panels = verdict_panels(cohort, seed, number)
    if not panels:
        return {}
    refitted = refit_table(_study(chain, [gene for panel in panels for gene in panel]))
    rows: list[dict[str, float]] = []
    for panel in panels:
        study = _study(chain, panel)
        table = verdict_table(study, refitted=refitted)[0]
        rows.append(_judged(cohort, table) | _patterns(cohort, study, table))
    means = pd.DataFrame(rows).mean()
    found = {str(name): float(value) for name, value in means.items()}
    # over all panels: what share of the claims is false, and not of a panel's
    claims = pd.DataFrame(rows).reindex(columns=["specific.R", "specific.V"]).sum()
    if claims["specific.R"]:
        found["specific.share_false"] = float(claims["specific.V"] / claims["specific.R"])
    return found


def _study(chain: Chain, targets: list[str]) -> Study:
    chain.cohort.uns["fibroserum"] |= {"targets": targets, "target_genes": targets}
    return target_study(
        chain.cohort, chain.fits, chain.tables, rule_of(chain.fits["paired"], ALPHA, None)
    )


def _judged(cohort: Cohort, table: pd.DataFrame) -> dict[str, float]:
    """Return a panel's false share and power by contrast, and whether any verdict is false."""
    found, any_false = {}, False
    for contrast in cohort.contrasts:
        own = table[table["contrast"] == contrast.name].set_index("target")["verdict"]
        truth = cohort.truth(contrast)[own.index].to_numpy()
        sign = own.eq("up").to_numpy(int) - own.eq("down").to_numpy(int)
        calls, right = np.abs(sign).sum(), (sign * truth > 0).sum()
        kind = kind_of(contrast, cohort.groups)
        found[f"{kind}.verdict_fdp"] = float((calls - right) / max(calls, 1))
        any_false |= bool(calls > right)
        if truth.any():
            found[f"{kind}.verdict_power"] = float(right / (truth != 0).sum())
    return found | {"family.verdict_any": float(any_false)}


def _patterns(cohort: Cohort, study: Study, table: pd.DataFrame) -> dict[str, float]:
    """Return what share of a panel's `specific` is false, with V and R; nothing for one group."""
    named = {name: rows.set_index("target") for name, rows in table.groupby("contrast")}
    changes = {c.group: named[c.name] for c in cohort.contrasts if c.kind == "change"}
    false = claims = 0
    differences = [c for c in cohort.contrasts if c.kind == "difference"]
    for contrast in differences:
        group, reference = str(contrast.group), str(contrast.reference)
        parts = Comparison(
            group,
            reference,
            changes[group],
            changes[reference],
            named[contrast.name].assign(start=""),
        )
        found = pattern_table(parts, study.rule).set_index("target")
        specific = found.loc[found["pattern"] == "specific", "specific_to"]
        for target, owner in specific.items():
            other = reference if owner == group else group
            own, rest = cohort.change.loc[target, owner], cohort.change.loc[target, other]
            claims += 1
            false += not (own != 0 and rest == 0)
    if not differences:
        return {}
    fdp = false / max(claims, 1)
    return {"specific.fdp": fdp, "specific.V": float(false), "specific.R": float(claims)}
