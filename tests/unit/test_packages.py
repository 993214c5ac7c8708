"""Each package says what it offers: its modules, or the names that it takes from them."""

from __future__ import annotations

import importlib
import pkgutil

import pytest

import fibroserum

PACKAGES = [
    "fibroserum",
    *(m.name for m in pkgutil.walk_packages(fibroserum.__path__, "fibroserum.") if m.ispkg),
]


@pytest.mark.parametrize("name", PACKAGES)
def test_what_a_package_offers_is_there(name: str) -> None:
    package = importlib.import_module(name)
    modules = {module.name for module in pkgutil.iter_modules(package.__path__)} - {"__main__"}
    offered = set(package.__all__)
    assert len(offered) == len(package.__all__)
    for one in offered - modules:
        assert hasattr(package, one)
    # a package of modules alone lists all of them
    if offered & modules:
        assert offered >= modules
