"""The links to the devices on the floor, made from the configuration and tied to the agent."""

from __future__ import annotations

from edge_agent.agent import Agent
from edge_agent.clock import Clock
from edge_agent.config import AgentConfig
from edge_agent.devices.mqtt import MqttLink
from edge_agent.devices.presence import DevicePresence, Presence
from edge_agent.devices.printer import Printer
from edge_agent.devices.profiles.library import ProfileLibrary
from edge_agent.devices.profiles.resolve import configured_devices
from edge_agent.devices.remembered import RememberedClocks
from edge_agent.devices.serial_scale import SerialScale
from edge_agent.report import DeviceReport


class Floor:
    """Adds every configured link to ``agent``; the agent starts and stops them."""

    def __init__(self, config: AgentConfig, agent: Agent, *, clock: Clock) -> None:
        self._clock = clock
        self._presence = Presence()
        clocks = RememberedClocks(config.outbox.path.with_suffix(".clocks"), self._presence)
        agent.devices = self.devices
        self._mqtt: MqttLink | None = None
        if config.mqtt is not None:
            mqtt = self._mqtt = MqttLink(
                config.mqtt,
                agent.append_blocking,
                self._presence,
                clock,
                remember=clocks.save,
            )
            agent.tell = mqtt.send_feedback
            agent.announce_uplink = mqtt.set_uplink
            agent.links.append(mqtt)
        for device in configured_devices(config.devices, ProfileLibrary(config.profiles)):
            if device.device_class == "scale":
                agent.links.append(SerialScale(device, agent.append_blocking, clock))
            elif device.device_class == "printer":
                agent.links.append(Printer(device, agent.append_blocking, clock))

    def devices(self) -> list[DeviceReport]:
        return [_report(device) for device in self._presence.devices(self._clock())]

    def broker_findings(self) -> tuple[str, ...]:
        """What is wrong with the broker's configuration."""
        return self._mqtt.findings() if self._mqtt is not None else ()


def _report(device: DevicePresence) -> DeviceReport:
    return DeviceReport(
        name=device.device,
        online=device.state == "online",
        last_seen=device.last_seen,
        missing=device.missing,
        clock_offset_ms=None if device.clock is None else device.clock.offset_ms,
        clock_uncertainty_ms=None if device.clock is None else device.clock.uncertainty_ms,
        at_risk=device.at_risk,
    )
