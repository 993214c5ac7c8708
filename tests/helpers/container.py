"""An image of this workflow, built and run without a daemon, as root, in a folder of a test.

Debian's mmdebstrap makes the base from the machine's package sources, buildah builds the image. The
run has its own namespaces: a root that is mounted read-only, its own processes and no network.
"""

from __future__ import annotations

import ast
import configparser
import json
import os
import platform
import re
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from helpers.pipeline import REPOSITORY

_PROGRAMS = ("buildah", "mmdebstrap", "unshare", "chroot")
_BASE = "localhost/base"
_IMAGE = "localhost/fibroserum"
#: Neither the packages' documentation nor their translations: what slim images leave out.
_LEFT_OUT = ("doc", "info", "locale", "man")
#: Which of its kernels OpenBLAS uses, and so the last bits of results.
_OF_MACHINE = ("OPENBLAS_CORETYPE",)
#: Mounts what a container has, and becomes the user: `ROOT WORK USER FOLDER WORDS...`.
_ENTER = """
root=$1 work=$2 user=$3 folder=$4
shift 4
mount --bind "$root" "$root"
mount --bind "$work" "$root$folder"
mount -t proc proc "$root/proc"
mount --rbind /dev "$root/dev"
mount -t tmpfs tmpfs "$root/dev/shm"
mount -o remount,bind,ro "$root"
exec chroot --userspec "$user:$user" --groups "" "$root" "$@"
"""


def missing() -> str:
    """Return in words why no image can be built on this machine; empty where one can."""
    if not Path("/etc/debian_version").exists():
        return "the base image is made from the package sources of Debian"
    absent = [name for name in _PROGRAMS if shutil.which(name) is None]
    if absent:
        return f"{', '.join(absent)} not found (Debian: buildah, mmdebstrap)"
    return "" if os.geteuid() == 0 else "building an image needs root"


def _ended(*command: str, **options: Any) -> str:
    """Return the output of a command, or fail with all that it printed."""
    done = subprocess.run(
        command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False, **options
    )
    assert done.returncode == 0, f"{' '.join(command)}\n{done.stdout[-20_000:]}"
    return done.stdout


def pip_settings() -> dict[str, dict[str, str]]:
    """Return the settings of this machine's pip by section and name, variables before files."""
    printed = _ended(sys.executable, "-m", "pip", "config", "list")
    found = re.findall(r"^(\S+?)\.([\w-]+)=(.*)$", printed, re.MULTILINE)
    settings: dict[str, dict[str, str]] = {}
    for section, name, text in sorted(found, key=lambda one: one[0] == ":env:"):
        own = settings.setdefault("global" if section == ":env:" else section, {})
        own[name] = ast.literal_eval(text)
    return settings


def _local_paths(settings: dict[str, dict[str, str]]) -> list[Path]:
    """Return the files and folders of this machine that pip's settings name."""
    words = [word for own in settings.values() for value in own.values() for word in value.split()]
    # the pages of an index link to files beside its folder
    indexes = {Path(word[7:]).parent for word in words if word.startswith("file://")}
    paths = {Path(word) for word in words} | indexes
    return sorted(path for path in paths if path.is_absolute() and path.exists())


@dataclass(frozen=True)
class Image:
    """An image in a store of its own: its configuration, its size in bytes, its files."""

    config: dict[str, Any]
    size: int
    root: Path

    def run(self, work: Path, user: int, *words: str) -> subprocess.CompletedProcess[str]:
        """Run words in the image as `docker run --read-only --user USER --volume WORK:WORKDIR`.

        The environment is that of the image: there is no HOME, and the user has no name. Only the
        processor that this machine names to OpenBLAS, if it does, is named in the image too.
        """
        folder = self.config["WorkingDir"]
        inside = ["env", "--ignore-environment", f"--chdir={folder}", *self.config["Env"]]
        inside += [f"{name}={os.environ[name]}" for name in _OF_MACHINE if name in os.environ]
        return subprocess.run(
            [
                *("unshare", "--mount", "--pid", "--net", "--fork", "--kill-child"),
                *("sh", "-euc", _ENTER, "sh", str(self.root), str(work), str(user), folder),
                *(*inside, *words),
            ],
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            stdin=subprocess.DEVNULL,
            env={"PATH": os.environ["PATH"] + os.pathsep + "/usr/sbin"},
            text=True,
            check=False,
        )


def _base(folder: Path) -> Path:
    """Return a tar of a minimal Debian with Python, of the release and sources of this machine."""
    apt = Path("/etc/apt")
    sources = [path for kind in ("list", "sources") for path in sorted(apt.rglob(f"*.{kind}"))]
    words = ["--variant=essential", "--include=python3,python3-venv,libstdc++6"]
    words += [f"--dpkgopt=path-exclude=/usr/share/{part}/*" for part in _LEFT_OUT]
    base = folder / "base.tar"
    release = platform.freedesktop_os_release()["VERSION_CODENAME"]
    _ended("mmdebstrap", "--quiet", *words, release, str(base), *map(str, sources))
    return base


def built(folder: Path) -> Image:
    """Build the image in a folder, which may be removed afterwards."""
    (folder / "tmp").mkdir()
    environment = os.environ | {"TMPDIR": str(folder / "tmp")}
    store = ("--root", f"{folder}/store", "--runroot", f"{folder}/state", "--storage-driver", "vfs")

    def buildah(*words: str) -> str:
        return _ended("buildah", *store, *words, env=environment, cwd=REPOSITORY)

    (folder / "base").write_text("FROM scratch\nADD base.tar /\n")
    _base(folder)
    isolated = ("build", "--quiet", "--isolation", "chroot", "--network", "host")
    buildah(*isolated, "--tag", _BASE, "--file", f"{folder}/base", str(folder))
    settings = pip_settings()
    written = configparser.RawConfigParser()
    written.read_dict(settings)
    with (folder / "pip.conf").open("w", encoding="utf-8") as file:
        written.write(file)
    handed = ["--secret", f"id=pip.conf,src={folder}/pip.conf"]
    handed += [f"--volume={path}:{path}:ro" for path in _local_paths(settings)]
    buildah(*isolated, *handed, "--build-arg", f"BASE={_BASE}", "--tag", _IMAGE, ".")
    described = json.loads(buildah("inspect", "--type", "image", _IMAGE))
    container = buildah("from", "--pull-never", _IMAGE).strip().splitlines()[-1]
    root = buildah("mount", container).strip().splitlines()[-1]
    layers = json.loads(described["Manifest"])["layers"]
    size = sum(layer["size"] for layer in layers)
    return Image(described["OCIv1"]["config"], size, Path(root))
