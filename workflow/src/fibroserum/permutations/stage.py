"""Would data with permuted labels have given as many calls?

A permutation leaves every sample where it is and permutes the rows of the design, donors aside:
before and after within a donor, or the group of whole donors. The linear model is refitted
genome-wide, over one value per donor as in the data; factors that belong to the samples, not to the
labels, are kept: size factors, TMM factors, weights of pairs and genes, and precision weights where
there are any.
Genes that pass its bar are refitted in the negative binomial model too, with size factors, trend
and prior kept and the gene's own dispersion re-estimated.

Flipping a real effect makes it spread: its gene then varies more than its noise does, and where
variances borrow from other genes' it passes a bar more often than an unchanged gene. So the genes
that are called are left out of the count, which is scaled to all (Xie, Pan & Khodursky 2005,
Bioinformatics 21:4280).
"""

from __future__ import annotations

import logging
import time
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from itertools import chain
from typing import Any, TypeVar
from zlib import crc32

import anndata as ad
import numpy as np
import pandas as pd

from fibroserum import tables
from fibroserum.cohort.accessors import all_contrasts, settings_of
from fibroserum.cohort.contrasts import Contrast
from fibroserum.de.stage import result_table
from fibroserum.permutations import labels
from fibroserum.permutations.engine import (
    Asked,
    Engine,
    OverParts,
    bars_of,
    counted,
    engine_of,
    linear_test,
    log_quantiles,
    over_parts,
)
from fibroserum.permutations.labels import Permutations

logger = logging.getLogger(__name__)

# Fewer distinct permutations describe, and estimate no false discovery rate.
FEWEST = 50
QUANTILES = 80
# Between two messages on how many permutations are done.
SECONDS = 5.0
# Permutations that a process makes before it hands them over.
AT_ONCE = 20

T = TypeVar("T")


@dataclass(frozen=True)
class PermutationTables:
    """`table` fits the schema calibration, `quantiles` calibration_qq."""

    table: pd.DataFrame
    quantiles: pd.DataFrame


def permutation_tables(
    cohort: ad.AnnData,
    fits: Mapping[str, ad.AnnData],
    *,
    permutations: int,
    alpha: float,
    seed: int,
    weighted: bool = True,
    n_cpus: int = 1,
) -> PermutationTables:
    """Return observed against permuted calls of every contrast.

    fits: by model name, as `de.fitting.fit_model` makes them; permutations: permutations of each
    contrast, at most; all of them where there are fewer; weighted: as `result_table` takes it, the
    data's weights in every permutation. Contrasts of a design with covariates are
    refused, with the reason in their row. n_cpus: processes, none besides this one for 1.
    """
    settings = settings_of(cohort)
    contrasts = all_contrasts(settings)
    refused = {
        contrast.name: f"the contrast is not estimable: {why}" if why else _why_refused(settings)
        for contrast in contrasts
        for why in [settings["not_estimable"].get(contrast.name)]
    }
    targets = cohort.var["target"].astype(bool)
    engines: dict[str, Engine] = {
        name: engine_of(fits[name], targets)
        for name in dict.fromkeys(one.model for one in contrasts if not refused[one.name])
    }
    rows, quantiles = [], []
    with over_parts(engines, n_cpus) as mapped:
        for contrast in contrasts:
            if settings["not_estimable"].get(contrast.name):
                rows.append(_refused(contrast, tables.empty("de"), refused[contrast.name]))
                continue
            fit = fits[contrast.model]
            table = result_table(fit, contrast.name, cohort.var["symbol"], alpha, weighted=weighted)
            if refused[contrast.name]:
                rows.append(_refused(contrast, table, refused[contrast.name]))
                continue
            engine = engines[contrast.model]
            data = linear_test(engine, engine.model, contrast.file)
            if data.empty:
                why = "too few donors contribute to this contrast for the second model"
                rows.append(_refused(contrast, table, why))
                continue
            obs = cohort.obs.loc[engine.counts.index, ["donor", "group", "time"]].astype(str)
            rng = np.random.default_rng([seed, crc32(f"permutations {contrast.name}".encode())])
            found = labels.draw_permutations(
                contrast, obs, engine.counts, settings, permutations, rng
            )
            logger.info(f"{contrast.name}: {len(found.rows)} permutations ({found.what})")
            row, part = _one_contrast(contrast, engine, found, table, data, alpha, mapped)
            rows.append(row)
            quantiles.append(part)
    return PermutationTables(
        pd.DataFrame(rows, columns=tables.schemas()["calibration"].names),
        pd.concat(quantiles, ignore_index=True) if quantiles else tables.empty("calibration_qq"),
    )


