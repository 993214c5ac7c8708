"""What every job does around its work: its log keeps prints, warnings and tracebacks.

Nothing heavy is imported here.
"""

from __future__ import annotations

import os
import sys
import time
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TextIO

from fibroserum.errors import InputError


class _Tee:
    """Write to two streams."""

    def __init__(self, first: TextIO, second: TextIO):
        self.first, self.second = first, second

    def write(self, text: str) -> int:
        self.first.write(text)
        return self.second.write(text)

    def flush(self) -> None:
        self.first.flush()
        self.second.flush()


def prepare_environment(library: Path) -> None:
    """Set the variables that every job inherits: where the library is, one thread for BLAS.

    BLAS sums in another order with another number of threads, and results must not depend on
    cores; the project's own kernels have their threads apart.
    """
    inherited = os.environ.get("PYTHONPATH")
    paths = [str(library), *(inherited.split(os.pathsep) if inherited else [])]
    os.environ["PYTHONPATH"] = os.pathsep.join(dict.fromkeys(paths))
    for name in ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS"):
        os.environ[name] = "1"


def progress(text: str) -> None:
    """Print a line with the time of day, for steps that take a while."""
    print(f"[{time.strftime('%H:%M:%S')}] {text}", file=sys.stderr, flush=True)


@contextmanager
def job(log: str) -> Iterator[None]:
    """Run a job: prints and warnings go to `log`, what went wrong to `log` and the terminal.

    A problem with the input is said without a traceback. Exits with status 1 when the work fails.
    """
    path = Path(log)
    path.parent.mkdir(parents=True, exist_ok=True)
    terminal_out, terminal = sys.stdout, sys.stderr
    with path.open("w", encoding="utf-8", buffering=1) as file:
        sys.stdout = sys.stderr = file
        try:
            yield
        except InputError as error:
            _Tee(file, terminal).write(f"{error}\n")
            sys.exit(1)
        except Exception:  # noqa: BLE001
            # not swallowed: said in both places, and the status is 1
            _Tee(file, terminal).write(traceback.format_exc() + f"The log is {log}\n")
            sys.exit(1)
        finally:
            sys.stdout, sys.stderr = terminal_out, terminal
