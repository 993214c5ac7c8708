# Load the config and define what one cohort (cohort.smk) and several cohorts (cohorts.smk) share.
import os
import sys
import tarfile
import tempfile
from pathlib import Path

from snakemake.common.configfile import load_configfile
from snakemake.exceptions import WorkflowError
from snakemake.logging import logger
from snakemake.settings.enums import Quietness
from snakemake.sourcecache import HostingProviderFile, LocalSourceFile
from snakemake.utils import update_config

# What a run needs of a release. Snakemake itself fetches only the files of rules, and as text.
DEPLOYED = ("workflow", "resources", "config", "pyproject.toml", "requirements.lock")


def workflow_root(here):
    """Return the folder of the checkout, or of a copy of the release at an address.

    here: the folder of this file, as Snakemake names it.
    """
    if isinstance(here, LocalSourceFile):
        return Path(str(here)).resolve().parents[1]
    if not isinstance(here, HostingProviderFile):
        raise WorkflowError(
            f"fibroserum cannot be used from {here}: give the address as "
            'github("OWNER/fibroserum", path="workflow/Snakefile", tag="VERSION"), or with gitlab(), '
            "or the path of a local clone"
        )
    repository = here.hosted_repo.repo
    commit = repository.commit(here.ref).hexsha
    copy = Path(".snakemake", f"fibroserum-{commit[:12]}").resolve()
    if not copy.is_dir():
        try:
            unpack(repository, commit, copy)
        except OSError as error:
            raise WorkflowError(
                f"{copy} cannot be written: {error.strerror}. Fix this, then run the same command again."
            ) from error
    return copy


def unpack(repository, commit, copy):
    """Write the files of a commit that a run needs to a folder, complete or not at all."""
    copy.parent.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory(dir=copy.parent) as folder:
        with tempfile.TemporaryFile() as packed:
            repository.archive(packed, commit, path=DEPLOYED)
            packed.seek(0)
            with tarfile.open(fileobj=packed) as archive:
                archive.extractall(f"{folder}/copy", filter="data")
        try:
            os.replace(f"{folder}/copy", copy)
        except OSError:
            # a second run may have been faster
            if not copy.is_dir():
                raise


ROOT = workflow_root(workflow.current_basedir)
LIBRARY = ROOT / "workflow" / "src"
sys.path.insert(0, str(LIBRARY))

from fibroserum.runtime.packages import missing_packages

if missing := missing_packages(ROOT / "pyproject.toml"):
    logger.error(
        f"This Python lacks {', '.join(missing)}. Install the tested versions with: "
        f"{sys.executable} -m pip install -r {ROOT / 'requirements.lock'}"
    )
    sys.exit(1)

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
from fibroserum.runtime.lock import OVER, Refused, hold, run_is_over
from fibroserum.runtime.reruns import code_of
from fibroserum.runtime.retries import EndedRun, never_retry_refused
from fibroserum.runtime.terminal import print_job_lines

prepare_environment(LIBRARY)
if workflow.remote_exec:
    if run_is_over():
        logger.error(OVER)
        sys.exit(1)
    logger.addHandler(EndedRun(run_is_over))
if unwritable := why_unwritable():
    logger.error(unwritable)
    sys.exit(1)

FILES = [Path(name) for name in workflow.overwrite_configfiles]
OVERRIDES = workflow.config_settings.config


def own_config():
    """Return the config of this cohort, without the config that Snakemake merged it into.

    The Snakefile that snakedeploy writes reads config/config.yaml, and Snakemake merges a
    `--configfile` into it, deeply: the toy cohort's settings would become those of every cohort.
    """
    given = workflow.config_settings.overwrite_config
    merged = {}
    for name in workflow.configfiles:
        update_config(merged, load_configfile(name))
    update_config(merged, given)
    return given if FILES and config == merged else config


if not workflow.modifier.is_main_snakefile():
    config = own_config()

# Read only the cohort's own config: Snakemake would merge it deeply into the default.
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
if workflow.is_main_process:
    never_retry_refused(logger, workflow.get_rule)

WHERE = config_source(FILES, OVERRIDES)
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


def locked(output, files):
    """Return input files of a rule; a run locks the folder of an output file first, or stops.

    As an input function, it is called while a run is prepared, before any file changes. A handler
    (`onstart:`) would not do: Snakemake does not call those of a module.
    """
    is_run = workflow.execution_settings and not workflow.output_settings.dryrun
    if workflow.is_main_process and is_run:
        try:
            hold(Path(output).parent, logger.warning)
        except Refused as error:
            logger.error(str(error))
            sys.exit(1)
    return files


def leave_nothing_refused():
    """Remove files that were made from input that was refused later."""
    for folder in map(Path, FOLDERS):
        clear_refused(folder, Path("logs") / folder.name)


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
