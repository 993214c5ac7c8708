"""One run at a time on a cohort's results: a lock that ends with its holder.

`.lock`   the run holds it with flock, which the kernel releases when the run ends, however it ends.
          Its text (`Holder`) is for messages, and for folders that several hosts share.
`.jobs`   each job of the run holds it, shared. A job may outlive a run that is killed: the next run
          waits for it, or it would overwrite what that run has written.

On a cluster, jobs run on other hosts, and some start long after they were submitted: each checks
whether its run still holds the lock. A holder on another host is never assumed to be dead, because
its process number means nothing here. docs/architecture.md says why Snakemake's lock does not do.
"""

from __future__ import annotations

import atexit
import contextlib
import errno
import fcntl
import json
import os
import platform
from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict, dataclass
from datetime import datetime
from pathlib import Path

#: Names a job's run: for each lock a line with its path, a tab and the holder's text.
VARIABLE = "FIBROSERUM_RUN"
#: The message of a job whose run has ended.
OVER = "The run that started this job has ended: nothing is written."
_UNSUPPORTED = {errno.ENOLCK, errno.ENOSYS, errno.EOPNOTSUPP, errno.EINVAL, errno.EBADF}


class Refused(Exception):
    """The lock is not available; the message says why and what to do."""


@dataclass(frozen=True)
class Holder:
    """The run that holds a lock: its host, its process, its start (with the time zone)."""

    host: str
    pid: int
    since: str

    @property
    def text(self) -> str:
        """The text of the lock file."""
        return json.dumps(asdict(self))

    def __str__(self) -> str:
        return f"process {self.pid} on {self.host}, since {self.since}"


def _myself() -> Holder:
    since = datetime.now().astimezone().isoformat(sep=" ", timespec="seconds")
    return Holder(platform.node(), os.getpid(), since)


def _read(descriptor: int) -> Holder | None:
    """Return the holder that a lock's text names; None for an empty or incomplete text."""
    text = os.pread(descriptor, 4096, 0).decode("utf-8", "replace")
    try:
        noted = json.loads(text)
        return Holder(str(noted["host"]), int(noted["pid"]), str(noted["since"]))
    except (ValueError, TypeError, KeyError):
        # a run that was killed while it wrote its name had made nothing yet
        return None


def _flock(descriptor: int, how: int) -> bool | None:
    """Return whether the lock was obtained, or None where the file system has no such locks."""
    try:
        fcntl.flock(descriptor, how)
    except BlockingIOError:
        return False
    except OSError as error:
        if error.errno in _UNSUPPORTED:
            return None
        raise
    return True


class RunLock:
    """A lock that this process holds, until `release`. Made by `take`."""

    def __init__(self, folder: Path, descriptor: int, holder: Holder):
        self.folder, self.holder = folder, holder
        self._descriptor: int | None = descriptor

    @property
    def variable(self) -> str:
        """The line of this lock in the environment variable `VARIABLE`."""
        return f"{(self.folder / '.lock').resolve()}\t{self.holder.text}"

    def release(self) -> None:
        """Release the lock; a second call does nothing.

        While jobs still run, the holder's text stays, so that the next run waits for them.
        """
        if self._descriptor is None:
            return
        descriptor, self._descriptor = self._descriptor, None
        try:
            if _jobs_ended(self.folder):
                (self.folder / ".jobs").unlink(missing_ok=True)
                (self.folder / ".lock").unlink(missing_ok=True)
        finally:
            os.close(descriptor)


def take(folder: str | os.PathLike[str], say: Callable[[str], None]) -> RunLock:
    """Return the lock of `results/{cohort}`, and remove the drafts of files that a dead run left.

    folder: is created if needed. say: prints a line for the user. Raises Refused if another run
    holds the lock or may hold it, or if the folder cannot be written.
    """
    place = Path(folder)
    try:
        place.mkdir(parents=True, exist_ok=True)
        descriptor, obtained = _obtained(place / ".lock")
        try:
            dead = _check(place, _read(descriptor), obtained)
            if obtained is None:
                say(f"The file system of {place} has no locks: start one run at a time on it.")
            if dead:
                say(f"The lock of {place} is taken over from a run that has died: {dead}.")
            with _no_jobs(place, say):
                holder = _myself()
                _write(descriptor, holder.text)
            for draft in place.rglob(".*.part"):
                draft.unlink(missing_ok=True)
        except BaseException:
            os.close(descriptor)
            raise
    except OSError as error:
        raise Refused(
            f"{place} cannot be written: {error.strerror} ({error.filename or place}). "
            "Fix this, then run the same command again."
        ) from error
    # Snakemake returns to the folder where it was started before this process ends
    return RunLock(place.resolve(), descriptor, holder)


#: The locks of this process.
_HELD: dict[Path, RunLock] = {}


