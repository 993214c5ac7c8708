"""What the workflow catalogue and a public CI read."""

from __future__ import annotations

import tomllib
from pathlib import Path

import pytest
import yaml


def test_the_catalogue_finds_what_standardised_usage_needs(repository: Path) -> None:
    readme = (repository / "README.md").read_text(encoding="utf-8").casefold()
    assert "snakemake" in readme
    assert "workflow" in readme
    for name in ("workflow/Snakefile", "config/README.md", ".test"):
        assert (repository / name).exists(), name
    assert list((repository / "workflow/rules").iterdir())
    assert all(path.suffix == ".smk" for path in (repository / "workflow/rules").iterdir())


def test_the_entry_of_the_catalogue_claims_only_what_was_run(repository: Path) -> None:
    text = (repository / ".snakemake-workflow-catalog.yml").read_text(encoding="utf-8")
    usage = yaml.safe_load(text)["usage"]
    assert set(usage) == {"mandatory-flags", "software-stack-deployment", "report"}
    assert set(usage["mandatory-flags"]) == {"desc", "flags"}
    assert usage["software-stack-deployment"] == {
        "conda": False,
        "apptainer": False,
        "apptainer+conda": False,
    }
    # tests/integration/test_toy_again.py makes Snakemake's own report
    assert usage["report"] is True


def _described(schema: dict[str, object], key: str = "") -> list[str]:
    """Return the keys below a schema that have no description, or no type or words."""
    found = []
    properties = schema.get("properties", {})
    assert isinstance(properties, dict)
    for name, about in properties.items():
        here = f"{key}.{name}"
        if not about.get("description") or not ("type" in about or "enum" in about):
            found.append(here)
        if "\n" in about.get("description", ""):
            found.append(f"{here}: several lines")
        found += _described(about, here)
    return found


def test_the_schema_of_the_catalogue_describes_every_key(repository: Path) -> None:
    path = repository / "workflow/schemas/config.schema.yml"
    schema = yaml.safe_load(path.read_text(encoding="utf-8"))
    assert len(schema["properties"]) > 20
    assert _described(schema) == []
    assert _described({"properties": {"a": {"type": "string"}}}) == [".a"]


@pytest.fixture(scope="module")
def workflow(repository: Path) -> dict[str, object]:
    text = (repository / ".github/workflows/ci.yml").read_text(encoding="utf-8")
    return yaml.safe_load(text)


def test_ci_runs_everything_with_each_supported_python(
    repository: Path, workflow: dict[str, object]
) -> None:
    (job,) = workflow["jobs"].values()
    pythons = job["strategy"]["matrix"]["python"]
    project = tomllib.loads((repository / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    assert project["requires-python"] == ">=3.11,<3.14"
    assert pythons == ["3.11", "3.12", "3.13"]
    commands = [step["run"] for step in job["steps"] if "run" in step]
    assert len(commands) == 1
    assert commands[0].split()[-1] == ".ci/run"
    assert (repository / ".ci/run").stat().st_mode & 0o100


def test_ci_has_no_credentials(repository: Path, workflow: dict[str, object]) -> None:
    assert workflow["permissions"] == {"contents": "read"}
    text = (repository / ".github/workflows/ci.yml").read_text(encoding="utf-8")
    assert "secrets" not in text
    assert "token" not in text.casefold()
