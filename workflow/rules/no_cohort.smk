# A config without counts: only `plan` can run.
from fibroserum.cohort.plan import plan
from fibroserum.input.schema import config_schema

FOLDERS = []


def say_headline():
    """Print nothing: there is no report."""


def missing(wildcards):
    """Stop and list what the config needs for a cohort."""
    return planned(plan, dict(config), config_schema())


RESULTS = [missing]
