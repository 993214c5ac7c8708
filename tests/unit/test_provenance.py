"""Checksums of inputs and code: what they depend on, and what they do not."""

from __future__ import annotations

from pathlib import Path

from fibroserum.runtime import provenance


def test_sha256_is_known(tmp_path: Path) -> None:
    file = tmp_path / "x"
    file.write_bytes(b"abc")
    known = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
    assert provenance.sha256(file) == known
    folder = tmp_path / "folder"
    folder.mkdir()
    (folder / "a").write_bytes(b"abc")
    first = provenance.sha256(folder)
    (folder / "a").rename(folder / "b")
    assert provenance.sha256(folder) != first


def test_a_script_needs_what_it_imports_and_no_more(repository: Path) -> None:
    scripts = repository / "workflow" / "scripts"
    qc = {path.name for path in provenance.modules_of(scripts / "qc.py")}
    assert {"checks.py", "metrics.py", "job.py", "tables.py", "tables.yaml"} <= qc
    fit = [path.as_posix() for path in provenance.modules_of(scripts / "fit.py")]
    assert any(path.endswith("inference/blocked.py") for path in fit)
    assert any(path.endswith("linear/voom.py") for path in fit)
    assert not any("/qc/" in path or "/report/" in path or "/targets/" in path for path in fit)


def test_code_changes_with_a_module(tmp_path: Path, repository: Path) -> None:
    script = tmp_path / "one.py"
    script.write_text("from fibroserum import errors\n")
    first = provenance.code_of(script)
    assert provenance.code_of(script) == first
    other = tmp_path / "two.py"
    other.write_text("from fibroserum import errors, design\n")
    assert provenance.code_of(other) != first


def test_record_names_versions_and_inputs(tmp_path: Path) -> None:
    file = tmp_path / "x.tsv"
    file.write_text("1")
    record = provenance.record({"seed": 7}, [str(file)])
    assert record["seed"] == 7
    assert record["inputs"] == {str(file): provenance.sha256(file)}
    assert record["versions"]["numpy"][0].isdigit()
