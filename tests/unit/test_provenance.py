"""The record of a run: versions and checksums."""

from __future__ import annotations

from pathlib import Path

from fibroserum.files.checksum import sha256
from fibroserum.report.provenance import record


def test_sha256_is_known(tmp_path: Path) -> None:
    file = tmp_path / "x"
    file.write_bytes(b"abc")
    known = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
    assert sha256(file) == known
    folder = tmp_path / "folder"
    folder.mkdir()
    (folder / "a").write_bytes(b"abc")
    first = sha256(folder)
    (folder / "a").rename(folder / "b")
    assert sha256(folder) != first


def test_record_names_versions_and_inputs(tmp_path: Path) -> None:
    file = tmp_path / "x.tsv"
    file.write_text("1")
    made = record({"seed": 7}, [str(file)], ["seed"], str(tmp_path / "elsewhere"))
    assert made["seed"] == 7
    assert made["inputs"] == {str(file): sha256(file)}
    assert made["versions"]["numpy"][0].isdigit()


def test_a_record_does_not_depend_on_where_the_workflow_is(tmp_path: Path) -> None:
    made = []
    for root in (tmp_path / "here", tmp_path / "there"):
        file = root / "resources" / "x.tsv"
        file.parent.mkdir(parents=True)
        file.write_text("1")
        config = {"seed": 7, "counts": [str(file)], "factors": {"A": {"table": str(file)}}}
        made.append(record(config, [str(file)], [], str(root)))
    assert made[0] == made[1]
    assert made[0]["config"]["factors"] == {"A": {"table": "resources/x.tsv"}}
    assert list(made[0]["inputs"]) == ["resources/x.tsv"]
