"""Which link a device with a line of its own gets: for the floor, and for trying one alone."""

from __future__ import annotations

from edge_agent.clock import Clock
from edge_agent.devices.links import AppendBlocking, Link
from edge_agent.devices.live import Live
from edge_agent.devices.printers.link import PrinterLink
from edge_agent.devices.profiles.resolve import ConfiguredDevice
from edge_agent.devices.scales.link import Observe, ScaleLink
from edge_agent.devices.scales.reading import ScaleReading
from edge_agent.devices.scanners.link import ScannerLink


def line_link(
    device: ConfiguredDevice,
    append: AppendBlocking,
    clock: Clock,
    live: Live,
    observe: Observe | None = None,
) -> Link | None:
    """The link; none for what publishes to the broker. ``observe`` sees the readings of scales."""
    if device.transport == "mqtt":
        return None
    tap = live.tap(device.name)
    if device.device_class == "scale":

        def weighed(name: str, reading: ScaleReading) -> None:
            live.decoded(name, reading)
            if observe is not None:
                observe(name, reading)

        return ScaleLink(device, append, clock, observe=weighed, tap=tap)
    if device.device_class == "scanner":
        return ScannerLink(device, append, clock, observe=live.decoded, tap=tap)
    return PrinterLink(device, append, clock, observe=live.decoded, tap=tap)
