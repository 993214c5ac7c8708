"""Drawing in processes of its own, while this one reads tables and writes the page.

vl-convert holds the interpreter while it works, so that threads would only wait for each other; and
a fork of a process with threads is not safe. So fresh interpreters are started, which import
nothing but vl-convert. How the figures are dealt out depends on no number of cores: neither do
the ids inside an SVG.
"""

from __future__ import annotations

import base64
import json
import os
import subprocess
import sys
from collections.abc import Callable, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from types import TracebackType
from typing import Any

from fibroserum.report.figures import render
from fibroserum.report.page import assets

HANDS = 2
Images = dict[str, tuple[str, bytes]]


def _drawn(specs: dict[str, dict[str, Any]]) -> dict[str, tuple[str, str]]:
    """Return figures by name as SVG and, in base64, PNG."""
    made = render.images(specs)
    return {name: (svg, base64.b64encode(png).decode()) for name, (svg, png) in made.items()}


TASKS: dict[str, Callable[[Any], Any]] = {"library": lambda _: assets.vega(), "images": _drawn}


def run_apart(task: str, argument: Any) -> Any:
    """Return what a task of `TASKS` makes of its argument, in another interpreter, as JSON.

    Raises subprocess.CalledProcessError, once its words are printed.
    """
    place = str(Path(__file__).resolve().parents[2])
    paths = [place, *filter(None, [os.environ.get("PYTHONPATH")])]
    # -P: a file of the working folder must not stand in for a module
    command = [sys.executable, "-P", "-m", "fibroserum.report.apart", task]
    try:
        done = subprocess.run(
            command,
            input=json.dumps(argument).encode(),
            capture_output=True,
            check=True,
            env={**os.environ, "PYTHONPATH": os.pathsep.join(paths)},
        )
    except subprocess.CalledProcessError as error:
        print(error.stderr.decode("utf-8", errors="replace"), file=sys.stderr)
        raise
    return json.loads(done.stdout)


class Apart:
    """Work under way elsewhere: the page's library from the start, figures once given."""

    def __init__(self) -> None:
        self._pool = ThreadPoolExecutor(HANDS + 1)
        self._library = self._pool.submit(run_apart, "library", None)
        self._images: list[Future[Any]] = []

    def __enter__(self) -> Apart:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._pool.shutdown(cancel_futures=True)

    def draw(self, specs: Mapping[str, dict[str, Any]]) -> None:
        """Begin to draw the figures."""
        names = list(specs)
        for hand in range(HANDS):
            part = {name: specs[name] for name in names[hand::HANDS]}
            self._images.append(self._pool.submit(run_apart, "images", part))

    def library(self) -> str:
        """Return the script of `assets.vega`, once it is made."""
        return str(self._library.result())

    def images(self) -> Images:
        """Return the figures as SVG and PNG by their names, once all are drawn."""
        drawn = {name: one for part in self._images for name, one in part.result().items()}
        return {name: (svg, base64.b64decode(png)) for name, (svg, png) in drawn.items()}


def main() -> None:
    """Do the task that the command line names with the JSON that stands at the input."""
    made = TASKS[sys.argv[1]](json.load(sys.stdin.buffer))
    # not sys.stdout: where Python is told not to buffer, a signal would cut what it writes
    with open(sys.stdout.fileno(), "wb", closefd=False) as out:
        out.write(json.dumps(made).encode())


if __name__ == "__main__":
    main()
