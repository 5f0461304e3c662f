"""Which package of Debian is taken for Odoo: versions and digests, as data."""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import cache
from importlib import resources
from typing import Any


@dataclass(frozen=True, slots=True)
class Pin:
    """One version of one package that was looked at. ``sha256`` in hex."""

    package: str
    version: str
    sha256: str


@dataclass(frozen=True, slots=True)
class Pins:
    """What ``pins.json`` says."""

    package: str
    series: str
    suite: str
    versions: tuple[Pin, ...]
    companions: tuple[Pin, ...]
    """Packages Odoo's web pages borrow files from; an Odoo without them works all the same."""

    def by_digest(self, sha256: str) -> Pin | None:
        return next((pin for pin in self.versions if pin.sha256 == sha256), None)


def data_text(name: str) -> str:
    """The text of a file beside this module, in ``data/``."""
    return resources.files("edge_sandbox.odoo").joinpath("data", name).read_text("utf-8")


@cache
def pins() -> Pins:
    raw: dict[str, Any] = json.loads(data_text("pins.json"))
    return Pins(
        package=raw["package"],
        series=raw["series"],
        suite=raw["suite"],
        versions=tuple(Pin(raw["package"], p["version"], p["sha256"]) for p in raw["versions"]),
        companions=tuple(Pin(**p) for p in raw["companions"]),
    )
