"""How often is `confirmed` false, and what does it find? Two kinds of evidence on the same cells.

    python benchmarks/calibrate_confirmed.py --write docs/calibration.md

The study has its own simulator, of Gaussian log2 changes, which shares nothing with the package's
generator. Both sources have the same genes with the same variances, so |z| of null genes correlate,
and the same modules of correlated genes. Seeded: each run gives the same numbers.
"""

from __future__ import annotations

import argparse
import os
import time
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path

# before numpy: sums must not depend on the number of BLAS threads
os.environ.update(dict.fromkeys(["OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS"], "1"))

import numpy as np
import pandas as pd
from scipy.optimize import brentq
from scipy.special import digamma, polygamma
from scipy.stats import norm
from scipy.stats import t as student

from fibroserum.factors.combine import Evidence, combine
from fibroserum.multiple_testing import benjamini_hochberg
from sections import took, write_section

ALPHA = 0.05
GENES, MODULES, CULTURES = 3000, 60, 4


@dataclass(frozen=True)
class Setting:
    """A kind of cohort.

    true: (both with one sign, stimulation only, serum only, opposite signs), numbers of genes.
    df: of the genes' variances around their mean, the same gene's in both sources. correlation: of
    genes in a module, as absolute value. unseen: a share of genes whose z are 1.2 times too large
    in both sources, and no residual shows it. strength: factor of all effects.
    """

    true: tuple[int, int, int, int]
    df: float = 8.0
    correlation: float = 0.3
    unseen: float = 0.0
    strength: float = 1.0


MIXED = Setting((25, 25, 25, 25))
SETTINGS = {
    "both": Setting((50, 0, 0, 0)),
    "mixed": MIXED,
    "mixed, variances differ much": replace(MIXED, df=3.0),
    "mixed, strong modules": replace(MIXED, correlation=0.7),
    "mixed, unseen variance": replace(MIXED, unseen=0.2),
    "nothing": Setting((0, 0, 0, 0)),
    "stimulation only": Setting((0, 50, 0, 0)),
    "stimulation only, strong, variances differ much": Setting((0, 50, 0, 0), 3.0, strength=1.5),
    "serum only": Setting((0, 0, 50, 0)),
    "opposite": Setting((0, 0, 0, 50), strength=1.5),
}
DONORS = (6, 8, 10, 16)
RULES = ("partial conjunction", "confirmed")


def moderated(
    estimate: np.ndarray, unscaled: float, variance: np.ndarray, df: int
) -> tuple[np.ndarray, float]:
    """Return the normal scores of moderated t tests (Smyth 2004, SAGMB 3:3), and the prior df."""
    e = np.log(variance) - digamma(df / 2) + np.log(df / 2)
    excess = e.var(ddof=1) - polygamma(1, df / 2)
    if excess <= 0:
        z = estimate / (unscaled * np.sqrt(np.exp(e.mean())))
        return z, np.inf
    prior = 2 * brentq(lambda half: polygamma(1, half) - excess, 1e-3, 1e6)
    scale = np.exp(e.mean() + digamma(prior / 2) - np.log(prior / 2))
    posterior = (prior * scale + df * variance) / (prior + df)
    t = estimate / (unscaled * np.sqrt(posterior))
    return np.sign(t) * norm.isf(np.maximum(student.sf(np.abs(t), prior + df), 1e-300)), prior


def effects(rng: np.random.Generator, setting: Setting) -> np.ndarray:
    """Return effects, genes × (stimulation, serum), in units that the sources scale."""
    both, first, second, opposite = setting.true
    kinds = np.repeat(["both", "first", "second", "opposite"], (both, first, second, opposite))
    size = np.exp(rng.normal(0, 0.35, (len(kinds), 2))) * rng.choice([-1, 1], (len(kinds), 1))
    size[kinds == "opposite", 1] *= -1
    size[kinds == "second", 0] = 0
    size[kinds == "first", 1] = 0
    out = np.zeros((GENES, 2))
    out[: len(kinds)] = size * setting.strength
    return out


def sources(setting: Setting, donors: int, seed: int) -> tuple[list[Evidence], np.ndarray]:
    """Return the evidence of both sources, and the true effects.

    Stimulation: differences of 4 pairs of cultures. Serum: the slope of each donor's change on the
    change of its level, both centred in two groups of so many donors.
    """
    rng = np.random.default_rng([seed, donors])
    sd = np.sqrt(setting.df / rng.chisquare(setting.df, (GENES, 1)))
    module, sign = rng.permutation(GENES) % MODULES, rng.choice([-1.0, 1.0], (GENES, 1))
    true = effects(rng, setting)

    def noise(n: int) -> np.ndarray:
        shared = rng.standard_normal((MODULES, n))[module] * sign
        own = rng.standard_normal((GENES, n))
        rho = setting.correlation
        return sd * (np.sqrt(rho) * shared + np.sqrt(1 - rho) * own)

    pairs = 1.05 * true[:, :1] + 0.35 * noise(CULTURES)
    arm = moderated(pairs.mean(1), CULTURES**-0.5, pairs.var(1, ddof=1), CULTURES - 1)
    level = rng.normal(0, 0.5, (2, donors))
    level = (level - level.mean(1, keepdims=True)).ravel()
    change = (0.42 * true[:, 1:] * level + 0.3 * noise(2 * donors)).reshape(GENES, 2, donors)
    change = (change - change.mean(2, keepdims=True)).reshape(GENES, -1)
    squares, df = level @ level, 2 * donors - 3
    slope = change @ level / squares
    rest = ((change - slope[:, None] * level) ** 2).sum(1) / df
    serum = moderated(slope, squares**-0.5, rest, df)
    scale = np.where(rng.random(GENES) < setting.unseen, 1.2, 1.0)
    names = pd.Index([f"g{i}" for i in range(GENES)])
    return [
        Evidence("stimulation", pd.Series(arm[0] * scale, names), arm[1], CULTURES - 1),
        Evidence("serum", pd.Series(serum[0] * scale, names), serum[1], df),
    ], true


