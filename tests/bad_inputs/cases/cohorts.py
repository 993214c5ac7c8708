"""Mistakes in a file of several cohorts."""

from __future__ import annotations

import copy

import yaml

from helpers.bad_inputs import Cases
from helpers.small_cohort import SmallCohort

CASES = Cases("cohorts")
case = CASES.case


def _several(c: SmallCohort, *files: str, **keys: object) -> None:
    """Put a file of cohorts in the place of the cohort's own, which becomes one.yaml."""
    c.instead["one.yaml"] = yaml.safe_dump(c.config)
    c.instead["cohort.yaml"] = yaml.safe_dump({"cohorts": list(files), **keys})


@case(
    "no cohort in the list",
    "cohort.yaml, cohorts: the list is empty; expected a list: config files of single cohorts. "
    "Each cohort's results are written to the same folder as in a run of this cohort only",
)
def _(c: SmallCohort) -> None:
    _several(c)


@case(
    "a file that is not there, one that is no config, one that lists cohorts itself",
    "cohort.yaml, cohorts: there is no file 'on.yaml'; expected a cohort's config file, relative "
    "to the working directory. Did you mean 'one.yaml'?",
    "samples.tsv: cannot be read: ",
    "words.yaml: contains no keys; expected a cohort's config: keys with their values",
    "cohort.yaml: lists other cohorts; expected the config of one cohort. Name each of its "
    "cohorts here instead.",
)
def _(c: SmallCohort) -> None:
    c.instead["words.yaml"] = "one.yaml\n"
    _several(c, "on.yaml", "samples.tsv", "words.yaml", "cohort.yaml")


@case(
    "keys that belong to one cohort, and a misspelt one",
    "cohort.yaml: the key 'targets' belongs in the config of a single cohort; expected only the "
    "keys cohorts and cohort. Move it to the config of each cohort.",
    "cohort.yaml, the top level: unknown key 'cohrot'. Did you mean 'cohort'?",
)
def _(c: SmallCohort) -> None:
    _several(c, "one.yaml", targets=["BGN"], cohrot="both")


@case(
    "two cohorts and the synthesis of one name",
    "cohort.yaml, cohorts: 'one.yaml' and 'two.yaml' both have the cohort name 'small'; "
    "expected a different name for each cohort",
    "cohort.yaml, cohorts: the cohorts 'small' (one.yaml) and 'SMALL' (three.yaml) both become "
    "'SMALL' in file names; expected a different name for each cohort",
    "cohort.yaml, cohorts: the synthesis has the same name as the cohort 'small' (one.yaml); "
    "expected a different name for the synthesis (key 'cohort')",
)
def _(c: SmallCohort) -> None:
    c.instead["two.yaml"] = yaml.safe_dump(c.config)
    c.instead["three.yaml"] = yaml.safe_dump({**c.config, "cohort": "SMALL"})
    _several(c, "one.yaml", "two.yaml", "three.yaml", cohort="small")


@case(
    "mistakes in two cohorts at once",
    "one.yaml, the top level: unknown key 'target'. Did you mean 'targets'?",
    "two.yaml, samples: there is no file 'other.tsv'; expected a path, absolute or relative to "
    "the working directory. Did you mean 'counts.tsv'?",
    command_line=True,
)
def _(c: SmallCohort) -> None:
    other = copy.deepcopy(c.config)
    other |= {"cohort": "other", "samples": "other.tsv"}
    c.instead["two.yaml"] = yaml.safe_dump(other)
    c.config["target"] = ["BGN"]
    _several(c, "one.yaml", "two.yaml")


@case(
    "a setting of one cohort on the command line",
    "cohort.yaml, --config: the key 'seed' belongs in the config of a single cohort; expected only "
    "the keys cohorts and cohort. Move it to the config of each cohort.",
    command_line=True,
)
def _(c: SmallCohort) -> None:
    _several(c, "one.yaml")
    c.arguments += ["--config", "seed=3"]
