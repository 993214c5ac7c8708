# Load the config; what one cohort (cohort.smk) and several (cohorts.smk) share.
import atexit
import os
import sys
from pathlib import Path

from snakemake.exceptions import WorkflowError
from snakemake.logging import logger

ROOT = Path(str(workflow.current_basedir)).resolve().parents[1]
LIBRARY = ROOT / "workflow" / "src"
if not LIBRARY.is_dir():
    raise WorkflowError(
        f"the library is not at {LIBRARY}: use this workflow from a local clone, not from an address"
    )
sys.path.insert(0, str(LIBRARY))

from fibroserum.errors import InputError
from fibroserum.runtime.command_line import config_source
from fibroserum.runtime.job import clear_refused, prepare_environment, why_killed
from fibroserum.runtime.lock import (
    OVER,
    VARIABLE,
    Refused,
    run_is_over,
    take,
    why_not_kept,
)
from fibroserum.runtime.reruns import code_of

prepare_environment(LIBRARY)
if workflow.remote_exec and run_is_over():
    logger.error(OVER)
    sys.exit(1)
if unwritable := why_not_kept():
    logger.error(unwritable)
    sys.exit(1)

# A cohort is read from its own file alone: Snakemake would merge it into the default deeply.
FILES = [Path(name) for name in workflow.overwrite_configfiles]
OVERRIDES = workflow.config_settings.config
if not FILES and "cohorts" not in config and set(config) <= set(OVERRIDES):
    default = "config/config.yaml"
    FILES = [Path(default) if Path(default).exists() else ROOT / default]

    configfile: str(FILES[0])


WHERE = config_source(FILES, OVERRIDES)
SCHEMAS = ROOT / "workflow" / "schemas"
LOCKS = []


def planned(plan, *arguments):
    """Return what a function of the library plans, or end here with what is wrong with the input."""
    try:
        return plan(*arguments, ROOT, WHERE, FILES)
    except InputError as error:
        # as a WorkflowError it would stand between lines about this file, where nothing is wrong
        logger.error(str(error))
        sys.exit(1)


def code(script):
    """Return a checksum of a script and of what it imports of the library: a param of its rule."""
    return code_of(ROOT / "workflow" / "scripts" / script)


def memory(least, per_mb=0):
    """Return mem_mb for a rule: `least`, or more by the MB of its input; as much again a retry.

    Input that is not made yet counts nothing. Snakemake asks anew once it is, but for jobs of a group.
    """
    return lambda wildcards, input, attempt: attempt * max(
        least, int(per_mb * megabytes(input)) if per_mb else 0
    )


def megabytes(files):
    """Return the size of those files of a rule that are there."""
    return sum(os.path.getsize(name) for name in files if os.path.exists(name)) / 1e6


def asked_for(rule):
    """Return whether what this run was asked for includes a rule, if only as up to date."""
    return any(job.rule.name == rule for job in workflow.dag.jobs)


def lock_results():
    """Take the lock of each folder of results, held until the run ends, or end here."""
    # a hook of runs alone: dry runs, reports, lints and jobs elsewhere never come here
    atexit.register(unlock_results)
    try:
        for folder in FOLDERS:
            LOCKS.append(take(folder, logger.info))
    except Refused as error:
        logger.error(str(error))
        unlock_results()
        sys.exit(1)
    os.environ[VARIABLE] = "\n".join(lock.variable for lock in LOCKS)


def leave_nothing_refused():
    """Remove what was made of input that was then refused."""
    for folder in map(Path, FOLDERS):
        clear_refused(folder, Path("logs") / folder.name)


def unlock_results():
    """Give the locks back."""
    while LOCKS:
        LOCKS.pop().release()