def one(job: tuple[str, int, int]) -> list[dict[str, object]]:
    """Return false share and power of both rules in one cohort, and how |z| of nulls go together.

    Partial conjunction: responsive, and its p value adjusted by Benjamini-Hochberg over all genes.
    """
    name, donors, seed = job
    evidence, effect = sources(SETTINGS[name], donors, seed)
    table = combine(evidence, evidence[0].z.index, ALPHA)
    true = effect.prod(axis=1) > 0
    null = ~effect.any(axis=1)
    responsive = (table["responsive_padj"] < ALPHA).to_numpy()
    plain = benjamini_hochberg(table["confirmed_pvalue"].to_numpy()) < ALPHA
    calls = {RULES[0]: plain & responsive, RULES[1]: (table["call"] == "confirmed").to_numpy()}
    together = np.cov(*(source.z[null] ** 2 for source in evidence))[0, 1]
    return [
        {
            "setting": name,
            "donors": donors,
            "rule": rule,
            "fdp": (called & ~true).sum() / max(called.sum(), 1),
            "power": (called & true).sum() / true.sum() if true.any() else np.nan,
            "together": together,
        }
        for rule, called in calls.items()
    ]


def jobs(cohorts: int) -> Iterator[tuple[str, int, int]]:
    """Yield setting, donors per group and seed of every cohort."""
    for name in SETTINGS:
        for donors in DONORS:
            for seed in range(cohorts):
                yield name, donors, seed


def with_error(values: pd.Series) -> str:
    """Return mean ± Monte Carlo standard error."""
    known = values.dropna()
    if known.empty:
        return "–"
    return f"{known.mean():.3f} ± {known.std(ddof=1) / np.sqrt(len(known)):.3f}"


def largest(results: pd.DataFrame) -> str:
    """Return the largest mean FDP of `confirmed`, with its error and where it is."""
    own = results[results["rule"] == RULES[1]].groupby(["setting", "donors"])["fdp"]
    setting, donors = own.mean().idxmax()
    error = with_error(own.get_group((setting, donors)))
    return f"{error} ({setting}, {donors} donors per group)"


def markdown(results: pd.DataFrame, cohorts: int) -> str:
    """Return the section of docs/calibration.md."""
    lines = [
        "## Confirmed",
        "",
        f"`benchmarks/calibrate_confirmed.py`: {cohorts} cohorts per row, 3,000 genes, 4 pairs of "
        "cultures and two groups of donors, from an independent simulator. A gene has the same "
        "variance in both sources, and the same module of 50 genes (correlation ± 0.3, strong: "
        "± 0.7). *Variances differ much*: 3 degrees of freedom instead of 8. *Unseen variance*: a "
        "fifth of the genes has z that are 1.2 times too large in both sources, which no residual "
        "shows. *Mixed*: 25 genes each with both effects, with one of them, and with opposite "
        "ones. A claim is true if both effects exist with the same sign. *Before* is the former "
        "rule: the partial conjunction p value, adjusted over all genes. c is the covariance of "
        "the squared z of null genes. FDP is E[V / max(R, 1)] ± its Monte Carlo standard error.",
        "",
        "| setting | donors per group | c | FDP before | FDP | power before | power |",
        "| --- " * 7 + "|",
    ]
    for (setting, donors), part in results.groupby(["setting", "donors"], sort=False):
        rule = dict(iter(part.groupby("rule")))
        before, now = rule[RULES[0]], rule[RULES[1]]
        cells = [
            f"{now['together'].mean():.2f}",
            *(with_error(own["fdp"]) for own in (before, now)),
            *(with_error(own["power"]) for own in (before, now)),
        ]
        lines.append(f"| {setting} | {donors} | {' | '.join(cells)} |")
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--cohorts", type=int, default=200)
    parser.add_argument("--processes", type=int, default=2)
    parser.add_argument("--write", type=Path, help="Markdown file whose section is replaced")
    asked = parser.parse_args()
    start = time.monotonic()
    with ProcessPoolExecutor(asked.processes) as pool:
        parts = pool.map(one, list(jobs(asked.cohorts)), chunksize=10)
        results = pd.DataFrame([row for part in parts for row in part])
    section = markdown(results, asked.cohorts)
    print(section)
    print(took(start))
    if asked.write:
        both = results[(results["setting"] == "both") & (results["rule"] == RULES[1])]
        power = ", ".join(f"{with_error(p)} ({n})" for n, p in both.groupby("donors")["power"])
        write_section(
            asked.write,
            section,
            f"the largest mean FDP of `confirmed` is {largest(results)}. Power if both sources are "
            f"true, by donors per group: {power}.",
        )


if __name__ == "__main__":
    main()
