# Load the config and define what one cohort (cohort.smk) and several cohorts (cohorts.smk) share.
import dataclasses
import os
import shlex
import shutil
import sys
import tarfile
import tempfile
from pathlib import Path
from urllib.parse import quote

from snakemake.common.configfile import load_configfile
from snakemake.logging import logger
from snakemake.settings.enums import Quietness
from snakemake.sourcecache import HostingProviderFile, LocalSourceFile
from snakemake.utils import update_config

# What a run needs of a release. Snakemake itself fetches only the files of rules, and as text.
DEPLOYED = (
    "workflow",
    "resources",
    "config",
    "pyproject.toml",
    "requirements.lock",
    "requirements-slurm.lock",
)
MANIFEST = "manifest.txt"


def workflow_root(here):
    """Return the folder of the checkout, or of a copy of the release at an address.

    here: the folder of this file, as Snakemake names it.
    """
    if isinstance(here, LocalSourceFile):
        return Path(str(here)).resolve().parents[1]
    if not isinstance(here, HostingProviderFile):
        stop(
            f"fibroserum cannot be used from {here}: give the address as "
            'github("OWNER/fibroserum", path="workflow/Snakefile", tag="VERSION"), or with gitlab(), '
            "or the path of a local clone."
        )
    # tags and commits do not change, as for Snakemake's own cache; a branch does
    name = here.tag or here.commit or here.hosted_repo.repo.commit(here.branch).hexsha
    copy = Path(".snakemake", f"fibroserum-{quote(name, safe='')}").resolve()
    if not complete(copy):
        try:
            unpack(here.hosted_repo.repo, name, copy)
        except OSError as error:
            stop(
                f"{copy} cannot be written: {error.strerror}. Fix this, then run the same command again."
            )
    return copy


def stop(message):
    """End this process with a message."""
    logger.error(message)
    sys.exit(1)


def complete(copy):
    """Return whether all files of a copy are there: some systems remove files that seem unused."""
    manifest = copy / MANIFEST
    return manifest.is_file() and all(
        os.path.exists(copy / name) for name in manifest.read_text().splitlines()
    )


def unpack(repository, commit, copy):
    """Write the files of a commit that a run needs to a folder, complete or not at all."""
    copy.parent.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory(dir=copy.parent) as folder:
        with tempfile.TemporaryFile() as packed:
            repository.archive(packed, commit, path=DEPLOYED)
            packed.seek(0)
            with tarfile.open(fileobj=packed) as archive:
                archive.extractall(f"{folder}/copy", filter="data")
                names = archive.getnames()
        Path(folder, "copy", MANIFEST).write_text("\n".join(names))
        shutil.rmtree(copy, ignore_errors=True)
        try:
            os.replace(f"{folder}/copy", copy)
        except OSError:
            # a second run may have been faster
            if not complete(copy):
                raise


ROOT = workflow_root(workflow.current_basedir)
LIBRARY = ROOT / "workflow" / "src"
sys.path.insert(0, str(LIBRARY))

import fibroserum
from fibroserum.runtime.packages import missing_packages, wrong_python

if (
    Path(fibroserum.__file__).resolve()
    != (LIBRARY / "fibroserum" / "__init__.py").resolve()
):
    stop(
        f"One Snakefile cannot use two versions of fibroserum: {Path(fibroserum.__file__).parents[3]} "
        f"and {ROOT}. Use one version, or run the Snakefiles one after the other."
    )
# jobs of a cluster run in the environment that was checked when their run began
NEEDS = ROOT / "pyproject.toml"
if workflow.is_main_process and (wrong := wrong_python(NEEDS)):
    stop(f"fibroserum needs another Python: {wrong}.")
if workflow.is_main_process and (missing := missing_packages(NEEDS)):
    command = [sys.executable, "-m", "pip", "install", "-r", ROOT / "requirements.lock"]
    stop(
        f"This Python lacks {', '.join(missing)}. Install the tested versions with: "
        f"{shlex.join(map(str, command))}"
    )

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
from fibroserum.runtime.reruns import code_of, stamp
from fibroserum.runtime.retries import EndedRun, never_retry_refused
from fibroserum.runtime.terminal import print_job_lines

prepare_environment(LIBRARY)
if workflow.remote_exec:
    if run_is_over():
        stop(OVER)
    logger.addHandler(EndedRun(run_is_over))
if unwritable := why_unwritable():
    stop(unwritable)

FILES = [Path(name) for name in workflow.overwrite_configfiles]
OVERRIDES = workflow.config_settings.config


def own_config():
    """Return the config of this module and the files that it is from, for messages.

    The Snakefile that snakedeploy writes reads config/config.yaml, and Snakemake merges a
    `--configfile` into it, deeply: the toy cohort's settings would become those of every cohort.
    Then only the file of `--configfile` counts. A config that another workflow hands over is part
    of none of these files.
    """
    given = workflow.config_settings.overwrite_config
    merged = {}
    for name in workflow.configfiles:
        update_config(merged, load_configfile(name))
    update_config(merged, given)
    if config != merged:
        return config, []
    return (given, FILES) if FILES else (config, list(map(Path, workflow.configfiles)))


if not workflow.modifier.is_main_snakefile():
    config, FILES = own_config()

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

WHERE = config_source(FILES, OVERRIDES if FILES else {})
# A param: Snakemake reads every input of a rule again for each of its outputs, and a page has many.
TEMPLATES = stamp([str(ROOT / "workflow" / "report")])
PLAN_TABLE = "results/planning/plan.tsv"


def planned(plan, *arguments):
    """Return the plan of a library function, or stop and print the problems in the input."""
    try:
        return plan(*arguments, ROOT, WHERE, FILES)
    except InputError as error:
        # a WorkflowError would also print lines about this file, which is not the cause
        stop(str(error))


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


def asked_for(output):
    """Return whether the targets of this run need an output of a rule, even if it is up to date."""
    return any(output in job.output for job in workflow.dag.jobs)


def start_without_delay():
    """Let jobs on this machine start whenever cores are free, unless the user sets another limit.

    Snakemake's own limit (100 a second) makes it look again a second after each start, and a run
    ends only after the last look. A workflow around this one is then without the limit too.
    """
    limit = workflow.scheduling_settings.max_jobs_per_timespan
    if workflow.local_exec and limit and (limit.max_jobs, limit.timespan) == (100, 1):
        workflow.scheduling_settings = dataclasses.replace(
            workflow.scheduling_settings, max_jobs_per_timespan=None
        )


def locked(output, files):
    """Return input files of a rule; a run locks the folder of an output file first, or stops.

    As an input function, it is called while a run is prepared, before any file changes. A handler
    (`onstart:`) would not do: Snakemake does not call those of a module.
    """
    is_run = workflow.execution_settings and not workflow.output_settings.dryrun
    if workflow.is_main_process and is_run:
        start_without_delay()
        try:
            hold(Path(output).parent, logger.warning)
        except Refused as error:
            stop(str(error))
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
    if asked_for(rules.plan.output.plan):
        print_plan(rules.plan.output.plan)
