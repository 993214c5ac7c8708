"""Cohorts with known truth: the toy cohorts, the tests, the calibration studies.

Nothing here is measured in people or cells: levels and effects are set by hand, once, and are not
tuned to what the pipeline makes of them.
"""

from fibroserum.simulate.cohort import SimulatedCohort, simulate_cohort
from fibroserum.simulate.designs import SimulatedDesigns, simulate_designs
from fibroserum.simulate.designs_spec import DesignsSpec
from fibroserum.simulate.files import write_cohort, write_designs
from fibroserum.simulate.spec import AFTER, BEFORE, Arm, CohortSpec, Effect

__all__ = [
    "AFTER",
    "BEFORE",
    "Arm",
    "CohortSpec",
    "DesignsSpec",
    "Effect",
    "SimulatedCohort",
    "SimulatedDesigns",
    "simulate_cohort",
    "simulate_designs",
    "write_cohort",
    "write_designs",
]
