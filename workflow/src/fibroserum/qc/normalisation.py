"""Where size factors are from, and whether the models could re-estimate those of the genes."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import anndata as ad
import pandas as pd
from scipy.special import stdtrit

from fibroserum.cohort.accessors import LEFT_OUT, settings_of
from fibroserum.cohort.models import model_of
from fibroserum.de.second_model import second_tables
from fibroserum.de.settings import FitSettings
from fibroserum.de.stored_fit import expression_of_calls
from fibroserum.errors import listed
from fibroserum.input.normalization import FIXED
from fibroserum.qc.check import Check

UNPROTECTED = (
    "a crossover without a second model: where donors respond individually, averages over the "
    "groups are called falsely far above the level; set second_opinion: limma_trend"
)
WHY = {
    "too_many": "more than 40 % of the genes change",
    "unsettled": "size factors had not settled after 3 rounds without the genes that change",
}
SHOWN = 6
#: Counts of spike-ins below which a sample's size factor is uncertain: more than 3 % by chance.
FEW_SPIKE_INS = 1000
#: A ratio of two size factors that sequencing depth and amounts of RNA seldom explain.
FAR_APART = 20


def normalisation(cohort: ad.AnnData, fits: Mapping[str, ad.AnnData]) -> Iterator[Check]:
    """Say for each model where its size factors are from, and what that means for the targets."""
    if settings_of(cohort)["size_factor_method"] in FIXED:
        yield from _fixed(cohort)
        return
    for name, fit in fits.items():
        noted = fit.uns["model"]
        outcome, count = str(noted["normalisation"]), int(fit.var["left_out"].sum())
        if outcome not in WHY:
            said = f"size factors were estimated without {count:,} genes that change"
            if not count:
                said = "no gene changes clearly enough to be left out of the size factors"
            yield Check("normalisation", "ok", name, said)
            continue
        answers = _differing(cohort, fit)
        said = (
            f"{WHY[outcome]}: the first size factors are kept, which are right only where as many "
            "genes rise as fall. "
        )
        if str(noted["second_opinion"]) != "none":
            said += "Calls and verdicts have to hold with the last ones too. "
        if answers:
            more = f" and {len(answers) - SHOWN} more" if len(answers) > SHOWN else ""
            said += (
                "With the last ones the linear model answers differently for "
                + "; ".join(answers[:SHOWN])
                + more
            )
        else:
            said += "With the last ones the linear model gives the same answers for all targets"
        yield Check("normalisation", "warning", name, said)


def _fixed(cohort: ad.AnnData) -> Iterator[Check]:
    """Say where size factors are from that are not of the genes, and what is wrong with them."""
    noted, factors = settings_of(cohort), cohort.obs["size_factor"].astype(float)
    rows = list(map(str, noted.get("spike_ins", [])))
    source = f"of {len(rows)} spike-ins" if rows else "given in the sample sheet"
    said = (
        f"size factors are {source} ({factors.min():.3g} to {factors.max():.3g}); both models use "
        "them, and none is estimated from the genes"
    )
    yield Check("normalisation", "ok", "", said)
    low, high = str(factors.idxmin()), str(factors.idxmax())
    if factors[high] > FAR_APART * factors[low]:
        message = (
            f"the size factors of {low} and {high} differ {factors[high] / factors[low]:.0f}-fold: "
            + ("was the same amount of spike-ins added?" if rows else "are all on one scale?")
        )
        yield Check("normalisation", "warning", listed([low, high], quote=""), message)
    if rows:
        places = [list(map(str, cohort.uns[LEFT_OUT]["gene"])).index(row) for row in rows]
        totals = pd.Series(cohort.obsm[LEFT_OUT][:, places].sum(axis=1), cohort.obs_names)
        few = totals[totals < FEW_SPIKE_INS]
        if len(few):
            message = (
                f"{'has' if len(few) == 1 else 'have'} fewer than {FEW_SPIKE_INS:,} counts of "
                f"spike-ins (at least {few.min():,.0f}): the size factor is uncertain, and every "
                "gene of the sample with it; add more, or sequence deeper"
            )
            yield Check("spike-ins", "warning", listed(few.index, quote=""), message)


def second_model(cohort: ad.AnnData, fits: Mapping[str, ad.AnnData]) -> Iterator[Check]:
    """Warn where a crossover has no second model."""
    alone = any(str(fit.uns["model"]["second_opinion"]) == "none" for fit in fits.values())
    if alone and settings_of(cohort)["crossover"]:
        yield Check("second model", "warning", "", UNPROTECTED)


def _differing(cohort: ad.AnnData, fit: ad.AnnData) -> list[str]:
    """Return the targets whose interval excludes 0 with one set of factors and not the other."""
    model, settings = model_of(fit), FitSettings()
    force_kept = cohort.var["target"].astype(bool)
    targets = {gene: name for name, gene in settings_of(cohort)["targets"].items() if gene}
    other = fit.copy()
    other.obs["norm_factors"] = fit.obs["other_norm_factors"]
    first, last = (
        second_tables(expression_of_calls(one, force_kept), model, settings) for one in (fit, other)
    )
    found = []
    for contrast in first:
        for gene, name in targets.items():
            if gene not in first[contrast].index:
                continue
            one, two = (_interval(tables[contrast].loc[gene]) for tables in (first, last))
            if one[0] != two[0]:
                found.append(f"{name} in {contrast}: {one[1]}, or {two[1]}")
    return found


def _interval(row: pd.Series) -> tuple[int, str]:
    """Return the sign of a 95 % interval (0: it contains 0), and the estimate with it in words."""
    half = row["second_lfcSE"] * stdtrit(row["second_df"], 0.975)
    low, high = row["second_log2FoldChange"] - half, row["second_log2FoldChange"] + half
    words = f"log2 fold change {row['second_log2FoldChange']:.2f} ({low:.2f} to {high:.2f})"
    return int(low > 0) - int(high < 0), words
