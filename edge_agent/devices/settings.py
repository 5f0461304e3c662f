"""What a site says about its broker and its devices (sections of ``agent.toml``)."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, SecretStr, model_validator

from edge_contract.event import Identifier

Seconds = Annotated[float, Field(gt=0, le=3600)]
Port = Annotated[int, Field(ge=1, le=65535)]


class _Settings(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class MqttTls(_Settings):
    """TLS to the broker. Without a certificate of its own the agent shows its password only."""

    ca_file: Path | None = None
    """Certificates to trust; absent: the system's."""
    cert_file: Path | None = None
    key_file: Path | None = None

    @model_validator(mode="after")
    def _pair(self) -> MqttTls:
        if (self.cert_file is None) != (self.key_file is None):
            raise ValueError("cert_file and key_file go together: set both, or neither")
        return self


class MqttSettings(_Settings):
    """``[mqtt]``: the site's broker."""

    host: Annotated[str, Field(min_length=1, max_length=253)] = "127.0.0.1"
    port: Port = 1883
    client_id: Annotated[str, Field(pattern=r"^[A-Za-z0-9._-]{1,64}$")] = "edge-agent"
    """Fixed, because the broker keeps the session under it. Two agents must not share one."""
    username: str | None = None
    password: SecretStr | None = None
    password_file: Path | None = None
    """Preferred over ``password``: the first line of a file that only the agent may read."""
    tls: MqttTls | None = None
    keepalive_s: Annotated[int, Field(ge=5, le=3600)] = 30
    connect_timeout_s: Seconds = 5.0
    session_expiry_s: Annotated[int, Field(ge=60, le=0xFFFFFFFE)] = 7 * 24 * 3600
    """How long the broker keeps what arrives while the agent is away."""
    receive_maximum: Annotated[int, Field(ge=1, le=65535)] = 1000
    """Most messages the broker may have out without our acknowledgement: bounds memory."""
    burst: Annotated[int, Field(ge=1, le=10_000)] = 256
    """Most messages in one commit."""
    feedback_queue: Annotated[int, Field(ge=100, le=1_000_000)] = 20_000
    """Most answers waiting for the broker. Beyond it they are dropped and counted: the device
    sends its event again and is answered then."""
    status_interval_s: Seconds = 15.0
    reconnect_max_s: Seconds = 15.0
    retry_s: Seconds = 1.0
    """How long to wait before a refused burst is offered to the outbox again."""
    max_event_age_days: Annotated[int, Field(ge=1, le=3650)] = 400
    """An event that claims to be older, after clock correction, is quarantined."""

    @model_validator(mode="after")
    def _one_password(self) -> MqttSettings:
        if self.password is not None and self.password_file is not None:
            raise ValueError("set password or password_file, not both")
        if self.username is None and (self.password or self.password_file):
            raise ValueError("a password needs a username: set username to the agent's broker user")
        return self

    def password_text(self) -> str | None:
        """The password, read now; raises OSError when its file cannot be read."""
        if self.password_file is not None:
            lines = self.password_file.read_text().splitlines()
            return lines[0].strip() if lines else ""
        return self.password.get_secret_value() if self.password else None


class DeviceSettings(_Settings):
    """``[devices.NAME]``: one scanner, scale or printer, or a fleet with MQTT topics of its own."""

    name: Identifier
    profile: Annotated[str, Field(min_length=1, max_length=100)]
    """What kind of device it is: a name that ``edge-agent profiles list`` knows."""
    port: Annotated[str, Field(min_length=1)] | None = None
    """A serial port. ``/dev/serial/by-id/…`` survives replugging; ``socket://host:port`` and
    ``rfc2217://host:port`` reach serial device servers."""
    host: Annotated[str, Field(min_length=1, max_length=300)] | None = None
    """Name or address on the network, with ``:port`` when it is not the profile's."""
    topic: Annotated[str, Field(min_length=1, max_length=500)] | None = None
    """MQTT filter in place of the profile's; ``{device}`` captures a level."""
    station: Identifier | None = None
    """The bench it stands on: a scan and a weight of one station belong together."""
    override: dict[str, Any] = {}
    """Tables of the profile that are otherwise here, as ``override.serial.baudrate = 4800``."""

    @model_validator(mode="after")
    def _one_place(self) -> DeviceSettings:
        given = [key for key in ("port", "host", "topic") if getattr(self, key) is not None]
        if len(given) > 1:
            raise ValueError(f"{given[0]} and {given[1]} exclude each other: a device has one line")
        return self
