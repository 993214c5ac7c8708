"""Synthesis over cohorts: meta-analysis of what each cohort estimates by itself."""
