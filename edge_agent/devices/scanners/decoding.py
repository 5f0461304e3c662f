"""``edge-agent decode`` for scanners and GS1: one JSON object a frame. Pure; never raises."""

from __future__ import annotations

from typing import Any

from edge_agent.devices.scanners.profile import ScannerProfile


def decode_scanner(frame: bytes, profile: ScannerProfile) -> dict[str, Any]:
    """``{"reads": [{"data", "symbology", "aim", "time", …}], "noread", "pending", "errors"}``."""
    raise NotImplementedError


def decode_gs1(frame: bytes) -> dict[str, Any]:
    """``{"ok", "ais": [[ai, value], …], "error", "warnings"}``."""
    raise NotImplementedError
