# One cohort: check its config and define the names that its stages share. Each stage has its own file.
import re

from fibroserum.chain.links import chained
from fibroserum.input.paths import input_paths
from fibroserum.input.schema import config_schema
from fibroserum.runtime.command_line import with_types
from fibroserum.runtime.headline import print_headline
from fibroserum.cohort.plan import plan
from fibroserum.cohort.questions import questions_of

SCHEMA = config_schema()
PLAN = planned(plan, with_types(dict(config), OVERRIDES, SCHEMA), SCHEMA)
CONFIG = PLAN.config
OUT = f"results/{PLAN.folder}"
LOG = f"logs/{PLAN.folder}"
FOLDERS = [OUT]
FACTORS = PLAN.factors
STIMULATED = [name for name, factor in FACTORS.items() if factor["stimulation"]]
CONTRASTS = [contrast.file for contrast in PLAN.contrasts]
PERMUTATIONS = CONFIG["differential_expression"]["permutations"]
CALIBRATION = [f"{OUT}/calibration.tsv"] if PERMUTATIONS else []
OMNIBUS = [f"{OUT}/flags/omnibus.tsv"] if questions_of(PLAN.contrasts) else []
GENE_LISTS = [f"{OUT}/flags/gene_lists.tsv"] if CONFIG["gene_lists"] else []
CHAINED = chained(CONFIG)
# On a cluster, the jobs of a small cohort are one submission: each takes seconds, its start longer.
SMALL = PLAN.samples <= 200
GROUP = PLAN.folder if SMALL else None
# Half of the cores of this run, or of eight where it has no limit. A job that is a submission of its own
# sees the cores that it was given: it has them to itself.
GIVEN = workflow.resource_settings.cores or 8
HALF = GIVEN if workflow.remote_exec and not SMALL else max(1, GIVEN // 2)


wildcard_constraints:
    factor="|".join(map(re.escape, STIMULATED)) or "none",


def section(*keys):
    """Return the config's values that a rule depends on, so that only these make it run again."""
    return {key: CONFIG[key] for key in keys}


def inputs_of(*keys):
    """Return the files that the config names under keys that start with one of these."""
    found = input_paths(CONFIG).items()
    return [path for key, paths in found if key.startswith(keys) for path in paths]


def memory_by_samples(least, per_sample):
    """Return mem_mb for a rule by the number of samples, which is known before its inputs exist.

    Measured with 20,000 genes (docs/scaling.md), and for 60,000: three times as much per sample.
    """
    return memory(least + per_sample * PLAN.samples)


def minutes_by_samples(most):
    """Return runtime for a rule: `most`, or a quarter of it for a small cohort."""
    return minutes(most // 4 if SMALL else most)


def say_headline():
    """Print the path and the summary of the report, if it is a target of this run."""
    if asked_for(rules.report.output.html):
        print_headline(Path(rules.report.output.html).parent)


include: "counts.smk"
include: "differential_expression.smk"
include: "qc.smk"
include: "enrichment.smk"
include: "flags.smk"


PANEL = list(rules.serum_panel.output) if CONFIG["serum_panel"] else []
CHAIN = list(rules.chain.output) if CHAINED else []


include: "report.smk"
include: "stages.smk"


# all tables, so that a removed table is made again
RESULTS = [
    rules.report.output.html,
    rules.workbook.output.workbook,
    rules.counts.output.samples,
    *rules.qc.output,
    *rules.differential_expression.output,
    *rules.enrichment.output,
    *rules.targets.output,
    *rules.factors.output,
    *OMNIBUS,
    *OUTCOMES,
    *CALIBRATION,
    *GENE_LISTS,
    *PANEL,
    *CHAIN,
]
NAME = CONFIG["cohort"]
SHOWN_FIGURES = FIGURE_FILES
CRATES = []
MADE = [
    *RESULTS,
    *rules.report.output,
    *rules.counts.output,
    *rules.fit.output,
    *TABLES["stimulation"],
]


include: "crate.smk"
