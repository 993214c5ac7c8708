# Load and check the config; names that all stages share. No stage's logic stands here.
import atexit
import os
import re
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

from fibroserum import config as configuration
from fibroserum.errors import InputError
from fibroserum.headline import print_headline
from fibroserum.inputs import plan
from fibroserum.job import prepare_environment, why_killed
from fibroserum.lock import VARIABLE, Refused, take
from fibroserum.provenance import code_of, stamp

prepare_environment(LIBRARY)

# A cohort is read from its own file alone: Snakemake would merge it into the default deeply.
FILES = [Path(name) for name in workflow.overwrite_configfiles]
if not FILES and set(config) <= set(workflow.config_settings.config):
    default = "config/config.yaml"
    FILES = [Path(default) if Path(default).exists() else ROOT / default]

    configfile: str(FILES[0])


SCHEMA = configuration.load_schema(ROOT / "workflow" / "schemas" / "config.schema.yaml")
OVERRIDES = workflow.config_settings.config

try:
    PLAN = plan(
        configuration.with_types(dict(config), OVERRIDES, SCHEMA),
        SCHEMA,
        ROOT,
        configuration.source(FILES, OVERRIDES),
        FILES,
    )
except InputError as error:
    # as a WorkflowError it would stand between lines about this file, where nothing is wrong
    logger.error(str(error))
    sys.exit(1)

CONFIG = PLAN.config
OUT = f"results/{PLAN.folder}"
LOG = f"logs/{PLAN.folder}"
FACTORS = PLAN.factors
STIMULATED = [name for name, factor in FACTORS.items() if factor["stimulation"]]
CONTRASTS = [contrast.file for contrast in PLAN.contrasts]
PERMUTATIONS = CONFIG["differential_expression"]["permutations"]
LOCKS = []
CALIBRATION = [f"{OUT}/calibration.tsv"] if PERMUTATIONS else []


wildcard_constraints:
    factor="|".join(map(re.escape, STIMULATED)) or "none",


def code(script):
    """Return a checksum of a script and of what it imports of the library: a param of its rule."""
    return code_of(ROOT / "workflow" / "scripts" / script)


def section(*keys):
    """Return the config's values that a rule depends on, so that it is re-run for these alone."""
    return {key: CONFIG[key] for key in keys}


def inputs_of(*keys):
    """Return the files that the config names under keys that begin so."""
    found = configuration.input_paths(CONFIG).items()
    return [path for key, paths in found if key.startswith(keys) for path in paths]


def lock_results():
    """Take the cohort's lock, which is held until the run ends, or end here."""
    # a hook of runs alone: dry runs, reports, lints and jobs elsewhere never come here
    try:
        lock = take(OUT, logger.info)
    except Refused as error:
        logger.error(str(error))
        sys.exit(1)
    os.environ[VARIABLE] = lock.variable
    LOCKS.append(lock)
    atexit.register(unlock_results)


def unlock_results():
    """Give the cohort's lock back."""
    while LOCKS:
        LOCKS.pop().release()
