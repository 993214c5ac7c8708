"""Whose variance judges a declared gene: the moderated one, or its own?

Panels of 12 targets in cohorts of the study's simulator (`calibration/simulator.py`), of which 1, 3
or 6 change in both groups by 0.15 × √(28 / donors) log2; the differences between groups are all
null. A target's dispersion is 0.02 (quiet), that of the other genes (typical), or twice that
(variable). Compared on the same cohorts: the verdicts' rule (both models over the panel, moderated
t), and the same with the second model's variance unmoderated.

python benchmarks/calibrate_panel_variance.py --cohorts 8 --out panel_variance.tsv
"""

from __future__ import annotations

import argparse
import os
import sys
from pathlib import Path

os.environ.update(
    dict.fromkeys(["OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "NUMBA_NUM_THREADS"], "1")
)
sys.path.insert(0, str(Path(__file__).resolve().parent))

import numpy as np
import pandas as pd

from calibration.chain import ALPHA, STEPS, run_chain
from calibration.cohort import AFTER
from calibration.simulator import Dials, simulate
from fibroserum import linear
from fibroserum.cohort.models import model_of
from fibroserum.de.stored_fit import expression_of_calls
from fibroserum.multiple_testing import benjamini_hochberg

PANEL, PANELS, CHANGED, MEAN = 12, 20, (1, 3, 6), 1500.0
SIZES = (6, 10, 16, 28, 40)
DISPERSION = 0.03
KINDS = {"quiet": (0.02, 0.0), "typical": (DISPERSION, 0.4), "variable": (2 * DISPERSION, 0.4)}


def one_cohort(donors: int, kind: str, seed: int) -> list[dict[str, object]]:
    """Return false discovery proportion and power of each rule, panel and contrast."""
    rng = np.random.default_rng([77, donors, list(KINDS).index(kind), seed])
    dials = Dials({"AT": donors, "RT": donors}, genes=3000, dispersion=DISPERSION)
    drawn = simulate(dials, 600_000 + 100 * seed + donors)
    sheet, number = drawn.sheet, PANEL * PANELS
    true = np.zeros(number, dtype=bool)
    for panel in range(PANELS):
        true[panel * PANEL :][: CHANGED[panel % len(CHANGED)]] = True
    sign = np.where(true, rng.choice([-1.0, 1.0], number), 0.0)
    effect = sign * 0.15 * np.sqrt(28 / donors)
    donor = pd.factorize(sheet["donor"])[0]
    log2 = np.log2(MEAN) + rng.normal(0, 0.5, number)
    log2 = log2 + rng.normal(0, 0.3, (donor.max() + 1, number))[donor]
    log2 += np.outer(sheet["time"] == AFTER, effect)
    size = np.log2(drawn.counts.sum(axis=1).to_numpy(float))
    log2 += (size - size.mean())[:, None]
    centre, scatter = KINDS[kind]
    dispersion = centre * rng.lognormal(0, scatter, number)
    noise = rng.gamma(1 / dispersion, dispersion, log2.shape)
    names = [f"t{place:04d}" for place in range(number)]
    targets = pd.DataFrame(rng.poisson(np.exp2(log2) * noise), drawn.counts.index, names)
    counts = pd.concat([drawn.counts, targets], axis=1)
    chain = run_chain(counts, sheet, frozenset(STEPS) - {"other_contrast"})
    fit = chain.fits["paired"]
    never = pd.Series(False, index=fit.var_names)
    fits = linear.contrast_fits(expression_of_calls(fit, never), model_of(fit))
    rows = []
    for contrast in drawn.contrasts:
        if contrast.kind == "average":
            continue
        own, table = fits[contrast.file], chain.tables[contrast.name].loc[names]
        variances = linear.group_variances(own.fit, own.groups, moderated=False)
        plain = linear.group_wise_t(own.fit, own.vector, variances).loc[names, "pvalue"]
        truth = sign if contrast.kind == "change" else np.zeros(number)
        clear = (table["ci_low"] * table["ci_high"] > 0).to_numpy()
        second = {"moderated": table["second_pvalue"].to_numpy(), "own": plain.to_numpy()}
        ways = np.sign(table["log2FoldChange"].to_numpy())
        for rule, pvalue in second.items():
            for panel in range(PANELS):
                some = slice(panel * PANEL, (panel + 1) * PANEL)
                called = benjamini_hochberg(table["pvalue"].to_numpy()[some]) < ALPHA
                called &= benjamini_hochberg(pvalue[some]) < ALPHA
                if rule == "moderated":
                    called &= clear[some]
                right = int((called & (ways[some] * truth[some] > 0)).sum())
                changed = int((truth[some] != 0).sum())
                rows.append(
                    {
                        "donors": donors,
                        "dispersion": kind,
                        "changed": changed,
                        "rule": rule,
                        "seed": seed,
                        "fdp": (int(called.sum()) - right) / max(int(called.sum()), 1),
                        "power": right / changed if changed else np.nan,
                    }
                )
    return rows


def main() -> None:
    """Run what the command line asks for, and write means and standard errors over cohorts."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--cohorts", type=int, default=8)
    parser.add_argument("--sizes", default=",".join(map(str, SIZES)))
    parser.add_argument("--out", type=Path, default=Path("panel_variance.tsv"))
    asked = parser.parse_args()
    rows = [
        row
        for donors in map(int, asked.sizes.split(","))
        for kind in KINDS
        for seed in range(asked.cohorts)
        for row in one_cohort(donors, kind, seed)
    ]
    keys = ["donors", "dispersion", "changed", "rule"]
    cohorts = pd.DataFrame(rows).groupby([*keys, "seed"])[["fdp", "power"]].mean().reset_index()
    found = cohorts.groupby(keys, sort=False).agg(
        fdp=("fdp", "mean"), error=("fdp", "sem"), power=("power", "mean")
    )
    found.round(4).reset_index().to_csv(asked.out, sep="\t", index=False)


if __name__ == "__main__":
    main()
