"""Combining the evidence on a factor's genes: Stouffer, partial conjunction, calls.

Stouffer et al. (1949) The American Soldier, vol. 1; Benjamini & Heller (2008) Biometrics 64:1215
for the partial conjunction; Benjamini & Hochberg (1995) J R Stat Soc B 57:289.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

from fibroserum.de import benjamini_hochberg

# Beyond this a normal tail is below the smallest number a float can hold.
LARGEST_Z = 37.0


@dataclass(frozen=True)
class Line:
    """One line of evidence on a factor's genes.

    name: stimulation or serum. table: by gene id, estimate (log2), and z: its signed normal score,
    NaN where the gene was not tested.
    """

    name: str
    table: pd.DataFrame


def signed_z(estimate: pd.Series, pvalue: pd.Series) -> pd.Series:
    """Return the normal score that has the estimate's sign and the two-sided p value."""
    from scipy.stats import norm

    size = np.minimum(norm.isf(pvalue.to_numpy(float) / 2), LARGEST_Z)
    return pd.Series(np.sign(estimate.to_numpy(float)) * size, index=estimate.index)


def nearer_to_zero(first: pd.Series, second: pd.Series) -> pd.Series:
    """Return the smaller of two normal scores where their signs agree, 0 where they do not.

    That is the score of the larger one-sided p value on either side.
    """
    agree = np.sign(first) == np.sign(second)
    smaller = np.sign(first) * np.minimum(first.abs(), second.abs())
    return smaller.where(agree, 0.0).where(first.notna() & second.notna())


def two_sided(z: np.ndarray) -> np.ndarray:
    """Return two-sided p values of normal scores."""
    from scipy.stats import norm

    return np.minimum(1.0, 2 * norm.sf(np.abs(z)))


def stouffer(z: np.ndarray) -> np.ndarray:
    """Return the combined score of lines (genes × lines) with equal, fixed weights."""
    return np.asarray(z.sum(axis=1) / np.sqrt(z.shape[1]))


def partial_conjunction(z: np.ndarray) -> np.ndarray:
    """Return the p value that every line (genes × lines) shows the gene, with one sign.

    Twice the smaller of (largest one-sided p for up, largest one-sided p for down), at most 1.
    """
    from scipy.stats import norm

    up, down = norm.sf(z).max(axis=1), norm.cdf(z).max(axis=1)
    return np.asarray(np.minimum(1.0, 2 * np.minimum(up, down)))


def combine(lines: list[Line], genes: pd.Index, alpha: float) -> pd.DataFrame:
    """Return the verdict on each gene.

    genes: gene ids, one row each. Columns: direction, evidence, responsive_pvalue,
    responsive_padj, confirmed_pvalue, confirmed_padj, call, reason. BH runs over the genes that all
    lines tested; a gene that one of two lines did not test is not assessable, and `reason` says so.
    """
    out = pd.DataFrame(index=genes)
    tested = pd.DataFrame(
        {line.name: line.table["z"].reindex(genes).notna() for line in lines}, index=genes
    )
    names = np.array([line.name for line in lines], dtype=object)
    seen = tested.to_numpy(bool)
    out["direction"], out["evidence"], out["reason"] = None, None, None
    for name in ("responsive", "confirmed"):
        out[f"{name}_pvalue"] = np.nan
        out[f"{name}_padj"] = np.nan
    out["call"] = "not_assessable"
    if not lines:
        out["reason"] = "the cohort holds no evidence on this factor"
        return out
    said = {tuple(row): " and ".join(names[row]) or None for row in np.unique(seen, axis=0)}
    missing = {row: " and ".join(names[~np.array(row)]) for row in said}
    out["evidence"] = [said[tuple(row)] for row in seen]
    out["reason"] = [
        f"not tested: {missing[tuple(row)]}" if not row.all() else None for row in seen
    ]
    full = seen.all(axis=1)
    z = np.column_stack([line.table["z"].reindex(genes).to_numpy(float) for line in lines])[full]
    combined = stouffer(z)
    out.loc[full, "responsive_pvalue"] = two_sided(combined)
    directions = {1.0: "induced", -1.0: "suppressed", 0.0: None}
    out.loc[full, "direction"] = [directions[sign] for sign in np.sign(combined)]
    if len(lines) > 1:
        out.loc[full, "confirmed_pvalue"] = partial_conjunction(z)
    for name in ("responsive", "confirmed"):
        out[f"{name}_padj"] = benjamini_hochberg(out[f"{name}_pvalue"].to_numpy(float))
    words = np.where(out["responsive_padj"] < alpha, "responsive", "not_responsive")
    words = np.where(out["confirmed_padj"] < alpha, "confirmed", words)
    out["call"] = np.where(full, words, "not_assessable")
    return out
