"""A cohort: its plan, its inputs, its samples and genes, its contrasts and models."""
