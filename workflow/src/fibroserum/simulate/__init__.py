"""Cohorts with known truth: the toy cohort, the tests, the calibration studies.

Nothing here is measured in people or cells: levels and effects are set by hand, once, and are not
tuned to what the pipeline makes of them.
"""

from fibroserum.simulate.cohort import SimulatedCohort, simulate_cohort
from fibroserum.simulate.files import write_cohort
from fibroserum.simulate.spec import AFTER, BEFORE, Arm, CohortSpec, Effect

__all__ = [
    "AFTER",
    "BEFORE",
    "Arm",
    "CohortSpec",
    "Effect",
    "SimulatedCohort",
    "simulate_cohort",
    "write_cohort",
]
