"""`make release` in a temporary clone: what it changes, and what it refuses."""

from __future__ import annotations

import os
import runpy
import shutil
import subprocess
import tomllib
from collections.abc import Callable
from pathlib import Path

import pytest
import yaml

DAY = "2030-01-02"
FILES = (
    "pyproject.toml",
    "CITATION.cff",
    "Dockerfile",
    "CHANGELOG.md",
    "workflow/src/fibroserum/__init__.py",
)


def _git(folder: Path, *words: str) -> str:
    identity = ["-c", "user.name=a", "-c", "user.email=a@example.org"]
    done = subprocess.run(
        ["git", *identity, *words], cwd=folder, capture_output=True, text=True, check=True
    )
    return done.stdout.strip()


@pytest.fixture
def clone(repository: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return a clone with the files that a release changes."""
    for variable in ("GIT_AUTHOR", "GIT_COMMITTER"):
        monkeypatch.setenv(f"{variable}_NAME", "a")
        monkeypatch.setenv(f"{variable}_EMAIL", "a@example.org")
    folder = tmp_path / "clone"
    for name in FILES:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(repository / name, folder / name)
    pyproject = folder / "pyproject.toml"
    version = tomllib.loads(pyproject.read_text(encoding="utf-8"))["project"]["version"]
    for name in [name for name in FILES if name != "CHANGELOG.md"]:
        text = (folder / name).read_text(encoding="utf-8")
        (folder / name).write_text(text.replace(version, "0.4.2"), encoding="utf-8")
    older = "## 0.4.1 (2029-01-01)\n\n- Old.\n"
    changelog = f"# Changelog\n\n## Unreleased\n\n### Added\n\n- A thing.\n\n{older}"
    (folder / "CHANGELOG.md").write_text(changelog, encoding="utf-8")
    _git(folder, "init", "--quiet")
    _git(folder, "add", ".")
    _git(folder, "commit", "--quiet", "--message", "first")
    return folder


@pytest.fixture(scope="module")
def script(repository: Path) -> dict[str, Callable[..., None]]:
    return runpy.run_path(str(repository / "workflow/release.py"))


def test_a_release_sets_the_version_everywhere(
    clone: Path, script: dict[str, Callable[..., None]]
) -> None:
    script["release"](clone, "0.5.0", DAY)
    project = tomllib.loads((clone / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    assert project["version"] == "0.5.0"
    citation = yaml.safe_load((clone / "CITATION.cff").read_text(encoding="utf-8"))
    assert citation["version"] == "0.5.0"
    assert citation["date-released"] == DAY
    library = (clone / "workflow/src/fibroserum/__init__.py").read_text(encoding="utf-8")
    assert '__version__ = "0.5.0"' in library
    assert 'image.version="0.5.0"' in (clone / "Dockerfile").read_text(encoding="utf-8")
    assert (clone / "CHANGELOG.md").read_text(encoding="utf-8") == (
        "# Changelog\n\n## Unreleased\n\n### Added\n\n"
        "## 0.5.0 (2030-01-02)\n\n### Added\n\n- A thing.\n\n## 0.4.1 (2029-01-01)\n\n- Old.\n"
    )
    assert _git(clone, "status", "--porcelain") == ""
    assert _git(clone, "tag") == "v0.5.0"
    assert _git(clone, "rev-parse", "v0.5.0^{commit}") == _git(clone, "rev-parse", "HEAD")
    assert _git(clone, "log", "-1", "--format=%s") == "Version 0.5.0"
    # the next one has the date in its place, and needs a new entry
    with pytest.raises(script["Refused"], match="no entry under '## Unreleased'"):
        script["release"](clone, "0.6.0", "2031-01-01")
    changelog = clone / "CHANGELOG.md"
    text = changelog.read_text(encoding="utf-8").replace("### Added\n", "### Added\n\n- More.\n", 1)
    changelog.write_text(text, encoding="utf-8")
    _git(clone, "commit", "--quiet", "--all", "--message", "more")
    script["release"](clone, "0.10.0", "2031-01-01")
    text = (clone / "CITATION.cff").read_text(encoding="utf-8")
    assert text.count("date-released") == 1
    assert yaml.safe_load(text)["date-released"] == "2031-01-01"


def test_the_first_release_may_have_the_version_that_is_written(
    clone: Path, script: dict[str, Callable[..., None]]
) -> None:
    script["release"](clone, "0.4.2", DAY)
    assert _git(clone, "tag") == "v0.4.2"


def _edit(clone: Path) -> None:
    (clone / "CITATION.cff").write_text("edited\n", encoding="utf-8")


def _tag(clone: Path) -> None:
    _git(clone, "tag", "v0.9.0")


def _no_entry(clone: Path) -> None:
    path = clone / "CHANGELOG.md"
    path.write_text(path.read_text(encoding="utf-8").replace("- A thing.\n", ""), encoding="utf-8")
    _git(clone, "commit", "--quiet", "--all", "--message", "no entry")


def _nothing(clone: Path) -> None:
    del clone


@pytest.mark.parametrize(
    ("before", "version", "message"),
    [
        (_edit, "0.5.0", "the clone has changes that are not committed: commit or remove them"),
        (_tag, "0.9.0", "the tag v0.9.0 exists already"),
        (_tag, "0.8.9", "0.8.9 is not larger than 0.9.0"),
        (_nothing, "0.4.1", "0.4.1 is not larger than 0.4.2"),
        (_nothing, "0.5", "'0.5' is not a version: write three numbers, such as 0.2.0"),
        (_nothing, "", "'' is not a version: write three numbers, such as 0.2.0"),
        (_no_entry, "0.5.0", "CHANGELOG.md has no entry under '## Unreleased'"),
    ],
)
def test_a_refused_release_changes_nothing(
    clone: Path,
    script: dict[str, Callable[..., None]],
    before: Callable[[Path], None],
    version: str,
    message: str,
) -> None:
    before(clone)
    state = _git(clone, "rev-parse", "HEAD"), _git(clone, "tag"), _git(clone, "diff")
    with pytest.raises(script["Refused"]) as refused:
        script["release"](clone, version, DAY)
    assert str(refused.value) == message
    assert (_git(clone, "rev-parse", "HEAD"), _git(clone, "tag"), _git(clone, "diff")) == state


@pytest.mark.long
def test_make_release_builds_the_wheel(repository: Path, tmp_path: Path) -> None:
    folder = tmp_path / "clone"
    _git(tmp_path, "clone", "--quiet", "--no-hardlinks", str(repository), str(folder))
    environment = tmp_path / "venv"
    environment.symlink_to(repository / ".venv")
    make = [
        "make",
        "release",
        "VERSION=99.0.0",
        f"VENV={environment}",
        "-o",
        f"{environment}/installed",
    ]
    identity = {
        f"GIT_{who}_{what}": "a@example.org"
        for who in ("AUTHOR", "COMMITTER")
        for what in ("NAME", "EMAIL")
    }
    done = subprocess.run(
        make, cwd=folder, env=os.environ | identity, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert [path.name for path in (folder / "build").glob("*.whl")] == [
        "fibroserum-99.0.0-py3-none-any.whl"
    ]
    assert "git push origin HEAD v99.0.0" in done.stdout
    assert _git(folder, "tag", "--list", "v99.0.0") == "v99.0.0"
    # once more is refused in one line
    done = subprocess.run(
        make, cwd=folder, env=os.environ | identity, capture_output=True, text=True, check=False
    )
    assert done.returncode != 0
    assert "No release: the tag v99.0.0 exists already." in done.stderr
