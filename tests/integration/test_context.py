"""Context beside the verdicts: targets taken out, signs right, receptors shown and no gate."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from fibroserum import tables
from fibroserum.cohort.accessors import settings_of
from fibroserum.cohort.storage import read_h5ad
from fibroserum.targets.context import FOOTPRINTS, context_table
from helpers.context_settings import DEFAULT
from helpers.pipeline import Run


@pytest.fixture(scope="module")
def results(toy_run: Run) -> dict[str, pd.DataFrame]:
    names = toy_run.table("contrasts")["contrast"]
    return {name: toy_run.table("de", name) for name in names}


def test_rows_and_schema(toy_run: Run, results: dict[str, pd.DataFrame]) -> None:
    table = toy_run.table("context")
    tables.check("context", table)
    assert (table["kind"] == "footprint").sum() == len(FOOTPRINTS) * len(results)
    assert (table["kind"] == "pattern").sum() == len(results)
    assert table.query("kind == 'receptor'")["item"].tolist() == ["CCR3", "CCR10"]


def test_a_planted_footprint_is_seen_and_targets_have_no_part(
    toy_run: Run, results: dict[str, pd.DataFrame]
) -> None:
    cohort = read_h5ad(toy_run.results / "cohort.h5ad")
    before = context_table(cohort, results, DEFAULT).set_index(["item", "contrast"])
    mine = list(settings_of(cohort)["targets"].values())
    genes = [gene for gene in mine if gene]
    counts = np.asarray(cohort.X).copy()
    positions = cohort.var_names.get_indexer(genes)
    factors = np.random.default_rng(0).uniform(0.9, 1.1, (len(counts), len(genes)))
    counts[:, positions] = np.rint(counts[:, positions] * factors)
    cohort.X = counts
    moved = context_table(cohort, results, DEFAULT).set_index(["item", "contrast"])
    key = ("TGF_BETA_RESPONSE", "RT_post_vs_pre")
    # targets are not in the set; they move the others' ranks a little
    assert moved.loc[key, "estimate"] == pytest.approx(before.loc[key, "estimate"], abs=0.5)
    footprint = cohort.var["symbol"].isin(
        [
            "SERPINE1",
            "CCN2",
            "TAGLN",
            "ACTA2",
            "CNN1",
            "POSTN",
            "COMP",
            "CTHRC1",
            "FN1",
            "ELN",
            "TGFBI",
            "TPM1",
        ]
    )
    raised = (cohort.obs["group"] == "RT") & (cohort.obs["time"] == "post")
    counts[np.ix_(raised.to_numpy(), footprint.to_numpy())] *= 5
    cohort.X = counts
    row = context_table(cohort, results, DEFAULT).set_index(["item", "contrast"]).loc[key]
    assert row["ci_low"] > 0
    assert "rises" in row["sentence"]


def test_the_pattern_is_said_from_the_intervals(
    toy_run: Run, results: dict[str, pd.DataFrame]
) -> None:
    said = toy_run.table("context").query("kind == 'pattern'").set_index("contrast")["sentence"]
    de = results["RT_post_vs_pre"].set_index("symbol")
    assert de.loc["BGN", "ci_low"] > 0
    assert said["RT_post_vs_pre"].startswith("BGN rises, ")
