"""limma-voom with donors as fixed effects, at a cost linear in donors.

Law, Chen, Shi, Smyth (2014) Genome Biology 15:R29; Smyth (2004) SAGMB 3:3; Chen, Lun, Smyth (2016)
F1000Research 5:1438 for the filter.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import pandas as pd

from fibroserum.cohort.designs import Design
from fibroserum.distributions import t_sf
from fibroserum.inference.chunks import over_samples
from fibroserum.linear import kernels
from fibroserum.linear.blas import one_blas_thread
from fibroserum.linear.blocks import check_design
from fibroserum.linear.composition import tmm_factors
from fibroserum.linear.moderation import variance_prior

# Genes whose residuals are in memory at once.
GENES = 2000


@dataclass(frozen=True)
class LinearFit:
    """A weighted linear model of n samples, G genes and p columns, k of them not donors.

    E, weights: (n, G), log2 counts per million and precision weights, which cannot be written to
    where all are one. coefficients: (G, p), log2.
    covariance: (G, k, k), of the dense coefficients, times sigma squared. sigma: (G,).
    amean: (G,), mean log2 cpm. span: of the mean-variance trend, NaN where there was none.
    trended: whether the prior of the variances is a trend over amean (limma-trend).
    """

    samples: pd.Index
    genes: pd.Index
    design: Design
    E: np.ndarray
    weights: np.ndarray
    coefficients: np.ndarray
    covariance: np.ndarray
    sigma: np.ndarray
    df_residual: int
    amean: np.ndarray
    span: float
    trended: bool = False

    @property
    def covariate(self) -> np.ndarray | None:
        """The covariate (G,) of a trended prior, or None."""
        return self.amean if self.trended else None

    @property
    def dense_coefficients(self) -> np.ndarray:
        """The coefficients of the dense columns, (G, k)."""
        return self.coefficients[:, len(self.design.labels) :]

    def of(self, genes: np.ndarray) -> LinearFit:
        """Return the fit of some genes, by position."""
        return replace(
            self,
            genes=self.genes[genes],
            E=self.E[:, genes],
            weights=self.weights[:, genes],
            coefficients=self.coefficients[genes],
            covariance=self.covariance[genes],
            sigma=self.sigma[genes],
            amean=self.amean[genes],
        )


def lowess_span(genes: int) -> float:
    """Return limma's span of the mean-variance trend for a number of genes (chooseLowessSpan)."""
    return min(0.3 + 0.7 * (50 / genes) ** (1 / 3), 1.0)


def fit_weighted(
    expression: pd.DataFrame,
    design: Design,
    weights: np.ndarray | None = None,
    *,
    n_cpus: int = 1,
    span: float = float("nan"),
    amean: np.ndarray | None = None,
    trended: bool = False,
) -> LinearFit:
    """Fit a linear model to each column of expression (samples x genes), weights alike or none.

    amean: (G,), mean expression, by default that of `expression`. trended: `LinearFit.trended`.

    Raises ValueError as `check_design` does, and for values that are not finite.
    """
    if not expression.index.equals(design.samples):
        raise ValueError("expression and design must have the same samples in the same order")
    check_design(design)
    values = np.ascontiguousarray(expression.to_numpy(dtype=float).T)
    # without weights, one number in memory for all
    w = np.asarray(1.0 if weights is None else weights)
    if not np.isfinite(values).all() or not (np.isfinite(w).all() and (w > 0).all()):
        raise ValueError("expression must be finite, weights finite and positive")
    w = np.broadcast_to(w, values.shape) if weights is None else np.ascontiguousarray(w.T)
    dense, blocks = np.ascontiguousarray(design.dense_values), len(design.labels)
    coefficients, covariance, rss = kernels.weighted_fit(
        values, w, dense, design.codes, blocks, n_cpus
    )
    df = design.residual_df
    return LinearFit(
        samples=expression.index,
        genes=expression.columns,
        design=design,
        E=values.T,
        weights=w.T,
        coefficients=coefficients,
        covariance=covariance,
        sigma=np.sqrt(rss / df),
        df_residual=df,
        amean=values.mean(axis=1) if amean is None else amean,
        span=span,
        trended=trended,
    )


