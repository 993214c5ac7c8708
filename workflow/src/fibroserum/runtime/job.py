"""What surrounds the work of every job: its log keeps prints, warnings and tracebacks.

Imports nothing heavy.
"""

from __future__ import annotations

import errno
import gc
import logging
import os
import re
import resource
import shutil
import sys
import tempfile
import traceback
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TextIO

from fibroserum.errors import InputError
from fibroserum.runtime.lock import Refused, job_of_run


def prepare_environment(library: Path) -> None:
    """Set the variables that every job inherits: the path of the library, one thread for BLAS.

    BLAS sums in an order that depends on its number of threads, and results must not depend on
    cores; the project's own kernels use threads of their own. One arena for malloc: glibc
    otherwise keeps the many small blocks that threads free, separately for each thread.
    """
    inherited = os.environ.get("PYTHONPATH")
    paths = [str(library), *(inherited.split(os.pathsep) if inherited else [])]
    os.environ["PYTHONPATH"] = os.pathsep.join(dict.fromkeys(paths))
    for name in ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS"):
        os.environ[name] = "1"
    os.environ.setdefault("MALLOC_ARENA_MAX", "1")


#: What the library logs: `info` says how far a long step has come.
logger = logging.getLogger("fibroserum")


@contextmanager
def _logged(file: TextIO) -> Iterator[None]:
    """Write what the library logs to a file, each message with the time of day."""
    handler = logging.StreamHandler(file)
    handler.setFormatter(logging.Formatter("[%(asctime)s] %(message)s", "%H:%M:%S"))
    level = logger.level
    logger.addHandler(handler)
    logger.setLevel(logging.INFO)
    try:
        yield
    finally:
        logger.removeHandler(handler)
        logger.setLevel(level)


def used() -> str:
    """Return what this process and its finished children used, for the end of a job's log.

    Memory is that of the largest process: the system does not record their sum.
    """
    own, children = (resource.getrusage(who) for who in _WHOSE)
    processor = own.ru_utime + own.ru_stime + children.ru_utime + children.ru_stime
    memory = max(own.ru_maxrss, children.ru_maxrss) * (1 if sys.platform == "darwin" else 1024)
    return f"took {processor:.1f} s of processor time, {memory / 1e9:.2f} GB of memory at most"


_WHOSE = (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)

#: What the machine can refuse, in plain words.
_REFUSED = {
    errno.ENOSPC: "the disk is full",
    errno.EDQUOT: "the disk quota is used up",
    errno.EROFS: "the file system is read-only",
    errno.EACCES: "permission is denied",
    errno.EPERM: "permission is denied",
    errno.EIO: "the disk cannot be read or written",
    errno.EMFILE: "too many files are open",
}


def _number(error: BaseException | None) -> int | None:
    """Return the first error number in `_REFUSED` of an error and those that caused it."""
    while error:
        found = getattr(error, "errno", None)
        if isinstance(error, RuntimeError):
            # HDF5 has it in its message only
            told = re.search(r"errno = (\d+)", str(error))
            found = int(told[1]) if told else None
        if found in _REFUSED:
            return found
        error = error.__cause__ or error.__context__
    return None


def fault(error: BaseException) -> str:
    """Return in plain words what the machine lacks, or an empty string for other errors."""
    if isinstance(error, MemoryError):
        return (
            f"Out of memory{f' ({error})' if str(error) else ''}. Free some, or run with fewer "
            "--cores, so that fewer jobs share it; then run the same command again."
        )
    number = _number(error)
    if number is None:
        return ""
    where = f" ({error.filename})" if isinstance(error, OSError) and error.filename else ""
    return f"Stopped: {_REFUSED[number]}{where}. Fix this; then run the same command again."


