"""Samples that are copies of each other, or mixtures: closer than counting noise allows.

Two samples of the same cells differ by their cultures and by counting. Two sequencing runs of
one library, and a mixture and its parts, differ by counting alone (Marioni et al. 2008, Genome Res
18:1509).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from hashlib import sha256
from itertools import combinations
from typing import Final

import anndata as ad
import numpy as np
import pandas as pd

from fibroserum.distributions import normal_isf
from fibroserum.errors import listed
from fibroserum.qc.check import LEVEL, Check, not_assessed, ok, warning
from fibroserum.qc.metrics import PART, smallest
from fibroserum.qc.profiles import Profiles

#: Genes compared: of a level at which small differences between runs hide in counting noise.
_GENES = 1000
_LEVELS = (50.0, 2000.0)
#: A difference below this many times counting noise is counting noise ...
_COUNTING = 1.25
#: ... where typical samples differ by at least so many times.
_TELLING = 1.5
#: Samples among which the parts of a mixture are looked for: the nearest.
_PARTS = 8
#: Least share of a part of a mixture.
_LEAST_SHARE = 0.2
#: Two samples of different donors share part of a library beyond this correlation of what neither
#: shares with the other's donor, where that is beyond chance.
_SHARED = 0.15
_MOST = 20
COPY: Final = "duplicated sample"
MIXTURE: Final = "mixed sample"
_LEAST_GENES, _LEAST_SAMPLES = 100, 4
FEW = (
    f"needs at least {_LEAST_SAMPLES} samples and {_LEAST_GENES} genes of {_LEVELS[0]:.0f} to "
    f"{_LEVELS[1]:,.0f} mean counts"
)
HIDDEN = "counting noise exceeds what distinguishes the samples"


@dataclass(frozen=True)
class Distances:
    """Squared differences of samples, in units that counting noise predicts.

    gram: products of scaled counts, samples × samples. noise: what counting adds to the squared
    difference from another sample.
    """

    names: np.ndarray
    gram: np.ndarray
    noise: np.ndarray

    def ratio(self, rows: slice = slice(None)) -> np.ndarray:
        """Return squared difference over counting noise, rows × samples; 1: counting alone."""
        square = np.diag(self.gram)
        apart = square[rows, None] + square - 2 * self.gram[rows]
        return apart / (self.noise[rows, None] + self.noise)

    def rows(self) -> Iterator[tuple[int, np.ndarray]]:
        """Yield each sample's place and `ratio`; those of a few samples are in memory at once."""
        for start in range(0, len(self.gram), PART):
            yield from enumerate(self.ratio(slice(start, start + PART)), start)


def count_distances(cohort: ad.AnnData) -> Distances | None:
    """Return how samples differ over genes of a middle level, or None where there are too few."""
    counts = np.asarray(cohort.X)
    mean = counts.mean(axis=0)
    middle = np.flatnonzero((mean >= _LEVELS[0]) & (mean <= _LEVELS[1]))
    best = np.sort(middle[np.argsort(-mean[middle], kind="stable")[:_GENES]])
    chosen = counts[:, best].astype(float)
    total = chosen.sum(axis=1)
    if len(best) < _LEAST_GENES or len(counts) < _LEAST_SAMPLES or not total.all():
        return None
    factor = total / total.mean()
    scaled = chosen / factor[:, None]
    weight = 1 / scaled.mean(axis=0)
    gram = (scaled * weight) @ scaled.T
    # a little above what counting adds, by the noise of the mean that weighs it: not corrected
    return Distances(cohort.obs_names.to_numpy(str), gram, (scaled @ weight) / factor)


def bound(typical: float) -> float | None:
    """Return the ratio below which two samples are one library, or None where that cannot be told.

    typical: the ratio of samples that are not. A quarter of the way from counting to it, at most
    `_COUNTING`.
    """
    if not typical >= _TELLING:
        return None
    return min(_COUNTING, 1 + (typical - 1) / 4)


