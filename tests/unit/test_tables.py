"""Tables fit their schema or are not written; what is written reads back."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fibroserum import tables


def frame(**changes: object) -> pd.DataFrame:
    row: dict[str, object] = {
        "contrast": "RT_post_vs_pre",
        "kind": "change",
        "group": "RT",
        "reference": None,
        "status": "estimated",
        "reason": None,
        "pairs": 10,
        "residual_df": 16,
        "tested": 2000,
        "up": 3,
        "down": 0,
        "up_main": 4,
        "down_main": 1,
        "spread_ratio": 1.0,
    }
    return pd.DataFrame([row | changes])


def test_every_schema_has_sentences_and_unique_paths() -> None:
    schemas = tables.schemas()
    assert len(schemas) > 20
    assert len({schema.path for schema in schemas.values()}) == len(schemas)
    for schema in schemas.values():
        assert schema.row
        for column in schema.columns:
            assert column.about.endswith((".", "?", ")", "'")), (schema.name, column.name)
            assert column.kind in ("text", "integer", "number", "fraction", "boolean", "word")


def test_round_trip(tmp_path: Path) -> None:
    path = tmp_path / "deep" / "contrasts.tsv"
    tables.write("contrasts", frame(), path)
    back = tables.read("contrasts", path)
    assert back.loc[0, "contrast"] == "RT_post_vs_pre"
    assert back.loc[0, "reference"] is None
    assert back.loc[0, "pairs"] == 10
    assert path.read_bytes().count(b"\n") == 2
    assert b"\r" not in path.read_bytes()


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"kind": "chnage"}, "unknown words"),
        ({"pairs": 1.5}, "not whole numbers"),
        ({"pairs": "ten"}, "not numeric"),
        ({"contrast": None}, "empty values"),
        ({"group": 7}, "not text"),
    ],
)
def test_a_misfit_is_named(changes: dict[str, object], said: str) -> None:
    with pytest.raises(tables.TableError, match=said):
        tables.check("contrasts", frame(**changes))


def test_missing_and_unknown_columns_are_named() -> None:
    wrong = frame().drop(columns="up").assign(surprise=1)
    with pytest.raises(tables.TableError, match=r"missing columns \['up'\].*\['surprise'\]"):
        tables.check("contrasts", wrong)


def test_fractions_and_infinities_are_refused() -> None:
    levels = pd.DataFrame(
        [
            {
                "factor": "X",
                "contrast": "c",
                "donors": 3,
                "change_log2": 0.1,
                "ci_low": 0.0,
                "ci_high": 0.2,
                "pvalue": 1.2,
            }
        ]
    )
    own = tables.schemas()["factor_levels"].names
    levels = levels.reindex(columns=own)
    with pytest.raises(tables.TableError, match="outside 0 to 1"):
        tables.check("factor_levels", levels)
    with pytest.raises(tables.TableError, match="not finite"):
        tables.check("factor_levels", levels.assign(pvalue=0.5, change_log2=np.inf))


def test_nothing_found_is_a_header(tmp_path: Path) -> None:
    path = tmp_path / "factors.tsv"
    tables.write("factors", tables.empty("factors"), path)
    assert path.read_text().startswith("factor\tgene_id\tsymbol")
    assert tables.read("factors", path).empty


def test_a_failed_write_leaves_what_was_there(tmp_path: Path) -> None:
    path = tmp_path / "contrasts.tsv"
    tables.write("contrasts", frame(), path)
    before = path.read_bytes()
    with pytest.raises(tables.TableError):
        tables.write("contrasts", frame(kind="no"), path)
    assert path.read_bytes() == before
    assert list(tmp_path.iterdir()) == [path]


@given(st.text(min_size=1, max_size=40).filter(lambda text: text.strip() != ""))
def test_any_name_stays_in_its_cell(name: str) -> None:
    import tempfile

    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "checks.tsv"
        row = {
            "check": "x",
            "level": "ok",
            "subject": name.encode("utf-8", "ignore").decode(),
            "message": "m",
            "advice": None,
        }
        tables.write("checks", pd.DataFrame([row]), path)
        assert len(tables.read("checks", path)) == 1


def test_no_negative_zero(tmp_path: Path) -> None:
    path = tmp_path / "variance.tsv"
    row = {"component": "PC1", "space": "samples", "variance_ratio": -0.0}
    tables.write("qc_variance", pd.DataFrame([row]), path)
    assert path.read_text().splitlines()[1] == "PC1\tsamples\t0"
