"""The image: its description, and the toy cohort run in it by a user without any rights."""

from __future__ import annotations

import os
import re
import runpy
import shutil
import tomllib
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest

from fibroserum.inference.compiling import KERNELS
from helpers.container import Image, built, missing
from helpers.pipeline import REPOSITORY, Run, copy_pipeline

USER = 12345
DOCKERFILE = (REPOSITORY / "Dockerfile").read_text(encoding="utf-8")
DEFINITION = (REPOSITORY / "apptainer.def").read_text(encoding="utf-8")
PROJECT = tomllib.loads((REPOSITORY / "pyproject.toml").read_text(encoding="utf-8"))["project"]
SHIPPED = "opt/fibroserum/workflow/src/fibroserum/inference/kernels-*/*.nbc"


def labels() -> dict[str, str]:
    """Return the labels of the Dockerfile."""
    return dict(re.findall(r'org\.opencontainers\.image\.(\w+)="([^"]*)"', DOCKERFILE))


def test_the_labels_describe_the_project() -> None:
    described = {name: PROJECT[name] for name in ("version", "description")}
    assert labels() == described | {
        "title": PROJECT["name"],
        "licenses": PROJECT["license"],
        "source": "${SOURCE}",
    }


def test_the_build_is_given_what_it_copies_and_what_a_run_needs(tmp_path: Path) -> None:
    ignored = (REPOSITORY / ".dockerignore").read_text(encoding="utf-8").splitlines()
    given = {line.removeprefix("!") for line in ignored if line.startswith("!")}
    copied = re.findall(r"^COPY ([^-].*) \S+$", DOCKERFILE, re.MULTILINE)
    assert {name for names in copied for name in names.split()} == given
    copy_pipeline(tmp_path)
    links = set(re.findall(r"ln -s \S+ (\S+)", DOCKERFILE))
    assert {path.name for path in tmp_path.iterdir()} <= given | links
    assert all((REPOSITORY / name).exists() for name in given)


def test_apptainer_takes_the_image_and_adds_nothing() -> None:
    head, *sections = re.split(r"^%", DEFINITION, flags=re.MULTILINE)
    found = dict(re.findall(r"^(\w+): (\S+)$", head, re.MULTILINE))
    assert found == {"Bootstrap": "docker-archive", "From": "fibroserum.tar"}
    assert [section.split()[0] for section in sections] == ["environment", "test"]
    page = (REPOSITORY / "docs/containers.md").read_text(encoding="utf-8")
    for command in re.findall(r"^# {3}(\w+ .*)$", head, re.MULTILINE):
        assert command in page
    assert f"docker-archive:{found['From']}:" in page
    (command,) = re.findall(r"^CMD \[\"(\w+)\"", DOCKERFILE, re.MULTILINE)
    assert sections[1].split()[1] == command


@pytest.fixture(scope="module")
def image(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Image]:
    """Return the image on a minimal Debian, and remove it afterwards."""
    if said := missing():
        said = f"{said}: no image is built (see docs/containers.md)"
        if os.environ.get("FIBROSERUM_REQUIRE_CONTAINER"):
            pytest.fail(said)
        pytest.skip(said)
    folder = tmp_path_factory.mktemp("image")
    yield built(folder)
    # a run mounts /dev in a namespace of its own
    assert str(folder) not in Path("/proc/self/mountinfo").read_text(encoding="utf-8")
    shutil.rmtree(folder)


@pytest.fixture
def work(tmp_path: Path) -> Path:
    """Return a folder of the user who runs the image."""
    folder = tmp_path / "work"
    folder.mkdir()
    os.chown(folder, USER, USER)
    return folder


@pytest.mark.long
def test_the_image_is_described_and_needs_no_rights(image: Image, work: Path) -> None:
    print(f"{image.size / 1e6:.0f} MB, not compressed")
    prefix = "org.opencontainers.image."
    said = image.config["Labels"]
    assert {name.removeprefix(prefix) for name in said if name.startswith(prefix)} == {*labels()}
    assert said[f"{prefix}version"] == PROJECT["version"]
    assert re.fullmatch(r"[1-9]\d*:[1-9]\d*", image.config["User"])
    # the conditions of the next test: neither a name nor a home, and a root that refuses root too
    probe = "id -u; echo ${HOME-no home}; touch /opt/fibroserum/x /tmp/x x"
    printed = image.run(work, USER, "sh", "-c", probe).stdout.splitlines()
    assert printed[:2] == [str(USER), "no home"]
    assert [line.split(": ")[-1] for line in printed[2:]] == ["Read-only file system"] * 2
    printed = image.run(work, 0, "touch", "/opt/fibroserum/x").stdout
    assert "Read-only file system" in printed
    assert [path.name for path in work.iterdir()] == ["x"]
    assert image.run(work, USER, "python", "-c", "import fibroserum").returncode == 0


def contents(folder: Path) -> dict[Path, tuple[int, int]]:
    """Return the size and time of change of everything below a folder."""
    found = {path: path.lstat() for path in folder.rglob("*")}
    return {path: (status.st_size, status.st_ctime_ns) for path, status in found.items()}


def outputs(results: Path, pipeline: Path) -> dict[str, Any]:
    """Return every output file by its name.

    The report and the record of the run are without dates, the version of Python and the place of
    the pipeline.
    """
    found = {path: path.read_bytes() for path in sorted(results.rglob("*")) if path.is_file()}
    for path in (results / "report.html", results / "provenance.json"):
        rest = found[path].replace(f"{pipeline}/".encode(), b"")
        found[path] = re.sub(rb"\b(20\d\d-\d\d-\d\d|3\.1[123]\.\d+)\b", b"", rest)
    return {path.relative_to(results).as_posix(): held for path, held in found.items()}


def kernel_names() -> list[str]:
    """Return the names of all kernels of the library."""
    for module in runpy.run_path(str(REPOSITORY / "workflow" / "kernels.py"))["MODULES"]:
        import_module(f"fibroserum.{module}")
    return sorted(kernel.py_func.__name__ for kernel, _ in KERNELS)


@pytest.mark.long
def test_the_toy_in_a_read_only_container_has_the_same_bytes(
    image: Image, work: Path, toy_run: Run
) -> None:
    before = contents(image.root)
    done = image.run(work, USER, "snakemake", "--cores", "2")
    assert done.returncode == 0, done.stdout
    print(done.stdout)
    here = outputs(toy_run.results, toy_run.snakefile.parent)
    there = outputs(work / "results" / "toy", Path("/opt/fibroserum"))
    assert len(here) > 150
    assert sorted(here) == sorted(there)
    assert [name for name in here if here[name] != there[name]] == []
    # nothing was written elsewhere, nor under another user
    assert contents(image.root) == before
    assert {path.name for path in work.iterdir()} == {".snakemake", "logs", "results"}
    assert {path.lstat().st_uid for path in work.rglob("*")} == {USER}
    # kernels were loaded, not compiled: what a run compiles, it keeps
    cached = work / ".snakemake" / "cache" / "fibroserum"
    assert [path.suffix for path in cached.iterdir()] == [".js"]
    assert sorted(path.name.split("-")[0] for path in image.root.glob(SHIPPED)) == kernel_names()
    assert "cannot be cached" not in "".join(log.read_text() for log in work.rglob("*.log"))
