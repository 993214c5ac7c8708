"""PyDESeq2's classes with this package's fit: nearer to R, and faster.

A run's own fit goes through them. `deseq2()` and `summary()` leave behind what PyDESeq2's own do,
except the intermediate matrices of samples × genes.
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
from fibroserum.multiple_testing import benjamini_hochberg, independent_filtering

LN2 = np.log(2)
# the parent raises `max_disp` to the number of samples where these are more, as `fit` does
USUAL = {"min_mu": 0.5, "min_disp": 1e-8, "refit_cooks": True, "min_replicates": 7}


class BlockedDeseqDataSet(DeseqDataSet):
    """A `DeseqDataSet` whose `deseq2()` is the fit of this package.

    Takes the arguments of its parent; `n_cpus` is the number of threads. Size factors that
    `obs["size_factors"]` holds before `deseq2()` are kept; otherwise the parent estimates them
    (`size_factors_fit_type`, `control_genes`). With another trend than the parametric one, or
    limits other than DESeq2's defaults (`USUAL`), the parent makes the fit, with
    `BlockedInference`.

    Attributes
    ----------
    fitted : NegativeBinomialFit or None
        The result of `deseq2()`; None if the parent made the fit.
    """

    def __init__(self, *, n_cpus: int | None = None, **arguments: Any):
        arguments.setdefault("inference", BlockedInference(n_cpus=n_cpus))
        super().__init__(**arguments)
        self.fitted: NegativeBinomialFit | None = None
        self.keeps_size_factors = False
        self.estimated: np.ndarray | None = None

    def _check_full_rank_design(self) -> None:
        """Raise ValueError for a rank-deficient design; the parent only warns, and is slow."""
        structure = find_blocks(self.obsm["design_matrix"].to_numpy(dtype=float))
        if structure.rank < structure.n_columns:
            raise ValueError("The design matrix is not of full rank.")

    def fit_size_factors(
        self,
        fit_type: Literal["ratio", "poscounts", "iterative"] | None = None,
        control_genes: Any = None,
    ) -> None:
        """Estimate size factors as the parent does; `deseq2()` keeps those that it was given."""
        if not self.keeps_size_factors:
            super().fit_size_factors(fit_type, control_genes)
            return
        self.layers["normed_counts"] = self.X / self.obs["size_factors"].to_numpy(float)[:, None]
        self.var["_normed_means"] = self.layers["normed_counts"].mean(axis=0)

    def _given_size_factors(self) -> bool:
        """Return whether there are size factors that an earlier `deseq2()` did not estimate."""
        if "size_factors" not in self.obs:
            return False
        return self.estimated is None or not np.array_equal(
            self.obs["size_factors"].to_numpy(float), self.estimated
        )

    def deseq2(self, fit_type: Literal["parametric", "mean"] | None = None) -> None:
        """Estimate size factors unless given, dispersions and log fold changes.

        Raises ValueError for what `fibroserum.deseq.fit` refuses.
        """
        self.fitted = None
        self.keeps_size_factors = self._given_size_factors()
        usual = all(getattr(self, name) == value for name, value in USUAL.items())
        try:
            if not usual or (fit_type or self.fit_type) != "parametric":
                super().deseq2(fit_type)
                return
            if not self.keeps_size_factors:
                self.fit_size_factors(self.size_factors_fit_type, self.control_genes)
                self.estimated = self.obs["size_factors"].to_numpy(float)
                del self.layers["normed_counts"]
        finally:
            self.keeps_size_factors = False
        self.hold(
            fit(
                self.to_df(),
                self.obsm["design_matrix"],
                self.obs["size_factors"].to_numpy(float),
                n_cpus=self.inference.n_cpus,
            )
        )

    def hold(self, fitted: NegativeBinomialFit) -> None:
        """Set what PyDESeq2's `deseq2()` sets from a fit of these samples and genes."""
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
        self.var["replaced"] = fitted.replaced
        self.var["refitted"] = fitted.replaced & known
        self.new_all_zeroes_genes = self.var_names[fitted.replaced & ~known]
        self.varm["LFC"] = pd.DataFrame(
            fitted.coefficients, index=self.var_names, columns=fitted.design.columns
        )
        self.uns["disp_function_type"] = fitted.trend_type
        if fitted.trend_coefficients is None:
            self.uns["mean_disp"] = float(np.nanmean(fitted.fitted_dispersions))
        else:
            self.uns["trend_coeffs"] = pd.Series(fitted.trend_coefficients, index=["a0", "a1"])
        self.uns["prior_disp_var"] = np.float64(fitted.prior_variance)

    def cooks_outlier(self) -> pd.Series:
        """Return the genes whose p value is withheld for a count outlier."""
        if self.fitted is None:
            return super().cooks_outlier()
        return pd.Series(self.fitted.count_outlier, index=self.var_names)


