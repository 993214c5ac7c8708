"""Compiled loops: tails of quadratic forms in a random unit vector, ranks and scores of samples."""

from __future__ import annotations

import math

import numpy as np

from fibroserum.inference.compiling import (
    GENERATOR,
    INDEX,
    INDICES,
    MATRIX,
    NUMBER,
    VECTOR,
    compiled,
    strict,
)

# The widest step of the trapezoidal rule, and that as a share of the integrand's strip of
# analyticity: p values down to 1e-6 have a relative error below 1e-7 (against beta tails).
WIDEST, OF_STRIP = 1 / 16, 1 / 3
# The integrand is left out from where it is e^-37 of its size at the saddle point.
NEGLIGIBLE = 37.0
# Where the saddle point is sought, and how often the range is halved: to the last bit.
FIRST, LAST, HALVINGS = 1e-9, 0.5 - 1e-12, 60
# How many factors are multiplied before their size is taken out, far from overflow.
FACTORS = 32
# Up to this mean, numpy draws a binomial number by inversion.
INVERTED = 30.0
# Counts below the first have their chances in a table; numbers below the second are ranked by
# counting, which takes longer than sorting where few are equal.
TABLED, COUNTED = 2**12, 2**14


@strict
def _slope(w: np.ndarray, c: float) -> float:
    """Slope of the log integrand at c; it rises through 0 at the saddle point."""
    total = -1 / c
    for one in w:
        total += one / (1 - 2 * c * one)
    return total


@strict
def _saddle_point(w: np.ndarray) -> float:
    low, high = FIRST, LAST
    if _slope(w, low) >= 0:
        return low
    for _ in range(HALVINGS):
        middle = (low + high) / 2
        if _slope(w, middle) < 0:
            low = middle
        else:
            high = middle
    return low


@strict
def _reach(w: np.ndarray, c: float) -> float:
    """How far the integral must go: where the integrand is negligible, on a coarse grid."""
    for x in range(1, 59):
        decay = 0.0
        for one in w:
            decay += 0.25 * math.log1p((2 * c * math.sinh(x) * one / (1 - 2 * c * one)) ** 2)
        if decay >= NEGLIGIBLE:
            return float(x)
    return 59.0


@strict
def _log_product(w: np.ndarray, s: complex) -> complex:
    """Sum of log(1 - 2 s w), from products: their turns around 0 are counted.

    The real part of every factor is positive, so that none turns by more than a quarter.
    """
    size, turns = 0.0, 0
    a, b = 1.0, 0.0
    for i in range(len(w)):
        re, im = 1 - 2 * s.real * w[i], -2 * s.imag * w[i]
        before = b
        a, b = a * re - b * im, a * im + b * re
        if im >= 0:
            turns += before >= 0 > b
        else:
            turns -= before < 0 <= b
        if i % FACTORS == FACTORS - 1:
            norm = math.hypot(a, b)
            a, b = a / norm, b / norm
            size += math.log(norm)
    return complex(size + math.log(math.hypot(a, b)), math.atan2(b, a) + 2 * math.pi * turns)


@strict
def chance_of_larger(values: np.ndarray, observed: float) -> float:
    """Return the chance that a quadratic form in a random unit vector exceeds `observed`.

    values: (k,), the form's eigenvalues. It exceeds it where sum((values - observed) z^2) > 0 for
    normal z: the tail integral of that sum's characteristic function, along a curve through its
    saddle point on which the integrand falls off exponentially (Rice 1980, SIAM J Sci Stat Comput
    1:438, for the path). 1 where the form is the same for every vector.
    """
    low, high = values.min(), values.max()
    if high - low <= 1e-12 * high or low >= observed:
        return 1.0
    top = high - observed
    if top <= 1e-12 * high:
        return 0.0
    w = (values - observed) / top
    c = _saddle_point(w)
    step = min(WIDEST, OF_STRIP * (0.5 / c - 1))  # the branch point at 1/2 is that near
    total = 0.0
    for i in range(math.ceil((_reach(w, c) + step) / step)):
        s = c * complex(1.0, math.sinh(i * step))
        value = np.exp(-0.5 * _log_product(w, s)) / s
        total += (0.5 if i == 0 else 1.0) * (value * c * math.cosh(i * step)).real
    return min(max(step / math.pi * total, 0.0), 1.0)


@compiled(MATRIX, VECTOR, reordered=False)
def chances_of_larger(values: np.ndarray, observed: np.ndarray) -> np.ndarray:
    """Return `chance_of_larger` of several forms; values: (forms, k)."""
    found = np.empty(len(observed))
    for i in range(len(observed)):
        found[i] = chance_of_larger(values[i], observed[i])
    return found


