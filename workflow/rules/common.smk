# Load the config and define what one cohort (cohort.smk) and several cohorts (cohorts.smk) share.
import atexit
import os
import sys
from pathlib import Path

from snakemake.exceptions import WorkflowError
from snakemake.logging import logger
from snakemake.settings.enums import Quietness

ROOT = Path(str(workflow.current_basedir)).resolve().parents[1]
LIBRARY = ROOT / "workflow" / "src"
if not LIBRARY.is_dir():
    raise WorkflowError(
        f"the library is not at {LIBRARY}: use this workflow from a local clone, not from an address"
    )
sys.path.insert(0, str(LIBRARY))

from fibroserum.errors import InputError
from fibroserum.input.planning import plan_settings
from fibroserum.input.schema import config_schema
from fibroserum.runtime.headline import print_plan
from fibroserum.runtime.command_line import config_source
from fibroserum.runtime.job import (
    clear_refused,
    prepare_environment,
    why_killed,
    why_unwritable,
)
from fibroserum.runtime.lock import OVER, VARIABLE, Refused, run_is_over, take
from fibroserum.runtime.reruns import code_of
from fibroserum.runtime.terminal import print_job_lines

prepare_environment(LIBRARY)
if workflow.remote_exec and run_is_over():
    logger.error(OVER)
    sys.exit(1)
if unwritable := why_unwritable():
    logger.error(unwritable)
    sys.exit(1)

# Read only the cohort's own config: Snakemake would merge it deeply into the default.
FILES = [Path(name) for name in workflow.overwrite_configfiles]
OVERRIDES = workflow.config_settings.config
if not FILES and "cohorts" not in config and set(config) <= set(OVERRIDES):
    default = "config/config.yaml"
    FILES = [Path(default) if Path(default).exists() else ROOT / default]

    configfile: str(FILES[0])


# `quiet: reason` is how the profile asks for one line a job
SHOWN = workflow.output_settings
QUIET = SHOWN.quiet or ()
if (
    workflow.is_main_process
    and Quietness.REASON in QUIET
    and Quietness.ALL not in QUIET
    and not (SHOWN.dryrun or SHOWN.verbose)
):
    print_job_lines(
        logger,
        total=lambda: sum(1 for job in workflow.dag.needrun_jobs() if job.output),
        is_local=lambda: workflow.local_exec,
    )

WHERE = config_source(FILES, OVERRIDES)
LOCKS = []
PLAN_TABLE = "results/planning/plan.tsv"


def planned(plan, *arguments):
    """Return the plan of a library function, or stop and print the problems in the input."""
    try:
        return plan(*arguments, ROOT, WHERE, FILES)
    except InputError as error:
        # a WorkflowError would also print lines about this file, which is not the cause
        logger.error(str(error))
        sys.exit(1)


def code(script):
    """Return a checksum of a script and of what it imports of the library: a param of its rule."""
    return code_of(ROOT / "workflow" / "scripts" / script)


def memory(least, per_mb=0):
    """Return mem_mb for a rule: `least`, or more for large input; as much again for each retry.

    Input that does not exist yet counts as 0 MB. Snakemake asks again once it exists, except for
    jobs of a group.
    """
    return lambda wildcards, input, attempt: attempt * max(
        least, int(per_mb * megabytes(input)) if per_mb else 0
    )


def minutes(least):
    """Return runtime for a rule: `least`, and as much again for each retry, like memory.

    A cluster limits elapsed time, which is longer on a slow disk or node.
    """
    return lambda wildcards, attempt: attempt * least


def megabytes(files):
    """Return the total size of the files of a rule that exist."""
    return sum(os.path.getsize(name) for name in files if os.path.exists(name)) / 1e6


def asked_for(rule):
    """Return whether the targets of this run need a rule, even if its output is up to date."""
    return any(job.rule.name == rule for job in workflow.dag.jobs)


def lock_results():
    """Lock each folder of results until the run ends, or stop."""
    # called only by runs, not by dry runs, reports, lints or jobs on other hosts
    atexit.register(unlock_results)
    try:
        for folder in FOLDERS:
            LOCKS.append(take(folder, logger.warning))
    except Refused as error:
        logger.error(str(error))
        unlock_results()
        sys.exit(1)
    os.environ[VARIABLE] = "\n".join(lock.variable for lock in LOCKS)


def leave_nothing_refused():
    """Remove files that were made from input that was refused later."""
    for folder in map(Path, FOLDERS):
        clear_refused(folder, Path("logs") / folder.name)


def unlock_results():
    """Release the locks."""
    while LOCKS:
        LOCKS.pop().release()


def plan_params(wildcards):
    """Return the settings of the plan from the config, or stop and print its problems."""
    asked = planned(plan_settings, dict(config), config_schema())
    model = asked["differential_expression"]
    return {
        "targets": len(set(asked["targets"])),
        "changed": asked["planning"]["changed"],
        **{
            key: model[key]
            for key in ("alpha", "lfc_threshold", "second_opinion", "power_lfc")
        },
    }


def say_plan():
    """Print the plan, if it is a target of this run."""
    if asked_for("plan"):
        print_plan(PLAN_TABLE)
