# SPDX-License-Identifier: MIT
# Copyright (c) 2026 the fibroserum developers
# The terms stand in the file LICENSE beside this one.
"""A fast, exact engine for negative binomial regression with disjoint blocks."""

from .blocked import BlockedInference
from .interface import check_interface

check_interface(BlockedInference)

__all__ = ["BlockedInference"]
