# SPDX-License-Identifier: MIT
# Copyright (c) 2026 the fibroserum developers
# The terms stand in the file LICENSE beside this one.
"""The interface of PyDESeq2 that an engine implements, and the versions that have it."""

from __future__ import annotations

import inspect
from abc import ABCMeta
from collections.abc import Callable
from importlib.metadata import version
from typing import Any

from pydeseq2.inference import Inference

TESTED = "0.5.2 and 0.5.4"


def check_interface(engine: type, interface: ABCMeta = Inference) -> None:
    """Raise ImportError where an engine lacks a method of the interface, or has other parameters.

    PyDESeq2 passes most arguments by name and some by position: names and order must agree.
    """
    wrong = []
    for name in sorted(interface.__abstractmethods__):
        asked, given = getattr(interface, name), getattr(engine, name, None)
        if given is None or given is asked or _parameters(given) != _parameters(asked):
            wrong.append(name)
    if wrong:
        raise ImportError(
            f"PyDESeq2 {version('pydeseq2')} has an Inference interface that {engine.__name__} "
            f"does not have ({', '.join(wrong)}). It was tested with PyDESeq2 {TESTED}: "
            "pip install 'pydeseq2>=0.5.2,<=0.5.4'"
        )


def _parameters(method: Callable[..., Any]) -> list[str]:
    return list(inspect.signature(method).parameters)
