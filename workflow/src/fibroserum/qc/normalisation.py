"""Where size factors are from, and whether the models could re-estimate those of the genes."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import anndata as ad
import numpy as np
import pandas as pd
from scipy.special import stdtrit

from fibroserum.cohort.accessors import LEFT_OUT, settings_of
from fibroserum.cohort.models import model_of
from fibroserum.de.second_model import second_tables
from fibroserum.de.settings import FitSettings
from fibroserum.de.stored_fit import expression_of_calls
from fibroserum.errors import listed
from fibroserum.input.normalization import FIXED
from fibroserum.qc.check import Check, ok, warning

UNPROTECTED = (
    "this crossover has no second model. Where donors respond individually, averages over the "
    "groups have far more false positives than alpha allows"
)
WHY = {
    "too_many": "more than 40 % of the genes change",
    "unsettled": "the size factors did not converge in 3 rounds without the genes that change",
}
SHOWN = 6
#: Counts of spike-ins below which a sample's size factor is uncertain: more than 3 % by chance.
FEW_SPIKE_INS = 1000
#: A ratio of two size factors that sequencing depth and amounts of RNA seldom explain.
FAR_APART = 20


def normalisation(cohort: ad.AnnData, fits: Mapping[str, ad.AnnData]) -> Iterator[Check]:
    """Say for each model how its size factors were estimated, and what depends on that."""
    if settings_of(cohort)["size_factor_method"] in FIXED:
        yield from _fixed(cohort)
        return
    for name, fit in fits.items():
        noted = fit.uns["model"]
        outcome, count = str(noted["normalisation"]), int(fit.var["left_out"].sum())
        if outcome not in WHY:
            message = f"size factors were estimated without {count:,} genes that change"
            if not count:
                message = "no gene changes clearly enough to be excluded from the size factors"
            yield ok("normalisation", message, subject=name)
            continue
        message = (
            f"{WHY[outcome]}. The first size factors are kept. They are right only where as many "
            "genes rise as fall"
        )
        if str(noted["second_opinion"]) != "none":
            message += ". Calls and verdicts must also hold with the last size factors"
        answers = _differing(cohort, fit)
        if answers:
            more = f" and {len(answers) - SHOWN} more" if len(answers) > SHOWN else ""
            message += (
                ". The answers of the second model (voom) depend on this choice for "
                + "; ".join(answers[:SHOWN])
                + more
            )
        else:
            message += ". The second model (voom) gives the same answer for every target with both"
        advice = (
            "Look at the MA plots: do most genes rise, or most fall? If you added spike-ins, use "
            "them (normalization.method: spike_ins)."
        )
        yield warning("normalisation", name, message, advice)


def _fixed(cohort: ad.AnnData) -> Iterator[Check]:
    """Say where size factors are from that are not of the genes, and what is wrong with them."""
    noted, factors = settings_of(cohort), cohort.obs["size_factor"].astype(float)
    rows = list(map(str, noted.get("spike_ins", [])))
    source = f"come from {len(rows)} spike-ins" if rows else "are given in the sample sheet"
    yield ok(
        "normalisation",
        f"size factors {source} ({factors.min():.3g} to {factors.max():.3g}). Both models use "
        "them, and none is estimated from the genes",
    )
    low, high = str(factors.idxmin()), str(factors.idxmax())
    if factors[high] > FAR_APART * factors[low]:
        yield warning(
            "normalisation",
            listed([low, high], quote=""),
            f"the size factors of {low} and {high} differ {factors[high] / factors[low]:.0f}-fold",
            "Check that the same amount of spike-ins was added to both."
            if rows
            else "Check that all size factors in the sample sheet are on one scale.",
        )
    if rows:
        places = [list(map(str, cohort.uns[LEFT_OUT]["gene"])).index(row) for row in rows]
        totals = pd.Series(cohort.obsm[LEFT_OUT][:, places].sum(axis=1), cohort.obs_names)
        few = totals[totals < FEW_SPIKE_INS]
        if len(few):
            yield warning(
                "spike-ins",
                listed(few.index, quote=""),
                f"fewer than {FEW_SPIKE_INS:,} counts of spike-ins (at least {few.min():,.0f}), so "
                "the size factor and every gene of the sample are uncertain",
                "Add more spike-ins, or sequence deeper.",
            )


def second_model(cohort: ad.AnnData, fits: Mapping[str, ad.AnnData]) -> Iterator[Check]:
    """Warn where a crossover has no second model."""
    without = any(str(fit.uns["model"]["second_opinion"]) == "none" for fit in fits.values())
    if without and settings_of(cohort)["crossover"]:
        advice = "Write 'second_opinion: limma_trend' under differential_expression in the config."
        yield warning("second model", "", UNPROTECTED, advice)


def _differing(cohort: ad.AnnData, fit: ad.AnnData) -> list[str]:
    """Return the targets whose interval excludes 0 with one set of factors and not the other."""
    model, settings = model_of(fit), FitSettings()
    force_kept = cohort.var["target"].astype(bool)
    targets = {gene: name for name, gene in settings_of(cohort)["targets"].items() if gene}
    counts = np.asarray(cohort[fit.obs_names, fit.var_names].X)

    def tables_with(factors: str) -> dict[str, pd.DataFrame]:
        obs = fit.obs.assign(norm_factors=fit.obs[factors])
        own = ad.AnnData(counts, obs, fit.var, obsm=dict(fit.obsm), uns=dict(fit.uns))
        return second_tables(expression_of_calls(own, force_kept), model, settings)

    first, last = tables_with("norm_factors"), tables_with("other_norm_factors")
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
