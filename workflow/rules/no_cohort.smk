# A config that names no counts: a plan can be made, and nothing else.
from fibroserum.cohort.plan import plan
from fibroserum.input.schema import config_schema

FOLDERS = []


def say_headline():
    """Print nothing: there is no report."""


def missing(wildcards):
    """Stop with what the config lacks for a cohort."""
    return planned(plan, dict(config), config_schema())


RESULTS = [missing]
