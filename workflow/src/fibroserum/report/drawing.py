"""Drawing in processes of its own, while this one reads tables and writes the page.

vl-convert holds the interpreter while it works, so that threads would only wait for each other.
The ids inside an SVG count up within a process: each share of the figures has a process of its own,
and how many shares there are depends on no number of cores.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Mapping, Sequence
from concurrent.futures import Future, ProcessPoolExecutor
from contextlib import ExitStack
from multiprocessing import get_context, parent_process
from typing import Any

from fibroserum.report.figures import render
from fibroserum.report.page import assets

SHARES = 2


def _end_with_parent() -> None:
    """End this process when its parent has ended, as by a kill that leaves it no time to say so."""
    parent = parent_process()
    assert parent is not None, "a process of a pool"

    def wait() -> None:
        parent.join()
        os._exit(1)

    threading.Thread(target=wait, daemon=True).start()


class Drawing:
    """Work under way elsewhere: the page's library from the start, figures once given."""

    def __init__(self) -> None:
        # not forked: a fork of a process with threads is not safe
        context = get_context("spawn")
        self._pools = [
            ProcessPoolExecutor(1, context, initializer=_end_with_parent) for _ in range(SHARES)
        ]
        self._library = self._pools[0].submit(assets.vega)
        self._shares: list[Future[render.Images]] = []
        self._composed: dict[str, Future[render.Image]] = {}

    def __enter__(self) -> Drawing:
        return self

    def __exit__(self, *error: object) -> None:
        with ExitStack() as stack:
            for pool in self._pools:
                stack.callback(pool.shutdown, cancel_futures=True)

    def begin(self, specs: Mapping[str, dict[str, Any]]) -> None:
        """Begin to draw the figures."""
        for number, pool in enumerate(self._pools):
            share = {name: specs[name] for name in list(specs)[number::SHARES]}
            self._shares.append(pool.submit(render.images, share))

    def compose(self, name: str, specs: Sequence[dict[str, Any]]) -> None:
        """Begin to draw a figure of several panels, in the process that has no library to make."""
        self._composed[name] = self._pools[-1].submit(render.composed, specs)

    def library(self) -> str:
        """Return the script of `assets.vega`, once it is made."""
        return self._library.result()

    def images(self) -> render.Images:
        """Return the figures in all formats by their names, once all are drawn."""
        drawn = {name: one for share in self._shares for name, one in share.result().items()}
        return drawn | {name: one.result() for name, one in self._composed.items()}
