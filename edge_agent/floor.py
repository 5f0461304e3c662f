"""The links to the devices on the floor, made from the configuration and tied to the agent."""

from __future__ import annotations

from datetime import timedelta

from edge_agent.agent import Agent
from edge_agent.clock import Clock
from edge_agent.config import AgentConfig
from edge_agent.device_reports import device_reports
from edge_agent.devices.arrivals import Arrivals
from edge_agent.devices.fleets import fleets_of
from edge_agent.devices.mqtt import MqttLink
from edge_agent.devices.mqtt_profiles import FleetReader
from edge_agent.devices.pairing import Pairing
from edge_agent.devices.presence import Presence
from edge_agent.devices.printer import Printer
from edge_agent.devices.profiles.library import ProfileLibrary
from edge_agent.devices.profiles.resolve import configured_devices
from edge_agent.devices.remembered import RememberedDevices
from edge_agent.devices.scales.link import ScaleLink
from edge_agent.devices.scanners.link import ScannerLink
from edge_agent.devices.station_settings import benches_of
from edge_agent.report import DeviceReport


class Floor:
    """Adds every configured link to ``agent``; the agent starts and stops them."""

    def __init__(self, config: AgentConfig, agent: Agent, *, clock: Clock) -> None:
        self._agent = agent
        self._clock = clock
        self._presence = Presence()
        self._mqtt: MqttLink | None = None
        agent.devices = self.devices
        self._devices = configured_devices(config.devices, ProfileLibrary(config.profiles))
        # Every link stores through the stations, which put weights into the events of packages.
        benches = benches_of(self._devices, config.stations)
        self._stations = {name: bench.name for bench in benches for name in bench.devices}
        append = Pairing(benches).storing(agent.append_blocking)
        if config.mqtt is not None:
            fleets, _ = fleets_of(self._devices)
            reader = FleetReader(
                fleets,
                self._presence,
                names=config.devices,
                arrivals=Arrivals(
                    config.outbox.path.with_suffix(".arrivals"), config.mqtt.receive_maximum
                ),
                max_age=timedelta(days=config.mqtt.max_event_age_days),
            )
            memory = RememberedDevices(
                config.outbox.path.with_suffix(".devices"), self._presence, reader.filters
            )
            mqtt = self._mqtt = MqttLink(
                config.mqtt,
                append,
                self._presence,
                clock,
                fleets=reader if fleets or memory.former else None,
                numbered=memory.numbered,
                remember=memory.save,
                former=memory.former,
            )
            agent.tell = mqtt.send_feedback
            agent.announce_uplink = mqtt.set_uplink
            agent.links.append(mqtt)
        for device in self._devices:
            if device.device_class == "scale":
                agent.links.append(ScaleLink(device, append, clock))
            elif device.device_class == "scanner" and device.transport != "mqtt":
                agent.links.append(ScannerLink(device, append, clock))
            elif device.device_class == "printer":
                agent.links.append(Printer(device, append, clock))

    def devices(self) -> list[DeviceReport]:
        """Every device that is configured or was ever heard."""
        return device_reports(
            self._devices,
            (link.state() for link in self._agent.links),
            self._presence.devices(self._clock()),
            self._stations,
        )

    def broker_findings(self) -> tuple[str, ...]:
        """What is wrong with the broker's configuration."""
        return self._mqtt.findings() if self._mqtt is not None else ()
