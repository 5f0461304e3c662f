"""The mirror is read from the machine's own apt configuration, in either of its forms."""

from __future__ import annotations

from pathlib import Path

import pytest

from edge_contract.errors import NeedsOperator
from edge_sandbox.odoo.debian import open_archive
from edge_sandbox.odoo.mirror import debian_mirrors
from edge_sandbox.odoo.pins import pins

DEB822 = """\
# Comment
Types: deb deb-src
URIs: http://mirror.example/debian/
Suites: bookworm bookworm-updates
Components: main contrib
Signed-By: /usr/share/keyrings/debian-archive-keyring.gpg

Types: deb
URIs: http://mirror.example/debian-security
Suites: bookworm-security
Components: main

Types: deb
Enabled: no
URIs: http://off.example/debian
Suites: trixie
Components: main

Types: deb
URIs:
  http://second.example/debian
  http://third.example/debian
Suites: trixie
Components: main
"""

UBUNTU = """\
Types: deb
URIs: http://archive.ubuntu.com/ubuntu/
Suites: noble noble-updates
Components: main universe
"""


def apt(tmp_path: Path) -> Path:
    (tmp_path / "sources.list.d").mkdir()
    return tmp_path


def test_deb822_sources_give_the_archive_and_not_security(tmp_path: Path) -> None:
    configuration = apt(tmp_path)
    (configuration / "sources.list.d/debian.sources").write_text(DEB822)
    assert debian_mirrors(configuration) == [
        "http://mirror.example/debian",
        "http://second.example/debian",
        "http://third.example/debian",
    ]


def test_one_line_sources_with_options_and_comments(tmp_path: Path) -> None:
    configuration = apt(tmp_path)
    (configuration / "sources.list").write_text(
        "# deb http://commented.example/debian sid main\n"
        "deb-src http://source.example/debian bookworm main\n"
        "deb [arch=amd64 signed-by=/k.gpg] https://one.example/debian bookworm main # here\n"
        "deb http://security.example/debian-security bookworm-security main\n"
        "deb http://one.example/debian bookworm-backports main\n"
        "deb http://vendor.example/debian stable vendor\n"
    )
    (configuration / "sources.list.d/disabled.list.save").write_text(
        "deb http://saved.example/debian bookworm main\n"
    )
    assert debian_mirrors(configuration) == ["https://one.example/debian"]


def test_ubuntu_has_none_and_the_error_says_what_to_do(tmp_path: Path) -> None:
    configuration = apt(tmp_path)
    (configuration / "sources.list.d/ubuntu.sources").write_text(UBUNTU)
    assert debian_mirrors(configuration) == []
    with pytest.raises(NeedsOperator) as missing:
        open_archive(tmp_path / "apt", pins(), mirror=None, check_validity=False, apt=configuration)
    for word in ("--mirror", "debian-archive-keyring", "--odoo-url", "sid"):
        assert word in str(missing.value)


def test_no_configuration_at_all_is_no_mirror(tmp_path: Path) -> None:
    assert debian_mirrors(tmp_path / "nowhere") == []
