"""Which figures a report has, known before anything is run: names, captions, categories, labels."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import TypedDict

from fibroserum.cohort.contrasts import Contrast
from fibroserum.cohort.opening import opening
from fibroserum.input.names import file_name

GLANCE = "At a glance"
COHORT = "Cohort"
CHANGE = "Change in each group"
TARGETS = "Targets"
ECM = "Extracellular matrix"
GENE_LISTS = "Gene lists"
PLANNING = "Planning the next study"
OUTCOMES = "Outcomes"
CANDIDATES = "Candidates"
CHAIN = "Chain"
#: The figure of several panels, of which there are files alone.
FIGURE1 = "figure1"
#: Factors whose chains are drawn, the first of the config.
MOST_CHAINS = 4
#: Figures over all contrasts, which have a second one where some contrasts are folded away.
OF_ALL_CONTRASTS = (
    "targets_forest",
    "targets_leave_one_out",
    "targets_detectable",
    "pvalues",
    "ecm_sets",
)


class Entry(TypedDict):
    """A figure's caption (a file under `workflow/report/`), its category, and words by what of."""

    caption: str
    category: str
    label: dict[str, str]


def factor_category(factor: str) -> str:
    """Return the heading under which a factor's figures stand."""
    return f"{factor}-responsive genes"


def _entry(kind: str, category: str, figure: str, **subject: str) -> Entry:
    return {
        "caption": f"captions/{kind}.rst",
        "category": category,
        "label": {"figure": figure, **subject},
    }


def _per_contrast(contrast: Contrast) -> Iterator[tuple[str, Entry]]:
    name, subject = file_name(contrast.name), {"contrast": contrast.name}
    yield f"volcano_{name}", _entry("volcano", CHANGE, "Volcano", **subject)
    yield f"ma_{name}", _entry("ma", CHANGE, "Mean and change", **subject)
    if contrast.kind == "difference":
        yield (
            f"quadrants_{name}",
            _entry("quadrants", CHANGE, "Change against change", **subject),
        )


def _per_factor(factor: str) -> Iterator[tuple[str, Entry]]:
    name, category = file_name(factor), factor_category(factor)
    titles = {
        "level": "Change of the factor",
        "evidence": "Evidence per gene",
        "concordance": "Concordance",
    }
    for kind, title in titles.items():
        yield (
            f"factor_{name}_{kind}",
            _entry(f"factor_{kind}", category, title, factor=factor),
        )


def others(kind: str) -> str:
    """Return the name of the figure of the contrasts that are folded away."""
    return f"{kind}_others"


def _with_others(entries: dict[str, Entry], *, folded: bool) -> Iterator[tuple[str, Entry]]:
    """Yield the entries, and behind each figure over all contrasts its second one."""
    for kind, entry in entries.items():
        yield kind, entry
        if folded and kind in OF_ALL_CONTRASTS:
            label = {"figure": f"{entry['label']['figure']}, other contrasts"}
            yield others(kind), {**entry, "label": label}


def _of_list(name: str) -> tuple[str, Entry]:
    return f"gene_list_{file_name(name)}", _entry("gene_list", GENE_LISTS, "Donors", list=name)


def outcome_figures(
    outcomes: Iterable[str], times: Sequence[str]
) -> Iterator[tuple[str, str, str]]:
    """Yield the name of the figure of each outcome and time after, the outcome, and the time."""
    for outcome in outcomes:
        for time in times:
            parts = [outcome, *([time] if len(times) > 1 else [])]
            yield "_".join(["outcome", *map(file_name, parts)]), outcome, time


def _per_outcome(outcomes: Iterable[str], times: Sequence[str]) -> dict[str, Entry]:
    return {
        name: _entry("outcome", OUTCOMES, "Targets and outcome", outcome=outcome, time=time)
        for name, outcome, time in outcome_figures(outcomes, times)
    }