def identical(cohort: ad.AnnData) -> list[list[str]]:
    """Return sets of samples with the very same counts."""
    rows = pd.Series(
        [sha256(row.tobytes()).digest() for row in np.asarray(cohort.X)], cohort.obs_names
    )
    return sorted(sorted(map(str, part.index)) for _, part in rows.groupby(rows) if len(part) > 1)


def duplicates(same: list[list[str]], again: Copies) -> Iterator[Check]:
    """Yield 'duplicated sample': the same counts, or another sequencing run of one library.

    same: as `identical` returns it.
    """
    for names in same:
        yield warning(
            COPY,
            listed(names, quote=""),
            "these samples have identical counts, so all but one of them are copies",
            "Check which count file belongs to which sample.",
        )
    known = {frozenset(pair) for names in same for pair in combinations(names, 2)}
    runs = [copy for copy in again.found if frozenset(copy[:2]) not in known]
    for one, other, ratio in runs:
        yield warning(
            COPY,
            f"{one}, {other}",
            f"these samples differ by only {ratio:.2f} times counting noise. They may be two "
            "sequencing runs of one library",
            "Check the library names. Two runs of one library must have the same donor and time in "
            "the sample sheet.",
        )
    if same or runs:
        return
    if again.limit is None:
        yield ok(COPY, "no two samples have identical counts")
        yield not_assessed(COPY, f"a library sequenced twice cannot be recognised: {again.why}")
    else:
        yield ok(COPY, "no two samples have identical counts or differ by counting noise only")


@dataclass(frozen=True)
class Copies:
    """Pairs of samples that differ by counting alone, with their ratio, and the bound used.

    limit: None where copies could not be told from others; why: the reason then.
    """

    found: list[tuple[str, str, float]]
    limit: float | None
    why: str = ""


def copies(distances: Distances | None) -> Copies:
    """Return pairs of samples that differ by counting alone."""
    if distances is None:
        return Copies([], None, FEW)
    values = np.concatenate([row[place + 1 :] for place, row in distances.rows()])
    limit = bound(float(np.median(values, overwrite_input=True)))
    if limit is None:
        return Copies([], None, HIDDEN)
    names = distances.names
    found = [
        (str(names[one]), str(names[other]), float(row[other]))
        for one, row in distances.rows()
        for other in np.flatnonzero(row[one + 1 :] < limit) + one + 1
    ]
    return Copies(sorted(found)[:_MOST], limit)


def mixtures(distances: Distances) -> pd.DataFrame:
    """Return, for each sample, the two others of which it is most nearly a mixture.

    Index: sample; one, other, share (of one, on counts), ratio (squared difference from that
    mixture over counting noise). The parts are looked for among the sample's nearest.
    """
    gram, noise, square = distances.gram, distances.noise, np.diag(distances.gram)
    count = min(_PARTS, len(gram) - 1)
    first, second = np.triu_indices(count, 1)
    rows = []
    for sample, ratio in distances.rows():
        ratio[sample] = np.inf
        near = smallest(ratio, count)
        i, j = near[first], near[second]
        between = square[i] + square[j] - 2 * gram[i, j]
        apart = np.maximum(between, 1e-9)
        along = gram[sample, i] - gram[sample, j] - gram[i, j] + square[j]
        share = np.clip(along / apart, 0, 1)
        rest = 1 - share
        left = square[sample] + share**2 * square[i] + rest**2 * square[j]
        left += 2 * (share * rest * gram[i, j] - share * gram[sample, i] - rest * gram[sample, j])
        value = left / (noise[sample] + share**2 * noise[i] + rest**2 * noise[j])
        # a copy is no mixture, nor is what lies between two copies
        lopsided = np.minimum(share, rest) < _LEAST_SHARE
        value[lopsided | (between < _COUNTING * (noise[i] + noise[j]))] = np.inf
        best = int(np.argmin(value))
        rows.append((distances.names[i[best]], distances.names[j[best]], share[best], value[best]))
    return pd.DataFrame(
        rows, columns=["one", "other", "share", "ratio"], index=pd.Index(distances.names)
    )


