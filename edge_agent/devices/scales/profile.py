"""``[scale]`` of a profile: which protocol a scale speaks, and how it is asked."""

from __future__ import annotations

from decimal import Decimal
from typing import Literal

from edge_agent.devices.profiles.parts import Part, Seconds
from edge_contract.scalars import CountedQuantity

ScaleProtocol = Literal[
    "mt-sics",
    "toledo-8217",
    "toledo-continuous",
    "nci-scp01",
    "sma",
    "and-standard",
    "sartorius-sbi",
    "regex",
]


class ScaleProfile(Part):
    """How to talk to a scale."""

    protocol: ScaleProtocol
    mode: Literal["polled", "streamed"] = "polled"
    """``polled``: the agent asks. ``streamed``: the scale sends by itself, always or on change."""
    command: str | None = None
    """What is sent to ask, with escapes; absent: the protocol's own."""
    unit: str | None = None
    """Unit of a weight whose frame names none."""
    poll_interval_s: Seconds = 0.25
    reply_timeout_s: Seconds = 1.0
    silence_s: Seconds = 5.0
    """So long without a frame from a scale that streams is a fault."""
    min_change: CountedQuantity = Decimal(0)
    """A stable weight is news when it differs from the last one by more than this (same unit)."""
