"""What the cohort of the designs is made of: groups, times, dose, outcome, molecules, genes.

Every number here was fixed before the first analysis of a cohort drawn from it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from fibroserum.simulate.spec import Arm, CohortSpec

CONTROL = "control"
HEALTHY = "healthy"
LATER = ("week8", "week16")
LATER_SESSIONS = (24, 48)
OWN_CONTRAST = "exercise_vs_control_change"
#: molecules that genes follow
FACTORS = ("CCL28", "IGF1")

#: a molecule's change of log2 level in a group: after 8 and after 16 weeks
Course = tuple[float, float]


@dataclass(frozen=True)
class Molecule:
    """A circulating molecule.

    name: as in the panel. level: population median before, in relative units. change: by group, the
    population mean of the change of log2 level at each later time. shared: whether its own changes
    correlate with those of the other molecules marked so. role: one sentence for the table of the
    truth.
    """

    name: str
    level: float
    change: Mapping[str, Course] = field(default_factory=dict)
    shared: bool = False
    role: str = "nothing"


@dataclass(frozen=True)
class Planted:
    """What is planted in one gene by name; all in log2.

    change: by group, the direct change at each later time. slopes: per doubling of a molecule's
    level, in every group and at every time. outcome: per mm of the donor's own change of thickness.
    """

    symbol: str
    change: Mapping[str, Course] = field(default_factory=dict)
    slopes: Mapping[str, float] = field(default_factory=dict)
    outcome: float = 0.0


# BGN rises in RT by 0.3, then 0.5: 0.2 and 0.4 through the fall of CCL28, 0.1 directly.
PLANTED = (
    Planted("BGN", {"RT": (0.1, 0.1)}, {"CCL28": -0.8, "IGF1": 0.7}, 3.5),
    Planted("HAS2", slopes={"CCL28": -1.2}),
    Planted("VCAN", slopes={"IGF1": 1.0}),
    Planted("DCN", outcome=5.0),
)

_EVERYONE: Mapping[str, Course] = dict.fromkeys((CONTROL, "AT", "RT"), (0.4, 0.4))

MOLECULES = (
    Molecule(
        "CCL28",
        500.0,
        {"RT": (-0.25, -0.5)},
        role="falls in RT; suppresses BGN and HAS2",
    ),
    Molecule("CXCL4", 8000.0, {"RT": (-0.3, -0.5)}, role="falls in RT; no gene follows it"),
    Molecule("IGF1", 3000.0, role="does not change; BGN and VCAN follow it"),
    Molecule(
        "N,N-dimethylglycine",
        250.0,
        {"AT": (-0.4, -0.4)},
        role="falls in AT; no gene follows it",
    ),
    Molecule(
        "25-hydroxyvitamin D",
        900.0,
        _EVERYONE,
        role="rises in all groups alike; no gene follows it",
    ),
    Molecule("IL17A", 8.0, role="nothing; most values lie below the limit"),
    Molecule("IL10", 16.0, role="nothing; some values lie below the limit"),
    *(
        Molecule(name, level, shared=True)
        for name, level in {
            "IL6": 60, "IL8": 90, "TNF": 45, "CRP": 15000, "CCL2": 400, "CCL5": 6000,
            "CXCL10": 200, "CXCL12": 1500, "IL1RA": 350, "IL18": 280, "SAA1": 9000, "PAI1": 5000,
        }.items()
    ),
    *(
        Molecule(name, level)
        for name, level in {
            "GDF15": 700, "FGF21": 180, "leptin": 7000, "adiponectin": 20000, "VEGFA": 110,
            "HGF": 850, "EGF": 75, "TGFB1": 12000, "MMP3": 2500, "TIMP1": 18000, "betaine": 4000,
        }.items()
    ),
)  # fmt: skip


def _base() -> CohortSpec:
    return CohortSpec(
        arms=(Arm(CONTROL, 12), Arm("AT", 12), Arm("RT", 12)),
        incomplete_donors=0,
        genes=1600,
        null_set_size=20,
        dispersion_asymptote=0.015,
        effects=(),
        stimulation_cultures=0,
    )


@dataclass(frozen=True)
class DesignsSpec:
    """A cohort of three groups and three times, with a dose, an outcome and a serum panel.

    base: groups (the control first), genes, depth and noise, as `CohortSpec` has them. healthy:
    donors measured once, before. missing: samples that were not sequenced, of the default groups.

    Genes: numbers of genes in each block; `rise` is the range of the collagens' change, `strong` of
    the other changes, `dose_slope` per session, `factor_slope` per doubling of a molecule,
    `outcome_slope` per mm. Signs alternate.

    Responses: each donor has a response of its own in every gene, with sd `response_sd` and
    correlated within modules, that all later samples share; and one for each later sample, with sd
    `visit_sd`.

    Dose: a donor attends each session with a probability of its own, uniform in `attendance`.

    Outcome: thickness in mm; sds of the level between donors, of a donor's own change, of
    measurement; `repeat` is the correlation of a donor's own changes at two times.
    `outcome_change` is the mean by group.

    Panel: sds of log2 levels between donors, of a donor's own change, of measurement; `repeat` as
    in the outcome; `shared` is the correlation of the own changes of the molecules marked so.
    `limit` of detection; `unmeasured` samples have no row, `no_outcome` no thickness.
    """

    base: CohortSpec = field(default_factory=_base)
    healthy: int = 8
    missing: tuple[str, ...] = ("AT12_week16", "RT11_week8")

    planted: tuple[Planted, ...] = PLANTED
    blocks: Mapping[str, int] = field(
        default_factory=lambda: {
            "exercise": 30,
            "AT_only": 25,
            "RT_only": 25,
            "week8_only": 25,
            "all_groups": 25,
            "dose": 30,
            "RT_dose": 15,
            "ccl28_suppressed": 25,
            "ccl28_induced": 8,
            "igf1": 15,
            "outcome": 30,
            "outcome_before": 20,
            "healthy": 30,
        }
    )
    rise: tuple[float, float] = (0.25, 0.35)
    strong: tuple[float, float] = (0.5, 1.0)
    dose_slope: tuple[float, float] = (0.03, 0.06)
    factor_slope: tuple[float, float] = (0.6, 1.4)
    outcome_slope: tuple[float, float] = (4.0, 7.0)

    response_sd: float = 0.12
    visit_sd: float = 0.08

    attendance: tuple[float, float] = (0.2, 1.0)

    thickness: float = 1.4
    thickness_sd: float = 0.2
    outcome_change: Mapping[str, Course] = field(
        default_factory=lambda: {"AT": (0.02, 0.05), "RT": (0.05, 0.10)}
    )
    outcome_change_sd: float = 0.07
    outcome_noise: float = 0.01
    no_outcome: tuple[str, ...] = ("control04_week16",)

    molecules: tuple[Molecule, ...] = MOLECULES
    panel_between_sd: float = 0.4
    panel_change_sd: float = 0.35
    panel_noise: float = 0.08
    repeat: float = 0.6
    shared: float = 0.4
    limit: float = 10.0
    unmeasured: tuple[str, ...] = ("AT05_week16",)

    @property
    def groups(self) -> tuple[str, ...]:
        """Return the groups that are measured after, the control first."""
        return tuple(arm.name for arm in self.base.arms)

    @property
    def trained(self) -> tuple[str, ...]:
        """Return the groups with an intervention."""
        return self.groups[1:]

    def sessions(self, group: str) -> Course:
        """Return the population mean of the sessions attended until each later time."""
        share = sum(self.attendance) / 2 if group in self.trained else 0.0
        return (LATER_SESSIONS[0] * share, LATER_SESSIONS[1] * share)