def shared_parts(profiles: Profiles, known: set[str]) -> list[tuple[str, str, float]] | None:
    """Return samples of different donors that share more than their donors do: (one, other, r).

    None where no two donors have profiles.

    Of the correlation of two samples' profiles, what either has with the other's donor elsewhere,
    and what the two donors have elsewhere, is taken away: donors who are alike, and samples that
    bear each other's names, are alike there too. known: samples that another check accounts for.
    """
    obs = profiles.obs
    donor = pd.factorize(obs["donor"])[0]
    rho = profiles.correlations()
    if len(set(donor)) < 2:
        return None
    values = np.concatenate([row[n:][donor[n:] != donor[n]] for n, row in enumerate(rho)])
    middle = float(np.median(values, overwrite_input=True))
    values -= middle
    np.abs(values, out=values)
    spread = 1.4826 * float(np.median(values, overwrite_input=True))
    least = max(_SHARED, float(normal_isf(LEVEL / len(values))) * spread)
    names = obs.index.astype(str).to_numpy()
    rows, columns = np.nonzero(rho > least)
    apart = (columns > rows) & (donor[rows] != donor[columns])
    rows, columns = rows[apart], columns[apart]
    order = np.argsort(-rho[rows, columns], kind="stable")[: _MOST * 10]
    found = []
    for one, other in zip(rows[order], columns[order], strict=True):
        if names[one] in known or names[other] in known:
            continue
        mates = [np.setdiff1d(np.flatnonzero(donor == donor[s]), [s]) for s in (one, other)]
        elsewhere = [rho[one, mates[1]], rho[other, mates[0]], rho[np.ix_(*mates)].ravel()]
        most = max(0.0, *(float(part.max(initial=0.0)) for part in elsewhere))
        if rho[one, other] - most > least:
            found.append((str(names[one]), str(names[other]), float(rho[one, other])))
    return found[:_MOST]


@dataclass(frozen=True)
class Mixtures:
    """Samples that are mixtures of two others, as `mixtures` describes them, and the bound used.

    limit: None where mixtures could not be told from others; why: the reason then.
    """

    found: pd.DataFrame
    limit: float | None
    why: str = ""


def exact_mixtures(distances: Distances | None, known: set[str]) -> Mixtures:
    """Return samples that differ from a mixture of two others by counting alone.

    known: samples that another check accounts for.
    """
    if distances is None:
        return Mixtures(pd.DataFrame(), None, FEW)
    best = mixtures(distances)
    finite = best["ratio"][np.isfinite(best["ratio"])]
    limit = bound(float(finite.median())) if len(finite) > 3 else None
    close = best[best["ratio"] < limit] if limit is not None else best[:0]
    why = HIDDEN if limit is None else ""
    return Mixtures(close[~close.index.isin(known)][:_MOST], limit, why)


def mixed(exact: Mixtures, shared: list[tuple[str, str, float]] | None) -> Iterator[Check]:
    """Yield 'mixed sample': samples that are mixtures of two others, or hold part of another.

    shared: as `shared_parts` returns it.
    """
    for row in exact.found.itertuples():
        yield warning(
            MIXTURE,
            str(row.Index),
            f"its counts equal those of {row.one} ({row.share:.0%}) and {row.other} "
            f"({1 - row.share:.0%}) within counting noise",
            "Check whether samples were pooled, or whether one well spilled into another. If the "
            "sample is a mixture, remove its row from the sample sheet.",
        )
    for one, other, r in shared or ():
        yield warning(
            MIXTURE,
            f"{one}, {other}",
            f"these samples are of two donors, and correlate ({r:.2f}) more than other samples of "
            "the two donors. One may contain part of the other",
            "Check whether these samples were handled next to each other. If one is contaminated, "
            "remove its row from the sample sheet.",
        )
    if len(exact.found) or shared:
        return
    if shared is None:
        yield not_assessed(MIXTURE, "needs at least 3 samples of one group at one time")
    else:
        yield ok(MIXTURE, "no sample looks like a mixture with another donor's")
    if exact.limit is None:
        yield not_assessed(
            MIXTURE, f"an exact mixture of two samples cannot be recognised: {exact.why}"
        )
