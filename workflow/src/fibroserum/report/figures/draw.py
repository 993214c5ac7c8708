"""Every figure of a report, by the names of the catalogue."""

from __future__ import annotations

from collections.abc import Mapping
from types import SimpleNamespace
from typing import Any

from fibroserum.input.names import file_name
from fibroserum.report.figures import change as figures_change
from fibroserum.report.figures import cohort as figures_cohort
from fibroserum.report.figures import edges as figures_edges
from fibroserum.report.figures import factors as figures_factors
from fibroserum.report.figures import glance as figures_glance
from fibroserum.report.figures import sets as figures_sets
from fibroserum.report.figures import targets as figures_targets
from fibroserum.report.figures.catalogue import Entry, figure_names
from fibroserum.report.loading import RunTables
from fibroserum.report.theme import Figure

WHOLE = {
    "glance_pairs": figures_glance.pairs,
    "glance_calls": figures_glance.calls,
    "glance_target": figures_glance.target,
    "glance_factors": figures_glance.factors,
    "glance_ecm": figures_glance.ecm,
    "cohort_grid": figures_cohort.cohort_grid,
    "library_sizes": figures_cohort.library_sizes,
    "pca": figures_cohort.pca,
    "pca_within": figures_cohort.pca_within,
    "sample_distances": figures_cohort.sample_distances,
    "pair_similarity": figures_cohort.pair_similarity,
    "pvalues": figures_change.pvalues,
    "targets_forest": figures_targets.forest,
    "targets_pairs": figures_targets.pairs,
    "targets_leave_one_out": figures_targets.leave_one_out,
    "targets_detectable": figures_targets.detectable,
    "ecm_sets": figures_sets.set_matrix,
    "ecm_running_sums": figures_edges.running_sums,
    "ecm_leading_edge": figures_edges.leading_edge,
    "ecm_scores": figures_sets.scores,
}
OF_CONTRAST = {
    "volcano": figures_change.volcano,
    "ma": figures_change.ma,
    "quadrants": figures_change.quadrants,
}
OF_FACTOR = {
    "level": figures_factors.level,
    "evidence": figures_factors.evidence,
    "concordance": figures_factors.concordance,
}


def catalogue_of(run: RunTables, config: Mapping[str, Any]) -> dict[str, Entry]:
    """Return the catalogue's entries for the contrasts and factors of a run."""
    contrasts = [
        SimpleNamespace(name=row.contrast, kind=row.kind) for row in run.contrasts.itertuples()
    ]
    return figure_names(contrasts, config["factors"])


def draw(run: RunTables, config: Mapping[str, Any]) -> dict[str, Figure]:
    """Return every figure that the catalogue names, in its order."""
    figures: dict[str, Figure] = {name: whole(run) for name, whole in WHOLE.items()}
    kinds = dict(zip(run.contrasts["contrast"], run.contrasts["kind"], strict=True))
    for contrast, kind in kinds.items():
        for name, of_contrast in OF_CONTRAST.items():
            if name != "quadrants" or kind == "difference":
                figures[f"{name}_{file_name(contrast)}"] = of_contrast(run, contrast)
    for factor in config["factors"]:
        for name, of_factor in OF_FACTOR.items():
            figures[f"factor_{file_name(factor)}_{name}"] = of_factor(run, factor)
    return {name: figures[name] for name in catalogue_of(run, config)}
