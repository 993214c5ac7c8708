"""What the page knows of every gene: the tables of all contrasts, and the level in every sample."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd

from fibroserum.cohort.contrasts import Contrast
from fibroserum.de.reasons import WORDS as REASON_WORDS
from fibroserum.de.reasons import reasons
from fibroserum.factors.calls import RESPONSIVE
from fibroserum.report.loading import RunTables
from fibroserum.report.page.gene_names import earlier_names
from fibroserum.report.page.pack import Pack, folded, planes, squeeze
from fibroserum.report.page.templates import minus

# columns of the page's gene tables: how each is printed
FOLD_CHANGE_DECIMALS = 3
CONFIDENT_DECIMALS = 2
MEAN_DIGITS = 4
SIGNIFICANT = {"pvalue": 3, "weighted_padj": 3, "second_weighted_padj": 3}
WORDS = ("status", "call")
LEVEL_DECIMALS = 2
# levels that a page holds, some 1.3 bytes each: of large cohorts it shows some of the donors
MOST_LEVELS = 3_000_000


def gene_index(run: RunTables) -> dict[str, Any]:
    """Return ids, symbols and other ids of the genes, in the order of the contrast tables."""
    first = next(iter(run.de.values()))
    ids = list(first["gene_id"])
    symbols = [symbol or "" for symbol in first["symbol"]]
    about = run.genes.reindex(ids)
    other = {
        name: [value if isinstance(value, str) else "" for value in about[name]]
        for name in ("ensembl", "entrez")
        if name in about
    }
    # an id that repeats another one need not be sent twice
    for name in list(other):
        other[name] = ["" if a == b else a for a, b in zip(other[name], ids, strict=True)]
        if not any(other[name]):
            del other[name]
    same = ["" if symbol == gene else symbol for symbol, gene in zip(symbols, ids, strict=True)]
    taken = {name.upper() for name in (*ids, *symbols)}
    return {
        "id": ids,
        "symbol": same,
        "symbol_is_id": [int(a == b) for a, b in zip(symbols, ids, strict=True)],
        "earlier": earlier_names(symbols, taken),
        **other,
    }


def all_genes(frame: pd.DataFrame, ids: list[str]) -> pd.DataFrame:
    """Return a contrast's table with a row for each gene; of one without rows, empty ones."""
    if len(frame):
        return frame
    words = dict.fromkeys(WORDS, "not_estimable")
    return frame.reindex(range(len(ids))).assign(gene_id=ids, **words)


def reason_codes(frame: pd.DataFrame, contrast: Contrast, config: Mapping[str, Any]) -> pd.Series:
    """Return why each gene of a contrast is not called, in the codes of `de.reasons`."""
    asked = config["differential_expression"]
    return reasons(
        frame,
        asked["alpha"],
        main_only=asked["second_opinion"] == "none",
        # a slope is per unit of the dose: no threshold of a change applies to it
        threshold=0.0 if contrast.model == "dose" else asked["lfc_threshold"],
    )


def reason_words(config: Mapping[str, Any]) -> dict[str, str]:
    """Return the sentence of each code; columns of a contrast are left in braces."""
    asked = config["differential_expression"]
    known = {"{alpha}": f"{asked['alpha']:g}", "{threshold}": f"{asked['lfc_threshold']:g}"}
    found = dict(REASON_WORDS)
    for name, text in known.items():
        found = {code: words.replace(name, text) for code, words in found.items()}
    return found


def pack_contrasts(run: RunTables, config: Mapping[str, Any], ids: list[str]) -> dict[str, str]:
    """Return a block for each contrast, by its name; equal mean counts are in the first alone."""
    planned = {one.name: one for one in run.planned}
    means: dict[bytes, str] = {}
    blocks = {}
    for number, name in enumerate(run.contrast_names):
        frame, own = all_genes(run.de[name], ids), f"contrast-{number}"
        codes = reason_codes(frame, planned[name], config)
        mean = frame["baseMean"].to_numpy(float)
        held = means.setdefault(mean.tobytes(), own)
        blocks[own] = pack_contrast(frame, codes, "" if held == own else held)
    return blocks


def pack_contrast(frame: pd.DataFrame, codes: pd.Series, means: str = "") -> str:
    """Return one contrast's table as a block.

    codes: `reason_codes`; means: the block that holds the same mean counts, or "".
    """
    pack = Pack()
    estimate = "log2FoldChange"
    for name, near in {
        estimate: (),
        "ci_low": (estimate,),
        "ci_high": (estimate, "ci_low"),
    }.items():
        pack.fixed(name, frame[name].to_numpy(float), FOLD_CHANGE_DECIMALS, near)
    pack.fixed("confident_lfc", frame["confident_lfc"].to_numpy(float), CONFIDENT_DECIMALS)
    if means:
        pack.same("baseMean", means)
    else:
        pack.significant("baseMean", frame["baseMean"].to_numpy(float), MEAN_DIGITS)
    for name, digits in SIGNIFICANT.items():
        pack.significant(name, frame[name].to_numpy(float), digits)
    for name in WORDS:
        pack.words(name, frame[name])
    pack.words("reason", codes)
    return pack.block()


