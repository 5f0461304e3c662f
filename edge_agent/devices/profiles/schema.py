"""The shape of a profile: a device class, its lines, and how it is understood."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, model_validator

from edge_agent.devices.printers.profile import PrinterProfile
from edge_agent.devices.profiles.parts import Discovery, Part, SerialLine, TcpLine
from edge_agent.devices.scales.profile import ScaleProfile
from edge_agent.devices.scanners.profile import ScannerProfile, Sources, Texts

DeviceClass = Literal["scale", "scanner", "printer"]


class MqttStatus(Part):
    """``[mqtt.status]``: where such a device says that it is there, and its last will that it is
    not. A topic without that is no harm: a device is then seen by what it reads."""

    topic: Annotated[str, Field(min_length=1, max_length=500)]
    """As ``zebra/{device}/management``; with ``{device}`` if the topic of the reads has it."""
    state: Sources = ()
    """Where the state stands in a JSON payload; absent: any message says ``online``. ``""`` is the
    whole payload, which may be text."""
    online: Texts = ("online", "connected", "true", "up", "1")
    """Values that mean it is there; any case. What is neither shows life and nothing else."""
    offline: Texts = ("offline", "disconnected", "false", "down", "0")
    boot: Sources = ()
    """Where it counts its starts."""


class MqttTopic(Part):
    """``[mqtt]``: where devices publish that have topics of their own."""

    topic: Annotated[str, Field(min_length=1, max_length=500)]
    """An MQTT filter whose levels may capture, as ``zebra/{device}/tags`` or ``fx/+/{device}/#``.
    Without ``{device}`` all of it comes from one device, named as the section."""
    status: MqttStatus | None = None


class Profile(Part):
    """One kind of device. Exactly one of ``scale``, ``scanner`` and ``printer`` is there."""

    title: Annotated[str, Field(min_length=1, max_length=100)]
    """For people: maker and models."""
    notes: str = ""
    """What to set on the device, and what is odd about it."""
    source: str = ""
    """The manual this was made from."""
    serial: SerialLine | None = None
    tcp: TcpLine | None = None
    mqtt: MqttTopic | None = None
    scale: ScaleProfile | None = None
    scanner: ScannerProfile | None = None
    printer: PrinterProfile | None = None
    discovery: Discovery = Discovery()

    @model_validator(mode="after")
    def _is_something(self) -> Profile:
        kinds = [name for name in ("scale", "scanner", "printer") if getattr(self, name)]
        if len(kinds) != 1:
            raise ValueError("a profile has exactly one of [scale], [scanner] and [printer]")
        if not (self.serial or self.tcp or self.mqtt):
            raise ValueError("a profile has at least one of [serial], [tcp] and [mqtt]")
        if self.mqtt and not self.scanner:
            raise ValueError("[mqtt] is for scanners and readers: scales and printers have a line")
        return self

    @property
    def device_class(self) -> DeviceClass:
        return "scale" if self.scale else "scanner" if self.scanner else "printer"

    @property
    def transports(self) -> list[Literal["serial", "tcp", "mqtt"]]:
        """The lines it may have."""
        lines: dict[Literal["serial", "tcp", "mqtt"], Part | None] = {
            "serial": self.serial,
            "tcp": self.tcp,
            "mqtt": self.mqtt,
        }
        return [name for name, line in lines.items() if line is not None]

    @property
    def speaks(self) -> str:
        """The protocol, language or format of what it says."""
        if self.scale is not None:
            return self.scale.protocol
        if self.printer is not None:
            return self.printer.language
        return self.scanner.format if self.scanner is not None else ""
