"""PyDESeq2's classes with this package's fit: nearer to R, without the overhead.

For code that is written against PyDESeq2. `deseq2()` and `summary()` leave behind what PyDESeq2's
own do, but for the intermediate matrices of samples × genes.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any, Literal

import numpy as np
import pandas as pd
from pydeseq2.dds import DeseqDataSet
from pydeseq2.ds import DeseqStats

from fibroserum.deseq.fitting import fit
from fibroserum.deseq.model import NegativeBinomialFit
from fibroserum.deseq.shrinking import shrink
from fibroserum.deseq.testing import wald
from fibroserum.inference import BlockedInference
from fibroserum.inference.structure import find_blocks
from fibroserum.multiple_testing import independent_filtering

LN2 = np.log(2)
# the parent raises `max_disp` to the number of samples where these are more, as `fit` does
USUAL = {"min_mu": 0.5, "min_disp": 1e-8, "refit_cooks": True, "min_replicates": 7}


class BlockedDeseqDataSet(DeseqDataSet):
    """A `DeseqDataSet` whose `deseq2()` is `fibroserum.deseq.fit`.

    Takes the arguments of its parent; `n_cpus` are threads. Only the parametric trend,
    median-of-ratios size factors and DESeq2's default limits (`USUAL`) are fitted here: asked for
    others, the parent's way is taken, with `BlockedInference`. `fitted` holds the result, None
    where the parent made it.
    """

    def __init__(self, *, n_cpus: int | None = None, **arguments: Any):
        arguments.setdefault("inference", BlockedInference(n_cpus=n_cpus))
        super().__init__(**arguments)
        self.fitted: NegativeBinomialFit | None = None

    def _is_usual(self, fit_type: str | None) -> bool:
        kind = (fit_type or self.fit_type, self.size_factors_fit_type)
        limits = all(getattr(self, name) == value for name, value in USUAL.items())
        return kind == ("parametric", "ratio") and self.control_genes is None and limits

    def _check_full_rank_design(self) -> None:
        """Check the rank with the blocks eliminated; the parent decomposes the whole design."""
        structure = find_blocks(self.obsm["design_matrix"].to_numpy(dtype=float))
        if structure.rank < structure.n_columns:
            raise ValueError("The design matrix is not of full rank.")

    def deseq2(self, fit_type: Literal["parametric", "mean"] | None = None) -> None:
        """Estimate size factors, dispersions and log fold changes."""
        self.fitted = None
        if not self._is_usual(fit_type):
            super().deseq2(fit_type)
            return
        design = self.obsm["design_matrix"]
        fitted = fit(np.asarray(self.X), design, n_cpus=self.inference.n_cpus)
        self.fitted = fitted
        known = np.isfinite(fitted.dispersions)
        self.obs["size_factors"] = fitted.size_factors
        self.var["_normed_means"] = fitted.base_mean
        self.var["non_zero"] = known
        self.non_zero_idx = np.flatnonzero(known)
        self.non_zero_genes = self.var_names[known]
        self.var["genewise_dispersions"] = fitted.genewise_dispersions
        self.var["fitted_dispersions"] = fitted.fitted_dispersions
        self.var["MAP_dispersions"] = fitted.map_dispersions
        self.var["dispersions"] = fitted.dispersions
        self.var["_outlier_genes"] = known & (fitted.dispersions != fitted.map_dispersions)
        self.var["_LFC_converged"] = pd.array(
            np.where(known, fitted.converged, pd.NA), dtype="boolean"
        )
        self.var["replaced"] = fitted.replaced
        self.var["refitted"] = fitted.replaced & known
        self.var["_pvalue_cooks_outlier"] = fitted.count_outlier
        self.new_all_zeroes_genes = self.var_names[fitted.replaced & ~known]
        self.varm["LFC"] = pd.DataFrame(
            fitted.coefficients, index=self.var_names, columns=design.columns
        )
        self.uns["disp_function_type"] = fitted.trend_type
        if fitted.trend_coefficients is None:
            self.uns["mean_disp"] = float(np.nanmean(fitted.fitted_dispersions))
        else:
            self.uns["trend_coeffs"] = pd.Series(fitted.trend_coefficients, index=["a0", "a1"])
        self.uns["prior_disp_var"] = np.float64(fitted.prior_variance)
        self.uns["_squared_logres"] = fitted.squared_logres


class BlockedDeseqStats(DeseqStats):
    """A `DeseqStats` on a `BlockedDeseqDataSet`; contrasts of several columns are tested as one.

    Takes the arguments of its parent. The two-sided test against 0 and `greaterAbs` are done here,
    as is independent filtering; other alternatives go the parent's way.
    """

    def _fitted(self) -> NegativeBinomialFit:
        fitted = getattr(self.dds, "fitted", None)
        if fitted is None:
            raise ValueError("The dataset was not fitted by BlockedDeseqDataSet.deseq2().")
        return fitted

    def run_wald_test(self) -> None:
        """Fill p_values, statistics and SE."""
        usual = self.alt_hypothesis is None and self.lfc_null == 0
        parents = getattr(self.dds, "fitted", None) is None
        if parents or not (usual or self.alt_hypothesis == "greaterAbs") or self.shrunk_LFCs:
            super().run_wald_test()
            return
        fitted = self._fitted()
        if not self.cooks_filter:
            fitted = replace(fitted, count_outlier=np.zeros(len(fitted.genes), dtype=bool))
        table = wald(
            fitted,
            np.asarray(self.dds.X),
            self.contrast_vector,
            self.lfc_null,
            n_cpus=getattr(self.inference, "n_cpus", 1),
        )
        names = self.dds.var_names
        self.p_values = pd.Series(table["pvalue"].to_numpy(), index=names)
        self.statistics = pd.Series(table["stat"].to_numpy(), index=names)
        self.SE = pd.Series(table["lfcSE"].to_numpy() * LN2, index=names)

    def _independent_filtering(self) -> None:
        """Fill padj as R's `results()` does."""
        if not hasattr(self, "p_values"):
            self.run_wald_test()
        means = self.base_mean.to_numpy()
        self.padj = pd.Series(
            independent_filtering(self.p_values.to_numpy(), means, self.alpha),
            index=self.dds.var_names,
        )

    def shrink_contrast(self) -> pd.Series:
        """Return shrunken log2 fold changes of this contrast, whatever its columns."""
        values = shrink(
            self._fitted(),
            np.asarray(self.dds.X),
            np.asarray(self.contrast_vector, dtype=float),
            n_cpus=getattr(self.inference, "n_cpus", 1),
        )
        return pd.Series(values, index=self.dds.var_names)
