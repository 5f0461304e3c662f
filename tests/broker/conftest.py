"""A real Mosquitto, an outbox in memory and the link between them."""

from __future__ import annotations

import json
import os
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Protocol
from uuid import UUID, uuid4

import pytest
from paho.mqtt.client import Client, MQTTv5
from paho.mqtt.enums import CallbackAPIVersion

from edge_agent.devices.links import AppendBlocking
from edge_agent.devices.mqtt.link import MqttLink
from edge_agent.devices.presence.presence import Presence
from edge_agent.devices.settings import MqttSettings
from edge_agent.devices.simulate.handheld import Handheld
from edge_agent.outbox.fake import MemoryOutbox
from edge_agent.outbox.port import Appended, Reading, Unreadable
from edge_agent.status import ask
from edge_contract.errors import EdgeError
from edge_contract.killpoint import VARIABLE
from edge_sandbox.broker import Broker
from edge_sandbox.process import Part


def now() -> datetime:
    return datetime.now(UTC)


@pytest.fixture(name="now")
def _now() -> Callable[[], datetime]:
    return now


class Until(Protocol):
    def __call__(self, test: Callable[[], object], what: str, timeout: float = 15.0) -> None: ...


@pytest.fixture
def until() -> Until:
    """Wait for a condition with a deadline."""

    def wait(test: Callable[[], object], what: str, timeout: float = 15.0) -> None:
        deadline = time.monotonic() + timeout
        while not test():
            if time.monotonic() > deadline:
                pytest.fail(f"not within {timeout:g} s: {what}")
            time.sleep(0.01)

    return wait


@pytest.fixture
def broker() -> Iterator[Broker]:
    with Broker(["h1", "h2"]) as running:
        yield running


class RecordingOutbox(MemoryOutbox):
    """The outbox in memory, which also shows what it was given."""

    def __init__(self) -> None:
        super().__init__(site="site-1", clock=now, randomness=os.urandom)
        self.readings: list[Reading] = []
        """New ones, in order."""
        self.unreadable: list[Unreadable] = []
        self.repeats = 0

    def append_blocking(self, burst: Sequence[Reading | Unreadable]) -> list[Appended]:
        results = super().append_blocking(burst)
        for item, result in zip(burst, results, strict=True):
            if isinstance(item, Unreadable):
                self.unreadable.append(item)
            elif result.result == "new":
                self.readings.append(item)
            else:
                self.repeats += 1
        return results

    @property
    def ids(self) -> list[UUID]:
        """Ids of the scans stored, in order."""
        scans = (one.event for one in self.readings if one.event.kind != "device.state")
        return [event.id for event in scans if event.id is not None]


@pytest.fixture
def outbox() -> RecordingOutbox:
    return RecordingOutbox()


MakeLink = Callable[..., MqttLink]


@pytest.fixture
def make_link(broker: Broker, outbox: RecordingOutbox) -> Iterator[MakeLink]:
    """Start an agent's link to the broker; all of them are stopped at the end."""
    started: list[MqttLink] = []

    def make(
        append: AppendBlocking | None = None,
        *,
        kind: type[MqttLink] = MqttLink,
        presence: Presence | None = None,
        **settings: Any,
    ) -> MqttLink:
        settings = {
            "host": broker.host,
            "port": broker.port,
            "username": "agent",
            "password": broker.password("agent"),
            "reconnect_max_s": 0.2,
            "retry_s": 0.1,
            **settings,
        }
        link = kind(
            MqttSettings.model_validate(settings),
            append or outbox.append_blocking,
            presence or Presence(),
            now,
        )
        link.start()
        started.append(link)
        deadline = time.monotonic() + 15
        while link.state().health not in {"up", "refused"}:
            assert time.monotonic() < deadline, link.state()
            time.sleep(0.01)
        return link

    yield make
    for link in started:
        link.stop()


MakeHandheld = Callable[..., Handheld]


@pytest.fixture
def make_handheld(broker: Broker) -> MakeHandheld:
    def make(device: str = "h1", **options: Any) -> Handheld:
        options.setdefault("resend_after_s", 0.5)
        password = broker.password(device)
        return Handheld(device, broker.host, broker.port, password=password, **options)

    return make


