"""Checks of a cohort, in words: what was seen, what is recommended; a check drops nothing."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping

import anndata as ad
import numpy as np
import pandas as pd

from fibroserum.cohort.accessors import change_times, settings_of
from fibroserum.cohort.lines import NOTABLE, LineShift
from fibroserum.errors import listed
from fibroserum.input.sheet import IGNORED_TIME
from fibroserum.qc.batches import batches
from fibroserum.qc.check import Check, over_times
from fibroserum.qc.copies import (
    copies,
    count_distances,
    duplicates,
    exact_mixtures,
    identical,
    mixed,
    shared_parts,
)
from fibroserum.qc.identity import MixUps, likeness, mix_ups, pairs_and_donors, samples_of
from fibroserum.qc.metrics import correlations, log2_normalized
from fibroserum.qc.normalisation import normalisation, second_model
from fibroserum.qc.pair_quality import pair_quality
from fibroserum.qc.profiles import sample_profiles
from fibroserum.qc.times import reversals, swapped_times

Y_GENES = ("RPS4Y1", "DDX3Y", "KDM5D", "UTY", "EIF1AY", "USP9Y", "ZFY")
FIBROBLAST = ("COL1A1", "PDGFRA", "VIM", "LUM")
#: Counts of a sample beyond what a sequencer gives one: a lane has some hundred million reads.
MOST_COUNTS = 500_000_000
#: Pairs below which a group is too small to speak for others.
FEW_PAIRS = 3
OTHERS = {
    "epithelial cells": ("KRT5", "KRT14", "EPCAM", "CDH1"),
    "blood cells": ("PTPRC",),
    "endothelial cells": ("PECAM1", "VWF", "CDH5"),
}


def notes(cohort: ad.AnnData) -> Iterator[Check]:
    """Say again what reading the input had to decide."""
    for note in settings_of(cohort)["notes"]:
        yield Check("input", "warning", "", note)


def used_samples(samples: pd.DataFrame, only_before: Collection[str]) -> Iterator[Check]:
    """Say which samples are not used, used for less, or were summed.

    only_before: groups that were measured before only, of which another check speaks.
    """
    whole = True
    ignored = samples["reason"].fillna("").str.startswith(IGNORED_TIME)
    if ignored.any():
        times = listed(sorted(set(samples.loc[ignored, "time"])), quote="")
        lost = "1 sample is" if ignored.sum() == 1 else f"{ignored.sum()} samples are"
        message = f"{lost} left out: design.ignore_times names {times}"
        yield Check("samples used", "ok", "", message)
    counted = len(samples)
    samples = samples[~ignored & ~samples["group"].isin(only_before)]
    all_used = "all" if len(samples) == counted else "all other"
    others = samples[samples["donor"].isna()]
    if len(others):
        whole = False
        names = listed(others["sample"], quote="")
        is_are, has = ("is", "it has") if len(others) == 1 else ("are", "they have")
        said = f"counted, and left out: {has} no row in the sample sheet"
        message = f"{len(others)} of {len(samples)} samples {is_are} {said}"
        yield Check("samples used", "warning", names, message)
    for row in samples[samples["donor"].notna()].itertuples():
        if isinstance(row.reason, str) and row.reason:
            whole = False
            level = "ok" if row.used_for == "change" or "summed" in row.reason else "warning"
            yield Check("samples used", level, row.sample, row.reason)
    if whole:
        yield Check(
            "samples used", "ok", "", f"{all_used} {len(samples)} samples are used, as pairs"
        )


def left_out_genes(left_out: pd.DataFrame, cohort: ad.AnnData) -> Iterator[Check]:
    """Say how many counts are of rows that are left out; nothing where there are none."""
    kept = float(np.asarray(cohort.X).sum())
    for reason, part in left_out.groupby("reason"):
        total = float(part["total"].sum())
        message = (
            f"{len(part)} {'row' if len(part) == 1 else 'rows'} left out of tests, library sizes "
            f"and size factors ({reason}): {total:,.0f} counts, {total / kept:.2%} of the genes'; "
            "qc/left_out_genes.tsv lists them"
        )
        yield Check("left-out genes", "ok", listed(part["gene"], 3, quote=""), message)


def pools(cohort: ad.AnnData) -> Iterator[Check]:
    """Say which donors are pools of sera, and what cannot be said then; nothing without any."""
    found = settings_of(cohort)["pools"]
    donors = sorted(set(cohort.obs["donor"].astype(str)))
    own = [donor for donor in donors if donor in set(found)]
    if not own:
        return
    subject = listed(own, quote="")
    said = "each counts as one donor, and nothing is said of the persons in it"
    if len(own) == len(donors):
        yield Check("pools of sera", "ok", subject, f"every donor is a pool of sera: {said}")
        return
    message = (
        f"{len(own)} of {len(donors)} donors {'is a pool' if len(own) == 1 else 'are pools'} of "
        f"sera: {said}; a pool varies less than a "
        "person does, which the models do not know: compare pools with pools"
    )
    yield Check("pools of sera", "warning", subject, message)


def group_sizes(cohort: ad.AnnData) -> Iterator[Check]:
    """Say which groups have too few pairs to speak for more than the people in them."""
    change = cohort.obs[cohort.obs["used_for"] == "change"]
    sizes = change.groupby("group", observed=True)["donor"].nunique()
    for group, size in sizes[sizes < FEW_PAIRS].items():
        few = "1 pair" if size == 1 else f"{size} pairs"
        message = (
            f"{few}: what is said of this group rests on "
            f"{'one donor' if size == 1 else 'two donors'}, and on the other groups for how much "
            "donors differ; bring more donors, or leave the group out"
        )
        yield Check("group size", "warning", str(group), message)


def only_before(cohort: ad.AnnData) -> Iterator[Check]:
    """Say which groups were measured before the intervention only, the reference above all."""
    noted = settings_of(cohort)
    for group in noted["only_before"]:
        message = (
            f"every sample is '{noted['before']}': the group has no change and is used in the "
            "baseline contrasts only"
        )
        yield Check("groups measured before only", "ok", group, message)
    reference = noted["groups"][0]
    changing = [group for group in noted["groups"] if group not in noted["only_before"]]
    lacking = reference in noted["only_before"] and len(changing) > 1
    if lacking and noted.get("differences") != "pairwise":
        message = (
            "the reference group has no sample after: differences of changes against it are not "
            "in this run. To compare the changes of the other groups, write differences: pairwise "
            f"in the config, or name a reference with samples after ({listed(changing, quote='')})"
        )
        yield Check("groups measured before only", "warning", reference, message)


def not_estimable(cohort: ad.AnnData) -> Iterator[Check]:
    """Say which contrasts the samples do not determine; nothing where they determine all."""
    by_reason: dict[str, list[str]] = {}
    for name, reason in settings_of(cohort)["not_estimable"].items():
        by_reason.setdefault(reason, []).append(name)
    for reason, names in by_reason.items():
        message = f"not estimable: {reason}. The other contrasts are not concerned"
        yield Check("contrasts", "warning", ", ".join(names), message)


def lines_of_groups(cohort: ad.AnnData) -> Iterator[Check]:
    """Warn where groups were tested on different cell lines that some share."""
    groups = cohort.obs["group"].astype(str)
    lines = cohort.obs["line"].astype(str).str.split("+", regex=False).explode()
    own = {name: sorted(set(part)) for name, part in lines.groupby(groups.reindex(lines.index))}
    reference, *others = settings_of(cohort)["groups"]
    for group in others:
        shared = set(own[group]) & set(own[reference])
        if own[group] != own[reference] and shared:
            message = (
                f"{group} was tested on {', '.join(own[group])}, and {reference} on "
                f"{', '.join(own[reference])}: a difference between these groups is in part one "
                "between cell lines. Test the sera of both groups on the same lines"
            )
            yield Check("lines of groups", "warning", group, message)


def line_depths(cohort: ad.AnnData) -> Iterator[Check]:
    """Say what unequal depths of a donor's lines do to genes of one line; nothing with one line."""
    if "line_shift" not in cohort.uns["fibroserum"]:
        return
    shift = LineShift(**cohort.uns["fibroserum"]["line_shift"])
    symbol = cohort.var["symbol"].astype(str).get(shift.gene, "") or shift.gene
    said = (
        f"a donor's lines are summed, and a line's share of the counts differs between before and "
        f"after by up to {2**shift.worst:.2f}-fold (donor {shift.donor}): this alone changes "
        f"{symbol} in {shift.group} by {shift.change:.2f} log2, by the lines' own expression"
    )
    if shift.change > NOTABLE:
        said += (
            f", and {int(shift.genes):,} genes by more than {NOTABLE} log2: changes of that size "
            "in genes that the lines express unequally are none of the serum; bring libraries of "
            "even depth (downsample reads), or run each line as a cohort of its own"
        )
    level = "warning" if shift.change > NOTABLE else "ok"
    yield Check("depth of lines", level, shift.donor, said)


