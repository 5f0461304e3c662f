"""Whether a device can be where its section says: an address that can be meant, and its own. Pure.

A mistake here would else show only at the running agent, as a port that never opens.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import TYPE_CHECKING

from edge_contract.toml_errors import ConfigurationError

if TYPE_CHECKING:
    from edge_agent.devices.profiles.resolve import ConfiguredDevice

_HOST = r"(?:\[[0-9A-Fa-f:.%\w]+\]|[^\s:/\[\]]+)"
_NETWORK = re.compile(rf"{_HOST}:(\d{{1,5}})")
_SERVERS = ("socket://", "rfc2217://")


def check_places(devices: Iterable[ConfiguredDevice]) -> None:
    """Raises ``ConfigurationError`` with a line for each device that cannot be where it is said."""
    taken: dict[str, str] = {}
    mistakes = []
    for device in devices:
        said = _wrong(device)
        for place, has in _places(device):
            first = taken.setdefault(place, device.name)
            if first != device.name:
                said = said or f"{has} is that of devices.{first}: each has its own"
        if said:
            mistakes.append(f"devices.{device.name}: {said}.")
    if mistakes:
        raise ConfigurationError(
            "\n".join(mistakes), "Correct the file; edge-agent config check tries it."
        )


def _wrong(device: ConfiguredDevice) -> str:
    place = device.address
    if device.transport == "tcp":
        if re.fullmatch(r"[0-9A-Fa-f.]*:[0-9A-Fa-f:.]*:[^/]*", place):
            return f"host {place!r}: write an IPv6 address in brackets, as [2001:db8::7]:9100"
        if not _is_network(place):
            return f"host {place!r} is no name or address, as 10.0.4.17 or 10.0.4.17:9100"
    if device.transport != "serial":
        return ""
    scheme, mark, server = place.partition("://")
    if not mark and not place.startswith("/"):
        return (
            f"port {place!r} is no path: write all of it, as /dev/serial/by-id/…"
            " (edge-agent devices discover lists those there are)"
        )
    if mark and f"{scheme}://" not in _SERVERS:
        return f"port {place!r}: a serial device server is socket:// or rfc2217://"
    if mark and not _is_network(re.split(r"[/?]", server)[0]):
        return f"port {place!r} names no port, as {scheme}://10.0.4.7:4001"
    return ""


def _places(device: ConfiguredDevice) -> Iterable[tuple[str, str]]:
    if device.transport != "mqtt":
        place = device.address
        for scheme in _SERVERS:
            place = place.removeprefix(scheme)
        yield place, f"its line {device.address}"
    printer = device.profile.printer
    if printer is not None and printer.alerts_port is not None:
        yield f"alerts {printer.alerts_port}", f"its alerts_port {printer.alerts_port}"


def _is_network(text: str) -> bool:
    found = _NETWORK.fullmatch(text)
    return found is not None and 1 <= int(found[1]) <= 65535
