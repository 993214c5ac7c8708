"""One run at a time on a cohort's results: a lock that ends with its holder, and says who holds it.

Snakemake's own lock is a file that stays when its holder is killed, and it is for a whole working
directory. This one is for `results/{cohort}/`, so that several cohorts may run side by side:

`.lock`   the run holds it with flock, which the kernel takes back when the run dies, however that
          happens; its text (`Holder`) is for messages and for folders that several hosts share.
`.jobs`   each job of the run holds it, shared. Jobs outlive a run that is killed: the next run
          waits for them, or they would write between its own.

Where a file system has no flock, the text alone decides. On a cluster, jobs run on other hosts, and
some start long after they were handed in: each looks whether its run still holds the lock. A holder
on another host is never taken for dead: its process number means nothing here.
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import json
import os
import platform
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict, dataclass
from datetime import datetime
from pathlib import Path

#: Tells a job which run it belongs to: a line a lock with its path, a tab, the holder's text.
VARIABLE = "FIBROSERUM_RUN"
#: What a job says whose run is gone.
OVER = "The run that started this job has ended: nothing is written."
#: Seconds after which another host surely sees a file, where attributes are cached (NFS: 60).
_SEEN_AFTER = 60.0
_UNSUPPORTED = {errno.ENOLCK, errno.ENOSYS, errno.EOPNOTSUPP, errno.EINVAL, errno.EBADF}


class Refused(Exception):
    """The lock cannot be had; the message says why and what to do."""


@dataclass(frozen=True)
class Holder:
    """The run that holds a lock: its host, its process, when it began (with the time zone)."""

    host: str
    pid: int
    since: str

    @property
    def text(self) -> str:
        """The holder as its lock's text."""
        return json.dumps(asdict(self))

    @property
    def lives(self) -> bool:
        """Whether a process of its number runs on this host."""
        try:
            os.kill(self.pid, 0)
        except ProcessLookupError:
            return False
        except PermissionError:
            return True
        return True

    def __str__(self) -> str:
        return f"process {self.pid} on {self.host}, since {self.since}"


def _myself() -> Holder:
    since = datetime.now().astimezone().isoformat(sep=" ", timespec="seconds")
    return Holder(platform.node(), os.getpid(), since)


def _read(descriptor: int) -> Holder | None:
    """Return the holder that a lock's text names; None where it names none, or half of one."""
    text = os.pread(descriptor, 4096, 0).decode("utf-8", "replace")
    try:
        noted = json.loads(text)
        return Holder(str(noted["host"]), int(noted["pid"]), str(noted["since"]))
    except (ValueError, TypeError, KeyError):
        # a run that dies while it writes its name has made nothing yet
        return None