def libraries(metrics: pd.DataFrame) -> Iterator[Check]:
    """Look for libraries that are much smaller or poorer than the others."""
    size, genes = metrics["total_counts"], metrics["n_genes"]
    small = size[size < size.median() / 4]
    huge = size[size > MOST_COUNTS]
    if len(huge):
        message = (
            f"up to {huge.max():,} counts a sample, more than a sequencer gives one "
            f"({MOST_COUNTS:,}): sums of coverage over bases, as recount3's raw_counts are? Then "
            "every p value is far too small. Bring read counts: recount3::compute_read_counts(rse) "
            "in R, which divides each sample by its average mapped length"
        )
        yield Check(
            "library size", "warning", listed([*map(str, huge.index)], 8, quote=""), message
        )
    poor = genes[genes < 0.7 * genes.median()]
    for name, value in small.items():
        message = f"{value:,} counts, a median library has {size.median():,.0f}: sequence it deeper"
        yield Check("library size", "warning", str(name), message)
    for name, value in poor.items():
        message = (
            f"{value:,} genes seen, a median library has {genes.median():,.0f}: look at its RNA"
        )
        yield Check("genes detected", "warning", str(name), message)
    if small.empty and poor.empty and huge.empty:
        span = f"{size.min():,} to {size.max():,} counts"
        yield Check("library size", "ok", "", f"{span}, {genes.min():,} to {genes.max():,} genes")


