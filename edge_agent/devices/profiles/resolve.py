"""From a site's ``[devices.NAME]`` and its profile to a device that a link can be made for."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from edge_agent.devices.mqtt.fleets import fleets_of
from edge_agent.devices.profiles.library import ProfileLibrary, overridden
from edge_agent.devices.profiles.schema import DeviceClass, Profile
from edge_agent.devices.settings import DeviceSettings
from edge_contract.toml_errors import ConfigurationError

Transport = Literal["serial", "tcp", "mqtt"]


@dataclass(frozen=True, slots=True)
class ConfiguredDevice:
    """One device (or with ``mqtt`` one fleet) of the site, with everything known of its kind."""

    name: str
    profile_name: str
    profile: Profile
    """With the site's overrides applied."""
    transport: Transport
    address: str
    """A serial port's path or pyserial URL, ``host:port``, or an MQTT filter."""
    station: str | None = None

    @property
    def device_class(self) -> DeviceClass:
        return self.profile.device_class


def configured_devices(
    devices: Mapping[str, DeviceSettings], library: ProfileLibrary
) -> list[ConfiguredDevice]:
    """Every device with its profile. Raises ``ConfigurationError`` with a line for each mistake."""
    found, mistakes = [], []
    for name, settings in devices.items():
        try:
            found.append(_configured(settings, library))
        except ConfigurationError as error:
            mistakes += [f"devices.{name}: {line}" for line in error.message.splitlines()]
        except ValueError as error:
            mistakes.append(f"devices.{name}: {error}.")
    mistakes += fleets_of(found)[1]
    if mistakes:
        raise ConfigurationError(
            "\n".join(mistakes),
            "Correct them: edge-agent profiles show NAME prints what a profile takes, and "
            "edge-agent config check tries the file.",
        )
    return found


def _configured(settings: DeviceSettings, library: ProfileLibrary) -> ConfiguredDevice:
    profile = overridden(library.get(settings.profile), settings.override)
    transport, address = _line(settings, profile)
    return ConfiguredDevice(
        settings.name, settings.profile, profile, transport, address, settings.station
    )


def _line(settings: DeviceSettings, profile: Profile) -> tuple[Transport, str]:
    if settings.port is not None:
        if profile.serial is None:
            raise ValueError(f"the profile {settings.profile} has no [serial] line: remove port")
        return "serial", settings.port
    if settings.host is not None:
        if profile.tcp is None:
            raise ValueError(f"the profile {settings.profile} has no [tcp] line: remove host")
        return "tcp", _with_port(settings.host, profile.tcp.port)
    if profile.mqtt is not None:
        return "mqtt", settings.topic or profile.mqtt.topic
    lines = {"port": profile.serial, "host": profile.tcp}
    wanted = " or ".join(key for key, line in lines.items() if line is not None)
    raise ValueError(f"needs {wanted}: where the device is")


def _with_port(host: str, port: int) -> str:
    bare = host.startswith("[") and host.endswith("]")  # an IPv6 address without a port
    return f"{host}:{port}" if bare or ":" not in host else host
