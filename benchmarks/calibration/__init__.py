"""The calibration harness: cohorts with known truth, the pipeline's own chain, what it calls."""
