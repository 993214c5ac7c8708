"""One thread for BLAS where results must not depend on cores."""

from __future__ import annotations

from contextlib import AbstractContextManager
from functools import cache
from typing import Any

from threadpoolctl import ThreadpoolController


@cache
def _pools() -> ThreadpoolController:
    # looking for the libraries takes milliseconds, and they are loaded once
    return ThreadpoolController()


def one_blas_thread() -> AbstractContextManager[Any]:
    """Return a context in which BLAS uses one thread."""
    return _pools().limit(limits=1, user_api="blas")
