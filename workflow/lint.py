"""Run Snakemake's linter, leaving out one lint, visibly.

The lint that asks for a conda environment or container in each rule does not fit: one locked
environment (requirements.lock) serves every rule. (`--lint json` prints text in Snakemake 9.27.)
"""

from __future__ import annotations

import re
import subprocess
import sys

LEFT_OUT = "Specify a conda environment or container for each rule."
PLACE = re.compile(r"^Lints for (.*):$")
LINT = re.compile(r"^    \* (.*):$")


def main() -> int:
    """Print the lints that count; return 1 if there are any, or if the linter did not run."""
    command = [sys.executable, "-m", "snakemake", "--lint", "--cores", "1"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    text = done.stdout + done.stderr
    place, found = "", []
    for line in text.splitlines():
        if match := PLACE.match(line):
            place = match[1]
        elif match := LINT.match(line):
            found.append((place, match[1]))
    if done.returncode and not found:
        print(text, file=sys.stderr)
        return 1
    counted = [f"{where}: {title}" for where, title in found if title != LEFT_OUT]
    print("\n".join(counted), file=sys.stderr)
    left_out = len(found) - len(counted)
    print(f"snakemake --lint: {len(counted)} lints; left out, {left_out} times: {LEFT_OUT}")
    return 1 if counted else 0


if __name__ == "__main__":
    sys.exit(main())