def _why_refused(settings: Mapping[str, Any]) -> str:
    """Return why labels cannot be exchanged in a cohort, or nothing."""
    if settings["covariates"]:
        named = ", ".join(settings["covariates"])
        return (
            f"the model adjusts for {named}, which change with time, so labels cannot be permuted"
        )
    if settings["block"]:
        return "donors share blocks (design.block), so their labels are not exchangeable"
    return ""


def _refused(contrast: Contrast, table: pd.DataFrame, why: str) -> dict[str, object]:
    return {
        "contrast": contrast.name,
        "relabellings": 0,
        "observed": int((table["call"] != "none").sum()),
        "note": f"no permutations, because {why}",
    }


def _one_contrast(
    contrast: Contrast,
    engine: Engine,
    found: Permutations,
    table: pd.DataFrame,
    data: pd.DataFrame,
    alpha: float,
    mapped: OverParts,
) -> tuple[dict[str, object], pd.DataFrame]:
    """Return the contrast's row and its quantiles; data: `linear_test` of the data's own labels."""
    table = table.set_index("gene_id")
    bars = bars_of(table, alpha, main_only=engine.main_only)
    ranks = quantile_ranks(len(data))

    asked = Asked(contrast.model, contrast.file, bars, alpha, ranks)
    starts = range(0, len(found.rows), AT_ONCE)
    parts = [found.rows[start : start + AT_ONCE] for start in starts]
    done = chain.from_iterable(mapped(counted, [asked] * len(parts), parts))
    results = list(logged(done, len(found.rows), contrast.name))
    counts = [number for number, _, _ in results]
    small = [number for _, number, _ in results]
    drawn = [quantiles for *_, quantiles in results]
    observed = int((table["call"] != "none").sum())
    observed_small = int((data["pvalue"] < alpha).sum())
    row = {
        "contrast": contrast.name,
        "relabellings": len(counts),
        "observed": observed,
        "exact": found.exact,
        "bar": bars.main,
        "second_bar": bars.second,
        "small_pvalues": observed_small,
        "note": _note(found, observed, engine.left_out),
    }
    if counts:
        mean = float(np.mean(counts)) * bars.scale
        beaten = sum(number >= observed_small for number in small)
        row |= {
            "permuted_mean": mean,
            "permuted_small_pvalues": float(np.mean(small)),
            "pvalue": (beaten + 1) / (len(small) + 1),
        }
        if len(counts) >= FEWEST and observed:
            row["empirical_fdr"] = min(1.0, mean / observed)
    return row, _quantile_rows(contrast.name, data["pvalue"], ranks, drawn)


def logged(results: Iterable[T], number: int, name: str) -> Iterator[T]:
    """Yield a contrast's results, and log how many of `number` there are and the time left."""
    start = last = time.monotonic()
    for done, result in enumerate(results, 1):
        yield result
        now = time.monotonic()
        if now - last >= SECONDS or done == number:
            left = (now - start) / done * (number - done)
            logger.info(f"{name}: {done} of {number} permutations, about {left:.0f} s left")
            last = now


def _note(found: Permutations, observed: int, left_out: int) -> str:
    parts = [found.what]
    if left_out:
        parts.append(
            f"size factors and TMM factors come from the unpermuted data, without {left_out} "
            "genes that change"
        )
    if found.exact:
        parts.append("all distinct permutations")
    if len(found.rows) < FEWEST:
        parts.append(
            f"descriptive only: {len(found.rows)} distinct permutations are too few to estimate "
            "a false discovery rate"
        )
    if not observed:
        parts.append(
            "no gene is called, so the thresholds are alpha divided by the number of genes"
        )
    return "; ".join(parts)


def quantile_ranks(genes: int) -> np.ndarray:
    """Return ranks of p values for a QQ plot, evenly spaced on the log scale."""
    return np.unique(np.geomspace(1, genes, QUANTILES).round().astype(int))


def _quantile_rows(
    name: str, data: pd.Series, ranks: np.ndarray, drawn: list[np.ndarray]
) -> pd.DataFrame:
    if drawn:
        low, middle, high = np.quantile(np.array(drawn), [0.025, 0.5, 0.975], axis=0)
    else:
        low = middle = high = np.full(len(ranks), np.nan)
    return pd.DataFrame(
        {
            "contrast": name,
            "quantile": ranks / len(data),
            "expected": -np.log10((ranks - 0.5) / len(data)),
            "observed": log_quantiles(data, ranks),
            "permuted_median": middle,
            "permuted_low": low,
            "permuted_high": high,
        }
    )
