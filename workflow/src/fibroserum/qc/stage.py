"""Quality control: metrics, components, distances, and checks, which exclude nothing."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import anndata as ad
import pandas as pd

from fibroserum.cohort.accessors import left_out_table
from fibroserum.qc.checks import all_checks
from fibroserum.qc.metrics import components, distance_table, most_variable, sample_metrics
from fibroserum.qc.pair_quality import sample_weights


@dataclass(frozen=True)
class Quality:
    """The tables of the stage; see `tables.yaml` for their columns."""

    checks: pd.DataFrame
    left_out: pd.DataFrame
    metrics: pd.DataFrame
    variance: pd.DataFrame
    distances: pd.DataFrame


def control_quality(
    cohort: ad.AnnData,
    samples: pd.DataFrame,
    line_sex: str | None,
    fits: Mapping[str, ad.AnnData],
) -> Quality:
    """Return QC of a cohort (samples × genes).

    samples: `samples.tsv`; line_sex: as declared; fits: by model, as `de.fitting.fit_model` makes
    them.
    """
    metrics = sample_metrics(cohort).assign(quality_weight=sample_weights(cohort, fits))
    expression = most_variable(cohort)
    positions, variance = components(expression, cohort.obs)
    distances = distance_table(expression)
    left_out = left_out_table(cohort)
    return Quality(
        checks=all_checks(cohort, samples, left_out, metrics, expression, line_sex, fits),
        left_out=left_out,
        metrics=pd.concat([metrics, positions], axis=1).rename_axis("sample").reset_index(),
        variance=variance,
        distances=distances,
    )