def shown_samples(obs: pd.DataFrame, genes: int) -> pd.DataFrame:
    """Return the samples whose levels the page holds: all, or those of so many donors as it can.

    obs: the cohort's sheet. Donors are taken at even steps from those of each group (in a crossover
    those of the same groups), sorted by name, so that what is shown of a gene does not depend on
    the gene.
    """
    room = MOST_LEVELS / max(genes, 1)
    if len(obs) <= room:
        return obs
    donor, group = obs["donor"].astype(str), obs["group"].astype(str)
    alike: dict[tuple[str, ...], list[str]] = {}
    for name, groups in group.groupby(donor):
        alike.setdefault(tuple(sorted(set(groups))), []).append(str(name))
    # two donors of each are always shown; the others share the room that is left
    samples = donor.value_counts()
    ends = {name for donors in alike.values() for name in (donors[0], donors[-1])}
    least = int(samples[list(ends)].sum())
    share = max(room - least, 0) / max(len(obs) - least, 1)
    kept = set()
    for donors in alike.values():  # sorted, as a groupby gives them
        number = min(2, len(donors)) + math.floor(share * max(len(donors) - 2, 0))
        places = np.linspace(0, len(donors) - 1, number).round().astype(int)
        kept |= {donors[place] for place in places}
    return obs[donor.isin(kept)]


def donors_in_words(run: RunTables) -> str:
    """Return whose levels the page holds: every donor's, or how many of how many."""
    genes = len(next(iter(run.de.values())))
    shown, whole = (obs["donor"].nunique() for obs in (shown_samples(run.obs, genes), run.obs))
    return "every donor" if shown == whole else f"{shown} of {whole} donors, taken evenly"


def pack_levels(run: RunTables, ids: list[str]) -> dict[str, Any]:
    """Return log2(normalized count + 0.5) of every gene in the samples shown, to two decimals.

    Genes × samples as integers of 0.01, each gene's median taken out, so that most fit in a byte.
    Genes are in the order of their medians: those of like levels vary alike, which gzip likes.
    """
    obs = shown_samples(run.obs, len(ids))
    levels = np.log2(run.normalized.loc[obs.index, ids].to_numpy(float).T + 0.5)
    whole = np.rint(levels * 10**LEVEL_DECIMALS).astype(np.int64)
    middle = np.median(whole, axis=1).astype(np.int64) if whole.size else np.zeros(len(ids), int)
    rest = (whole - middle[:, None])[np.argsort(middle, kind="stable")]
    return {
        "samples": [
            {
                "sample": str(name),
                "donor": str(row.donor),
                "group": str(row.group),
                "time": str(row.time),
            }
            for name, row in zip(obs.index, obs.itertuples(), strict=True)
        ],
        "middle": squeeze(planes(folded(middle), 2)),
        "rest": squeeze(planes(folded(rest.ravel()), 2)),
    }


def set_membership(run: RunTables, ids: list[str]) -> list[dict[str, Any]]:
    """Return for each gene set its genes by their places in the gene index."""
    place = {gene: number for number, gene in enumerate(ids)}
    return [
        {
            "collection": one.collection,
            "name": one.name,
            "genes": [place[gene] for gene in one.genes if gene in place],
        }
        for one in run.gene_sets
    ]


def factor_flags(run: RunTables, ids: list[str]) -> list[dict[str, Any]]:
    """Return what the factors say of a gene: those it responds to, by its place in the index."""
    place = {gene: number for number, gene in enumerate(ids)}
    hits = run.factors[run.factors["call"].isin(RESPONSIVE)]
    return [
        {
            "gene": place[row.gene_id],
            "factor": row.factor,
            "call": row.call,
            "direction": row.direction or "",
        }
        for row in hits.itertuples()
        if row.gene_id in place
    ]


def target_verdicts(run: RunTables) -> dict[str, dict[str, list[str]]]:
    """Return by gene id and contrast the verdict on a target, its reason, and the other number.

    The other number is the genome-wide call, in a sentence where it differs from the verdict. A
    verdict that does not hold over all contrasts and targets says so, as it does under targets.
    """
    found: dict[str, dict[str, list[str]]] = {}
    for row in run.targets.dropna(subset=["gene_id"]).itertuples():
        alone = row.verdict in ("up", "down") and row.headline == "none"
        verdict = f"{row.verdict}, not established" if alone else row.verdict
        said = [verdict, minus(row.reason), minus(row.genome_wide or "")]
        found.setdefault(row.gene_id, {}).setdefault(row.contrast, said)
    return found
