"""The forest plot and the power table take a published effect from the same rows."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pandas as pd

from fibroserum.cohort.contrasts import contrasts_of
from fibroserum.input.published import read_published
from fibroserum.report.figures.targets import published_effects
from fibroserum.targets.power import published_effect

HEAD = "gene,group,pairs,before,before_se,after,after_se,p\n"


def test_of_a_gene_twice_in_a_group_the_first_row_counts(tmp_path: Path) -> None:
    path = tmp_path / "published.csv"
    rows = ["BGN,RT,30,1,0.1,2,0.1,<0.01", "BGN,RT,30,1,0.1,8,0.1,<0.01", "BGN,AT,30,1,0.1,4,0.1,1"]
    path.write_text(HEAD + "\n".join(rows) + "\n")
    published = read_published(path)
    contrasts = contrasts_of(["AT", "RT"], "pre", "post")
    run = SimpleNamespace(
        planned=contrasts,
        published=published,
        groups=["AT", "RT"],
        settings={"before": "pre", "after": "post"},
        targets=pd.DataFrame({"target": ["BGN"]}),
        contrasts=pd.DataFrame(
            [(c.name, c.kind, c.group, c.reference) for c in contrasts],
            columns=["contrast", "kind", "group", "reference"],
        ),
    )
    drawn = published_effects(run).set_index("contrast")["published"]  # type: ignore[arg-type]
    assert drawn.to_dict() == {"AT_post_vs_pre": 2, "RT_post_vs_pre": 1, "RT_vs_AT_change": -1}
    for contrast in contrasts:
        effect = published_effect(published, "BGN", contrast, ["AT", "RT"])
        shown = drawn.get(contrast.name, np.nan)
        assert np.isnan(shown) if contrast.kind in ("average", "baseline") else shown == effect
