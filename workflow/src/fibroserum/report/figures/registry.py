"""Which function draws each figure of the catalogue."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any

from fibroserum.chain.links import chained
from fibroserum.input.names import file_name
from fibroserum.report.figures import (
    called,
    chain,
    change,
    cohort,
    distances,
    edges,
    factors,
    first_target,
    gene_lists,
    glance,
    outcomes,
    panel,
    planning,
    sets,
    targets,
)
from fibroserum.report.figures.catalogue import (
    OF_ALL_CONTRASTS,
    Entry,
    chain_figures,
    figure_names,
    others,
    outcome_figures,
)
from fibroserum.report.loading import RunTables, only
from fibroserum.report.theme import Figure

WHOLE = {
    "glance_calls": glance.calls,
    "glance_target": glance.target,
    "glance_factors": glance.factors,
    "glance_ecm": glance.ecm,
    "cohort_grid": cohort.cohort_grid,
    "library_sizes": cohort.library_sizes,
    "pca": cohort.pca,
    "pca_within": cohort.pca_within,
    "sample_distances": distances.sample_distances,
    "pair_similarity": distances.pair_similarity,
    "called_genes": called.heatmap,
    "pvalues": change.pvalues,
    "target_first": first_target.figure,
    "targets_forest": targets.forest,
    "targets_pairs": targets.pairs,
    "targets_leave_one_out": targets.leave_one_out,
    "targets_detectable": targets.detectable,
    "ecm_running_sums": edges.running_sums,
    "ecm_leading_edge": edges.leading_edge,
    "ecm_scores": sets.scores,
    "planning_detectable": planning.detectable,
    "planning_power": planning.power,
}
OF_CONTRAST = {
    "volcano": change.volcano,
    "ma": change.ma,
}
OF_FACTOR = {
    "level": factors.level,
    "evidence": factors.evidence,
    "concordance": factors.concordance,
}


def catalogue_of(run: RunTables, config: Mapping[str, Any]) -> dict[str, Entry]:
    """Return the catalogue's entries for the contrasts and factors of a run."""
    return figure_names(
        run.planned,
        config["factors"],
        lists=config["gene_lists"],
        outcomes=config["outcomes"],
        panel=bool(config["serum_panel"]),
        chained=chained(config),
        times=run.times,
    )


def estimable(run: RunTables, contrasts: Sequence[str]) -> list[str]:
    """Return the contrasts that figures show: those that could be estimated, or all where none."""
    lost = run.settings["not_estimable"]
    return [name for name in contrasts if name not in lost] or list(contrasts)


def figures_of(run: RunTables, config: Mapping[str, Any]) -> dict[str, Callable[[], Figure]]:
    """Return what draws each figure that the catalogue names, in its order."""
    settings = config["differential_expression"]
    alpha, alone = settings["alpha"], settings["second_opinion"] == "none"
    first = only(run, estimable(run, run.opening))
    all_of = WHOLE | {"ecm_sets": partial(sets.set_matrix, alpha=alpha)}
    figures: dict[str, Callable[[], Figure]] = {
        name: partial(whole, first) for name, whole in all_of.items()
    }
    # pairs that are too few for a contrast are pairs all the same
    figures["glance_pairs"] = partial(glance.pairs, only(run, run.opening))
    if run.folded:
        rest = only(run, estimable(run, run.folded))
        figures |= {others(name): partial(all_of[name], rest) for name in OF_ALL_CONTRASTS}
    kinds = dict(zip(run.contrasts["contrast"], run.contrasts["kind"], strict=True))
    for contrast, kind in kinds.items():
        file = file_name(contrast)
        for name, of_contrast in OF_CONTRAST.items():
            figures[f"{name}_{file}"] = partial(of_contrast, run, contrast)
        if kind == "difference":
            of_two = partial(called.quadrants, run, contrast, alpha, alone=alone)
            figures[f"quadrants_{file}"] = of_two
    figures["overlap"] = partial(called.overlap, run, alpha, alone=alone)
    for factor in config["factors"]:
        for name, of_factor in OF_FACTOR.items():
            figures[f"factor_{file_name(factor)}_{name}"] = partial(of_factor, run, factor)
    for name in config["gene_lists"]:
        figures[f"gene_list_{file_name(name)}"] = partial(gene_lists.donors, run, name)
    for name, outcome, time in outcome_figures(config["outcomes"], run.times):
        figures[name] = partial(outcomes.scatter, run, outcome, time)
    for name, factor in chain_figures(chained(config)).items():
        figures[name] = partial(chain.path, run, factor)
    if config["serum_panel"]:
        figures["panel_targets"] = partial(panel.matrix, run, alpha)
        for contrast in dict.fromkeys(run.panel["contrast"]):
            figures[f"panel_volcano_{file_name(contrast)}"] = partial(panel.volcano, run, contrast)
    return {name: figures[name] for name in catalogue_of(run, config)}


def draw(run: RunTables, config: Mapping[str, Any]) -> dict[str, Figure]:
    """Return every figure that the catalogue names, in its order."""
    return {name: make() for name, make in figures_of(run, config).items()}
