"""An Odoo to run: unpacked from Debian's package, or a source tree of the user's."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

from edge_contract.errors import NeedsOperator
from edge_sandbox.odoo import debian
from edge_sandbox.odoo.cache import Cache, content_key, made_whole
from edge_sandbox.odoo.pins import Pin, Pins
from edge_sandbox.odoo.progress import Progress

#: Two thirds of the package are translations, and the sandbox speaks English.
LEAVE_OUT = ("*/i18n/*", "*/i18n_extra/*", "./usr/share/doc", "./usr/share/lintian")

_DIST_PACKAGES = Path("usr/lib/python3/dist-packages")
_NOTE = "sandbox.json"


@dataclass(frozen=True, slots=True)
class OdooTree:
    """``series`` is the major version; ``key`` changes with the content."""

    series: int
    label: str
    key: str
    python_path: Path
    """The directory that holds the package ``odoo``."""

    @property
    def addons(self) -> list[Path]:
        places = [self.python_path / "odoo/addons", self.python_path / "addons"]
        return [place for place in places if place.is_dir()]


def from_source(directory: Path, series: int) -> OdooTree:
    """A source tree as it lies there. Its revision, if it is a git checkout, is part of the key."""
    root = directory.expanduser().absolute()
    release = root / "odoo/release.py"
    if not release.is_file():
        raise NeedsOperator(
            "source",
            f"{root} has no odoo/release.py.",
            "Name the top directory of an Odoo source tree, the one with odoo-bin.",
        )
    text = release.read_text(encoding="utf-8")
    found = re.search(r"^version_info\s*=\s*\(\s*'?(?:saas~)?(\d+)", text, re.MULTILINE)
    if found is None or int(found[1]) != series:
        says = found[1] if found else "nothing readable"
        raise NeedsOperator(
            "source",
            f"{release} says version {says}, and --version {series} was given.",
            "Give the version of the tree.",
        )
    revision = subprocess.run(
        ["git", "-C", str(root), "rev-parse", "HEAD"], capture_output=True, text=True, check=False
    ).stdout.strip()
    return OdooTree(series, f"{series} from {root}", content_key(str(root), text, revision), root)


def from_debian(
    cache: Cache,
    pins: Pins,
    progress: Progress,
    *,
    deb: Path | None,
    mirror: str | None,
    accept_version: str | None,
) -> OdooTree:
    """Debian's package, unpacked into the cache; fetched first unless ``deb`` names a file.

    Call it under the cache's lock. Without ``deb`` a tree that is there already is taken, and no
    mirror is asked.
    """
    trees = cache.directory("odoo")
    if deb is not None:
        pin = debian.check_file(pins, deb, accept_version)
        _unpack(trees, pin, deb, [], progress)
        return _tree(trees, pin)
    there = _newest_there(trees, pins, accept_version)
    if there is not None:
        return _tree(trees, there)
    apt, downloads = cache.root / "apt", cache.root / "downloads"
    with progress.step("asking the mirror for Odoo"):
        # The validity check is off only where the pin decides what is taken.
        archive = debian.open_archive(
            apt, pins, mirror=mirror, check_validity=accept_version is not None
        )
        pin = debian.choose(pins, archive.candidate(pins.package), accept_version)
    with progress.step("downloading Odoo") as tick:
        package = archive.download(pin, downloads, tick)
        companions = [
            archive.download(companion, downloads, lambda _: None)
            for companion in pins.companions
            if archive.candidate(companion.package) == companion
        ]
    _unpack(trees, pin, package, companions, progress)
    shutil.rmtree(downloads)
    shutil.rmtree(apt)
    return _tree(trees, pin)


def _unpack(trees: Path, pin: Pin, deb: Path, companions: list[Path], progress: Progress) -> None:
    target = _place(trees, pin)
    if target.exists():
        return
    with progress.step("unpacking Odoo"), made_whole(target) as directory:
        debian.unpack(deb, directory, LEAVE_OUT)
        for companion in companions:
            debian.unpack(companion, directory, ("./usr/share/doc",))
        note = {"package": pin.package, "version": pin.version, "sha256": pin.sha256}
        (directory / _NOTE).write_text(json.dumps(note), encoding="utf-8")


def _newest_there(trees: Path, pins: Pins, accept_version: str | None) -> Pin | None:
    if accept_version is not None:
        for note in trees.glob(f"*/{_NOTE}"):
            pin = Pin(**json.loads(note.read_text(encoding="utf-8")))
            if pin.version == accept_version:
                return pin
        return None
    return next((pin for pin in pins.versions if _place(trees, pin).exists()), None)


def _place(trees: Path, pin: Pin) -> Path:
    return trees / content_key(pin.sha256, *LEAVE_OUT)


def _tree(trees: Path, pin: Pin) -> OdooTree:
    series = int(pin.version.partition(".")[0])
    place = _place(trees, pin)
    return OdooTree(series, f"Debian's {pin.version}", place.name, place / _DIST_PACKAGES)
