"""What is shown beside the verdicts: footprints, a regulator's pattern of genes, receptors.

The config says which pattern and which receptors. The default pattern is that of TGF-beta, which
raises BGN and VCAN and lowers DCN in dermal fibroblasts (Kahari et al. 1991, J Biol Chem
266:10608); platelets release it together with CXCL4, so that how serum was clotted and handled can
change both. Faster growth changes the matrix too. No verdict depends on any of this.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import anndata as ad
import numpy as np
import pandas as pd

from fibroserum.cohort.accessors import (
    change_times,
    estimated_contrasts,
    rows_of_targets,
    settings_of,
)
from fibroserum.cohort.contrasts import Contrast
from fibroserum.data import data_file
from fibroserum.enrichment.expression import scores_and_tests
from fibroserum.genes.gmt import GeneSet, map_sets, read_gmt
from fibroserum.genes.mapping import resolve
from fibroserum.intervals import sign_of_interval
from fibroserum.targets.phrases import about, phrases, sentence

SETS = data_file("footprints.gmt")
FOOTPRINTS = {
    "TGF_BETA_RESPONSE": (
        "TGF-beta in the serum, which platelets also release, can raise BGN: check how the serum "
        "was clotted and stored before attributing a rise of BGN to the intervention"
    ),
    "PROLIFERATION": (
        "Cells that grow faster or slower change their matrix, so a change in growth is an "
        "alternative explanation"
    ),
}
SIGNS = {"up": 1, "down": -1}
DETECTED = 10.0
MIN_GENES = 5


@dataclass(frozen=True)
class ContextSettings:
    """What the config says under `context`.

    regulator: what the pattern is a sign of. pattern: gene to `up` or `down`, what the regulator
    does to it. receptors: gene to the factor that it binds.
    """

    regulator: str
    pattern: Mapping[str, str]
    receptors: Mapping[str, str]


def context_table(
    cohort: ad.AnnData,
    results: Mapping[str, pd.DataFrame],
    settings: ContextSettings,
    tests: pd.DataFrame | None = None,
) -> pd.DataFrame:
    """Return `flags/context.tsv`.

    cohort: samples × genes; results: `de` table by contrast name; tests: of the scores of
    `footprints`, where they are at hand.
    """
    noted = settings_of(cohort)
    contrasts = {contrast.name: contrast for contrast in estimated_contrasts(noted)}
    rows = [
        *_footprints(cohort, contrasts, tests),
        *_patterns(cohort, results, contrasts, settings),
        *_receptors(cohort, settings.receptors),
    ]
    columns = ["item", "kind", "contrast", "genes", "estimate", "ci_low", "ci_high", "pvalue"]
    return pd.DataFrame(rows, columns=[*columns, "sentence"])


def footprints(cohort: ad.AnnData) -> list[GeneSet]:
    """Return the footprints in the cohort's gene ids, those with enough genes for a score.

    They are without the targets, so that no target is evidence for itself.
    """
    return [one for one in _without_targets(cohort) if len(one.genes) >= MIN_GENES]


def _without_targets(cohort: ad.AnnData) -> list[GeneSet]:
    targets = rows_of_targets(cohort)
    chosen = [one for one in read_gmt(SETS) if one.name in FOOTPRINTS]
    mapped, _ = map_sets(chosen, cohort.var)
    return [
        replace(one, genes=tuple(gene for gene in one.genes if gene not in targets))
        for one in mapped
    ]


def _footprints(
    cohort: ad.AnnData, contrasts: Mapping[str, Contrast], tests: pd.DataFrame | None
) -> list[dict[str, object]]:
    sizes = {one.name: len(one.genes) for one in _without_targets(cohort)}
    if tests is None:
        _, tests, _ = scores_and_tests(
            cohort, footprints(cohort), min_size=MIN_GENES, max_size=cohort.n_vars
        )
    rows: list[dict[str, object]] = [
        {"item": name, "kind": "footprint", "genes": size,
         "sentence": unscored_sentence(size)}
        for name, size in sizes.items() if size < MIN_GENES
    ]  # fmt: skip
    for row in tests.to_dict("records"):
        name = str(row["gene_set"])
        numbers = {key: row[key] for key in ("estimate", "ci_low", "ci_high", "pvalue")}
        sign = direction(row["estimate"], row["ci_low"], row["ci_high"])
        contrast = contrasts[str(row["contrast"])]
        said = _score_sentence(sign, contrast, settings_of(cohort))
        rows.append(
            {"item": name, "kind": "footprint", "contrast": row["contrast"], **numbers,
             "genes": sizes[name], "sentence": f"{said}.{_caution(name, sign, contrast)}"}
        )  # fmt: skip
    return rows


def unscored_sentence(size: int) -> str:
    """Return why a footprint has no score; size: its genes in the matrix without the targets."""
    return f"Without the targets, only {size} of its genes are in the matrix: too few for a score."


def _caution(name: str, sign: int | None, contrast: Contrast) -> str:
    """Return what a footprint warns of, or nothing where what it warns of is not seen.

    The TGF-beta response could explain a rise of BGN: it warns only where it rises itself.
    """
    warns = sign == 1 and contrast.kind != "baseline" if name == "TGF_BETA_RESPONSE" else bool(sign)
    return f" {FOOTPRINTS[name]}." if warns else ""


def direction(estimate: float, low: float, high: float) -> int | None:
    """Return 1 or -1 where the 95 % interval excludes 0, 0 where it does not, None without one."""
    if not np.isfinite([estimate, low, high]).all():
        return None
    return int(sign_of_interval(low, high))


def _score_sentence(sign: int | None, contrast: Contrast, noted: Mapping[str, Any]) -> str:
    """Return what a score does in a contrast, without a full stop."""
    several, control = len(change_times(noted)) > 1, bool(noted["control"])
    said = phrases(contrast, several=several, control=control)
    if sign is None:
        return f"The score's {said.noun} has no interval, so its direction is unknown"
    if sign == 0:
        return (
            f"The direction of the score's {said.noun} is not established (the 95 % interval "
            "includes 0)"
        )
    return sentence(about("the score", said.of(sign)))


def _patterns(
    cohort: ad.AnnData,
    results: Mapping[str, pd.DataFrame],
    contrasts: Mapping[str, Contrast],
    settings: ContextSettings,
) -> list[dict[str, object]]:
    if not settings.pattern:
        return []
    found, _ = resolve(settings.pattern, cohort.var)
    rows: list[dict[str, object]] = []
    for contrast in contrasts:
        own = results[contrast].set_index("gene_id")
        signs: dict[str, int | None] = {}
        for name in settings.pattern:
            genes = [gene for gene in found.get(name, []) if own["lfcSE"].notna().get(gene, False)]
            row = own.loc[genes[0]] if genes else None
            signs[name] = (
                None
                if row is None
                else direction(row["log2FoldChange"], row["ci_low"], row["ci_high"])
            )
        rows.append(
            {"item": "/".join(settings.pattern), "kind": "pattern", "contrast": contrast,
             "genes": sum(sign is not None for sign in signs.values()),
             "sentence": pattern_sentence(signs, contrasts[contrast], settings)}
        )  # fmt: skip
    return rows


def pattern_sentence(
    signs: Mapping[str, int | None], contrast: Contrast, settings: ContextSettings
) -> str:
    """Return what the pattern's genes do in a contrast, and what that says of the regulator.

    signs: by gene, as `direction` returns them; None: not fitted.
    """
    group, reference = contrast.group, contrast.reference
    words = {1: "rises", -1: "falls"}
    start = ""
    if contrast.kind == "difference":
        words = {1: "higher", -1: "lower"}
        start = f"Changes in {group} compared with {reference}: "
    elif contrast.dose:
        words = {1: "above 0", -1: "below 0"}
        compared = f" compared with {reference}" if reference else ""
        start = f"Slopes on {contrast.dose}, {group}{compared}: "
    elif contrast.kind == "own":
        words = {1: "above 0", -1: "below 0"}
        start = f"In {contrast.name}: "
    elif contrast.kind == "baseline":
        words = {1: "higher", -1: "lower"}
        start = f"{group} compared with {reference} before the intervention: "
    named = {0: "unclear", None: "not fitted"} | words
    listed = ", ".join(f"{gene} {named[sign]}" for gene, sign in signs.items())
    against = [
        gene for gene, sign in signs.items() if sign and sign != SIGNS[settings.pattern[gene]]
    ]
    if against:
        verb = "does" if len(against) == 1 else "do"
        reading = f"{' and '.join(against)} {verb} not fit"
    elif all(signs.values()):
        reading = "this fits"
    else:
        reading = "too little is clear to decide"
    return (
        f"{start}{listed} (by the 95 % intervals). {settings.regulator} "
        f"{_does(settings.pattern)}: {reading}."
    )


def _does(pattern: Mapping[str, str]) -> str:
    """Return what the regulator does to the pattern's genes, such as "raises A and B"."""
    verbs = {"up": "raises", "down": "lowers"}
    genes = {word: [gene for gene, own in pattern.items() if own == word] for word in verbs}
    return " and ".join(
        f"{verbs[word]} {' and '.join(named)}" for word, named in genes.items() if named
    )


def _receptors(cohort: ad.AnnData, receptors: Mapping[str, str]) -> list[dict[str, object]]:
    found, _ = resolve(receptors, cohort.var)
    rows: list[dict[str, object]] = []
    for receptor, factor in receptors.items():
        genes = found.get(receptor, [])
        normalized = np.asarray(cohort[:, genes].layers["normalized"], dtype=float)
        mean = float(normalized.sum(axis=1).mean()) if genes else np.nan
        rows.append(
            {"item": receptor, "kind": "receptor", "genes": len(genes),
             "sentence": receptor_sentence(receptor, factor, len(genes), mean)}
        )  # fmt: skip
    return rows


def receptor_sentence(receptor: str, factor: str, genes: int, mean: float) -> str:
    """Return whether a receptor is expressed; genes: its rows; mean: normalized count."""
    if not genes:
        said = "is not in the count matrix"
    elif mean < DETECTED:
        said = f"is hardly expressed (mean normalized count {mean:.1f})"
    else:
        said = f"is expressed (mean normalized count {mean:.0f})"
    return (
        f"The {factor} receptor {receptor} {said}. mRNA is a poor measure of a receptor on the "
        "cell surface, so no verdict depends on it."
    )
