"""The links to the devices on the floor, made from the configuration and tied to the agent."""

from __future__ import annotations

from datetime import timedelta

from edge_agent.agent import Agent
from edge_agent.clock import Clock
from edge_agent.config import AgentConfig
from edge_agent.device_reports import device_reports
from edge_agent.devices.live import Live
from edge_agent.devices.mqtt.arrivals import Arrivals
from edge_agent.devices.mqtt.fleets import fleets_of
from edge_agent.devices.mqtt.link import MqttLink
from edge_agent.devices.mqtt.profiles import FleetReader
from edge_agent.devices.presence.presence import Presence
from edge_agent.devices.presence.remembered import RememberedDevices
from edge_agent.devices.printers.read_back import ReadBack
from edge_agent.devices.profiles.library import ProfileLibrary
from edge_agent.devices.profiles.resolve import configured_devices
from edge_agent.devices.scales.reading import ScaleReading
from edge_agent.devices.stations.pairing import Pairing
from edge_agent.devices.stations.settings import benches_of
from edge_agent.lines import line_link
from edge_agent.report import DeviceReport


class Floor:
    """Adds every configured link to ``agent``; the agent starts and stops them."""

    def __init__(self, config: AgentConfig, agent: Agent, *, clock: Clock) -> None:
        self._agent = agent
        self._clock = clock
        self._presence = Presence()
        self.live = Live(clock)
        self._mqtt: MqttLink | None = None
        agent.devices = self.devices
        self._devices = configured_devices(config.devices, ProfileLibrary(config.profiles))
        # Every link stores through the stations, which put weights into the events of packages.
        benches = benches_of(self._devices, config.stations)
        self._stations = {name: bench.name for bench in benches for name in bench.devices}
        pairing = Pairing(benches)
        printers = [one.name for one in self._devices if one.device_class == "printer"]
        append = pairing.storing(ReadBack(printers).storing(agent.append_blocking))
        agent.pairing_counters = pairing.counters

        def observe(scale: str, reading: ScaleReading) -> None:
            pairing.observe(scale, reading, clock())

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
                config.outbox.path.with_suffix(".devices"),
                self._presence,
                {**reader.filters, **reader.status_filters},
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
            link = line_link(device, append, clock, self.live, observe)
            if link is not None:
                agent.links.append(link)

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
