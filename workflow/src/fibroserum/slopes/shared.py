"""Expression and its precision weights, computed once for the slopes on many values."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pandas as pd

from fibroserum import linear
from fibroserum.cohort.designs import Design
from fibroserum.cohort.rank import check_rank
from fibroserum.slopes.design import change_columns, tmm_or_fixed, well_counted


def weighted_expression(
    counts: pd.DataFrame, obs: pd.DataFrame, settings: Mapping[str, Any], force_kept: pd.Series
) -> linear.Expression:
    """Return voom's log2 counts per million and precision weights in the model of changes.

    Arguments as `slope_model` takes them. The weights depend on the fitted values, which a further
    column changes little: many values can share them.
    """
    design = Design(*change_columns(obs, settings, list(settings["groups"])))
    check_rank(design, "the model of changes")
    own = well_counted(counts, obs, settings, design, force_kept)
    log2, size = linear.log_cpm(own, tmm_or_fixed(own, settings).to_numpy())
    span = linear.lowess_span(own.shape[1])
    seen = own.to_numpy().any(axis=0)
    weights = linear.precision_weights(log2, size, design, seen, span)
    return linear.Expression(own.index, own.columns, log2, weights)
