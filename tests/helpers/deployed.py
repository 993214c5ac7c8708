"""This workflow at an address, without a network: git reads the address from a folder."""

from __future__ import annotations

import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

from helpers.pipeline import REPOSITORY
from helpers.small_runs import ended, environment

REPOSITORY_NAME = "somebody/fibroserum"
ADDRESS = f"https://github.com/{REPOSITORY_NAME}"
TAG = "v1.2.3"
GIT_CONFIG = """[url "file://{place}"]
    insteadOf = {address}
[user]
    name = Somebody
    email = somebody@example.org
"""


@dataclass(frozen=True)
class Deployed:
    """A release at `ADDRESS`, for commands with a home folder of their own."""

    home: Path

    def environment(self) -> dict[str, str]:
        """Return the environment in which the address is known."""
        kept = environment(HOME=str(self.home))
        return {name: value for name, value in kept.items() if not name.startswith("XDG_")}

    def run(self, folder: Path, *words: str) -> subprocess.CompletedProcess[str]:
        """Run a command in a folder to its end; its output is in `stdout`."""
        return ended(words, folder, self.environment())

    def done(self, folder: Path, *words: str) -> str:
        """Return the output of a command, which must succeed."""
        done = self.run(folder, *words)
        assert done.returncode == 0, done.stdout
        return done.stdout

    def snakemake(self, folder: Path, *words: str) -> subprocess.CompletedProcess[str]:
        """Run Snakemake in a folder, as its user would."""
        return self.run(folder, sys.executable, "-m", "snakemake", "--cores", "2", *words)


def released(folder: Path) -> Deployed:
    """Release the files of the checkout, with their present content, at `ADDRESS`."""
    listed = subprocess.run(
        ["git", "ls-files", "-z"], cwd=REPOSITORY, capture_output=True, text=True, check=False
    )
    if listed.returncode:
        pytest.skip(f"the checkout is not a git repository: {listed.stderr.strip()}")
    work, place, home = folder / "work", folder / "fibroserum.git", folder / "home"
    home.mkdir()
    (home / ".gitconfig").write_text(GIT_CONFIG.format(place=place, address=ADDRESS))
    for name in filter(None, listed.stdout.split("\0")):
        if (REPOSITORY / name).is_symlink() or (REPOSITORY / name).is_file():
            (work / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(REPOSITORY / name, work / name, follow_symlinks=False)
    release = Deployed(home)
    for words in ("init --quiet", "add --all", "commit --quiet -m release", f"tag {TAG}"):
        release.done(work, "git", *words.split())
    release.done(folder, "git", "clone", "--quiet", "--bare", str(work), str(place))
    return release
