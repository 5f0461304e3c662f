"""``[printer]`` of a profile: which status language a printer speaks, and how it is asked."""

from __future__ import annotations

from typing import Literal

from edge_agent.devices.profiles.parts import Part, Seconds


class PrinterProfile(Part):
    """How to ask a printer how it is."""

    language: Literal["zpl", "escpos", "tspl"]
    poll_interval_s: Seconds = 5.0
    timeout_s: Seconds = 3.0
    """Silence for this long is a fault: a printer with its media out may not answer at all."""
