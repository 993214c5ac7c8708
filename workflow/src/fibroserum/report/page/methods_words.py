"""What the methods paragraph says of a run's own data: counts, lost samples, levels, defaults."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pandas as pd

from fibroserum.errors import listed
from fibroserum.report.loading import RunTables

#: Keys of the config that the methods paragraph states, in words.
STATED = {
    "targets": "targets",
    "gene_sets": "gene sets",
    "differential_expression.alpha": "false discovery rate",
    "differential_expression.min_count": "minimum count of a gene",
    "differential_expression.lfc_threshold": "threshold of the log2 fold change",
    "differential_expression.second_opinion": "second model",
    "enrichment.min_size": "smallest gene set",
    "enrichment.max_size": "largest gene set",
    "enrichment.permutations": "gene permutations",
    "seed": "random seed",
}
#: Releases of the bundled collections of gene sets, by their SHA-256 (resources/SOURCES.tsv).
COLLECTIONS = {
    "3cf35730fa9fbf156b1714f5d3cb1bcbdba3b92b35b9dc6266de46b2d89e20e4": "the Gene Ontology "
    "(Ashburner et al. 2000; ontology 2022-07-01, annotations 2022-09-12)",
    "eb2435c047cf1ab170fc60237f66ba1ce2353b21b54be10b8b99ec6e567c1570": "the collection dermal_ecm "
    "of fibroserum, version 1",
}
#: Characters of a SHA-256 that identify a file in words.
SHORT = 12
SCALED = re.compile(
    r"scal\w* by (their |transcript |gene )?length|length[-_ ]?scaled", re.IGNORECASE
)
ROUNDED = re.compile(r"\bround(ed|ing)\b", re.IGNORECASE)


def counts_in_words(notes: list[str]) -> str:
    """Return what kind of counts were analysed.

    notes: what reading the input had to decide (`settings["notes"]` of a cohort).
    """
    scaled, rounded = (any(map(words.search, notes)) for words in (SCALED, ROUNDED))
    if scaled:
        kind = "Gene counts were length-scaled estimates (Soneson et al. 2015)"
        return f"{kind}, rounded to whole numbers." if rounded else f"{kind}."
    if rounded:
        return "Gene counts were fractional estimates, rounded to whole numbers."
    return "Gene counts were raw counts."


def samples_in_words(samples: pd.DataFrame) -> list[str]:
    """Return a sentence on the samples that were not used, and one on those without a pair.

    samples: `samples.tsv`.
    """
    unused = samples[samples["used_for"] == "none"]
    unpaired = samples[samples["used_for"] == "baseline"]
    said = []
    if len(unused):
        were = "sample was" if len(unused) == 1 else "samples were"
        said.append(
            f"Of {len(samples)} samples, {len(unused)} {were} excluded, or summed with another "
            f"sample of the same donor and time ({listed(list(unused['sample']), 6, quote='')})."
        )
    if len(unpaired):
        donors = list(dict.fromkeys(unpaired["donor"].astype(str)))
        who, have = ("Donor", "has") if len(donors) == 1 else ("Donors", "have")
        sample = "sample is" if len(unpaired) == 1 else "samples are"
        said.append(
            f"{who} {listed(donors, 6, quote='')} {have} no sample after the intervention; the "
            f"{sample} used only in comparisons before it."
        )
    return said


def levels_in_words(pairs: pd.DataFrame) -> dict[str, str]:
    """Return by factor in how many pairs its serum level was used, missing or censored.

    pairs: `flags/factor_pairs.tsv`, where a used pair has a reason if a level is censored.
    """
    found = {}
    for factor, rows in pairs.groupby("factor", sort=False):
        used = rows[rows["used"].astype(bool)]
        censored = int(used["reason"].notna().sum())
        words = f"The level of {factor} was used in {len(used)} of {len(rows)} donors"
        if len(used) < len(rows):
            words += "; the others lack a level or a sample"
        if censored:
            words += (
                f". In {censored} of the {len(used)} used, one level was below the limit of "
                "detection, and half the limit was used"
            )
        found[str(factor)] = f"{words}."
    return found


def default_choices(run: RunTables, config: Mapping[str, Any]) -> list[tuple[str, str]]:
    """Return the settings that the methods state and that the config left at their defaults.

    Each: the setting in words, and its value; of files their names without ending.
    """
    found = []
    for key, words in STATED.items():
        section, _, name = key.rpartition(".")
        value = (config[section] if section else config)[name]
        if key in run.provenance.get("defaults", ()) and value not in ([], None):
            several = value if isinstance(value, list) else [str(value).replace("_", " ")]
            found.append(
                (words, ", ".join(Path(str(one)).name.removesuffix(".gmt") for one in several))
            )
    return found


def set_sources(provenance: Mapping[str, Any]) -> list[str]:
    """Return each collection of gene sets in words: its release, or its file and checksum.

    provenance: of the run (`provenance.json`).
    """
    found = []
    for path in provenance["config"]["gene_sets"]:
        digest = provenance["inputs"].get(path, "")
        name = Path(path).name
        known = f"{name} (SHA-256 {digest[:SHORT]}…)" if digest else name
        found.append(COLLECTIONS.get(digest, known))
    return found
