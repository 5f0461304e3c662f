"""What the machine must have, what is missing, and its installation when we may."""

from __future__ import annotations

import os
import platform
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

from edge_contract.errors import NeedsOperator

#: The keys of Debian's archive, as Debian (and Ubuntu's universe) installs them.
KEYRING = Path("/usr/share/keyrings/debian-archive-keyring.gpg")

ELSEWHERE = (
    "Or point at an Odoo you have: odoo-sandbox up --odoo-url URL --odoo-db NAME, "
    "or at a source tree: --source DIR --version 19."
)


@dataclass(frozen=True, slots=True)
class Need:
    """One thing the machine must have, and the Debian package that brings it."""

    what: str
    package: str
    present: Callable[[], bool]


def _command(name: str) -> Callable[[], bool]:
    return lambda: shutil.which(name) is not None


PYTHON = Need("Python's venv module", "python3-venv", lambda: find_spec("ensurepip") is not None)
SETPRIV = Need("setpriv", "util-linux", _command("setpriv"))
UNPACK = (
    Need("dpkg-deb", "dpkg", _command("dpkg-deb")),
    Need("tar", "tar", _command("tar")),
)
FETCH = (
    Need("apt-get", "apt", _command("apt-get")),
    Need("Debian's archive keys", "debian-archive-keyring", KEYRING.is_file),
)


def needs_for(*, fetch: bool, unpack: bool, root: bool) -> list[Need]:
    """What a sandbox made this way needs."""
    needs = [PYTHON]
    if root:
        needs.append(SETPRIV)  # PostgreSQL refuses to run as root
    if unpack or fetch:
        needs += UNPACK
    if fetch:
        needs += FETCH
    return needs


def require_platform() -> None:
    """Raise ``NeedsOperator`` where no sandbox can run."""
    if sys.platform != "linux":
        raise NeedsOperator(
            "platform",
            f"The sandbox runs Debian's Odoo package, and this is {platform.system()}.",
            f"Run it on Linux or in a Debian container. {ELSEWHERE}",
        )


def satisfy(needs: Iterable[Need], *, root: bool | None = None) -> list[str]:
    """Install what is missing when we are root and may; else say what is missing.

    Returns the Debian packages that were installed.
    """
    missing = [need for need in needs if not need.present()]
    if not missing:
        return []
    packages = sorted({need.package for need in missing})
    root = os.geteuid() == 0 if root is None else root
    what = ", ".join(need.what for need in missing)
    if shutil.which("apt-get") is None:
        raise NeedsOperator(
            "missing",
            f"This machine lacks {what}, and it has no apt-get.",
            f"Run the sandbox on Debian or in a Debian container. {ELSEWHERE}",
        )
    if not root:
        raise NeedsOperator(
            "missing",
            f"This machine lacks {what}.",
            f"Run: sudo apt-get install {' '.join(packages)}. {ELSEWHERE}",
        )
    install(packages)
    return packages


def install(packages: list[str]) -> None:
    """``apt-get install``, with the machine's own sources."""
    environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    command = ["apt-get", "install", "-y", "-q", "--no-install-recommends", *packages]
    first = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    if first.returncode == 0:
        return
    # A fresh container has no package lists yet.
    subprocess.run(["apt-get", "update", "-q"], env=environment, capture_output=True, check=False)
    second = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    if second.returncode != 0:
        raise NeedsOperator(
            "missing",
            f"apt-get could not install {' '.join(packages)}: {second.stderr.strip()[-400:]}",
            "Install them by hand.",
        )
