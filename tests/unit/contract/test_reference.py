"""The published reference is what the models say, and says it in documents that are well formed."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from edge_contract import reference
from edge_contract.kinds import KINDS
from edge_contract.outcome import REFUSALS
from edge_contract.reference import main

DOCS = Path(__file__).parents[3] / "docs"
FILES = reference.files()


@pytest.fixture(autouse=True)
def made_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """The schemas are the same for every test, and take a while to make."""
    monkeypatch.setattr(reference, "files", lambda: FILES)


def test_the_reference_in_docs_has_not_drifted(capsys: pytest.CaptureFixture[str]) -> None:
    assert main([str(DOCS), "--check"]) == 0, capsys.readouterr().err


def test_drift_is_noticed_and_named(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([str(tmp_path)]) == 0
    (tmp_path / "refusals.md").write_text("out of date", encoding="utf-8")
    assert main([str(tmp_path), "--check"]) == 1
    assert "refusals.md" in capsys.readouterr().err


def references(node: Any) -> set[str]:
    if isinstance(node, dict):
        own = {node["$ref"]} if isinstance(node.get("$ref"), str) else set()
        return own.union(*(references(value) for value in node.values()))
    if isinstance(node, list):
        return set().union(*(references(value) for value in node))
    return set()


@pytest.mark.parametrize("name", [name for name in FILES if name.endswith(".json")])
def test_every_reference_leads_somewhere(name: str) -> None:
    document = json.loads(FILES[name])
    for target in references(document):
        node = document
        for step in target.removeprefix("#/").split("/"):
            node = node[step]
        assert node


def test_every_kind_and_every_refusal_is_in_the_reference() -> None:
    branches = json.loads(FILES["reference/openapi.json"])["components"]["schemas"]["CloudEvent"]
    assert {branch["title"] for branch in branches["oneOf"]} == set(KINDS)
    assert all(f"`{code}`" in FILES["refusals.md"] for code in REFUSALS)
