"""All checks of a cohort: what was found, what to do. A check excludes nothing."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import anndata as ad
import pandas as pd

from fibroserum.cohort.accessors import change_times, settings_of
from fibroserum.qc.batches import batches
from fibroserum.qc.check import Check, check_table, over_times
from fibroserum.qc.copies import (
    copies,
    count_distances,
    duplicates,
    exact_mixtures,
    identical,
    mixed,
    shared_parts,
)
from fibroserum.qc.design import (
    group_sizes,
    left_out_genes,
    line_depths,
    lines_of_groups,
    not_estimable,
    notes,
    only_before,
    pools,
    used_samples,
)
from fibroserum.qc.identity import (
    MixUps,
    likeness,
    mix_ups,
    paired,
    pairs_and_donors,
    samples_of,
)
from fibroserum.qc.normalisation import normalisation, second_model
from fibroserum.qc.pair_quality import pair_quality
from fibroserum.qc.profiles import sample_profiles
from fibroserum.qc.samples import cell_identity, composition, libraries, line_sex, outliers
from fibroserum.qc.times import reversals, swapped_times


def identity(cohort: ad.AnnData) -> Iterator[Check]:
    """Look for samples that are not what they are called: copies, mixtures, swaps.

    What one check finds, the next leave out: a copy is no mixture, and a donor whose sample was
    swapped does not change like the others.
    """
    same, distances = identical(cohort), count_distances(cohort)
    again = copies(distances)
    yield from duplicates(same, again)
    copied = {name for names in same for name in names}
    copied |= {name for copy in again.found for name in copy[:2]}
    exact = exact_mixtures(distances, copied)
    counted = copied | set(map(str, exact.found.index))
    profiles = sample_profiles(cohort)
    known, by_time = set(counted), dict[str, list[Check]]()
    noted = settings_of(cohort)
    one_line = len(noted["lines"]) < 2
    for time in change_times(noted):
        groups = list(dict.fromkeys(paired(cohort.obs, noted["before"], time)["group"]))
        like = likeness(profiles, noted["before"], time)
        found = mix_ups(like, counted) if like else MixUps([], [])
        by_time[time] = [*pairs_and_donors(like, found, groups, one_line=one_line)]
        swapped = samples_of(like, found.swaps) if like else set()
        odd = samples_of(like, found.odd) if like else set()
        turned = reversals(profiles, noted["before"], time, counted | swapped, groups)
        by_time[time] += swapped_times(turned)
        known |= swapped | odd | {name for pair in turned.found for name in pair[:2]}
    yield from over_times(by_time)
    yield from mixed(exact, shared_parts(profiles, known))


def all_checks(
    cohort: ad.AnnData,
    samples: pd.DataFrame,
    left_out: pd.DataFrame,
    metrics: pd.DataFrame,
    expression: pd.DataFrame,
    declared_sex: str | None,
    fits: Mapping[str, ad.AnnData],
) -> pd.DataFrame:
    """Return `qc/checks.tsv`."""
    return check_table(
        [
            *notes(cohort),
            *used_samples(samples, settings_of(cohort)["only_before"]),
            *left_out_genes(left_out, cohort),
            *pools(cohort),
            *group_sizes(cohort),
            *only_before(cohort),
            *not_estimable(cohort),
            *lines_of_groups(cohort),
            *line_depths(cohort),
            *libraries(metrics),
            *composition(metrics),
            *cell_identity(cohort),
            *line_sex(cohort, declared_sex),
            *outliers(expression),
            *identity(cohort),
            *pair_quality(cohort, fits),
            *normalisation(cohort, fits),
            *second_model(cohort, fits),
            *batches(cohort),
        ]
    )
