"""The page's library: kept in the user's cache folder where that can be, else made anew."""

from __future__ import annotations

from pathlib import Path

import pytest
import vl_convert

from fibroserum.report.page import assets


@pytest.fixture(scope="module")
def made() -> str:
    return assets._wrapped(vl_convert.javascript_bundle("window.vegaEmbed=vegaEmbed;"))


def test_it_is_kept_in_the_cache_folder(
    made: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert assets.vega() == made
    (kept,) = (tmp_path / "fibroserum").iterdir()
    assert kept.read_text(encoding="utf-8") == made
    kept.write_text("as it was kept", encoding="utf-8")
    assert assets.vega() == "as it was kept"


def test_without_a_name_it_is_below_the_home(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    for ignored in ("", "relative"):
        monkeypatch.setenv("XDG_CACHE_HOME", ignored)
        assert assets.cache_folder() == tmp_path / ".cache" / "fibroserum"


def test_a_folder_that_cannot_be_written_is_no_failure(
    made: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").touch()
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "file"))
    assert assets.vega() == made
    monkeypatch.setenv("XDG_CACHE_HOME", "")
    monkeypatch.setattr(Path, "home", no_home)
    assert assets.vega() == made


def no_home() -> Path:
    raise RuntimeError("Could not determine home directory.")
