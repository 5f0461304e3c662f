"""The agent's configuration: one TOML file, checked before anything starts."""

from __future__ import annotations

import ipaddress
import os
from collections.abc import Mapping
from importlib.resources import files
from pathlib import Path
from typing import Annotated, Any, Literal, TypeVar
from urllib.parse import urlsplit

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

from edge_agent.devices.profiles.addresses import check_places
from edge_agent.devices.profiles.library import ProfileLibrary
from edge_agent.devices.profiles.resolve import configured_devices
from edge_agent.devices.settings import DeviceSettings, MqttSettings
from edge_agent.devices.stations.settings import StationSettings, benches_of
from edge_agent.outbox.settings import OutboxSettings
from edge_agent.places import DEFAULT_PATH as DEFAULT_PATH
from edge_contract.batch import MAX_BATCH_BYTES, MAX_BATCH_EVENTS
from edge_contract.event import Identifier
from edge_contract.toml_errors import ConfigurationError, parse_toml, placed

#: systemd puts the secrets of ``LoadCredential=`` into this directory.
CREDENTIALS_VARIABLE = "CREDENTIALS_DIRECTORY"

Model = TypeVar("Model", bound=BaseModel)
Seconds = Annotated[float, Field(gt=0, le=3600)]


class _Section(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class SiteSettings(_Section):
    """``[site]``: who this is."""

    name: Identifier
    """The site, as the central team enrolled it. Part of every event's source."""
    agent: Identifier
    """This host's agent. Two agents of one site need different names."""


class UplinkSettings(_Section):
    """``[uplink]``: where the relay is. Without this section events are only stored."""

    url: str
    token_file: Path
    """First line: the site's token. Mode 0600, or a systemd credential of that name."""
    ca_file: Path | None = None
    """The relay's CA (PEM); absent: the system's."""
    allow_plain_http: bool = False
    """Let the token cross the network unencrypted. Loopback addresses need no permission."""
    batch_events: Annotated[int, Field(ge=1, le=MAX_BATCH_EVENTS)] = MAX_BATCH_EVENTS
    batch_bytes: Annotated[int, Field(ge=64 * 1024, le=MAX_BATCH_BYTES)] = 1024 * 1024
    """Most bytes of a batch before compression."""
    linger_ms: Annotated[float, Field(ge=0, le=1000)] = 5
    """How long a live event may wait for others to share its batch."""
    heartbeat_s: Annotated[float, Field(ge=1, le=3600)] = 15
    connect_timeout_s: Seconds = 10
    answer_timeout_s: Seconds = 20
    poll_s: Annotated[int, Field(ge=1, le=60)] = 25
    """How long the relay may hold a downlink request back."""
    retry_first_s: Seconds = 0.5
    retry_max_s: Seconds = 30
    """Ceiling of the delay between two tries; a random part of it is waited."""

    @field_validator("url")
    @classmethod
    def _is_url(cls, value: str) -> str:
        parts = urlsplit(value)
        if parts.scheme not in ("https", "http") or not parts.hostname:
            raise ValueError("must be a URL such as https://relay.example.com")
        if parts.username or parts.password:
            raise ValueError("must not carry credentials: they belong in token_file")
        if parts.query or parts.fragment:
            raise ValueError("must end with the host, or with a path the relay is served under")
        return value.rstrip("/")

    @model_validator(mode="after")
    def _encrypted(self) -> UplinkSettings:
        parts = urlsplit(self.url)
        if parts.scheme == "http" and not (self.allow_plain_http or _loopback(parts.hostname)):
            raise ValueError(
                "url would send the token unencrypted: use https, or set allow_plain_http = true "
                "when the network is one you trust"
            )
        return self


class StatusSettings(_Section):
    """``[status]``: the local socket that ``edge-agent status`` asks."""

    socket: Path = Path("/run/warehouse-edge/agent.sock")
    mode: Literal["0600", "0660"] = "0660"
    """Who may ask: the agent's user, or its group too."""


class DiscoverySettings(_Section):
    """``[discovery]``: what the network is told."""

    advertise: bool = False
    """Announce the broker of ``[mqtt]`` by multicast DNS, so that devices find it. Off, because a
    broker that only this host reaches need not be known."""
    interfaces: tuple[str, ...] = ()
    """Addresses of this host in whose networks it is announced; absent: in all of them."""

    @field_validator("interfaces")
    @classmethod
    def _are_addresses(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        for address in value:
            try:
                ipaddress.IPv4Address(address)
            except ValueError:
                raise ValueError(f"{address!r} is no IPv4 address of this host") from None
        return value


class LogSettings(_Section):
    """``[log]``: goes to standard error; the journal keeps it."""

    level: Literal["debug", "info", "warning", "error"] = "info"
    time: bool = False
    """Put a time on each line: not needed under systemd, whose journal does."""


class AgentConfig(_Section):
    """The whole file."""

    site: SiteSettings
    outbox: OutboxSettings = OutboxSettings()
    mqtt: MqttSettings | None = None
    profiles: Path = Path("profiles")
    """The folder of the site's own profiles."""
    devices: dict[Identifier, DeviceSettings] = {}
    stations: dict[Identifier, StationSettings] = {}
    uplink: UplinkSettings | None = None
    status: StatusSettings = StatusSettings()
    discovery: DiscoverySettings = DiscoverySettings()
    log: LogSettings = LogSettings()

    @model_validator(mode="before")
    @classmethod
    def _names_from_tables(cls, data: Any) -> Any:
        if not isinstance(data, dict):
            return data
        tables = data.get("devices")
        if not isinstance(tables, dict):
            return data
        named = {
            name: {"name": name, **table} if isinstance(table, dict) else table
            for name, table in tables.items()
        }
        return {**data, "devices": named}

    @field_validator("devices")
    @classmethod
    def _one_name(cls, value: dict[str, Any]) -> dict[str, Any]:
        for name, settings in value.items():
            if settings.name != name:
                raise ValueError(f"the table {name} must not give itself another name: remove it")
        return value

    @field_validator("mqtt")
    @classmethod
    def _secret_in_a_file(cls, value: MqttSettings | None) -> MqttSettings | None:
        if value is not None and value.password is not None:
            raise ValueError(
                "password must not stand in this file: put it into one of its own with mode 0600 "
                "and name that with password_file"
            )
        return value

    @model_validator(mode="after")
    def _something_to_announce(self) -> AgentConfig:
        if self.discovery.advertise and self.mqtt is None:
            raise ValueError("[discovery] advertise needs [mqtt]: there is no broker to announce")
        return self


def load(path: Path, environment: Mapping[str, str] = os.environ) -> AgentConfig:
    """Read and check ``path``. Raises :class:`ConfigurationError` naming file, line and remedy.

    Relative paths in the file are relative to the file's directory.
    """
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        why = getattr(error, "strerror", None) or error
        raise ConfigurationError(
            f"The configuration {path} cannot be read: {why}.",
            "Name another with --config, or begin with: edge-agent config example",
        ) from error
    config = parse_toml(
        text, str(path), AgentConfig, "Correct the file; edge-agent config check tries it."
    )
    credentials = environment.get(CREDENTIALS_VARIABLE)
    anchored = _anchored(
        config, path.absolute().parent, None if credentials is None else Path(credentials)
    )
    try:
        devices = configured_devices(anchored.devices, ProfileLibrary(anchored.profiles))
        check_places(devices)
        benches_of(devices, anchored.stations)
        if anchored.mqtt is None and (fleets := [d.name for d in devices if d.transport == "mqtt"]):
            raise ConfigurationError(
                f"devices.{fleets[0]}: it publishes on MQTT, and there is no [mqtt].",
                "Say in [mqtt] where the site's broker is; edge-agent config check tries it.",
            )
    except ConfigurationError as error:
        lines = "\n".join(placed(line, text, str(path)) for line in error.message.splitlines())
        raise ConfigurationError(lines, error.remedy) from error
    return anchored


def example() -> str:
    """A commented configuration to begin with."""
    return files("edge_agent").joinpath("example.toml").read_text(encoding="utf-8")


def _anchored(model: Model, base: Path, credentials: Path | None) -> Model:
    """``model`` with every relative path made absolute, however deep it stands."""
    changes: dict[str, Any] = {}
    for name in type(model).model_fields:
        value = getattr(model, name)
        if isinstance(value, BaseModel):
            changes[name] = _anchored(value, base, credentials)
        elif isinstance(value, dict):
            changes[name] = {
                key: _anchored(item, base, credentials) if isinstance(item, BaseModel) else item
                for key, item in value.items()
            }
        elif isinstance(value, Path) and not value.is_absolute():
            changes[name] = _found(value, base, credentials)
    return model.model_copy(update=changes)


def _found(path: Path, base: Path, credentials: Path | None) -> Path:
    if credentials is not None and len(path.parts) == 1 and (credentials / path).exists():
        return credentials / path
    return base / path


def _loopback(host: str | None) -> bool:
    try:
        return host == "localhost" or ipaddress.ip_address(host or "").is_loopback
    except ValueError:
        return False