@strict
def _inversion(counts: np.ndarray, p: float) -> tuple[np.ndarray, np.ndarray]:
    """Return the chances of 0, 1, … successes of p each, and where those of a count begin.

    The last chance of a count is a NaN: numpy draws again beyond it. Begins are 0 of counts whose
    numbers are not drawn by inversion.
    """
    begins = np.zeros(TABLED, np.int64)
    lasts = np.zeros(TABLED, np.int64)
    size = 1
    for count in counts:
        if 0 < count < TABLED and p * count <= INVERTED and begins[count] == 0:
            mean = count * p
            lasts[count] = int(min(float(count), mean + 10.0 * np.sqrt(mean * (1.0 - p) + 1)))
            begins[count] = size
            size += lasts[count] + 2
    chances = np.full(size, np.nan)
    q = 1.0 - p
    for count in range(1, TABLED):
        if begins[count]:
            chance = np.exp(count * np.log(q))
            chances[begins[count]] = chance
            for hits in range(1, lasts[count] + 1):
                chance = ((count - hits + 1) * p * chance) / (hits * q)
                chances[begins[count] + hits] = chance
    return chances, begins


@strict
def _by_inversion(rng: np.random.Generator, chances: np.ndarray) -> int:
    """Return the number of successes, as numpy draws it; chances: as `_inversion` gives them."""
    hits, left = 0, rng.random()
    while left > chances[hits]:
        left -= chances[hits]
        hits += 1
        if np.isnan(chances[hits]):
            hits, left = 0, rng.random()
    return hits


@strict
def _twice_ranks(values: np.ndarray, used: np.ndarray, found: np.ndarray) -> None:
    """Put twice the mean ranks of the values at `used` among all values (none negative)."""
    below = np.zeros(COUNTED + 1, np.int64)
    for value in values:
        below[min(value, COUNTED)] += 1
    total = 0
    for value in range(COUNTED + 1):
        below[value], total = total, total + below[value]
    large = np.empty(total - below[COUNTED], np.int64)
    place = 0
    for value in values:
        if value >= COUNTED:
            large[place] = value
            place += 1
    large.sort()
    for i in range(len(used)):
        value = values[used[i]]
        if value < COUNTED:
            found[i] = below[value] + below[value + 1] + 1
        else:
            less = np.searchsorted(large, value)
            equal_or_less = np.searchsorted(large, value, side="right")
            found[i] = 2 * below[COUNTED] + less + equal_or_less + 1


@compiled(GENERATOR, INDICES, NUMBER, INDICES, INDEX, reordered=False)
def thinned_ranks(
    rng: np.random.Generator, counts: np.ndarray, share: float, used: np.ndarray, draws: int
) -> np.ndarray:
    """Return twice the mean ranks (draws, used) of some genes among all, in thinned counts.

    counts: (G,), each thinned to `rng.binomial(count, share)` in their order, `draws` times; used:
    places of the genes that are ranked. The numbers are numpy's own, at least of counts up to
    10^12; a count has the same chances in every draw, which are therefore computed once.
    """
    flipped = share > 0.5
    p = 1.0 - share if flipped else share
    chances, begins = _inversion(counts, p)
    thinned = np.empty(len(counts), np.int64)
    found = np.empty((draws, len(used)), np.int64)
    for draw in range(draws):
        for gene in range(len(counts)):
            count = counts[gene]
            begin = begins[count] if count < TABLED else 0
            if begin:
                hits = _by_inversion(rng, chances[begin:])
                thinned[gene] = count - hits if flipped else hits
            else:
                thinned[gene] = rng.binomial(count, share)
        _twice_ranks(thinned, used, found[draw])
    return found


@compiled(INDICES, INDEX, VECTOR, INDICES, INDICES, reordered=False)
def area(
    twice: np.ndarray,
    genes: int,
    weights: np.ndarray,
    members: np.ndarray,
    starts: np.ndarray,
) -> np.ndarray:
    """Return a sample's scores (sets,), as `scores.score_samples` describes them.

    twice: two times the rank, among all genes, of each gene that is in a set: ties share their mean
    rank. weights: of rank r at place 2 r. members, starts: the places of the sets' genes in
    `twice`, and where each set's begin (and end).
    """
    found = np.full(len(starts) - 1, np.nan)
    for one in range(len(found)):
        size = starts[one + 1] - starts[one]
        # the running sum keeps what a hit adds for as many places as the gene has rank
        ranks, weight, hits = 0.0, 0.0, 0.0
        for at in range(starts[one], starts[one + 1]):
            rank = twice[members[at]]
            ranks += rank / 2
            weight += weights[rank]
            hits += weights[rank] * (rank / 2)
        if size < genes:
            misses = (genes * (genes + 1) / 2 - ranks) / (genes - size)
            found[one] = hits / weight - misses
    return found
