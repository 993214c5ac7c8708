"""Checks of what the cohort consists of: input, samples used, groups, contrasts, cell lines."""

from __future__ import annotations

from collections.abc import Collection, Iterator

import anndata as ad
import numpy as np
import pandas as pd

from fibroserum.cohort.accessors import settings_of
from fibroserum.cohort.contrasts import SINGLE_GROUP
from fibroserum.cohort.lines import NOTABLE, LineShift
from fibroserum.errors import listed
from fibroserum.input.sheet import IGNORED_TIME
from fibroserum.qc.check import Check, note, ok, warning

#: Pairs below which a group is too small for conclusions about other people.
FEW_PAIRS = 3


def notes(cohort: ad.AnnData) -> Iterator[Check]:
    """Repeat what was decided while the input was read; remarks on files are notes."""
    noted = settings_of(cohort)
    for message in noted["notes"]:
        if message in noted["remarks"]:
            yield note("input", message)
            continue
        advice = (
            "Check that this is what you intended. If it is not, correct the config or the sample "
            "sheet and run again."
        )
        yield warning("input", "", message, advice)


def used_samples(samples: pd.DataFrame, only_before: Collection[str]) -> Iterator[Check]:
    """Name the samples that are not used, are used for less, or were summed.

    only_before: groups that were measured before only, which have a check of their own.
    """
    whole = True
    ignored = samples["reason"].fillna("").str.startswith(IGNORED_TIME)
    if ignored.any():
        times = listed(sorted(set(samples.loc[ignored, "time"])), quote="")
        lost = "1 sample is" if ignored.sum() == 1 else f"{ignored.sum()} samples are"
        yield note("samples used", f"{lost} left out, because design.ignore_times names {times}")
    counted = len(samples)
    samples = samples[~ignored & ~samples["group"].isin(only_before)]
    others = samples[samples["donor"].isna()]
    if len(others):
        whole = False
        are, have = ("is", "has") if len(others) == 1 else ("are", "have")
        yield warning(
            "samples used",
            listed(others["sample"], quote=""),
            f"{len(others)} of {counted} samples in the count files {are} left out, because "
            f"{'it' if len(others) == 1 else 'they'} {have} no row in the sample sheet",
            "Check that these samples do not belong to the study. If they do, add their rows to "
            "the sample sheet.",
        )
    for row in samples[samples["donor"].notna()].itertuples():
        if not isinstance(row.reason, str) or not row.reason:
            continue
        whole = False
        if row.used_for == "change" or "summed" in row.reason:
            yield note("samples used", row.reason, subject=row.sample)
        else:
            advice = (
                "Check whether the donor's other sample exists. If it does, add its counts and its "
                "row in the sample sheet. If it does not, nothing needs to be done."
                if row.used_for == "baseline"
                else "Check that the sample is meant to be left out. If it is not, correct its row "
                "in the sample sheet or its counts."
            )
            yield warning("samples used", row.sample, row.reason, advice)
    if whole:
        all_used = "all" if len(samples) == counted else "all other"
        yield ok("samples used", f"{all_used} {len(samples)} samples are used, as pairs")


def left_out_genes(left_out: pd.DataFrame, cohort: ad.AnnData) -> Iterator[Check]:
    """Count the rows that are left out; nothing where there are none."""
    kept = float(np.asarray(cohort.X).sum())
    for reason, part in left_out.groupby("reason"):
        total = float(part["total"].sum())
        message = (
            f"{len(part)} {'row is' if len(part) == 1 else 'rows are'} left out of tests, library "
            f"sizes and size factors ({reason}). Together: {total:,.0f} counts, "
            f"{total / kept:.2%} of the counts of genes. qc/left_out_genes.tsv lists them"
        )
        yield note("left-out genes", message, subject=listed(part["gene"], 3, quote=""))


def pools(cohort: ad.AnnData) -> Iterator[Check]:
    """Name the donors that are pools of sera; nothing without any."""
    found = settings_of(cohort)["pools"]
    donors = sorted(set(cohort.obs["donor"].astype(str)))
    own = [donor for donor in donors if donor in set(found)]
    if not own:
        return
    subject = listed(own, quote="")
    one = "Each pool counts as one donor. No conclusion concerns a single person in it"
    if len(own) == len(donors):
        yield note("pools of sera", f"every donor is a pool of sera. {one}", subject=subject)
        return
    yield warning(
        "pools of sera",
        subject,
        f"{len(own)} of {len(donors)} donors {'is a pool' if len(own) == 1 else 'are pools'} of "
        f"sera. {one}. Pools vary less than single persons, and the models do not know this",
        "Compare pools with pools and persons with persons: run them as two cohorts.",
    )


