"""Size factors, as DESeq2 has them."""

from __future__ import annotations

import numpy as np


def size_factors(counts: np.ndarray) -> tuple[np.ndarray, str]:
    """Return the size factor of each sample and the method: `ratio` or `poscounts`.

    counts: samples × genes, raw. `ratio` is the median of ratios to the geometric mean over samples
    (Anders & Huber 2010, Genome Biol 11:R106). Where no gene is counted in every sample that median
    does not exist, and the geometric mean runs over positive counts, as DESeq2's `poscounts` does.
    """
    with np.errstate(divide="ignore"):
        logs = np.log(counts.astype(float))
    everywhere = np.isfinite(logs).all(axis=0)
    if everywhere.any():
        kept = logs[:, everywhere]
        return np.exp(np.median(kept - kept.mean(axis=0), axis=1)), "ratio"
    positive = np.isfinite(logs)
    means = np.where(positive, logs, 0.0).sum(axis=0) / len(logs)
    ratios = [np.median((row - means)[seen]) for row, seen in zip(logs, positive, strict=True)]
    centred = np.array(ratios) - np.mean(ratios)
    return np.exp(centred), "poscounts"
