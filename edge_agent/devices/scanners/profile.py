"""``[scanner]`` of a profile: how reads are cut from bytes, and what is in a payload."""

from __future__ import annotations

from typing import Literal

from edge_agent.devices.profiles.parts import Part


class ScannerProfile(Part):
    """How to understand a scanner or reader."""

    format: Literal["text", "hex", "json", "glued-json", "ndjson"] = "text"
