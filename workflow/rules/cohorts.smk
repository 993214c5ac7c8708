# Several cohorts in one DAG: this workflow as a module, once for each cohort, and the synthesis.
from fibroserum.cohort.several import plan_several
from fibroserum.runtime.headline import print_headlines
from fibroserum.report.figures.synthesis_catalogue import META, synthesis_figures

SEVERAL = planned(plan_several, dict(config))
COHORTS = dict(zip(SEVERAL.prefixes, SEVERAL.cohorts))
OUT = f"results/{SEVERAL.folder}"
LOG = f"logs/{SEVERAL.folder}"
FOLDERS = [f"results/{folder}" for folder in SEVERAL.folders]
SYNTHESIS_FIGURES = synthesis_figures(SEVERAL.targets, SEVERAL.factors)


for cohort_prefix, cohort_plan in COHORTS.items():

    module:
        name: cohort_prefix
        snakefile:
            "../Snakefile"
        config:
            cohort_plan.raw

    use rule * from cohort_prefix as cohort_prefix*


def of_cohorts(*names):
    """Return these tables of every cohort."""
    return [
        f"results/{one.folder}/{name}" for one in COHORTS.values() for name in names
    ]


def stage(name):
    """Return the output of a stage for every cohort."""
    made = [getattr(rules, f"{prefix}{name}") for prefix in COHORTS]
    return [list(rule.output) or list(rule.input) for rule in made]


def say_headline():
    """Print the paths and summaries of the reports, if they are targets of this run."""
    if asked_for(rules.overview.output.html):
        print_headlines(FOLDERS)


include: "synthesis.smk"


RESULTS = [rules.overview.output.html, *rules.synthesis.output, *stage("all")]
NAME = SEVERAL.name
SHOWN_FIGURES = SYNTHESIS_FIGURES
# the crates of the cohorts are targets too
CRATES = [f"results/{one.folder}/ro-crate-metadata.json" for one in COHORTS.values()]
MADE = [*rules.overview.output, *rules.synthesis.output]


include: "crate.smk"