def voom_fit(
    counts: pd.DataFrame,
    design: Design,
    *,
    norm_factors: np.ndarray | None = None,
    span: float | None = None,
    n_cpus: int = 1,
) -> LinearFit:
    """Fit limma-voom to counts, with the blocks of the design eliminated.

    Parameters
    ----------
    counts : pandas.DataFrame
        Samples × genes, raw, without genes of too few counts (`linear.filter_by_expr`).
    design : Design
        Of the same samples in the same order.
    norm_factors : numpy.ndarray, optional
        (n,), normalisation factors of the library sizes. None: TMM.
    span : float, optional
        Of the trend of variance over mean. None: limma's for so many genes.
    n_cpus : int
        Threads. Results do not depend on it.

    Returns
    -------
    LinearFit
        `coefficients` (genes × columns of the design, log2), `sigma` (genes), `E` and `weights`
        (samples × genes: log2 counts per million, precision weights).

    Raises
    ------
    ValueError
        For a design of deficient rank or without residual degrees of freedom, fewer than two genes,
        negative counts, or a sample without any.

    Notes
    -----
    The method is voom [1]_. A design of donors costs time linear in donors.

    References
    ----------
    .. [1] Law, Chen, Shi, Smyth (2014) Genome Biology 15:R29, doi:10.1186/gb-2014-15-2-r29

    Examples
    --------
    >>> obs, well = cohort.adata.obs, cohort.adata.to_df().loc[:, cohort.adata.X.sum(axis=0) > 500]
    >>> after = (obs["time"] == "post").astype(float).to_frame("after")
    >>> linear = voom_fit(well, Design(after, obs["donor"]))
    >>> linear.df_residual
    7
    """
    if counts.shape[1] < 2:
        raise ValueError("at least two genes are needed to fit a mean-variance trend")
    values, size = log_cpm(counts, norm_factors, n_cpus=n_cpus)
    width = lowess_span(counts.shape[1]) if span is None else span
    seen = counts.to_numpy().any(axis=0)
    weights = precision_weights(values, size, design, seen, width, n_cpus=n_cpus)
    # as the fit takes them, one after the other: memory holds three such arrays, not four
    weights = np.ascontiguousarray(weights.T).T
    values = np.ascontiguousarray(values.T).T
    frame = pd.DataFrame(values, index=counts.index, columns=counts.columns, copy=False)
    return fit_weighted(frame, design, weights, n_cpus=n_cpus, span=width)


def log_cpm(
    counts: pd.DataFrame,
    norm_factors: np.ndarray | None = None,
    *,
    genes: np.ndarray | slice = slice(None),
    n_cpus: int = 1,
) -> tuple[np.ndarray, np.ndarray]:
    """Return voom's log2 counts per million (n, G), and effective library sizes (n,).

    counts: samples x genes; norm_factors: (n,), by default TMM; genes: those whose values are
    returned. Raises ValueError for negative counts, a sample without any, and factors that are not
    positive.
    """
    raw = counts.to_numpy()
    if raw.dtype.kind not in "iu":
        raw = raw.astype(float, copy=False)
    total = raw.sum(axis=1, dtype=float)
    if not np.isfinite(total).all() or (raw < 0).any() or (total == 0).any():
        raise ValueError("counts must be finite and not negative, and no sample all zero")
    if norm_factors is None:
        factors = tmm_factors(counts, n_cpus=n_cpus)
    else:
        factors = np.asarray(norm_factors, dtype=float)
    size = total * factors
    if not (np.isfinite(size).all() and (size > 0).all()):
        raise ValueError("normalisation factors must be finite and positive")
    # samples x genes, of which few may be in memory at once: each is changed in its place
    values = np.add(raw[:, genes], 0.5, dtype=float)

    def work(rows: slice) -> None:
        own = values[rows]
        own /= (size[rows] + 1.0)[:, None]
        own *= 1e6
        np.log2(own, out=own)

    over_samples(work, len(values), n_cpus)
    return values, size


