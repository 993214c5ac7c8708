"""Run the calibration study, row by row, or the rows that are not finished.

python benchmarks/calibration/run.py --rows 1a,2a --variants every --out results.tsv
python benchmarks/calibration/run.py --suitability
"""

from __future__ import annotations

import argparse
import os
import sys
from pathlib import Path

# before numpy: processes share the cores, and sums must not depend on their number
os.environ.update(
    dict.fromkeys(["OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "NUMBA_NUM_THREADS"], "1")
)
sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from calibration.plan import PLAN, read_plan
from calibration.plasmodes import SOURCES, available, suitability
from calibration.runner import chosen_variants, run


def say_suitability() -> None:
    """Print, for each real cohort, its flips and the level of t tests on pair differences."""
    print("cohort\tgroup\tpairs\tflips\tlevel\terror\tsuited")
    for name in filter(available, SOURCES):
        for found in suitability(name):
            print(
                f"{found.cohort}\t{found.group}\t{found.pairs}\t{found.flips}\t{found.level:.4f}\t"
                f"{found.error:.4f}\t{'yes' if found.suited else 'no'}",
                flush=True,
            )


def main() -> None:
    """Run what the command line asks for."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--plan", type=Path, default=PLAN)
    parser.add_argument("--rows", default="all", help="names or families of rows, comma-separated")
    parser.add_argument(
        "--variants", default="every", help="names of variants, `chain` or `every`, comma-separated"
    )
    parser.add_argument("--out", type=Path, default=Path("results.tsv"))
    parser.add_argument("--jobs", type=int, default=1)
    parser.add_argument("--max-cohorts", type=int, help="run only the first cohorts of each row")
    parser.add_argument("--again", action="store_true", help="use new seeds, for a re-run")
    parser.add_argument("--suitability", action="store_true", help="only test the real cohorts")
    asked = parser.parse_args()
    if asked.suitability:
        say_suitability()
        return
    run(
        read_plan(asked.plan).chosen(asked.rows.split(",")),
        chosen_variants(asked.variants.split(",")),
        asked.out,
        jobs=asked.jobs,
        most=asked.max_cohorts,
        again=asked.again,
        say=lambda words: print(words, file=sys.stderr, flush=True),
    )


if __name__ == "__main__":
    main()
