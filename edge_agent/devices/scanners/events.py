"""From what was read to the event it is, with an id that a resend shares. Pure."""

from __future__ import annotations

from datetime import datetime

from edge_agent.devices.scanners.reads import MappedEvent, ScannerRead, UnreadableFrame
from edge_contract.event import DeviceEvent


def event_of(
    device: str, result: ScannerRead | MappedEvent, arrived: datetime
) -> DeviceEvent | UnreadableFrame:
    """The event of one read of ``device``: ``scan.read``, or what ``[scanner.event]`` says.

    Its ``gs1`` is filled in. ``arrived`` is its time where the device tells none. Never raises.
    """
    raise NotImplementedError
