"""``[stations.NAME]`` of ``agent.toml``, and which device stands at which station."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from datetime import timedelta
from decimal import Decimal
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, field_validator

from edge_agent.devices.profiles.resolve import ConfiguredDevice
from edge_agent.devices.stations.pairing import Bench
from edge_contract.event import Identifier
from edge_contract.scalars import CountedQuantity
from edge_contract.toml_errors import ConfigurationError


class StationSettings(BaseModel):
    """``[stations.NAME]``: a bench with one scale, and what is scanned at it."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    devices: tuple[Identifier, ...] = ()
    """Devices that publish by themselves and stand here, such as a packer's handheld. Those of
    ``[devices]`` name their ``station`` there."""
    window_s: Annotated[float, Field(gt=0, le=3600)] = 10.0
    """A scan and a weight belong together when they are at most so far apart."""
    empty_up_to: CountedQuantity = Decimal(0)
    """What the scale may show when it is empty, in its own unit, for one that does not return to
    zero: ``"0.050"``. Five units of its last digit count as empty in any case."""
    package_labels: str = "PACK[0-9]+"
    """Regular expression of the labels of packages. SSCCs are known without it."""

    @field_validator("package_labels")
    @classmethod
    def _pattern(cls, value: str) -> str:
        try:
            re.compile(value)
        except re.error as error:
            raise ValueError(f"{value!r} is no regular expression: {error}") from None
        return value


def benches_of(
    devices: Sequence[ConfiguredDevice], stations: Mapping[str, StationSettings]
) -> list[Bench]:
    """Every station with its devices. Raises ``ConfigurationError`` with a line a mistake."""
    members: dict[str, list[str]] = {name: list(one.devices) for name, one in stations.items()}
    scales: dict[str, str] = {}
    mistakes = []
    for device in devices:
        if device.station is None:
            continue
        if device.transport == "mqtt" and "{device}" in device.address:
            mistakes.append(
                f"devices.{device.name}: its topic has many devices: name those that stand at "
                f"the station in [stations.{device.station}] devices."
            )
            continue
        if device.device_class == "scale" and device.station in scales:
            mistakes.append(
                f"devices.{device.name}: the station {device.station} has the scale "
                f"{scales[device.station]} already, and a package lies on one of them only: make "
                "it two stations."
            )
        if device.device_class == "scale":
            scales.setdefault(device.station, device.name)
        members.setdefault(device.station, []).append(device.name)
    homes: dict[str, str] = {}
    mistakes += [
        f"stations.{station}: {name} stands at {homes[name]} already: a device has one station."
        for station, names in members.items()
        for name in names
        if homes.setdefault(name, station) != station
    ]
    if mistakes:
        raise ConfigurationError("\n".join(mistakes), "Correct the file.")
    return [_bench(name, found, stations.get(name)) for name, found in members.items()]


def _bench(name: str, devices: Sequence[str], settings: StationSettings | None) -> Bench:
    settings = settings or StationSettings()
    return Bench(
        name,
        frozenset(devices),
        timedelta(seconds=settings.window_s),
        settings.empty_up_to,
        re.compile(settings.package_labels),
    )