def group_sizes(cohort: ad.AnnData) -> Iterator[Check]:
    """Name the groups with too few pairs for conclusions about other people."""
    change = cohort.obs[cohort.obs["used_for"] == "change"]
    sizes = change.groupby("group", observed=True)["donor"].nunique()
    for group, size in sizes[sizes < FEW_PAIRS].items():
        few = "1 pair" if size == 1 else f"{size} pairs"
        donors = "one donor" if size == 1 else "two donors"
        if group == SINGLE_GROUP:
            yield warning(
                "group size",
                "",
                f"there {'is' if size == 1 else 'are'} only {few}, so all results depend on "
                f"{donors}",
                "Add donors.",
            )
            continue
        yield warning(
            "group size",
            str(group),
            f"{group} has only {few}, so its results depend on "
            f"{donors}. The between-donor variance is taken from the other groups",
            "Add donors to this group, or leave the group out.",
        )


def only_before(cohort: ad.AnnData) -> Iterator[Check]:
    """Name the groups that were measured before the intervention only."""
    noted = settings_of(cohort)
    for group in noted["only_before"]:
        message = (
            f"every sample of {group} is '{noted['before']}'. The group has no change, and only "
            "the baseline contrasts use it"
        )
        yield note("groups measured before only", message, subject=group)
    reference = noted["groups"][0]
    changing = [group for group in noted["groups"] if group not in noted["only_before"]]
    lacking = reference in noted["only_before"] and len(changing) > 1
    if lacking and noted.get("differences") != "pairwise":
        yield warning(
            "groups measured before only",
            reference,
            f"the reference group {reference} has no sample after the intervention, so this run "
            "has no differences of changes",
            "To compare the changes of the other groups, write 'differences: pairwise' in the "
            "config, or choose a reference group with samples after "
            f"({listed(changing, quote='')}).",
        )


def not_estimable(cohort: ad.AnnData) -> Iterator[Check]:
    """Name the contrasts that the samples do not determine; nothing where they determine all."""
    by_reason: dict[str, list[str]] = {}
    for name, reason in settings_of(cohort)["not_estimable"].items():
        by_reason.setdefault(reason, []).append(name)
    for reason, names in by_reason.items():
        yield warning(
            "contrasts",
            ", ".join(names),
            f"cannot be estimated: {reason}. The other contrasts are not affected",
            "Add samples that make this comparison possible. If you do not need it, ignore this "
            "warning.",
        )


def lines_of_groups(cohort: ad.AnnData) -> Iterator[Check]:
    """Warn where two groups share some cell lines and differ in others."""
    groups = cohort.obs["group"].astype(str)
    lines = cohort.obs["line"].astype(str).str.split("+", regex=False).explode()
    own = {name: sorted(set(part)) for name, part in lines.groupby(groups.reindex(lines.index))}
    reference, *others = settings_of(cohort)["groups"]
    for group in others:
        shared = set(own[group]) & set(own[reference])
        if own[group] != own[reference] and shared:
            yield warning(
                "cell lines of groups",
                group,
                f"{group} was tested on {', '.join(own[group])}, and {reference} on "
                f"{', '.join(own[reference])}. A difference between these groups is partly a "
                "difference between cell lines",
                "Test the sera of both groups on the same cell lines.",
            )


def line_depths(cohort: ad.AnnData) -> Iterator[Check]:
    """Report what unequal depths of a donor's cell lines do to genes of one line.

    Nothing with one cell line.
    """
    if "line_shift" not in cohort.uns["fibroserum"]:
        return
    shift = LineShift(**cohort.uns["fibroserum"]["line_shift"])
    symbol = cohort.var["symbol"].astype(str).get(shift.gene, "") or shift.gene
    message = (
        "the samples of a donor's cell lines are summed. The share of a cell line in the counts "
        f"differs between before and after by up to {2**shift.worst:.2f}-fold (donor "
        f"{shift.donor}). This alone changes {symbol} in {shift.group} by {shift.change:.2f} "
        "log2, because the cell lines express it unequally"
    )
    if shift.change <= NOTABLE:
        yield ok("depth of cell lines", message, subject=shift.donor)
        return
    yield warning(
        "depth of cell lines",
        shift.donor,
        f"{message}. {int(shift.genes):,} genes change by more than {NOTABLE} log2 in this way. "
        "Such changes may be artefacts of sequencing depth, not effects of serum",
        "Bring samples of even depth (downsample the reads), or run each cell line as a cohort of "
        "its own.",
    )