def _flock(descriptor: int, how: int) -> bool | None:
    """Return whether the lock was had, or None where the file system knows no such locks."""
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
        """What jobs are told in the environment variable `VARIABLE`."""
        return f"{(self.folder / '.lock').resolve()}\t{self.holder.text}"

    def release(self) -> None:
        """Give the lock back; a second time does nothing.

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
    """Return the lock of `results/{cohort}`, and remove drafts of files that a dead run left.

    folder: is made where it is not there. say: prints a line for the user, such as that a dead
    run's lock is taken over. Raises Refused where another run holds the lock, or may hold it, or
    where the folder cannot be written.
    """
    place = Path(folder)
    try:
        place.mkdir(parents=True, exist_ok=True)
        descriptor, had = _had(place / ".lock")
        try:
            dead = _check(place, _read(descriptor), had)
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
            "Mend that, then run the same command again."
        ) from error
    return RunLock(place, descriptor, holder)


def why_not_kept(folder: str | os.PathLike[str] = ".snakemake") -> str:
    """Return why Snakemake cannot keep its notes in a folder, which is made; empty where it can.

    Asked before Snakemake does, which ends in a traceback.
    """
    try:
        Path(folder).mkdir(exist_ok=True)
        with tempfile.TemporaryFile(dir=folder):
            return ""
    except OSError as error:
        return (
            f"{folder}, where Snakemake keeps its notes, cannot be written: {error.strerror}. "
            "Mend that, then run the same command again."
        )


def _had(path: Path) -> tuple[int, bool | None]:
    """Return an open descriptor of the lock file, and what flock said."""
    while True:
        descriptor = _open(path)
        had = _flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        # its last holder may have removed the file since it was opened: then it locks nothing
        if path.exists() and os.path.samestat(os.fstat(descriptor), path.stat()):
            return descriptor, had
        os.close(descriptor)


def _open(path: Path) -> int:
    return os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o664)


def _write(descriptor: int, text: str) -> None:
    os.ftruncate(descriptor, 0)
    os.pwrite(descriptor, text.encode(), 0)
    os.fsync(descriptor)


def _check(place: Path, noted: Holder | None, had: bool | None) -> Holder | None:
    """Return the dead holder that is noted, if any; raise Refused where one lives or may live.

    had: whether flock gave the lock, None where it cannot tell.
    """
    if had is False:
        who = f": {noted}" if noted else ""
        raise Refused(
            f"Another run is working on {place}{who}. Wait for it to end, or stop it; then run the "
            "same command again. Another cohort can run meanwhile."
        )
    if noted is None:
        return None
    if noted.host != platform.node():
        raise Refused(
            f"A run on another machine holds {place}: {noted}. If no such run is left there, "
            f"remove {place / '.lock'} and run the same command again."
        )
    if had is None and noted.lives and noted.pid != os.getpid():
        raise Refused(
            f"Another run is working on {place}: {noted}. Wait for it to end, or stop it; then run "
            f"the same command again. If that process is no run of this pipeline, remove "
            f"{place / '.lock'}."
        )
    return noted


@contextlib.contextmanager
def _opened(path: Path) -> Iterator[int]:
    """Give a descriptor of a file, made where there is none; its locks end with the block."""
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
    """Wait for the jobs of a dead run, and let none begin while the lock changes hands."""
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
    """Return the path of a cohort's lock and its holder's text, from what jobs are told.

    cohort: name of its folder under `results/`; told: the variable's value, a line for each lock
    of the run. The first is taken where none has that name, and both are empty without a lock.
    """
    locks = [line.partition("\t") for line in told.split("\n")]
    own = [lock for lock in locks if Path(lock[0]).parent.name == cohort]
    path, _, text = (own or locks)[0]
    return path, text


@contextlib.contextmanager
def job_of_run(environment: Mapping[str, str] = os.environ, cohort: str = "") -> Iterator[None]:
    """Hold `.jobs` while a job of a run works; raise Refused where its run is over.

    cohort: name of the folder under `results/` that the job writes into, where the run holds
    several. Does nothing outside of a run that has a lock, such as when this workflow is another's
    module.
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

    A job that waited in a cluster's queue asks before anything is prepared for it: Snakemake makes
    room for a job's outputs, which may by then be those of a later run.
    """
    told = environment.get(VARIABLE, "")
    locks = [line.partition("\t") for line in told.split("\n") if line]
    return any(_another_runs(Path(path), text) for path, _, text in locks)


def _another_runs(lock: Path, text: str) -> bool:
    """Return whether a lock is no longer that of the run with this text.

    A run holds its lock before its first job starts and until its last has ended; only another host
    may not see the file for a while.
    """
    late = json.loads(text)["host"] != platform.node()
    deadline = time.monotonic() + (_SEEN_AFTER if late else 0)
    while True:
        try:
            return lock.read_text(encoding="utf-8") != text
        except FileNotFoundError:
            if time.monotonic() >= deadline:
                return True
        # listing the folder makes the client of a network file system ask its server anew
        with contextlib.suppress(FileNotFoundError):
            os.listdir(lock.parent)
        time.sleep(1)
