"""Targets in contrasts that are not estimable: untestable, with the contrast's reason."""

from __future__ import annotations

import pandas as pd

from fibroserum.targets.study import Study


def untestable_reason(why: str) -> str:
    """Return the reason of a verdict in a contrast that is not estimable; why: as the run noted."""
    return f"The contrast is not estimable: {why}."


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
            "reason": untestable_reason(why),
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
