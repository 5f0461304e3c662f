"""What may be fetched: a pinned digest, or a version the user accepts by name."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path

import pytest

from edge_contract.errors import NeedsOperator
from edge_sandbox.odoo.debian import PrivateApt, check_file, choose
from edge_sandbox.odoo.pins import Pin, data_text, pins

NEWER = Pin("odoo-19", "19.0.1+dfsg-1", "ab" * 32)


def test_a_pinned_package_is_taken() -> None:
    known = pins().versions[0]
    assert choose(pins(), known, None) == known


def test_a_version_nobody_tried_is_refused_with_its_digest_and_three_ways_out() -> None:
    with pytest.raises(NeedsOperator) as moved:
        choose(pins(), NEWER, None)
    for word in (NEWER.sha256, "--accept-version 19.0.1+dfsg-1", "--deb FILE", "--odoo-url"):
        assert word in str(moved.value)


def test_the_pinned_version_with_another_digest_is_refused() -> None:
    with pytest.raises(NeedsOperator):
        choose(pins(), replace(pins().versions[0], sha256="cd" * 32), None)


def test_an_accepted_version_is_taken_and_no_other() -> None:
    assert choose(pins(), NEWER, NEWER.version) == NEWER
    with pytest.raises(NeedsOperator) as other:
        choose(pins(), NEWER, "19.0.2")
    assert "19.0.2 was asked for" in str(other.value)


def test_an_archive_without_odoo_is_named() -> None:
    with pytest.raises(NeedsOperator) as none:
        choose(pins(), None, None)
    assert "has no odoo-19" in str(none.value)


def test_a_file_that_is_no_package_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "odoo.deb"
    file.write_bytes(b"not a package")
    with pytest.raises(NeedsOperator) as refused:
        check_file(pins(), file, None)
    assert "not a Debian package" in str(refused.value)


def test_the_private_apt_names_no_directory_of_the_system(tmp_path: Path) -> None:
    PrivateApt(tmp_path / "apt", "http://m.example/debian", "sid", check_validity=True)
    text = (tmp_path / "apt/apt.conf").read_text()
    for line in text.splitlines():
        if line.startswith("Dir::"):
            assert f'"{tmp_path}' in line or '"/dev/null"' in line, line
    assert 'Check-Valid-Until "true"' in text
    assert 'Check-Date "true"' in text, "without it apt does not look at Valid-Until at all"
    sources = (tmp_path / "apt/sources.list").read_text()
    assert sources.startswith("deb [signed-by=")
    assert sources.endswith("http://m.example/debian sid main\n")


@pytest.mark.parametrize("name", ["requirements.txt", "postgresql.txt"])
def test_every_locked_package_has_hashes_and_no_index_is_named(name: str) -> None:
    text = data_text(name)
    assert not re.search(r"https?://|file:|--index|--find-links", text)
    entries = re.split(r"(?m)^(?=[a-z0-9])", text)[1:]
    assert entries
    for entry in entries:
        assert "--hash=sha256:" in entry, entry.splitlines()[0]
