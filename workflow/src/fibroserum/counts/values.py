"""From numbers to counts: recognise what is not raw counts, and say which cell is wrong."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from fibroserum.counts.table import Fractional, Matrix
from fibroserum.errors import SHOWN, Problem, number_of

#: Larger than any library of reads; a cell beyond it is a mistake, and float64 loses units there.
LARGEST_COUNT = 1e15
RAW_HINT = "Use the counts before any normalisation."
_ROUND_HINT = (
    "If these are length-scaled estimates (Salmon, kallisto, RSEM, nf-core/rnaseq), write "
    "'fractional: round' in the config. Otherwise use the counts before any normalisation."
)


def to_counts(
    matrix: Matrix, fractional: Fractional
) -> tuple[np.ndarray, tuple[str, ...], list[Problem]]:
    """Return genes × samples int64 counts, notes, and problems (any makes the counts void).

    Negative, missing, infinite and absurdly large cells are problems by row and column. Fractions
    are refused, or rounded to the nearest whole number where the config says so. Values that are
    recognisably TPM, CPM, FPKM, scaled or logged are refused by name.
    """
    values = matrix.values
    if values.size == 0:
        return values.astype(np.int64), (), []
    problems = _cell_problems(matrix)
    usable = np.where(np.isfinite(values), values, 0) if values.dtype.kind == "f" else values
    whole = values.dtype.kind != "f" or bool((usable == np.rint(usable)).all())
    scale = "" if matrix.problems else scale_of(usable, whole)
    if scale:
        return values, (), [Problem(f"contains {scale}", matrix.where, "raw counts", RAW_HINT)]
    problems += _cells(matrix, values < 0, lambda v: f"the count is negative ({v:g})")
    if not whole and fractional == "refuse":
        problems += _fractional_problem(matrix, usable)
    if not matrix.problems:
        problems += silent_samples(matrix.where, matrix.samples, values)
        problems += _sum_rows(matrix, usable)
    if problems:
        return values, (), problems
    notes: tuple[str, ...] = ()
    if not whole:
        changed = int((usable != np.rint(usable)).sum())
        notes = (f"{matrix.where}: {changed:,} fractional values rounded to whole numbers",)
    return np.rint(usable).astype(np.int64) if usable.dtype.kind == "f" else usable, notes, []


def _cell_problems(matrix: Matrix) -> list[Problem]:
    values = matrix.values
    if values.dtype.kind != "f":
        return _cells(matrix, values > LARGEST_COUNT, _too_large)
    return [
        *_cells(matrix, np.isnan(values), lambda v: "the count is missing (NaN)"),
        *_cells(matrix, np.isinf(values), lambda v: "the count is infinite"),
        *_cells(matrix, np.isfinite(values) & (values > LARGEST_COUNT), _too_large),
    ]


def _too_large(value: float) -> str:
    return f"the count {value:g} is impossibly large"


def _cells(matrix: Matrix, wrong: np.ndarray, say: Callable[[float], str]) -> list[Problem]:
    """Return a problem for each of the first wrong cells, and one that counts the rest."""
    if not wrong.any():
        return []
    places = np.argwhere(wrong)
    problems = [
        Problem(say(float(matrix.values[g, s])), matrix.cell(g, s), "a whole number ≥ 0")
        for g, s in places[:SHOWN]
    ]
    if len(places) > SHOWN:
        rest = f"{number_of(len(places) - SHOWN, 'more cell')} with the same problem"
        problems.append(Problem(rest, matrix.where))
    return problems


def _fractional_problem(matrix: Matrix, values: np.ndarray) -> list[Problem]:
    wrong = values != np.rint(values)
    g, s = np.argwhere(wrong)[0]
    share = wrong.sum() / max(int((values != 0).sum()), 1)
    what = f"the count {values[g, s]:g} is not a whole number"
    if wrong.sum() > 1:
        what += f" ({number_of(int(wrong.sum()), 'such cell')}, {share:.0%} of the cells above 0)"
    return [Problem(what, matrix.cell(int(g), int(s)), "whole numbers", _ROUND_HINT)]


def silent_samples(where: str, samples: Sequence[str], values: np.ndarray) -> list[Problem]:
    """Return a problem for each sample (column) without a count."""
    return [
        Problem(
            "every count of this sample is 0",
            f"{where}, column '{samples[int(s)]}'",
            "a sample with reads",
            "Remove its row from the sheet, or supply its counts.",
        )
        for s in np.flatnonzero(~(values != 0).any(axis=0))
    ]


def _sum_rows(matrix: Matrix, values: np.ndarray) -> list[Problem]:
    """Return a problem for each row that is the sum of all others, as spreadsheets add one."""
    if values.shape[0] < 10 or values.shape[1] < 3:
        return []  # by chance
    totals = values.sum(axis=0)
    likely = np.flatnonzero((2 * values[:, 0] == totals[0]) & (totals[0] > 0))
    return [
        Problem(
            "the row is the sum of all other rows",
            matrix.gene_place(int(g)),
            "only genes",
            "Remove the row.",
        )
        for g in likely
        if (2 * values[g] == totals).all()
    ]


def scale_of(values: np.ndarray, whole: bool) -> str:
    """Return what the values are if recognisably not raw counts, else an empty text.

    values: genes × samples, finite. Recognised: totals of a million in every sample (TPM, CPM),
    equal totals (scaled), log values (fractions below 30), whole numbers divided by one factor a
    sample (CPM, size-factor normalised), and fractions of which many are far below one read (FPKM,
    filtered TPM). Estimated counts of Salmon and kallisto are none of these.
    """
    totals = values.sum(axis=0, dtype=np.float64)
    samples = len(totals)
    million = bool(samples) and bool(np.all(np.abs(totals - 1e6) < 0.01e6))
    if whole:
        if million and samples >= 3:
            return "TPM or CPM values rounded to whole numbers (every sample adds up to a million)"
        return ""
    if million:
        return "TPM or CPM values (every sample adds up to a million)"
    mostly = (values != np.rint(values)).sum() > 0.5 * (values != 0).sum()
    if values.max() < 30 and mostly:
        return f"values that look like logarithms (fractions, none above {values.max():.3g})"
    if values.min() < 0:
        return ""
    if samples > 1 and np.ptp(totals) <= 1e-4 * totals.mean():
        return f"scaled values (every sample adds up to {totals.mean():,.6g})"
    if _one_factor_a_sample(values):
        return "counts divided by one factor per sample (CPM or size-factor normalised values)"
    some = values[values > 0]
    if len(some) >= 1000 and (some < 0.5).mean() > 0.15:
        share = (some < 0.5).mean()
        return f"values that look like FPKM or TPM ({share:.0%} of them between 0 and 0.5)"
    return ""


def _one_factor_a_sample(values: np.ndarray) -> bool:
    """Tell whether each column is small whole numbers times its own unit (its least value).

    Fractional multi-mapping counts (halves, thirds) share their unit over the samples, so units
    must differ to tell.
    """
    units = []
    for column in values.T:
        some = column[column > 0]
        if len(some) < 30:
            return False
        unit = some.min()
        near = some[some < 20.5 * unit] / unit
        if len(near) < 30 or (np.abs(near - np.rint(near)) < 0.02).mean() < 0.99:
            return False
        units.append(unit)
    return len(set(np.round(units, 6))) > 1
