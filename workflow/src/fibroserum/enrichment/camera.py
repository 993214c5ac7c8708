"""Competitive tests: do a set's genes change more than other genes do?

camera: Wu, Smyth (2012) Nucleic Acids Res 40:e133, with the correlation estimated from each set.
The test of set against rest, from which `enriched` comes, is described in docs/methods.md.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

from fibroserum.distributions import t_sf
from fibroserum.enrichment.fry import gene_parts
from fibroserum.enrichment.membership import Membership
from fibroserum.linear import Effects, posterior_variance

# components whose variance between genes is computed at once
COLUMNS = 100


@dataclass(frozen=True)
class Scores:
    """Genewise scores of unit variance where nothing changes.

    contrast: (G,), normal scores of the moderated t. residual: (G, d), residual effects over the
    gene's own standard deviation.
    """

    contrast: np.ndarray
    residual: np.ndarray


def normal_scores(effects: Effects) -> Scores:
    """Return camera's genewise scores from the effects of a contrast."""
    variance = np.empty(len(effects.contrast))
    for part in gene_parts(effects.residual):
        variance[part] = np.mean(effects.residual[part] ** 2, axis=1)
    posterior, df = posterior_variance(variance, effects.residual.shape[1])
    root = np.sqrt(posterior)
    moderated = np.divide(effects.contrast, root, out=np.zeros_like(root), where=root > 0)
    own = np.sqrt(np.maximum(variance, 1e-8))
    return Scores(normal_from_t(moderated, df), effects.residual / own[:, None])


def normal_from_t(statistic: np.ndarray, df: float) -> np.ndarray:
    """Return the normal score of a t statistic by Hill's approximation, as limma's zscoreT.

    Hill (1970) Communications of the ACM 13:617.
    """
    a = min(df, 1e100) - 0.5
    b = 48 * a**2
    z = a * np.log1p(statistic / min(df, 1e100) * statistic)
    inner = ((-0.4 * z - 3.3) * z - 24) * z - 85.5
    result = ((inner / (0.8 * z**2 + 100 + b) + z + 3) / b + 1) * np.sqrt(z)
    return np.copysign(result, statistic)


def camera(scores: Scores, sets: Membership) -> pd.DataFrame:
    """Return limma's camera(inter.gene.cor = NA): camera_correlation, camera_pvalue.

    The correlation is NaN for a set of one gene. A set of all genes has p = 1.
    """
    genes, df = scores.residual.shape
    m = sets.table["tested"].to_numpy(dtype=float)
    rest = genes - m
    residual = np.asarray(sets.members @ scores.residual) / m[:, None]
    inflation = np.where(m > 1, m * np.mean(residual**2, axis=1), 1.0)
    correlation = np.full(len(m), np.nan)
    np.divide(inflation - 1, m - 1, out=correlation, where=m > 1)
    own = np.asarray(sets.members @ scores.contrast) / m
    delta = (own - scores.contrast.mean()) * genes / np.maximum(rest, 1)
    total = (genes - 1) * scores.contrast.var(ddof=1)
    pooled = (total - delta**2 * m * rest / genes) / max(genes - 2, 1)
    variance = pooled * (np.maximum(inflation, 1) / m + 1 / np.maximum(rest, 1))
    statistic = _ratio(delta, variance, rest > 0)
    pvalue = 2 * t_sf(np.abs(statistic), max(min(df, genes - 2), 1))
    return pd.DataFrame({"camera_correlation": correlation, "camera_pvalue": pvalue})


def set_against_rest(scores: Scores, sets: Membership) -> pd.DataFrame:
    """Return the test of a set's mean score against the mean of all other genes.

    The difference of means is taken in the contrast and in each residual component alike: where no
    gene changes, all have one variance, correlations within and between sets included. What genes
    change beyond noise adds the variance of a random draw: of the set's own genes or of all genes,
    whichever is greater, so that a set of genes that respond more, up and down, is not enriched.
    Columns: competitive_t, competitive_df (Satterthwaite 1946, Biometrics Bulletin 2:110, with the
    noise counted as at least that of independent genes), competitive_pvalue (two-sided; 1 for a set
    of all genes).
    """
    genes, df = scores.residual.shape
    m = sets.table["tested"].to_numpy(dtype=float)
    rest = np.maximum(genes - m, 1)
    both = np.column_stack([scores.contrast, scores.residual])
    own = np.asarray(sets.members @ both) / m[:, None]
    delta = (own - both.mean(axis=0)) * (genes / rest)[:, None]
    noise = np.mean(delta[:, 1:] ** 2, axis=1)
    # of some columns at a time: their squared deviations take as much memory as they do
    columns = np.array_split(both, max(1, both.shape[1] // COLUMNS), axis=1)
    varies = np.concatenate([part.var(axis=0, ddof=1) for part in columns])
    of_all = max(_beyond_noise(varies[None])[0], 0.0)
    within = np.asarray(sets.members @ np.square(both, out=both)) - m[:, None] * own**2
    of_set = _beyond_noise(within / np.maximum(m - 1, 1)[:, None])
    greater = of_set > of_all
    beyond = np.where(greater, of_set, of_all) / m + of_all / rest
    # An estimate of the noise from few degrees of freedom is often far too small, and would then
    # claim the many of the genes: the degrees of freedom count the noise of independent genes too.
    counted = noise + 1 / m + 1 / rest
    beyond_df = np.where(greater, np.maximum(m - 1, 1), max(genes - 2, 1))
    freedom = (counted + beyond) ** 2 / (counted**2 / df + beyond**2 / beyond_df)
    statistic = _ratio(delta[:, 0], noise + beyond, m < genes)
    return pd.DataFrame(
        {
            "competitive_t": statistic,
            "competitive_df": freedom,
            "competitive_pvalue": 2 * t_sf(np.abs(statistic), freedom),
        }
    )


def _beyond_noise(variance: np.ndarray) -> np.ndarray:
    """Variance between genes (sets x components, contrast first) less that of the residuals."""
    return variance[:, 0] - variance[:, 1:].mean(axis=1)


def _ratio(delta: np.ndarray, variance: np.ndarray, possible: np.ndarray) -> np.ndarray:
    """Return delta over its standard deviation; 0 where there is nothing to compare with."""
    where = possible & (variance > 0)
    root = np.sqrt(np.where(where, variance, 1.0))
    return np.divide(delta, root, out=np.zeros_like(delta), where=where)
