"""Run the same configs with two checkouts and compare the bytes of every result.

python benchmarks/compare_checkouts.py ../before . --config config/config.yaml config/cohorts.yaml
python benchmarks/compare_checkouts.py RESULTS_A RESULTS_B --finished

Both checkouts run with the Python that runs this script. The exit status is 1 if a file
that should be equal differs. Files of a stored fit, pages and records of versions may differ; they
are counted separately.
"""

from __future__ import annotations

import argparse
import os
import re
import subprocess
import sys
import tempfile
from collections.abc import Iterable
from pathlib import Path

#: Made of code or of versions, not of the data alone. A file that is missing always counts.
MAY_DIFFER = re.compile(r"(.*/)?(fit/\w+\.h5ad|report\.html|provenance\.json)")


def run(checkout: Path, config: str, folder: Path, cores: int) -> None:
    """Run a config of a checkout in a folder, which gets the checkout's `data`."""
    data = Path.cwd() / "data"
    if data.exists() and not (folder / "data").exists():
        (folder / "data").symlink_to(data)
    command = [sys.executable, "-m", "snakemake", "--cores", str(cores), "--quiet", "all"]
    command += ["--snakefile", str(checkout / "Snakefile"), "--directory", str(folder)]
    command += ["--configfile", str(checkout / config)]
    environment = {**os.environ, "PYTHONPATH": str(checkout / "workflow" / "src")}
    subprocess.run(command, env=environment, check=True)


def files_of(results: Path) -> dict[str, bytes]:
    """Return the files below a folder of results by their paths in it."""
    found = (path for path in sorted(results.rglob("*")) if path.is_file())
    return {path.relative_to(results).as_posix(): path.read_bytes() for path in found}


def compared(one: Path, other: Path) -> tuple[list[str], list[str], int]:
    """Return the files that must be equal and are not, those that may differ and do, the equal."""
    first, second = files_of(one), files_of(other)
    names = sorted(first.keys() | second.keys())
    differ = [name for name in names if first.get(name) != second.get(name)]
    both = first.keys() & second.keys()
    wrong = [name for name in differ if name not in both or not MAY_DIFFER.fullmatch(name)]
    return wrong, [name for name in differ if name not in wrong], len(names) - len(differ)


def report(wrong: Iterable[str], allowed: Iterable[str], equal: int) -> int:
    """Print what was found; return the exit status."""
    wrong = list(wrong)
    for name in wrong:
        print(f"differs: {name}")
    for name in allowed:
        print(f"differs, which is allowed: {name}")
    print(f"{equal} files are equal; {len(wrong)} differ but should be equal")
    return 1 if wrong else 0


def main() -> int:
    """Run and compare as the command line says."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("before", type=Path)
    parser.add_argument("after", type=Path)
    parser.add_argument("--config", nargs="+", default=["config/config.yaml"])
    parser.add_argument("--cores", type=int, default=2)
    parser.add_argument("--finished", action="store_true", help="both are results folders")
    chosen = parser.parse_args()
    if chosen.finished:
        return report(*compared(chosen.before, chosen.after))
    with tempfile.TemporaryDirectory() as place:
        folders = {}
        for name in ("before", "after"):
            checkout = getattr(chosen, name).resolve()
            folders[name] = Path(place) / name
            folders[name].mkdir()
            for config in chosen.config:
                run(checkout, config, folders[name], chosen.cores)
        return report(*compared(*(folders[n] / "results" for n in ("before", "after"))))


if __name__ == "__main__":
    sys.exit(main())
