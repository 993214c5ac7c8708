# A config that names no counts: a plan can be made, and nothing else.
from fibroserum.cohort.plan import plan

FOLDERS = []


def say_headline():
    """Print nothing: there is no report."""


def missing(wildcards):
    """Stop with what the config lacks for a cohort."""
    return planned(plan, dict(config), load_schema(SCHEMAS / "config.schema.yaml"))


RESULTS = [missing]
