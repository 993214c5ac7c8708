"""Which figures a report has, known before anything is run: names, captions, categories, labels."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import TypedDict

from fibroserum.cohort.contrasts import Contrast
from fibroserum.input.names import file_name
from fibroserum.report.opening import opening

GLANCE = "At a glance"
COHORT = "Cohort"
CHANGE = "Change in each group"
TARGETS = "Targets"
ECM = "Extracellular matrix"
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


def figure_names(contrasts: Iterable[Contrast], factors: Iterable[str]) -> dict[str, Entry]:
    """Return every figure of a report in the order of its sections.

    factors: their names. A figure's name is that of its files
    under `figures/`; its entry holds `caption` (a file under `workflow/report/`), `category` and
    `label` (a dict of words), as `snakemake --report` wants them.
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
    }
    entries = {
        category: {kind: _entry(kind, category, title) for kind, title in titles.items()}
        for category, titles in fixed.items()
    }
    contrasts = list(contrasts)
    change = dict(pair for contrast in contrasts for pair in _per_contrast(contrast))
    change["pvalues"] = _entry("pvalues", CHANGE, "p values")
    responsive = dict(pair for factor in factors for pair in _per_factor(factor))
    made = entries[GLANCE] | entries[COHORT] | change | entries[TARGETS] | responsive | entries[ECM]
    return dict(_with_others(made, folded=len(opening(contrasts)) < len(contrasts)))
