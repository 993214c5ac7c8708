"""What stands beside the verdicts is said as it is."""

from __future__ import annotations

from dataclasses import replace

import anndata as ad
import numpy as np
import pandas as pd
import pytest

from fibroserum.cohort.accessors import rows_of_targets
from fibroserum.cohort.contrasts import contrasts_of
from fibroserum.genes.gmt import read_gmt
from fibroserum.targets.context import (
    FOOTPRINTS,
    SETS,
    ContextSettings,
    context_table,
    direction,
    pattern_sentence,
)
from helpers.context_settings import DEFAULT

CONTRASTS = {c.kind: c for c in contrasts_of(["AT", "RT"], "pre", "post")}


@pytest.mark.parametrize(
    ("numbers", "sign"),
    [
        ((0.3, 0.1, 0.5), 1),
        ((-0.3, -0.5, -0.1), -1),
        ((0.3, -0.1, 0.7), 0),
        ((0.3, 0.0, 0.6), 0),
        ((np.nan, np.nan, np.nan), None),
        ((0.3, np.nan, np.nan), None),
    ],
)
def test_what_is_not_known_has_no_direction(
    numbers: tuple[float, float, float], sign: int | None
) -> None:
    assert direction(*numbers) == sign


@pytest.mark.parametrize(
    ("signs", "words"),
    [
        ((1, -1, 1), "this fits."),
        ((1, 0, 1), "too little is clear to decide."),
        ((0, 0, 0), "too little is clear to decide."),
        ((1, None, 1), "too little is clear to decide."),
        ((1, 1, 1), "DCN does not fit."),
        ((-1, 1, 0), "BGN and DCN do not fit."),
    ],
)
def test_the_pattern_is_read_for_the_reader(signs: tuple[int | None, ...], words: str) -> None:
    said = pattern_sentence(
        dict(zip(DEFAULT.pattern, signs, strict=True)), CONTRASTS["change"], DEFAULT
    )
    assert said.endswith(words)


def test_the_pattern_is_said_as_its_contrast_is() -> None:
    signs = {"BGN": 1, "DCN": -1, "VCAN": 0}
    told = {
        kind: pattern_sentence(signs, contrast, DEFAULT) for kind, contrast in CONTRASTS.items()
    }
    assert told["change"].startswith("BGN rises, DCN falls, VCAN unclear (by")
    assert told["difference"].startswith("Changes in RT compared with AT: BGN higher, DCN lower")
    assert told["baseline"].startswith(
        "RT compared with AT before the intervention: BGN higher, DCN l"
    )
    missing = pattern_sentence(
        {"BGN": None, "DCN": None, "VCAN": None}, CONTRASTS["change"], DEFAULT
    )
    assert "not fitted" in missing


def cohort(targets: dict[str, str]) -> ad.AnnData:
    """Return six pairs with the genes of the footprints; RT's SERPINE1 family rises after."""
    sets = {one.name: one.genes for one in read_gmt(SETS) if one.name in FOOTPRINTS}
    genes = sorted({gene for one in sets.values() for gene in one} | {"BGN", "DCN", "VCAN"})
    symbols = [*genes, *(f"G{n}" for n in range(200)), "BGN"]
    ids = [f"E{n:04d}" for n in range(len(symbols))]
    rng = np.random.default_rng(2)
    rows = [(f"{g}{n}", g, t) for g in ("AT", "RT") for n in range(6) for t in ("pre", "post")]
    obs = pd.DataFrame(rows, columns=["donor", "group", "time"], index=map("_".join, rows))
    obs["used_for"], obs["size_factor"], obs["line"] = "change", 1.0, ""
    layer = rng.normal(5, 0.3, (len(obs), len(ids)))
    raised = np.isin(symbols, sets["TGF_BETA_RESPONSE"])
    layer[np.ix_(((obs["group"] == "RT") & (obs["time"] == "post")).to_numpy(), raised)] += 1.5
    by_symbol = dict(zip(reversed(symbols), reversed(ids), strict=True))
    made = ad.AnnData(
        X=np.rint(np.expm1(layer)).astype(np.int64),
        obs=obs,
        var=pd.DataFrame(
            {"symbol": symbols, "ensembl": "", "entrez": "", "match": "official"}, index=ids
        ),
        layers={"log1p_normalized": layer, "normalized": np.expm1(layer)},
    )
    made.uns["fibroserum"] = {
        "before": "pre",
        "after": "post",
        "groups": ["AT", "RT"],
        "crossover": False,
        "covariates": [],
        "lines": [""],
        "notes": [],
        "targets": list(targets),
        "target_genes": [by_symbol[symbol] for symbol in targets.values()],
    }
    return made