def precision_weights(
    values: np.ndarray,
    size: np.ndarray,
    design: Design,
    seen: np.ndarray,
    span: float,
    *,
    at_mean: bool = False,
    n_cpus: int = 1,
) -> np.ndarray:
    """Return voom's precision weights (n, G) of `log_cpm` values.

    size: (n,), effective library sizes; seen: (G,), genes with a count, which make the trend.
    at_mean: whether the trend is read at the gene's mean, not at the sample's own fitted value.
    """
    fitted, sigma = None if at_mean else np.empty_like(values), np.empty(values.shape[1])
    for first in range(0, values.shape[1], GENES):
        part = slice(first, first + GENES)
        own, sigma[part] = _unweighted(values[:, part], design)
        if fitted is not None:
            fitted[:, part] = own
    offset = np.log2(size + 1.0) - np.log2(1e6)
    mean = values.mean(axis=0)
    knots, trend = _trend(mean[seen] + offset.mean(), np.sqrt(sigma[seen]), span)
    # the samples' weights replace their fitted values, so that memory holds them once
    weights = np.empty_like(values) if fitted is None else fitted

    def work(rows: slice) -> None:
        own = mean if fitted is None else fitted[rows]
        places = np.ascontiguousarray(own + offset[rows, None])
        weights[rows] = 1.0 / kernels.line_at(places, knots, trend) ** 4

    over_samples(work, len(offset), n_cpus)
    return weights


def _unweighted(values: np.ndarray, design: Design) -> tuple[np.ndarray, np.ndarray]:
    """Return fitted values (n, G) and residual standard deviations (G,) without weights."""
    residual, dense = design.centred(values), design.centred(design.dense_values)
    # one thread in BLAS: a product that it splits between threads could differ in the last bit
    with one_blas_thread():
        basis, _ = np.linalg.qr(dense)
        residual -= basis @ (basis.T @ residual)
    df = design.residual_df
    sigma = np.sqrt((residual**2).sum(axis=0) / df)
    return np.subtract(values, residual, out=residual), sigma


def _trend(x: np.ndarray, y: np.ndarray, span: float) -> tuple[np.ndarray, np.ndarray]:
    """Return R's lowess(x, y, f = span) as knots in ascending order, ties averaged.

    Flat where a whole window of genes has one mean, for then there is no trend to be seen.
    """
    from statsmodels.nonparametric.smoothers_lowess import lowess

    if np.unique(x, return_counts=True)[1].max() >= int(span * len(x) + 1e-10):
        return np.array([x.min(), x.max()]), np.full(2, max(y.mean(), 1e-5))
    line = lowess(y, x, frac=span, it=3, delta=0.01 * np.ptp(x), return_sorted=True)
    knots, where, counts = np.unique(line[:, 0], return_inverse=True, return_counts=True)
    return knots, np.bincount(where, line[:, 1]) / counts


def moderated_t(fit: LinearFit, contrast: np.ndarray) -> pd.DataFrame:
    """Return limma's moderated t tests of a contrast.

    Parameters
    ----------
    fit : LinearFit
        As `voom_fit` returns it.
    contrast : numpy.ndarray
        A number for each column of the design, blocks first (0), as `Design.contrast` gives it.

    Returns
    -------
    pandas.DataFrame
        By gene: log2FoldChange, se (moderated), t, pvalue (two-sided), df_total.

    Raises
    ------
    ValueError
        For a contrast of another length, of zeros alone, or between blocks.

    References
    ----------
    .. [1] Smyth (2004) Statistical Applications in Genetics and Molecular Biology 3:3,
       doi:10.2202/1544-6115.1027

    Examples
    --------
    >>> list(moderated_t(linear, linear.design.contrast([1.0])))
    ['log2FoldChange', 'se', 't', 'pvalue', 'df_total']
    """
    estimate, unscaled = estimates(fit, contrast)
    prior = variance_prior(fit.sigma**2, fit.df_residual, fit.covariate)
    se = unscaled * np.sqrt(prior.posterior(fit.sigma**2, fit.df_residual))
    return t_table(fit, estimate, se, prior.total_df(fit.df_residual))


def t_table(
    fit: LinearFit, estimate: np.ndarray, se: np.ndarray, df: float | np.ndarray
) -> pd.DataFrame:
    """Return the t test of estimates (G,) with standard errors (G,), as `moderated_t` has it.

    df: total degrees of freedom, of all genes or by gene.
    """
    statistic = estimate / se
    return pd.DataFrame(
        {
            "log2FoldChange": estimate,
            "se": se,
            "t": statistic,
            "pvalue": 2 * t_sf(np.abs(statistic), df),
            "df_total": df,
        },
        index=fit.genes,
    )


def estimates(fit: LinearFit, contrast: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return a contrast's estimates (G,) and their standard errors (G,) over sigma."""
    vector = fit.design.dense_contrast(contrast)
    estimate = (fit.dense_coefficients * vector).sum(axis=1)
    return estimate, np.sqrt(np.einsum("i,gij,j->g", vector, fit.covariance, vector))