def hold(folder: str | os.PathLike[str], say: Callable[[str], None]) -> None:
    """Take the lock of `results/{cohort}` until this process ends, unless it has it already.

    The jobs that it starts find the lock in the environment. folder, say, errors: as `take`.
    """
    place = Path(folder).resolve()
    if place not in _HELD:
        if not _HELD:
            atexit.register(_release_all)
        _HELD[place] = take(folder, say)
        os.environ[VARIABLE] = "\n".join(lock.variable for lock in _HELD.values())


def _release_all() -> None:
    while _HELD:
        _HELD.popitem()[1].release()


def _obtained(path: Path) -> tuple[int, bool | None]:
    """Return an open descriptor of the lock file, and what `_flock` returned."""
    while True:
        descriptor = _open(path)
        obtained = _flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        # its last holder may have removed the file since it was opened: then it locks nothing
        if path.exists() and os.path.samestat(os.fstat(descriptor), path.stat()):
            return descriptor, obtained
        os.close(descriptor)


def _open(path: Path) -> int:
    return os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o664)


def _write(descriptor: int, text: str) -> None:
    os.ftruncate(descriptor, 0)
    os.pwrite(descriptor, text.encode(), 0)
    os.fsync(descriptor)


def _check(place: Path, noted: Holder | None, obtained: bool | None) -> Holder | None:
    """Return the dead holder that is noted, if any; raise Refused if a holder is or may be alive.

    obtained: whether flock gave the lock, None if the file system has no such locks.
    """
    if obtained is False:
        who = f": {noted}" if noted else ""
        raise Refused(
            f"Another run is working on {place}{who}. Wait for it to end, or stop it; then run the "
            "same command again. Another cohort can run meanwhile."
        )
    if noted and noted.host != platform.node():
        raise Refused(
            f"A run on another machine holds {place}: {noted}. If that run has ended, remove "
            f"{place / '.lock'} and run the same command again."
        )
    return noted if obtained else None


@contextlib.contextmanager
def _opened(path: Path) -> Iterator[int]:
    """Yield a descriptor of a file, which is created if needed; its locks end with the block."""
    descriptor = _open(path)
    try:
        yield descriptor
    finally:
        os.close(descriptor)


def _jobs_ended(place: Path) -> bool:
    """Return whether no job holds `.jobs`."""
    with _opened(place / ".jobs") as jobs:
        return _flock(jobs, fcntl.LOCK_EX | fcntl.LOCK_NB) is not False


@contextlib.contextmanager
def _no_jobs(place: Path, say: Callable[[str], None]) -> Iterator[None]:
    """Wait for the jobs of a dead run, and let none start while the lock changes hands."""
    with _opened(place / ".jobs") as jobs:
        if _flock(jobs, fcntl.LOCK_EX | fcntl.LOCK_NB) is False:
            noted = os.pread(jobs, 1 << 16, 0).decode("utf-8", "replace").split("\n")
            say(
                f"Waiting for jobs that outlived the run which started them "
                f"({', '.join(filter(None, noted))}). Stopping them is safe."
            )
            _flock(jobs, fcntl.LOCK_EX)
        os.ftruncate(jobs, 0)
        yield


def lock_of(cohort: str, told: str) -> tuple[str, str]:
    """Return the path of a cohort's lock and its holder's text, both empty if there is no lock.

    cohort: name of its folder under `results/`; told: the value of `VARIABLE`. If no lock of the
    run has that name, the first is returned.
    """
    locks = [line.partition("\t") for line in told.split("\n")]
    own = [lock for lock in locks if Path(lock[0]).parent.name == cohort]
    path, _, text = (own or locks)[0]
    return path, text


@contextlib.contextmanager
def job_of_run(environment: Mapping[str, str] = os.environ, cohort: str = "") -> Iterator[None]:
    """Hold `.jobs` while a job of a run works; raise Refused if its run has ended.

    cohort: name of the folder under `results/` that the job writes to, since a run may hold
    several. Does nothing outside of a run with a lock, such as when another workflow uses this one
    as a module.
    """
    path, text = lock_of(cohort, environment.get(VARIABLE, ""))
    if not path:
        yield
        return
    lock = Path(path)
    with _opened(lock.with_name(".jobs")) as jobs:
        _flock(jobs, fcntl.LOCK_SH)
        os.lseek(jobs, 0, os.SEEK_END)
        os.write(jobs, f"process {os.getpid()} on {platform.node()}\n".encode())
        if _another_runs(lock, text):
            raise Refused(OVER)
        yield


def run_is_over(environment: Mapping[str, str] = os.environ) -> bool:
    """Return whether the run that started this process has ended, by any of its locks.

    For jobs that waited in a cluster's queue. They check before Snakemake prepares the job, because
    it removes the job's outputs, which may be those of a later run.
    """
    told = environment.get(VARIABLE, "")
    locks = [line.partition("\t") for line in told.split("\n") if line]
    return any(_another_runs(Path(path), text) for path, _, text in locks)


def _another_runs(lock: Path, text: str) -> bool:
    """Return whether a lock is no longer that of the run with this text.

    A run holds its lock from before its first job until after its last.
    """
    try:
        return lock.read_text(encoding="utf-8") != text
    except FileNotFoundError:
        return True
