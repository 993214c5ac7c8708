"""The mistakes of a large cohort."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from fibroserum.errors import InputError
from fibroserum.genes.table import load_table
from helpers.bad_inputs import build
from helpers.small_cohort import Table, good

DONORS, GENES = 56, 20_000


def _large(folder: Path) -> tuple[Table, Path]:
    """Return a sheet of 112 samples, and where their counts of 20,000 genes are written."""
    rows = [
        [f"D{n}_{time}", f"D{n}", "AT" if n <= DONORS // 2 else "RT", time, str(300 + n)]
        for n in range(1, DONORS + 1)
        for time in ("pre", "post")
    ]
    symbols = load_table()["symbol"].drop_duplicates().iloc[:GENES]
    rng = np.random.default_rng(1)
    means = np.exp(rng.normal(4, 2, (GENES, 1)))
    counts = rng.poisson(means * rng.gamma(5, 0.2, (GENES, len(rows))))
    counts[-1, -1] = -7
    lines = ["gene_id\t" + "\t".join(row[0] for row in rows)]
    lines += [
        f"{symbol}\t" + "\t".join(map(str, row))
        for symbol, row in zip(symbols, counts.tolist(), strict=True)
    ]
    folder.mkdir()
    (folder / "large.tsv").write_text("\n".join(lines) + "\n", encoding="utf-8")
    header = ["sample", "donor", "group", "timepoint", "ccl28"]
    return Table([header, *rows]), folder / "large.tsv"


def test_mistakes_in_the_last_cells_of_a_large_cohort_are_found(tmp_path: Path) -> None:
    sheet, path = _large(tmp_path / "large")
    cohort = good()
    cohort.tables["samples.tsv"] = sheet
    cohort.config["counts"] = [path.name]
    sheet.put("D56_post", "ccl28", "high")
    with pytest.raises(InputError) as refused:
        build(cohort, path.parent)
    assert [problem.what for problem in refused.value.problems] == [
        "the level 'high' of CCL28 is not a number",
        "the count is negative (-7)",
    ]
    assert "column 'D56_post'" in refused.value.problems[1].where
