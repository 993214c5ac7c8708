"""What the fit of a cohort depends on."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, get_args

SecondOpinion = Literal["voom", "none"]


@dataclass(frozen=True)
class FitSettings:
    """What the fit depends on: alpha is not among it.

    min_count: genes with fewer counts over the model's samples are not fitted. lfc_threshold: |log2
    fold change| above which is tested. n_cpus: threads; results do not depend on it.
    """

    min_count: int = 10
    second_opinion: SecondOpinion = "voom"
    lfc_threshold: float = 0.0
    n_cpus: int = 1

    def __post_init__(self) -> None:
        if self.second_opinion not in get_args(SecondOpinion):
            raise ValueError(
                f"no second model '{self.second_opinion}': {', '.join(get_args(SecondOpinion))}"
            )