class BlockedDeseqStats(DeseqStats):
    """A `DeseqStats` on a `BlockedDeseqDataSet`; a contrast of several columns is tested as one.

    Takes the arguments of its parent; `inference` defaults to the dataset's. The two-sided test
    against 0 and `greaterAbs` are done here, with independent filtering as R's `results()` has
    it; the parent tests other alternatives, and fits that it made itself.

    Attributes
    ----------
    tested : pandas.DataFrame or None
        What `fibroserum.deseq.wald` returned; None before a test, or if the parent made it.
    """

    lfc_null: float
    alt_hypothesis: str | None

    def __init__(self, dds: DeseqDataSet, contrast: list[str] | np.ndarray, **arguments: Any):
        arguments.setdefault("inference", dds.inference)
        super().__init__(dds, contrast, **arguments)
        self.tested: pd.DataFrame | None = None

    @property
    def fitted(self) -> NegativeBinomialFit | None:
        """The fit of the dataset; None if PyDESeq2 made it."""
        return getattr(self.dds, "fitted", None)

    def _tests(self, lfc_null: float, alternative: str | None) -> bool:
        """Return whether this class makes the test, and not its parent."""
        usual = lfc_null == 0 if alternative is None else alternative == "greaterAbs"
        return self.fitted is not None and usual and lfc_null >= 0 and not self.shrunk_LFCs

    def _wald(self, fitted: NegativeBinomialFit) -> pd.DataFrame:
        contrast = np.asarray(self.contrast_vector, dtype=float)
        n_cpus = self.inference.n_cpus
        return wald(fitted, self.dds.to_df(), contrast, self.lfc_null, n_cpus=n_cpus)

    def run_wald_test(self) -> None:
        """Fill p_values, statistics and SE."""
        self.tested, fitted = None, self.fitted
        if fitted is None or not self._tests(self.lfc_null, self.alt_hypothesis):
            super().run_wald_test()
            return
        if not self.cooks_filter:
            fitted = replace(fitted, count_outlier=np.zeros(len(fitted.genes), dtype=bool))
        self.tested = self._wald(fitted)
        self.p_values, self.statistics = self.tested["pvalue"], self.tested["stat"]
        self.SE = self.tested["lfcSE"] * LN2

    def summary(self, **kwargs: Any) -> None:
        """Fill results_df; the keywords lfc_null and alt_hypothesis replace the attributes."""
        lfc_null = kwargs.get("lfc_null", self.lfc_null)
        alternative = kwargs.get("alt_hypothesis", self.alt_hypothesis)
        if not self._tests(lfc_null, alternative):
            super().summary(**kwargs)
            return
        asked_anew = (lfc_null, alternative) != (self.lfc_null, self.alt_hypothesis)
        self.lfc_null, self.alt_hypothesis = lfc_null, alternative
        if self.tested is None or asked_anew:
            self.run_wald_test()
        p, means = self.p_values.to_numpy(float), self.base_mean.to_numpy(float)
        if self.independent_filter:
            adjusted = independent_filtering(p, means, self.alpha)
        else:
            adjusted = benjamini_hochberg(p)
        self.padj = pd.Series(adjusted, index=self.dds.var_names)
        self.results_df = pd.concat([self.base_mean.rename("baseMean"), self.tested], axis=1)
        self.results_df["padj"] = self.padj
        if not self.quiet:
            print(self.results_df)

    def shrink_contrast(self) -> pd.Series:
        """Return shrunken log2 fold changes of this contrast, of any columns.

        Raises ValueError if PyDESeq2 made the fit.
        """
        fitted = self.fitted
        if fitted is None:
            raise ValueError("The dataset was not fitted by BlockedDeseqDataSet.deseq2().")
        tested = self._wald(fitted) if self.tested is None else self.tested
        values = shrink(
            fitted,
            self.dds.to_df(),
            np.asarray(self.contrast_vector, dtype=float),
            tested,
            n_cpus=self.inference.n_cpus,
        )
        return pd.Series(values, index=self.dds.var_names)
