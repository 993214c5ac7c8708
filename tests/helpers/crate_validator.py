"""The validator of RO-Crates, without a network: its cache contains the context of RO-Crate 1.1."""

from __future__ import annotations

import io
import json
import subprocess
import sys
from importlib.resources import files
from pathlib import Path
from typing import Any

from requests.adapters import HTTPAdapter
from requests_cache import CachedSession
from urllib3 import HTTPResponse

CONTEXT = "https://w3id.org/ro/crate/1.1/context"
#: Terms whose meaning RO-Crate 1.3 changed, as 1.1 has them.
OF_1_1 = {
    "ComputationalWorkflow": "https://bioschemas.org/ComputationalWorkflow",
    "FormalParameter": "https://bioschemas.org/FormalParameter",
    "input": "https://bioschemas.org/ComputationalWorkflow#input",
    "output": "https://bioschemas.org/ComputationalWorkflow#output",
}


def _context() -> bytes:
    """Return a context of RO-Crate 1.1, made from the newer one that `rocrate` contains."""
    text = files("rocrate").joinpath("data/ro-crate.jsonld").read_text(encoding="utf-8")
    return json.dumps({"@context": json.loads(text)["@context"] | OF_1_1}).encode()


class _Offline(HTTPAdapter):
    """Answers every request with the context."""

    def send(self, request: Any, **_: Any) -> Any:
        body = io.BytesIO(_context())
        headers = {"Content-Type": "application/ld+json"}
        answer = HTTPResponse(body, headers, status=200, preload_content=False)
        return self.build_response(request, answer)


def _fill_cache(cache: Path) -> None:
    with CachedSession(str(cache), backend="sqlite") as session:
        session.mount("https://", _Offline())
        assert session.get(CONTEXT).status_code == 200


def issues(crate: Path, scratch: Path, severity: str) -> set[str]:
    """Return what the validator finds in a crate, as a Workflow Run Crate.

    severity: required, or recommended, which includes required.
    """
    scratch.mkdir(parents=True, exist_ok=True)
    cache, found = scratch / "cache", scratch / f"{severity}.json"
    _fill_cache(cache)
    program = Path(sys.executable).with_name("rocrate-validator")
    options = ["--offline", "--cache-path", str(cache), "-p", "workflow-run-crate", "-f", "json"]
    options += ["-l", severity, "-o", str(found), "--no-paging", str(crate)]
    done = subprocess.run(
        [str(program), "-y", "validate", *options], capture_output=True, text=True, check=False
    )
    assert found.exists(), done.stdout + done.stderr
    report: dict[str, Any] = json.loads(found.read_text(encoding="utf-8"))
    assert report["passed"] == (not report["issues"])
    return {issue["message"] for issue in report["issues"]}
