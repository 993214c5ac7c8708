"""Size factors: of the genes as DESeq2 has them, given in the sample sheet, or from spike-ins."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np
import pandas as pd

from fibroserum.distributions import row_medians
from fibroserum.errors import listed, refuse
from fibroserum.files.left_out import fits
from fibroserum.genes.ids import canonical_ensembl
from fibroserum.genes.table import bundled
from fibroserum.input.covariates import numbers

NO_GENE_EVERYWHERE = (
    "no gene has counts in every sample, so size factors use only positive counts (DESeq2's "
    "poscounts). Check the samples"
)
#: Why `files.left_out` leaves out a row that can serve as spike-in; PhiX is added to the flow cell.
SPIKE_INS = ("ERCC spike-in", "SIRV spike-in", "sequin", "spike-in")

#: Samples or genes whose values a thread holds as floating-point numbers at once.
PART = 256


@dataclass(frozen=True)
class SizeFactors:
    """The size factor of each sample, where they are from, and the rows of spike-ins behind them.

    by_sample: of samples in no model NaN, unless the method is one of FIXED. method: `ratio`,
    `poscounts`, or one of FIXED. notes: in words.
    """

    by_sample: pd.Series
    method: str
    spike_ins: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()


def size_factors(counts: np.ndarray, *, n_cpus: int = 1) -> tuple[np.ndarray, str]:
    """Return the size factor of each sample and the method: `ratio` or `poscounts`.

    counts: samples × genes, raw. `ratio` is the median of ratios to the geometric mean over samples
    (Anders & Huber 2010, Genome Biol 11:R106). Where no gene is counted in every sample that median
    does not exist, and the geometric mean runs over positive counts, as DESeq2's `poscounts` does.
    """
    everywhere = (counts > 0).all(axis=0)
    if everywhere.any():
        genes, samples = np.flatnonzero(everywhere), np.arange(len(counts))
        with ThreadPoolExecutor(max(1, n_cpus)) as pool:
            means = pool.map(lambda part: _log_rows(counts.T[part]).mean(axis=1), _parts(genes))
            middle = np.concatenate(list(means))

            def median(part: np.ndarray) -> np.ndarray:
                return row_medians(_log_rows(counts[part][:, genes]) - middle)

            medians = pool.map(median, _parts(samples))
            return np.exp(np.concatenate(list(medians))), "ratio"
    with np.errstate(divide="ignore"):
        logs = np.log(counts.astype(float))
    positive = np.isfinite(logs)
    means = np.where(positive, logs, 0.0).sum(axis=0) / len(logs)
    ratios = [np.median((row - means)[seen]) for row, seen in zip(logs, positive, strict=True)]
    centred = np.array(ratios) - np.mean(ratios)
    return np.exp(centred), "poscounts"


def _parts(places: np.ndarray) -> list[np.ndarray]:
    """Return places in parts: few samples or genes are in memory as floats at once."""
    return np.array_split(places, -(-len(places) // PART))


def _log_rows(counts: np.ndarray) -> np.ndarray:
    """Return the logarithms of positive counts, row by row in memory, as sums along rows need."""
    return np.log(np.ascontiguousarray(counts, dtype=float))


def given(cells: pd.Series, into: Mapping[str, str], used: pd.Series) -> SizeFactors:
    """Return given size factors: a sum of counts has the sum of its samples' size factors.

    cells: text, by sample as sequenced; into: that sample to the one that it is summed into; used:
    by the latter, whether it is in a model. Scaled to a geometric mean of 1 over these.
    """
    values = pd.Series(numbers(cells), cells.index)
    summed = values.groupby(values.index.map(into)).sum().loc[used.index]
    scale = np.exp(np.log(summed[used]).mean())
    return SizeFactors(summed / scale, "given")


def spike_in_rows(
    reasons: Mapping[str, str], entries: Collection[str] | None, genes: int
) -> tuple[list[str], list[str]]:
    """Return the rows that are spike-ins, and the entries of the config that fit none.

    reasons: why each row is left out of the genes; entries: `normalization.genes`, or None for all
    rows that are recognised; genes: number of those that are left. Raises InputError where there is
    no spike-in, and where most human genes are taken for spike-ins.
    """
    known = [row for row, reason in reasons.items() if reason in SPIKE_INS]
    wanted = [canonical_ensembl(entry) for entry in entries or ()]
    fitting = {row: fits(row, wanted) for row in reasons}
    rows = known if entries is None else [row for row, entry in fitting.items() if entry]
    if not rows:
        raise refuse(
            "no row of the counts is recognised as a spike-in"
            if entries is None
            else f"{listed(entries)} {'matches' if len(entries) == 1 else 'match'} no row of the "
            "counts (genes that other keys name cannot be spike-ins)",
            "config, normalization.genes",
            "rows of spike-ins in the count matrix",
            f"Recognised as spike-ins: {listed(known)}. Remove the key 'genes' to use them."
            if known
            else "Name the rows of the spike-ins, or write 'method: ratio'.",
        )
    human = [row for row in rows if bundled().find(canonical_ensembl(row)) >= 0]
    if entries is not None and len(human) > genes:
        raise refuse(
            f"{listed(entries)} {'matches' if len(entries) == 1 else 'match'} {len(human):,} "
            f"human genes, such as '{human[0]}', and only {genes:,} genes are left",
            "config, normalization.genes",
            "rows of spike-ins, not most of the genes",
            f"Recognised as spike-ins: {listed(known)}. Remove the key 'genes' to use them."
            if known
            else "Name the rows of the spike-ins, or write 'method: ratio'.",
        )
    return rows, [entry for entry in wanted if entry not in fitting.values()]


def from_spike_ins(
    counts: pd.DataFrame, into: Mapping[str, str], used: pd.Series, unfitted: Collection[str]
) -> SizeFactors:
    """Return the size factors of spike-ins: `size_factors` of their counts alone.

    counts: samples as sequenced × spike-ins, NaN where a file has no such row; into, used: as of
    `given`; unfitted: entries that fit no row. Equal to DESeq2's `estimateSizeFactors(controlGenes
    = )`; for the use of spike-ins see Lovén et al. (2012, Cell 151:476). A sample in no model is
    compared with those of the models, and has NaN where it has no spike-ins. Raises InputError for
    samples of a model without any.
    """
    goal = counts.index.map(into)
    in_model = used.loc[goal].to_numpy(bool)
    without = counts.index[in_model & ~(counts.fillna(0).sum(axis=1) > 0).to_numpy()]
    if len(without):
        raise refuse(
            f"samples without spike-in counts: {listed(without)}",
            "config, normalization",
            f"counts of the {counts.shape[1]:,} spike-ins in every sample that the models use",
            "Remove the rows of these samples from the sheet, or write 'method: ratio'.",
        )
    everywhere = counts.loc[:, counts[in_model].notna().all()]
    if everywhere.empty:
        raise refuse(
            "the count files share no row of a spike-in",
            "config, normalization",
            "the same spike-ins in every file",
            "Count all samples with the same annotation, or write 'method: ratio'.",
        )
    summed = everywhere.groupby(goal).sum(min_count=1).loc[used.index]
    factors, method = size_factors(summed[used].to_numpy())
    found = pd.Series(np.nan, used.index)
    found[used] = factors
    logs = np.log(summed.where(summed > 0))
    levels = logs[used].sub(np.log(factors), axis=0).mean()
    found[~used] = np.exp((logs[~used] - levels).median(axis=1))
    notes = [f"normalization.genes: '{entry}' matches no row of the counts" for entry in unfitted]
    if method != "ratio":
        notes.append(
            "no spike-in has counts in every sample, so size factors use only positive counts "
            "(DESeq2's poscounts). Check the spike-ins of each sample"
        )
    return SizeFactors(found, "spike_ins", tuple(everywhere), tuple(notes))


def of_genes(counts: pd.DataFrame, used: pd.Series) -> SizeFactors:
    """Return median-of-ratios size factors; counts: samples of models × well-counted genes."""
    factors, method = size_factors(counts.to_numpy())
    notes = () if method == "ratio" else (NO_GENE_EVERYWHERE,)
    by_sample = pd.Series(factors, counts.index).reindex(used.index)
    return SizeFactors(by_sample, method, notes=notes)