def composition(metrics: pd.DataFrame) -> Iterator[Check]:
    """Look for mitochondrial and haemoglobin shares that do not fit cultured fibroblasts."""
    bounds = {
        "pct_counts_mt": ("mitochondrial share", 25.0, "stressed or dying cells"),
        "pct_counts_hb": ("haemoglobin share", 1.0, "blood in the culture or in the serum"),
    }
    for column, (name, bound, meaning) in bounds.items():
        high = metrics.loc[metrics[column] > bound, column]
        for sample, value in high.items():
            message = f"{value:.1f} % of counts (more than {bound:g} %): {meaning}?"
            yield Check(name, "warning", str(sample), message)
        if high.empty:
            yield Check(name, "ok", "", f"at most {metrics[column].max():.2f} % of counts")


def _means(cohort: ad.AnnData, symbols: tuple[str, ...]) -> pd.DataFrame:
    """Return log2 normalized counts of the genes that the matrix has, samples × symbols."""
    own = cohort.var["symbol"].astype(str)
    genes = own[own.isin(symbols)]
    return log2_normalized(cohort)[genes.index].set_axis(genes.to_numpy(), axis=1)


def cell_identity(cohort: ad.AnnData) -> Iterator[Check]:
    """Compare markers of fibroblasts with those of other cells."""
    fibroblast = _means(cohort, FIBROBLAST)
    if fibroblast.empty:
        yield Check("cell identity", "warning", "", "no fibroblast marker is in the matrix")
        return
    for cells, markers in OTHERS.items():
        other = _means(cohort, markers)
        if other.empty:
            continue
        high = other.max(axis=1) > fibroblast.median(axis=1)
        if high.any():
            names = listed(sorted(map(str, high.index[high])), quote="")
            message = (
                f"{', '.join(other.columns)} as high as fibroblast markers: {cells} in the culture?"
            )
            yield Check("cell identity", "warning", names, message)
        else:
            said = (
                f"fibroblast markers ({', '.join(fibroblast.columns)}) are above those of {cells}"
            )
            yield Check("cell identity", "ok", "", said)


