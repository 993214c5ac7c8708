"""The page's tables on factors: targets, no empty columns, a line for what was not assessed."""

from __future__ import annotations

import pandas as pd

from fibroserum.report.page.factors import MOST_GENES, _not_assessed, factor_columns, factor_rows


def genes(count: int = MOST_GENES + 50) -> pd.DataFrame:
    """Return a factor's genes without a stimulation experiment: two called, p values in order."""
    return pd.DataFrame(
        {
            "gene_id": [f"g{i:04d}" for i in range(count)],
            "symbol": [f"S{i}" if i else "" for i in range(count)],
            "call": ["responsive"] * 2 + ["not_responsive"] * (count - 2),
            "direction": "induced",
            "stimulation_log2FoldChange": None,
            "serum_slope": 0.1,
            "signature": "none",
            "responsive_pvalue": [i / count for i in range(count)],
            "responsive_padj": 0.5,
            "confirmed_padj": None,
        }
    )


def test_targets_are_always_in_the_table_of_a_factor() -> None:
    last = f"g{MOST_GENES + 49:04d}"
    rows = factor_rows(genes(), {last: "BGN", "g0001": "DCN"})
    assert list(rows["gene_id"][:3]) == ["g0000", "g0001", last]
    assert len(rows) == 2 + 1 + MOST_GENES
    assert not rows["gene_id"].duplicated().any()
    assert rows.loc[rows["target"] == "yes", "gene_id"].tolist() == ["g0001", last]
    assert rows["symbol"].iloc[0] == "g0000"


def test_columns_without_a_value_are_left_out() -> None:
    rows = factor_rows(genes(), {})
    left_out = {"target", "stimulation_log2FoldChange", "signature", "confirmed_padj"}
    assert left_out.isdisjoint(factor_columns(rows))
    both = rows.assign(stimulation_log2FoldChange=0.2, confirmed_padj=1.0, target="yes")
    assert left_out - {"signature"} <= set(factor_columns(both))


def test_mediation_that_was_not_assessed_is_one_sentence_a_reason() -> None:
    few = "9 and 8 donors have complete data; at least 10 in each group are needed"
    every = pd.DataFrame(
        [("CCL28", f"T{i}", "not_assessable", few) for i in range(12)],
        columns=["factor", "target", "call", "note"],
    )
    assert _not_assessed(every) == {
        "CCL28": [f"Mediation by CCL28 was not assessed for any target: {few}."]
    }
    some = every.assign(call=["mediated"] * 10 + ["not_assessable"] * 2)
    assert _not_assessed(some) == {
        "CCL28": [f"Mediation by CCL28 was not assessed for T10, T11: {few}."]
    }
    assert _not_assessed(every.assign(call="not_mediated")) == {}
