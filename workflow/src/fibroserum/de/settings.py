"""What the fit of a cohort depends on."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, get_args

SecondOpinion = Literal["limma_trend", "voom", "none"]
Factors = Literal["estimated", "given", "spike_ins"]


@dataclass(frozen=True)
class Steps:
    """The steps of the chain from counts to calls that can be switched off, for comparison.

    renormalise: size factors and TMM are re-estimated without changed genes. donor_values: the
    linear model tests one value per donor and contrast. group_wise: each group has a variance of
    its own, whether or not the groups differ genome-wide. quality: pairs have quality weights in
    the linear model. interval: intervals are those of the less certain model, and a call needs one
    without 0.
    """

    renormalise: bool = True
    donor_values: bool = True
    group_wise: bool = True
    quality: bool = True
    interval: bool = True


@dataclass(frozen=True)
class FitSettings:
    """What the fit depends on: alpha is not among it.

    min_count: genes with fewer counts over the model's samples are not fitted. lfc_threshold: |log2
    fold change| above which is tested. n_cpus: threads; results do not depend on it. factors: where
    the size factors are from; those given or from spike-ins stand in for TMM factors too, and no
    model re-estimates them.
    """

    min_count: int = 10
    second_opinion: SecondOpinion = "limma_trend"
    lfc_threshold: float = 0.0
    n_cpus: int = 1
    steps: Steps = Steps()
    factors: Factors = "estimated"

    def __post_init__(self) -> None:
        if self.second_opinion not in get_args(SecondOpinion):
            raise ValueError(
                f"unknown second model '{self.second_opinion}'; expected one of "
                f"{', '.join(get_args(SecondOpinion))}"
            )
