"""Size factors and TMM factors, re-estimated without the genes that change.

Median of ratios and TMM take most genes, or as many up as down, for unchanged. Where a part of the
genes changes in one direction both move with it, in every pair alike. Genes that the linear model
calls are left out and both are estimated anew: the steps of DEGES (Kadota, Nishiyama & Shimizu
2012, Algorithms Mol Biol 7:5; Sun, Nishiyama, Shimizu & Kadota 2013, BMC Bioinformatics 14:219).
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
import pandas as pd

from fibroserum import linear
from fibroserum.cohort.models import Model
from fibroserum.cohort.size_factors import size_factors
from fibroserum.de.second_model import expression_of, second_tables
from fibroserum.de.settings import FitSettings
from fibroserum.multiple_testing import benjamini_hochberg

# As Kadota et al. 2012: genes at this false discovery rate are left out.
FDR = 0.1
ROUNDS = 3
# Where more than this share of the genes changes in a contrast, unchanged genes are no clear
# majority; and where fewer than LEAST are left, there are too few to normalise by.
MOST, LEAST = 0.4, 0.2
# log2: where a round moves no contrast by more, another is not needed; where the last round moves
# one by more, the factors have not settled.
STILL, SETTLED = 0.01, 0.05

Outcome = Literal[
    "off", "nothing_changed", "settled", "too_many", "unsettled", "given", "spike_ins"
]


@dataclass(frozen=True)
class Normalisation:
    """The factors of a model's n samples.

    size_factors, norm_factors: by sample. left_out: genes without a part in them. rounds: of
    re-estimation. outcome: `too_many` or `unsettled` where the first factors are kept, and then
    other: the TMM factors of the last round. `given` and `spike_ins`: the factors are not of the
    genes.
    """

    size_factors: pd.Series
    norm_factors: pd.Series
    left_out: pd.Index
    rounds: int
    outcome: Outcome
    other: pd.Series | None = None


def norm_factors(well: pd.DataFrame, left_out: pd.Index, n_cpus: int = 1) -> pd.Series:
    """Return TMM factors of samples over their genes, those left out aside.

    well: samples × genes. The factors are of library sizes over all genes, left out or not.
    """
    kept = well.drop(columns=left_out) if len(left_out) else well
    factors = linear.tmm_factors(kept, n_cpus=n_cpus)
    share = kept.sum(axis=1).to_numpy(float) / well.sum(axis=1).to_numpy(float)
    logs = np.log(factors * share)
    return pd.Series(np.exp(logs - logs.mean()) if len(left_out) else factors, index=well.index)


def normalise(
    counts: pd.DataFrame,
    well: pd.DataFrame,
    model: Model,
    first: pd.Series,
    settings: FitSettings,
) -> Normalisation:
    """Return the factors of a model.

    counts: samples × genes that are fitted; well: `well_counted` of them; first: the cohort's size
    factors, by sample. Left out are genes that the linear model calls in a change or a difference
    (of levels, in a baseline model).
    """
    start = first.loc[well.index]
    nothing = well.columns[:0]
    if settings.factors != "estimated":
        fixed = linear.fixed_norm_factors(well, start)
        return Normalisation(start, fixed, nothing, 0, settings.factors)
    tmm = norm_factors(well, nothing, settings.n_cpus)
    if not settings.steps.renormalise or model.name == "stimulation":
        return Normalisation(start, tmm, nothing, 0, "off")
    factors, left_out, moved, done, changing = tmm, nothing, 0.0, 0, 0.0
    while done < ROUNDS:
        called, changing = _called(well, model, factors, settings)
        if called.equals(left_out):
            break
        again = norm_factors(well, called, settings.n_cpus)
        moved = _largest_move(model, again / factors)
        factors, left_out, done = again, called, done + 1
        if moved < STILL:
            break
    if not done:
        return Normalisation(start, tmm, nothing, done, "nothing_changed")
    if changing > MOST or well.shape[1] - len(left_out) < LEAST * well.shape[1]:
        return Normalisation(start, tmm, nothing, done, "too_many", factors)
    if moved > SETTLED:
        return Normalisation(start, tmm, nothing, done, "unsettled", factors)
    kept = counts.to_numpy()[:, ~counts.columns.isin(left_out)]
    anew, _ = size_factors(kept, n_cpus=settings.n_cpus)
    return Normalisation(pd.Series(anew, well.index), factors, left_out, done, "settled")


def _asked(model: Model) -> list[str]:
    """Return the changes and differences of a model, averages aside."""
    return [
        name
        for name, scales in model.scales.items()
        if all(abs(scale) == 1 for scale in scales.values())
    ]


def _called(
    well: pd.DataFrame, model: Model, factors: pd.Series, settings: FitSettings
) -> tuple[pd.Index, float]:
    """Return the genes that the linear model calls in a change or difference.

    At most `MOST` of each contrast, those with the smallest adjusted p values: while the factors
    are off, unchanged genes are called too, but less clearly. And the largest share of genes that
    change in a contrast, by the number of calls less the false ones among them.
    """
    weighted = settings.second_opinion == "voom"
    asked = replace(model, contrasts={name: model.contrasts[name] for name in _asked(model)})
    expression = expression_of(well, model, factors, weighted=weighted, n_cpus=settings.n_cpus)
    tables = second_tables(expression, asked, replace(settings, lfc_threshold=0.0))
    found, changing = np.zeros(well.shape[1], dtype=bool), 0.0
    for table in tables.values():
        padj = benjamini_hochberg(table["second_pvalue"].to_numpy(float))
        changing = max(changing, float((padj < FDR).mean()) * (1 - FDR))
        first = np.argsort(padj, kind="stable")[: int(MOST * len(padj))]
        found[first[padj[first] < FDR]] = True
    return well.columns[found], changing


def _largest_move(model: Model, ratio: pd.Series) -> float:
    """Return by how much (log2) new factors move the estimates of a contrast at most.

    ratio: new factors over old ones, by sample.
    """
    logs = pd.DataFrame({"move": np.log2(ratio.to_numpy(float))}, ratio.index)
    fits = linear.contrast_fits(
        linear.Expression(ratio.index, logs.columns, logs.to_numpy(), None), model
    )
    moves = [abs(linear.estimates(own.fit, own.vector)[0][0]) for own in fits.values()]
    return float(max(moves, default=0.0))