def result_of(made: ad.AnnData) -> dict[str, pd.DataFrame]:
    """Return result tables in which nothing has an interval."""
    empty = dict.fromkeys(("log2FoldChange", "lfcSE", "ci_low", "ci_high"), np.nan)
    table = pd.DataFrame({"gene_id": made.var_names, **empty})
    return {c.name: table for c in contrasts_of(["AT", "RT"], "pre", "post")}


def test_footprints_are_said_as_their_contrast_is() -> None:
    made = cohort({"BGN": "BGN"})
    table = context_table(made, result_of(made), DEFAULT).set_index(["item", "contrast"])[
        "sentence"
    ]
    said = table["TGF_BETA_RESPONSE"]
    assert said["RT_post_vs_pre"].startswith("The score rises in RT. ")
    unclear = "The direction of the score's change in AT is not established"
    assert said["AT_post_vs_pre"].startswith(unclear)
    assert said["RT_vs_AT_change"].startswith("The score's change is higher in RT than in AT. ")
    assert said["average_post_vs_pre"].startswith("The score rises on average across the groups. ")
    assert said["RT_vs_AT_pre"].startswith(
        "The direction of the score's difference between RT and AT"
    )
    # the caution is of a rise: not where none is seen, and not of the groups' start
    assert said.str.contains("attributing a rise of BGN").to_dict() == {
        "AT_post_vs_pre": False,
        "RT_post_vs_pre": True,
        "RT_vs_AT_change": True,
        "average_post_vs_pre": True,
        "RT_vs_AT_pre": False,
    }
    assert not table.str.contains("nan|None").any()


def test_every_row_of_a_target_is_out_of_every_footprint() -> None:
    sets = {one.name: one.genes for one in read_gmt(SETS) if one.name in FOOTPRINTS}
    shared = {gene: gene for genes in sets.values() for gene in genes[:2]}
    made = cohort({"BGN": "BGN", **shared})
    named = {made.var.loc[gene, "symbol"] for gene in rows_of_targets(made)}
    assert named == {"BGN", *shared}
    # BGN stands in two rows, and both are its
    assert len(rows_of_targets(made)) == len(named) + 1
    found = context_table(made, result_of(made), DEFAULT).query("kind == 'footprint'")
    for name, genes in sets.items():
        left = [gene for gene in genes if gene not in shared]
        assert (found.loc[found["item"] == name, "genes"] == len(left)).all()


def test_a_footprint_of_few_genes_says_so() -> None:
    sets = {one.name: one.genes for one in read_gmt(SETS) if one.name in FOOTPRINTS}
    most = {gene: gene for gene in sets["PROLIFERATION"][4:]}
    made = cohort({"BGN": "BGN", **most})
    rows = context_table(made, result_of(made), DEFAULT).query("item == 'PROLIFERATION'")
    assert len(rows) == 1
    assert rows["sentence"].iloc[0].startswith("Without the targets, only 4 of its genes")


OTHER = ContextSettings("IL-1", {"G1": "down", "G2": "down", "G3": "up"}, {"G4": "IL6"})


def test_another_pattern_and_receptor_are_used() -> None:
    made = cohort({"BGN": "BGN"})
    results = {name: table.copy() for name, table in result_of(made).items()}
    ids = dict(zip(made.var["symbol"], made.var_names, strict=True))
    for table in results.values():
        rows = table["gene_id"].isin([ids["G1"], ids["G2"]])
        table.loc[rows, ["log2FoldChange", "lfcSE", "ci_low", "ci_high"]] = -0.5, 0.1, -0.7, -0.3
    found = context_table(made, results, OTHER).query("kind != 'footprint'")
    said = found.set_index(["item", "contrast"])["sentence"]
    assert said["G1/G2/G3", "RT_post_vs_pre"] == (
        "G1 falls, G2 falls, G3 not fitted (by the 95 % intervals). IL-1 raises G3 and lowers G1 "
        "and G2: too little is clear to decide."
    )
    assert said["G4"].iloc[0].startswith("The IL6 receptor G4 is expressed ")
    assert set(found["item"]) == {"G1/G2/G3", "G4"}
    one_way = replace(OTHER, pattern={"G1": "up"})
    sentence = pattern_sentence({"G1": 1}, CONTRASTS["change"], one_way)
    assert sentence.endswith("IL-1 raises G1: this fits.")


def test_without_pattern_and_receptors_the_footprints_are_left() -> None:
    made = cohort({"BGN": "BGN"})
    nothing = context_table(made, result_of(made), ContextSettings("IL-1", {}, {}))
    assert set(nothing["kind"]) == {"footprint"}
