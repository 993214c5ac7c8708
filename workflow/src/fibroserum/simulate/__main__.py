"""Command: `python -m fibroserum.simulate --out FOLDER --seed N [--donors AT=6 RT=7]`."""

from __future__ import annotations

import argparse
import dataclasses
from collections.abc import Sequence
from pathlib import Path

from fibroserum.simulate import Arm, CohortSpec, simulate_cohort, write_cohort


def _arm(text: str) -> Arm:
    name, equals, number = text.partition("=")
    known = {arm.name: arm for arm in CohortSpec().arms}
    if name not in known or not equals or not number.isdigit():
        raise argparse.ArgumentTypeError(f"'{text}': expected ARM=NUMBER with ARM of {[*known]}")
    return dataclasses.replace(known[name], donors=int(number))


def main(arguments: Sequence[str] | None = None) -> None:
    """Write a simulated cohort with known truth into a folder."""
    parser = argparse.ArgumentParser(prog="python -m fibroserum.simulate", description=main.__doc__)
    parser.add_argument("--out", type=Path, required=True, help="folder to write into")
    parser.add_argument("--seed", type=int, required=True, help="of donors, levels and counts")
    parser.add_argument(
        "--donors",
        type=_arm,
        nargs="+",
        metavar="ARM=NUMBER",
        default=CohortSpec().arms,
        help="donors of each arm, the reference first (default: AT=8 RT=10)",
    )
    options = parser.parse_args(arguments)
    cohort = simulate_cohort(CohortSpec(arms=tuple(options.donors)), options.seed)
    for path in write_cohort(cohort, options.out):
        print(path)


if __name__ == "__main__":
    main()
