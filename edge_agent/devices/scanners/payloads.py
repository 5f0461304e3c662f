"""Reads out of an MQTT payload of any shape. Pure; nothing that arrives raises."""

from __future__ import annotations

from collections.abc import Mapping

from edge_agent.devices.scanners.profile import ScannerProfile
from edge_agent.devices.scanners.reads import PayloadResult


def read_payload(
    profile: ScannerProfile, payload: bytes, captures: Mapping[str, str] | None = None
) -> list[PayloadResult]:
    """What is in one payload, in its order. A bad read becomes an ``UnreadableFrame`` (to be
    quarantined by the caller) and leaves its neighbours alone.

    ``captures``: what :meth:`TopicFilter.match` found in the topic.
    """
    raise NotImplementedError
