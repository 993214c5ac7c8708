"""`make release` in a temporary clone: what it changes, and what it refuses."""

from __future__ import annotations

import os
import runpy
import shutil
import subprocess
import tomllib
import zipfile
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


def _built(source: Path, folder: Path) -> None:
    """Write a file in the place of the wheel: its text lists the files of the source."""
    names = (path.relative_to(source) for path in source.rglob("*") if path.is_file())
    folder.mkdir(exist_ok=True)
    listed = sorted(name.as_posix() for name in names)
    (folder / "source.txt").write_text("\n".join(listed), encoding="utf-8")


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
    (folder / ".gitignore").write_text("/build/\n*.pyc\n", encoding="utf-8")
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
    script["release"](clone, "0.5.0", DAY, _built)
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
        script["release"](clone, "0.6.0", "2031-01-01", _built)
    changelog = clone / "CHANGELOG.md"
    text = changelog.read_text(encoding="utf-8").replace("### Added\n", "### Added\n\n- More.\n", 1)
    changelog.write_text(text, encoding="utf-8")
    _git(clone, "commit", "--quiet", "--all", "--message", "more")
    script["release"](clone, "0.10.0", "2031-01-01", _built)
    text = (clone / "CITATION.cff").read_text(encoding="utf-8")
    assert text.count("date-released") == 1
    assert yaml.safe_load(text)["date-released"] == "2031-01-01"


def test_the_first_release_may_have_the_version_that_is_written(
    clone: Path, script: dict[str, Callable[..., None]]
) -> None:
    script["release"](clone, "0.4.2", DAY, _built)
    assert _git(clone, "tag") == "v0.4.2"


def _state(clone: Path) -> tuple[str, ...]:
    """Return the commit, the tags and the changes of a clone."""
    commands = (("rev-parse", "HEAD"), ("tag",), ("status", "--porcelain"), ("diff",))
    return tuple(_git(clone, *words) for words in commands)


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
    state = _state(clone)
    with pytest.raises(script["Refused"]) as refused:
        script["release"](clone, version, DAY, _built)
    assert str(refused.value) == message
    assert _state(clone) == state


def test_only_the_files_of_the_commit_are_built(
    clone: Path, script: dict[str, Callable[..., None]]
) -> None:
    for name in ("build/lib/fibroserum/deleted.py", "workflow/src/fibroserum/old.pyc"):
        (clone / name).parent.mkdir(parents=True, exist_ok=True)
        (clone / name).write_text("1\n", encoding="utf-8")
    script["release"](clone, "0.5.0", DAY, _built)
    listed = (clone / "build/source.txt").read_text(encoding="utf-8").splitlines()
    assert listed == sorted(_git(clone, "ls-tree", "-r", "--name-only", "v0.5.0").splitlines())


def test_without_a_wheel_there_is_no_release(
    clone: Path, script: dict[str, Callable[..., None]], monkeypatch: pytest.MonkeyPatch
) -> None:
    # pip finds no setuptools
    for variable, value in (("NO_INDEX", "1"), ("CONFIG_FILE", os.devnull), ("FIND_LINKS", "")):
        monkeypatch.setenv(f"PIP_{variable}", value)
    state = _state(clone)
    with pytest.raises(script["Refused"]) as refused:
        script["release"](clone, "0.5.0", DAY)
    assert str(refused.value) == (
        "the wheel could not be built: ERROR: No matching distribution found for setuptools>=77"
    )
    assert _state(clone) == state


def _refused_commit(clone: Path) -> None:
    hook = clone / ".git/hooks/pre-commit"
    hook.parent.mkdir(exist_ok=True)
    hook.write_text("#!/bin/sh\necho wrong words >&2\nexit 1\n", encoding="utf-8")
    hook.chmod(0o755)


def _interrupted(source: Path, folder: Path) -> None:
    raise KeyboardInterrupt


def test_a_release_that_stops_halfway_is_undone(
    clone: Path, script: dict[str, Callable[..., None]]
) -> None:
    state = _state(clone)
    with pytest.raises(KeyboardInterrupt):
        script["release"](clone, "0.5.0", DAY, _interrupted)
    assert _state(clone) == state
    _refused_commit(clone)
    with pytest.raises(script["Refused"], match="git commit failed: wrong words"):
        script["release"](clone, "0.5.0", DAY, _built)
    assert _state(clone) == state


@pytest.mark.long
def test_make_release_builds_the_wheel(repository: Path, tmp_path: Path) -> None:
    folder = tmp_path / "clone"
    _git(tmp_path, "clone", "--quiet", "--no-hardlinks", str(repository), str(folder))
    # of an earlier build, and ignored by git
    for name in ("build/lib/fibroserum/deleted.py", "workflow/src/fibroserum/data/old.pyc"):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text("1\n", encoding="utf-8")
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
    (built,) = (folder / "build").glob("*.whl")
    assert built.name == "fibroserum-99.0.0-py3-none-any.whl"
    with zipfile.ZipFile(built) as wheel:
        names = {name for name in wheel.namelist() if ".dist-info/" not in name}
    tracked = _git(folder, "ls-tree", "-r", "--name-only", "v99.0.0", "workflow/src").splitlines()
    assert names == {name.removeprefix("workflow/src/") for name in tracked}
    assert "git push origin HEAD v99.0.0" in done.stdout
    assert _git(folder, "tag", "--list", "v99.0.0") == "v99.0.0"
    # once more is refused in one line
    done = subprocess.run(
        make, cwd=folder, env=os.environ | identity, capture_output=True, text=True, check=False
    )
    assert done.returncode != 0
    assert "No release: the tag v99.0.0 exists already." in done.stderr


def test_ci_installs_each_package_by_itself(repository: Path, tmp_path: Path) -> None:
    (tmp_path / ".ci").mkdir()
    shutil.copy(repository / ".ci/run", tmp_path / ".ci/run")
    programs = tmp_path / "bin"
    programs.mkdir()
    calls = tmp_path / "calls.txt"
    # a system without R packages, and without a package of the name chromium
    bodies = {"apt-get": "case $* in *chromium*) exit 100;; esac", "make": "", "Rscript": "exit 1"}
    for name, body in bodies.items():
        text = f'#!/bin/sh\necho "{name} $*" >> "{calls}"\n{body}\n'
        (programs / name).write_text(text, encoding="utf-8")
        (programs / name).chmod(0o755)
    for name in ("bash", "dirname"):
        (programs / name).symlink_to(str(shutil.which(name)))
    done = subprocess.run(
        ["bash", tmp_path / ".ci/run"],
        env={"PATH": str(programs)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout == "not installed: chromium. The tests that need them will fail\n"
    made = [
        line for line in calls.read_text(encoding="utf-8").splitlines() if "Rscript" not in line
    ]
    asked = "apt-get install -y -qq "
    assert f"{asked}r-bioc-rhdf5" in made
    assert all(line.removeprefix(asked).count(" ") == 0 for line in made if asked in line)
    assert made[-3:] == ["make check", "make test", "make long"]
