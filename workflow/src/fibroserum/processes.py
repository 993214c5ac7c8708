"""Processes that work for this one, and end with it."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context, parent_process
from typing import Any


def process_pool(
    number: int, begin: Callable[..., object] | None = None, *arguments: Any
) -> ProcessPoolExecutor:
    """Return an executor of `number` processes; each first calls `begin` with the arguments.

    They import the file that runs as `__main__`, which must do nothing then.
    """
    # not forked: a fork of a process with threads is not safe
    return ProcessPoolExecutor(
        number, get_context("spawn"), initializer=_begin, initargs=(begin, arguments)
    )


def _begin(begin: Callable[..., object] | None, arguments: tuple[Any, ...]) -> None:
    _end_with_parent()
    if begin:
        begin(*arguments)


def _end_with_parent() -> None:
    """End this process when its parent has ended, as by a kill that leaves it no time to say so."""
    parent = parent_process()
    assert parent is not None, "a process of a pool"

    def wait() -> None:
        parent.join()
        os._exit(1)

    threading.Thread(target=wait, daemon=True).start()
