"""Command: `python -m fibroserum.simulate --out FOLDER --seed N`, and `--donors` or `--designs`."""

from __future__ import annotations

import argparse
import dataclasses
from collections.abc import Sequence
from pathlib import Path

from fibroserum.simulate import (
    Arm,
    CohortSpec,
    DesignsSpec,
    simulate_cohort,
    simulate_designs,
    write_cohort,
    write_designs,
)


def _arm(text: str) -> Arm:
    name, equals, number = text.partition("=")
    known = {arm.name: arm for arm in CohortSpec().arms}
    if name not in known or not equals or not number.isdigit():
        raise argparse.ArgumentTypeError(
            f"'{text}': expected GROUP=NUMBER, with GROUP one of {[*known]}"
        )
    return dataclasses.replace(known[name], donors=int(number))


def main(arguments: Sequence[str] | None = None) -> None:
    """Write a simulated cohort with known truth into a folder."""
    parser = argparse.ArgumentParser(prog="python -m fibroserum.simulate", description=main.__doc__)
    parser.add_argument("--out", type=Path, required=True, help="output folder")
    parser.add_argument("--seed", type=int, required=True, help="seed of donors, levels and counts")
    kind = parser.add_mutually_exclusive_group()
    kind.add_argument(
        "--donors",
        type=_arm,
        nargs="+",
        metavar="GROUP=NUMBER",
        default=CohortSpec().arms,
        help="donors per group, the reference first (default: AT=8 RT=10)",
    )
    kind.add_argument(
        "--designs",
        action="store_true",
        help="simulate three groups and three times, with a dose, an outcome and a panel",
    )
    options = parser.parse_args(arguments)
    if options.designs:
        written = write_designs(simulate_designs(DesignsSpec(), options.seed), options.out)
    else:
        cohort = simulate_cohort(CohortSpec(arms=tuple(options.donors)), options.seed)
        written = write_cohort(cohort, options.out)
    for path in written:
        print(path)


if __name__ == "__main__":
    main()