def _of_panel(contrasts: Iterable[Contrast]) -> Iterator[tuple[str, Entry]]:
    for contrast in contrasts:
        if contrast.model == "paired":
            yield (
                f"panel_volcano_{file_name(contrast.name)}",
                _entry("panel_volcano", CANDIDATES, "Molecules", contrast=contrast.name),
            )
    yield "panel_targets", _entry("panel_targets", CANDIDATES, "Molecules and targets")


def chain_figures(chained: Iterable[str]) -> dict[str, str]:
    """Return the factors whose chains are drawn by the name of the figure."""
    return {f"chain_{file_name(factor)}": factor for factor in list(chained)[:MOST_CHAINS]}


def _of_chain(chained: Iterable[str]) -> dict[str, Entry]:
    return {
        name: _entry("chain", CHAIN, "Chain", factor=factor)
        for name, factor in chain_figures(chained).items()
    }


def figure1_entry() -> Entry:
    """Return the entry of figure 1, which the page does not show."""
    return _entry(FIGURE1, GLANCE, "Figure 1")


def figure_names(
    contrasts: Sequence[Contrast],
    factors: Iterable[str],
    *,
    lists: Iterable[str] = (),
    outcomes: Iterable[str] = (),
    panel: bool = False,
    chained: Iterable[str] = (),
    times: Sequence[str] = (),
) -> dict[str, Entry]:
    """Return every figure of a report in the order of its sections.

    factors, lists (own lists of genes), outcomes: their names; panel: whether there is a serum
    panel; chained: factors that are in chains; times: after the intervention. A figure's name is
    that of its files under `figures/`; its entry holds `caption` (a file under `workflow/report/`),
    `category` and `label` (a dict of words), as `snakemake --report` wants them.
    """
    fixed = {
        GLANCE: {
            "glance_pairs": "Pairs",
            "glance_calls": "Genes changed",
            "glance_target": "First target",
            "glance_factors": "Factors",
            "glance_ecm": "Matrix programme",
        },
        COHORT: {
            "cohort_grid": "Donors and time points",
            "library_sizes": "Library sizes",
            "pca": "Principal components",
            "pca_within": "Principal components within donors",
            "sample_distances": "Sample correlation",
            "pair_similarity": "Pair similarity",
        },
        TARGETS: {
            "target_first": "First target",
            "targets_forest": "Estimates",
            "targets_pairs": "Donors",
            "targets_leave_one_out": "Leave one donor out",
            "targets_detectable": "Detectable effect",
        },
        ECM: {
            "ecm_sets": "Sets and contrasts",
            "ecm_running_sums": "Running sums",
            "ecm_leading_edge": "Leading edge",
            "ecm_scores": "Scores per donor",
        },
        PLANNING: {
            "planning_detectable": "Detectable effect against pairs",
            "planning_power": "Power against pairs",
        },
    }
    entries = {
        category: {kind: _entry(kind, category, title) for kind, title in titles.items()}
        for category, titles in fixed.items()
    }
    change = dict(pair for contrast in contrasts for pair in _per_contrast(contrast))
    change["called_genes"] = _entry("called_genes", CHANGE, "Called genes in each donor")
    change["overlap"] = _entry("overlap", CHANGE, "Overlap of changes")
    change["pvalues"] = _entry("pvalues", CHANGE, "p values")
    responsive = dict(pair for factor in factors for pair in _per_factor(factor))
    parts = [
        entries[GLANCE],
        entries[COHORT],
        change,
        entries[TARGETS],
        dict(map(_of_list, lists)),
        responsive,
        dict(_of_panel(contrasts)) if panel else {},
        _per_outcome(outcomes, times),
        _of_chain(chained),
        entries[ECM],
        entries[PLANNING],
    ]
    made = {name: entry for part in parts for name, entry in part.items()}
    return dict(_with_others(made, folded=len(opening(contrasts)) < len(contrasts)))
