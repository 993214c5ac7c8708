"""The slope's test on a contrast of donor values, such as one of slopes on the dose."""

from __future__ import annotations

import numpy as np
import pandas as pd

from fibroserum.cohort.designs import Design
from fibroserum.linear import ContrastFit, fit_weighted
from fibroserum.linear.effects import contrast_as_last
from fibroserum.slopes.model import STEPS, VALUE, SlopeSteps, slope_test, with_intervals


def contrast_slope(own: ContrastFit, steps: SlopeSteps = STEPS, *, n_cpus: int = 1) -> pd.DataFrame:
    """Test a contrast of slopes in every gene, as `slope_test` tests one slope.

    Parameters
    ----------
    own : ContrastFit
        The linear model of the donors' values, without blocks.
    steps : SlopeSteps
        For ablations.
    n_cpus : int
        Threads; results do not depend on it.

    Returns
    -------
    pandas.DataFrame
        By gene: log2FoldChange, se, df_total and pvalue, the standard error being the one that the
        p value implies.
    """
    fit, dense = own.fit, contrast_as_last(own.fit.design.dense_values, own.vector)
    names = [f"value[{place}]" for place in range(dense.shape[1] - 1)]
    again = fit_weighted(
        pd.DataFrame(fit.E, fit.samples, fit.genes),
        Design(pd.DataFrame(dense, fit.samples, [*names, VALUE])),
        fit.weights,
        n_cpus=n_cpus,
        amean=fit.amean,
        trended=fit.trended,
    )
    groups = pd.Series("", fit.samples) if own.groups is None else own.groups
    tested, _ = slope_test(again, groups.astype(str), steps, n_cpus=n_cpus)
    implied = with_intervals(tested)
    return tested.assign(se=np.where(tested["se"] > 0, implied["se"], tested["se"]))
