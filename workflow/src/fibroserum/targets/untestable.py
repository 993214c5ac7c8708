"""Targets in contrasts that are not estimable: untestable, with the contrast's reason."""

from __future__ import annotations

import pandas as pd

from fibroserum.targets.study import Study


def with_untestable(study: Study, verdicts: pd.DataFrame) -> pd.DataFrame:
    """Return verdicts with a row for each target in each contrast that is not estimable."""
    rows = [
        {
            "target": target,
            "gene_id": gene,
            "contrast": contrast.name,
            "kind": contrast.kind,
            "verdict": "untestable",
            "headline": "none",
            "reason": f"The contrast is not estimable: {why}.",
            "driven_by_one_donor": False,
            "start": "",
        }
        for contrast, why in study.not_estimable.items()
        for target, gene in study.genes.items()
    ]
    if not rows:
        return verdicts
    untestable = pd.DataFrame(rows, columns=verdicts.columns).astype(object)
    whole = pd.concat([verdicts.astype(object), untestable], ignore_index=True)
    return whole.where(whole.notna(), None).infer_objects()