class Careless:
    """A device that publishes bytes and hears only the broker: no resend, no feedback."""

    def __init__(self, broker: Broker, device: str) -> None:
        self.device = device
        self.answers: dict[int, str] = {}
        """Reason of the broker's PUBACK by packet id."""
        self._client = Client(CallbackAPIVersion.VERSION2, f"careless-{device}", protocol=MQTTv5)
        self._client.username_pw_set(device, broker.password(device))
        self._client.max_inflight_messages_set(0)
        self._client.on_publish = self._on_publish
        self._client.connect(broker.host, broker.port)
        self._client.loop_start()
        deadline = time.monotonic() + 10
        while not self._client.is_connected():
            assert time.monotonic() < deadline
            time.sleep(0.01)

    def _on_publish(self, client: Any, data: Any, mid: int, reason: Any, properties: Any) -> None:
        self.answers[mid] = reason.getName()

    def publish(
        self, payload: bytes, topic: str | None = None, qos: int = 1, retain: bool = False
    ) -> int:
        topic = topic or f"wh/v1/{self.device}/event"
        return self._client.publish(topic, payload, qos=qos, retain=retain).mid

    def close(self) -> None:
        self._client.disconnect()
        self._client.loop_stop()


@pytest.fixture
def make_careless(broker: Broker) -> Iterator[Callable[[str], Careless]]:
    made: list[Careless] = []

    def make(device: str = "h1") -> Careless:
        made.append(Careless(broker, device))
        return made[-1]

    yield make
    for device in made:
        device.close()


def line(**changes: Any) -> dict[str, Any]:
    """A good scan, with changes to its fields (``data`` is merged)."""
    data = {"document": "WH/OUT/00012", "barcode": "4006381333931", "quantity": "3"}
    data |= changes.pop("data", {})
    return {"kind": "transfer.line", "data": data, **changes}


@pytest.fixture
def event() -> Callable[..., dict[str, Any]]:
    return line


@pytest.fixture
def wire() -> Callable[..., tuple[UUID, bytes]]:
    """A good scan as bytes, with its id."""

    def make(**changes: Any) -> tuple[UUID, bytes]:
        identity = uuid4()
        base = {"id": str(identity), "time": now().isoformat(), **line(**changes)}
        return identity, json.dumps(base).encode()

    return make


class Site:
    """An agent's directory, and the agent itself as a child process, without a relay."""

    def __init__(
        self, directory: Path, broker: Broker, devices: str, profiles: Mapping[str, str]
    ) -> None:
        self.config = directory / "agent.toml"
        self.socket = directory / "agent.sock"
        (directory / "profiles").mkdir()
        for name, text in profiles.items():
            (directory / "profiles" / f"{name}.toml").write_text(text)
        secret = directory / "password"
        secret.touch(mode=0o600)
        secret.write_text(broker.password("agent") + "\n")
        self.config.write_text(
            f"""
[site]
name = "dc1"
agent = "dock-a"
[outbox]
path = "outbox.db"
min_free_bytes = 1048576
[mqtt]
host = "{broker.host}"
port = {broker.port}
username = "agent"
password_file = "password"
reconnect_max_s = 0.2
[status]
socket = "agent.sock"
{devices}
"""
        )

    def part(self, kill: str = "") -> Part:
        """The agent; ``kill`` is a place where it dies."""
        return Part(
            "agent",
            [sys.executable, "-m", "edge_agent", "run", "--config", str(self.config)],
            self.config.with_name("agent.log"),
            ready=self.answers,
            environment={VARIABLE: kill},
        )

    def answers(self) -> bool:
        try:
            return bool(self.status()["links"][0]["health"] == "up")
        except EdgeError:
            return False

    def status(self) -> dict[str, Any]:
        (report,) = ask(self.socket, "status")
        return dict(report)

    def devices(self) -> dict[str, dict[str, Any]]:
        return {device["name"]: device for device in self.status()["devices"]}

    def barcodes(self) -> list[str]:
        rows = ask(self.socket, "outbox.export")
        return [row["event"]["data"].get("barcode") for row in rows]


@pytest.fixture
def make_site(tmp_path: Path, broker: Broker) -> Callable[..., Site]:
    def make(devices: str = "", profiles: Mapping[str, str] | None = None) -> Site:
        return Site(tmp_path, broker, devices, profiles or {})

    return make
