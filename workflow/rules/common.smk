# Load the config; what one cohort (cohort.smk) and several cohorts (cohorts.smk) share.
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

# A cohort is read from its own file only: Snakemake would merge it deeply into the default.
FILES = [Path(name) for name in workflow.overwrite_configfiles]
OVERRIDES = workflow.config_settings.config
if not FILES and "cohorts" not in config and set(config) <= set(OVERRIDES):
    default = "config/config.yaml"
    FILES = [Path(default) if Path(default).exists() else ROOT / default]

    configfile: str(FILES[0])


# `quiet: reason` is how the profile asks for one line a job
SHOWN = workflow.output_settings
if (
    workflow.is_main_process
    and Quietness.REASON in SHOWN.quiet
    and Quietness.ALL not in SHOWN.quiet
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
    """Return what a function of the library plans, or stop here with the problems in the input."""
    try:
        return plan(*arguments, ROOT, WHERE, FILES)
    except InputError as error:
        # as a WorkflowError it would be printed among lines about this file, which is not at fault
        logger.error(str(error))
        sys.exit(1)


def code(script):
    """Return a checksum of a script and of what it imports of the library: a param of its rule."""
    return code_of(ROOT / "workflow" / "scripts" / script)


def memory(least, per_mb=0):
    """Return mem_mb for a rule: `least`, or more by the MB of its input; as much again for a retry.

    Input that does not exist yet counts as 0 MB. Snakemake asks again once it exists, except for
    jobs of a group.
    """
    return lambda wildcards, input, attempt: attempt * max(
        least, int(per_mb * megabytes(input)) if per_mb else 0
    )


def minutes(least):
    """Return runtime for a rule: `least`, and as much again for each retry, as memory.

    A cluster ends a job by the clock, which runs on where a disk or a node is slow.
    """
    return lambda wildcards, attempt: attempt * least


def megabytes(files):
    """Return the total size of the files of a rule that exist."""
    return sum(os.path.getsize(name) for name in files if os.path.exists(name)) / 1e6


def asked_for(rule):
    """Return whether the targets of this run need a rule, even if its output is up to date."""
    return any(job.rule.name == rule for job in workflow.dag.jobs)


def lock_results():
    """Take the lock of each folder of results until the run ends, or stop here."""
    # called by runs only: not by dry runs, reports, lints or jobs on other hosts
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
    """Remove what was made from input that was then refused."""
    for folder in map(Path, FOLDERS):
        clear_refused(folder, Path("logs") / folder.name)


def unlock_results():
    """Release the locks."""
    while LOCKS:
        LOCKS.pop().release()


def plan_params(wildcards):
    """Return what the plan reads of the config, or stop here with the problems in it."""
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
    """Print the plan, if the run was asked for it."""
    if asked_for("plan"):
        print_plan(PLAN_TABLE)
