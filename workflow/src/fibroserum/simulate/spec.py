"""What a simulated cohort is made of: frozen specifications with checked values."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass, field

BEFORE = "pre"
AFTER = "post"

# log2(0.75): CCL28 falls by a quarter.
QUARTER_LESS = -0.415


@dataclass(frozen=True)
class Arm:
    """A group (study arm) of a simulated cohort.

    Parameters
    ----------
    name : str
        As in the sample sheet.
    donors : int
        How many.
    ccl28_change : float
        Population mean of the change of serum CCL28 from before to after, log2.
    change_sd : float
        Standard deviation between donors of a change of their own in every gene (log2), independent
        between genes.

    Examples
    --------
    >>> Arm("RT", donors=10, ccl28_change=-0.415).name
    'RT'
    """

    name: str
    donors: int
    ccl28_change: float = 0.0
    change_sd: float = 0.0


@dataclass(frozen=True)
class Effect:
    """What is planted in one gene of a simulated cohort; all in log2.

    Parameters
    ----------
    symbol : str
        The gene.
    change : mapping of str to float
        By group, the change from before to after that serum CCL28 does not cause.
    slope : float
        Change in expression per unit of log2 serum CCL28, before or after, in every group.
        Recombinant CCL28 acts with slope × `CohortSpec.stimulation_dose`.
    baseline : mapping of str to float
        By group, how much higher the group starts.

    Examples
    --------
    >>> Effect("BGN", change={"RT": 0.45}).change["RT"]
    0.45
    """

    symbol: str
    change: Mapping[str, float] = field(default_factory=dict)
    slope: float = 0.0
    baseline: Mapping[str, float] = field(default_factory=dict)


# BGN rises by 0.45 in RT only: 0.249 through the fall of CCL28 (-0.6 × -0.415), 0.201 directly.
# It starts 10 % lower there (log2 0.9 = -0.152), as in the study behind the pipeline.
DEFAULT_EFFECTS = (Effect("BGN", change={"RT": 0.201}, slope=-0.6, baseline={"RT": -0.152}),)


@dataclass(frozen=True)
class CohortSpec:
    """What a simulated cohort is made of. The first group is the reference.

    Parameters
    ----------
    arms : tuple of Arm
        The groups.
    incomplete_donors : int
        Donors of the last group without a sample after.
    crossover : bool
        Whether every group has the same donors.
    genes : int
        How many, about 1,000 or more with the default blocks: real ones until the bundled table has
        no more, then made-up.
    truth_seed : int
        The truth depends only on it, so cohorts of several seeds share it.
    effect_scale : float
        Multiplies every planted effect on genes (0: nothing is true but the serum levels).
    suppressed, induced : int
        Genes that follow CCL28.
    collagen_change : tuple of float
        Range of the log2 values by which collagens rise in every group.
    arm_only_share, baseline_share : float
        Shares of genes that change in one group only, and that start at another level in each
        group but the reference.
    null_sets, null_set_size : int
        Sets of unchanged genes that correlate, and their size.
    effects : tuple of Effect
        Planted by name, over whatever the gene had; such genes are in no block drawn at random.
    dispersion_asymptote, dispersion_slope, dispersion_scatter : float
        The negative binomial dispersion is (asymptote + slope / mean) × exp(N(0, scatter²)),
        without scatter for targets.
    set_correlation, background_correlation : float
        The residual correlation within null sets and named categories, and its absolute value
        within modules of 50 other genes.
    donor_sd : tuple of float
        Range of the genes' standard deviations between donors, log2.
    donor_correlation : float
        Correlation of donor effects within modules.
    depth, depth_sd : float
        The library size, genome-wide, of which the chosen genes have their part, and the standard
        deviation of its logarithm.
    serum_between_sd, serum_change_sd, serum_noise : float
        Standard deviations of log2 serum levels: between donors, of their change, of measurement.
    outlier_share, outlier_log2 : float
        In this share of the genes one sample of one complete pair is multiplied by 2^outlier_log2.
    stimulation_cultures : int
        Cultures with and without CCL28 (0: no stimulation experiment).
    stimulation_dose : float
        The experiment raises log2 CCL28 by this much (negative: opposite to serum's).

    Examples
    --------
    >>> CohortSpec(arms=(Arm("AT", 6), Arm("RT", 7))).reference
    'AT'
    """

    arms: tuple[Arm, ...] = (Arm("AT", 8), Arm("RT", 10, QUARTER_LESS))
    incomplete_donors: int = 1
    crossover: bool = False
    genes: int = 3000

    truth_seed: int = 2023
    effect_scale: float = 1.0
    suppressed: int = 40
    induced: int = 10
    collagen_change: tuple[float, float] = (0.25, 0.35)
    arm_only_share: float = 0.02
    baseline_share: float = 0.01
    null_sets: int = 6
    null_set_size: int = 30
    effects: tuple[Effect, ...] = DEFAULT_EFFECTS

    dispersion_asymptote: float = 0.025
    dispersion_slope: float = 2.0
    dispersion_scatter: float = 0.5
    set_correlation: float = 0.2
    background_correlation: float = 0.05
    donor_sd: tuple[float, float] = (0.2, 0.3)
    donor_correlation: float = 0.3
    depth: float = 20e6
    depth_sd: float = 0.25

    serum_between_sd: float = 0.4
    serum_change_sd: float = 0.3
    serum_noise: float = 0.08

    outlier_share: float = 0.0
    outlier_log2: float = 4.0

    stimulation_cultures: int = 4
    stimulation_dose: float = 1.0

    def __post_init__(self) -> None:
        names = [arm.name for arm in self.arms]
        if not names or len(set(names)) != len(names):
            raise ValueError(f"groups need distinct names, got {names}")
        if self.crossover and len({arm.donors for arm in self.arms}) > 1:
            raise ValueError("the groups of a crossover need the same donors")
        if min(arm.donors for arm in self.arms) < 1:
            raise ValueError("every group needs a donor")
        if not 0 <= self.incomplete_donors < self.arms[-1].donors:
            raise ValueError("incomplete_donors must leave a complete donor in the last group")
        for name in ("set_correlation", "background_correlation", "donor_correlation"):
            if not 0 <= getattr(self, name) < 1:
                raise ValueError(f"{name} must be in [0, 1)")
        shares = self.arm_only_share * len(self.arms) + self.baseline_share * (len(self.arms) - 1)
        if min(self.arm_only_share, self.baseline_share) < 0 or shares > 0.7:
            raise ValueError("the changed shares must be positive and at most 0.7 together")

    @property
    def reference(self) -> str:
        """Return the name of the first group."""
        return self.arms[0].name

    def null(self) -> CohortSpec:
        """Return the same cohort with no effect on any gene; the serum levels still change."""
        return dataclasses.replace(self, effect_scale=0.0)
