"""Drawing in processes of its own, while this one reads tables and writes the page.

vl-convert holds the interpreter while it works, so that threads would only wait for each other. One
process draws the SVGs, another makes the PNGs and PDFs of those that are drawn. The ids inside an
SVG count up within a process: one process draws them all, in the order in which they were begun.
"""

from __future__ import annotations

from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack
from typing import Any

from fibroserum.processes import process_pool
from fibroserum.report.figures import render


class Drawing:
    """Figures that are drawn elsewhere."""

    def __init__(self) -> None:
        self._pools = [process_pool(1) for _ in range(2)]
        self._drawer, self._printer = self._pools
        # both start now, while the caller imports and reads
        self._drawer.submit(render.svg, render.NOTHING)
        self._printer.submit(render.image, render.EMPTY)
        # hands each SVG, once it is drawn, from the one process to the other
        self._relay = ThreadPoolExecutor(1)
        self._drawn: dict[str, list[Future[str]]] = {}
        self._images: dict[str, Future[render.Image]] = {}

    def __enter__(self) -> Drawing:
        return self

    def __exit__(self, *error: object) -> None:
        with ExitStack() as stack:
            for pool in (self._relay, *self._pools):
                stack.callback(pool.shutdown, cancel_futures=True)

    def begin(self, name: str, *specs: dict[str, Any]) -> None:
        """Begin to draw a figure; several specifications are its panels."""
        self._drawn[name] = [self._drawer.submit(render.svg, spec) for spec in specs]
        self._images[name] = self._relay.submit(self._image, name)

    def _image(self, name: str) -> render.Image:
        return self._printer.submit(render.image, self.svg(name)).result()

    def svg(self, name: str) -> str:
        """Return a figure as SVG, once it is drawn."""
        drawing, *others = (one.result() for one in self._drawn[name])
        return render.compose([drawing, *others]) if others else drawing

    def bundle(self) -> str:
        """Return the script of `render.bundle`."""
        return self._printer.submit(render.bundle).result()

    def images(self) -> render.Images:
        """Return the figures in all formats by their names, once all are drawn."""
        return {name: one.result() for name, one in self._images.items()}