def why_unwritable(folder: str | os.PathLike[str] = ".snakemake") -> str:
    """Return why Snakemake cannot keep its records in a folder, or an empty string if it can.

    The folder is created if needed. Checked first, because Snakemake ends with a traceback.
    """
    try:
        Path(folder).mkdir(exist_ok=True)
        with tempfile.TemporaryFile(dir=folder):
            return ""
    except OSError as error:
        return (
            f"{folder}, where Snakemake keeps its records, cannot be written: {error.strerror}. "
            "Fix this, then run the same command again."
        )


def why_killed(logs: Iterable[str]) -> str:
    """Return a message if a run's logs show that a job was killed from outside, or nothing.

    A job that the kernel kills, as it does when memory runs out, cannot report it.
    """
    texts = [Path(log).read_text(encoding="utf-8", errors="replace") for log in logs]
    if not any("died with <Signals.SIGKILL" in text for text in texts):
        return ""
    return (
        "A job was killed from outside, most likely because the machine ran out of memory. Free "
        "some, or run with fewer --cores; then run the same command again."
    )


def clear_refused(results: Path, logs: Path) -> None:
    """Remove the sums of a cohort's single cells if its input was refused, so that nothing is left.

    Sums that are newer than that log belong to a run that has not reached this point: they stay.
    """
    log = logs / "counts.log"
    made = [path.stat().st_mtime_ns for path in (results / "pseudobulk").glob("*.npz")]
    if not made or not log.exists() or log.stat().st_mtime_ns < max(made):
        return
    if was_refused(log):
        shutil.rmtree(results / "pseudobulk")


def was_refused(log: Path) -> bool:
    """Return whether the log of a job says that its input was refused."""
    return bool(refusal(log))


def refusal(log: Path) -> str:
    """Return the problems with the input that the log of a job lists; empty if there are none."""
    text = log.read_text(encoding="utf-8", errors="replace")
    found = _REFUSAL.search(text)
    return text[found.start() :].rstrip() if found else ""


def written(log: str) -> int | None:
    """Return when a log was last written, in ns; None if there is none, or nothing in it.

    Snakemake makes empty logs of jobs that did not begin, when their group fails.
    """
    try:
        found = Path(log).stat()
    except FileNotFoundError:
        return None
    return found.st_mtime_ns if found.st_size else None


#: The first line of an InputError.
_REFUSAL = re.compile(r"^[\d,]+ problems? with the input:$", re.MULTILINE)


@contextmanager
def job(log: str) -> Iterator[None]:
    """Run a job: prints and warnings go to `log`, errors to `log` and the terminal.

    A problem with the input or the machine is reported without a traceback. Exits with status 1
    when the work fails.
    """
    path = Path(log)
    # modules and tables live until the end: a search for cycles among them every 700 objects, as by
    # default, takes a tenth of a job's time
    gc.set_threshold(50_000)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        file = path.open("w", encoding="utf-8", buffering=1)
    except OSError as error:
        print(fault(error) or f"The log {log} cannot be written: {error}", file=sys.stderr)
        sys.exit(1)
    terminal_out, terminal = sys.stdout, sys.stderr
    said = ""
    try:
        with file:
            sys.stdout = sys.stderr = file
            try:
                # the folder of the logs has the cohort's name, as that of the results
                with _logged(file), job_of_run(cohort=path.parent.name):
                    yield
                    logger.info(used())
            except (InputError, Refused) as error:
                said = f"{error}\n"
                file.write(said)
            except Exception as error:  # noqa: BLE001
                # not swallowed: reported in both places, and the status is 1
                said = f"{fault(error) or traceback.format_exc().rstrip()}\nThe log is {log}\n"
                file.write(said)
    except OSError as error:
        # the log itself could not be written: the terminal gets what is known
        said = said or f"{fault(error) or error}\n"
    finally:
        sys.stdout, sys.stderr = terminal_out, terminal
    # the process ends: what it holds needs no search for cycles, a fifth of the time of its start
    gc.freeze()
    if said:
        terminal.write(said)
        sys.exit(1)