def line_sex(cohort: ad.AnnData, declared: str | None) -> Iterator[Check]:
    """Compare XIST and Y genes with the declared sex of the line (of the cells, not the serum)."""
    female = _means(cohort, ("XIST",))
    male = _means(cohort, Y_GENES)
    if female.empty or male.empty:
        said = "XIST or the Y genes are not in the matrix"
        yield Check("sex of the line", "warning" if declared else "ok", "", said)
        return
    seen = pd.Series(
        np.where(female["XIST"] > male.mean(axis=1) + 1, "female", "male"), index=female.index
    )
    # cultured female cells may lose XIST: without it and without Y genes nothing can be said
    silent = (female["XIST"] < 2) & (male.mean(axis=1) < 2)
    seen[silent] = "unknown"
    counts = ", ".join(f"{n} {sex}" for sex, n in seen.value_counts().sort_index().items())
    if declared is None:
        yield Check(
            "sex of the line", "ok", "", f"by XIST and Y genes: {counts}; none was declared"
        )
        return
    odd = [str(name) for name in seen.index[(seen != declared) & (seen != "unknown")]]
    if odd:
        message = (
            f"declared {declared}, by XIST and Y genes {counts}: another line, a mix-up of cells? "
            "These genes tell about the cells, not the serum"
        )
        yield Check("sex of the line", "warning", listed(odd, quote=""), message)
    else:
        yield Check("sex of the line", "ok", "", f"{counts}, as declared ({declared})")


def outliers(expression: pd.DataFrame) -> Iterator[Check]:
    """Look for samples that correlate less with all others than those do among themselves."""
    rho = correlations(expression)
    if len(rho) < 4 or not np.isfinite(rho).all():
        return
    np.fill_diagonal(rho, np.nan)
    typical = np.nanmedian(rho, axis=1)
    middle = np.median(typical)
    spread = 1.4826 * np.median(np.abs(typical - middle))
    # at least 0.02: in a very even cohort three deviations are nothing to worry about
    low = typical < middle - max(5 * spread, 0.02)
    for name, value in zip(expression.index[low], typical[low], strict=True):
        message = (
            f"median correlation with the other samples {value:.3f}, typically {middle:.3f}: "
            "look at it in the PCA; without a reason to drop it, keep it"
        )
        yield Check("outlying sample", "warning", str(name), message)
    if not low.any():
        yield Check("outlying sample", "ok", "", f"median correlations are about {middle:.3f}")


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
    known, said = set(counted), dict[str, list[Check]]()
    noted = settings_of(cohort)
    for time in change_times(noted):
        like = likeness(profiles, noted["before"], time)
        found = mix_ups(like, counted) if like else MixUps([], [])
        said[time] = [*pairs_and_donors(like, found)]
        swapped = samples_of(like, found.swaps) if like else set()
        odd = samples_of(like, found.odd) if like else set()
        turned = reversals(profiles, noted["before"], time, counted | swapped)
        said[time] += swapped_times(turned)
        known |= swapped | odd | {name for pair in turned.found for name in pair[:2]}
    yield from over_times(said)
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
    """Return `qc/checks.tsv`: errors, warnings, and then what was found to be in order."""
    found = [
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
    table = pd.DataFrame(found, columns=Check._fields)
    # what was merely summed or counted is said last of what is in order
    rank = table["level"].map({"error": 0, "warning": 1, "ok": 2}) + 0.5 * (
        (table["level"] == "ok") & (table["check"] == "samples used")
    )
    return table.loc[rank.sort_values(kind="stable").index]
