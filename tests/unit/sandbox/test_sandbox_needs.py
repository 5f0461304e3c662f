"""What is missing is said before anything is begun, with the command that brings it."""

from __future__ import annotations

from pathlib import Path

import pytest

from edge_contract.errors import NeedsOperator
from edge_sandbox.odoo.needs import Need, needs_for, satisfy
from edge_sandbox.odoo.progress import STEPS, Progress
from edge_sandbox.odoo.sandbox import SandboxOptions
from edge_sandbox.odoo.tree import from_source

HERE = Need("bread", "bread", lambda: True)
GONE = Need("salt", "salt-cellar", lambda: False)


def test_nothing_missing_is_nothing_done() -> None:
    assert satisfy([HERE], root=False) == []


def test_an_ordinary_user_is_told_the_command() -> None:
    with pytest.raises(NeedsOperator) as missing:
        satisfy([HERE, GONE], root=False)
    assert "lacks salt." in str(missing.value)
    assert "apt-get install salt-cellar" in str(missing.value)
    assert "--odoo-url" in str(missing.value)


def test_without_apt_it_says_where_the_sandbox_runs(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "")
    with pytest.raises(NeedsOperator) as missing:
        satisfy([GONE], root=True)
    assert "no apt-get" in str(missing.value)
    assert "Debian" in str(missing.value)


def test_a_source_tree_needs_neither_apt_nor_keys() -> None:
    names = {need.package for need in needs_for(fetch=False, unpack=False, root=True)}
    assert names == {"python3-venv", "util-linux"}
    fetched = {need.package for need in needs_for(fetch=True, unpack=True, root=False)}
    assert {"apt", "dpkg", "debian-archive-keyring"} <= fetched


def test_progress_never_goes_back_and_ends_whole() -> None:
    seen: list[float] = []
    progress = Progress(lambda _, fraction: seen.append(fraction))
    for name in STEPS:
        with progress.step(name) as tick:
            tick(0.5)
            tick(7.0)
    assert seen == sorted(seen)
    assert seen[-1] == pytest.approx(1.0)


def test_options_come_from_the_environment() -> None:
    options = SandboxOptions.from_environment(
        {"ODOO_SANDBOX_SOURCE": "/src/odoo", "ODOO_SANDBOX_VERSION": "18"}
    )
    assert (options.source, options.series) == (Path("/src/odoo"), 18)
    assert SandboxOptions.from_environment({}) == SandboxOptions()


def test_a_source_tree_must_be_of_the_version_that_was_said(tmp_path: Path) -> None:
    (tmp_path / "odoo").mkdir()
    (tmp_path / "odoo/release.py").write_text("version_info = (18, 0, 0, FINAL, 0, '')\n")
    tree = from_source(tmp_path, 18)
    assert tree.series == 18
    assert tree.python_path == tmp_path
    with pytest.raises(NeedsOperator) as other:
        from_source(tmp_path, 17)
    assert "says version 18, and --version 17 was given" in str(other.value)
