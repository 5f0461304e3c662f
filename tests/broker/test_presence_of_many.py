"""Twenty devices with last wills at a real broker, and what ``edge-agent status`` says of them."""

from __future__ import annotations

import json
import socket
import struct
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from datetime import UTC, datetime
from typing import Any

import pytest
from paho.mqtt.client import Client, MQTTv5
from paho.mqtt.enums import CallbackAPIVersion

from edge_contract.mqtt import event_topic, status_topic
from edge_sandbox.broker import Broker

NAMES = [f"d{number:02}" for number in range(1, 21)]


@pytest.fixture
def broker() -> Iterator[Broker]:
    with Broker(NAMES) as running:
        yield running


class Device:
    """A device with a last will. Made anew it has started again."""

    def __init__(self, broker: Broker, name: str, boot: int = 1) -> None:
        self.name = name
        self.boot = boot
        self._seq = 0
        self._client = client = Client(
            CallbackAPIVersion.VERSION2, name, protocol=MQTTv5, reconnect_on_failure=False
        )
        client.username_pw_set(name, broker.password(name))
        client.will_set(status_topic(name), self._status("offline"), qos=1, retain=True)
        client.connect(broker.host, broker.port, keepalive=60)
        self.hello()
        client.loop_start()

    def hello(self) -> None:
        self._client.publish(status_topic(self.name), self._status("online"), qos=1, retain=True)
        self.said = time.monotonic()

    def scan(self, seq: int) -> None:
        event = {
            "kind": "scan.read",
            "time": datetime.now(UTC).isoformat(),
            "seq": seq,
            "data": {"barcode": "4006381333931"},
        }
        self._client.publish(event_topic(self.name), json.dumps(event), qos=1)

    def kill(self) -> None:
        """Power off: the connection is reset, and no word is said."""
        sock = self._client.socket()
        assert isinstance(sock, socket.socket)
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        sock.close()
        self._client.loop_stop()

    def close(self) -> None:
        self._client.disconnect()
        self._client.loop_stop()

    def _status(self, state: str) -> str:
        told = {"time": datetime.now(UTC).isoformat()} if state == "online" else {}
        return json.dumps({"state": state, "boot": self.boot, **told})


@pytest.fixture
def switch_on(broker: Broker) -> Iterator[Callable[..., Device]]:
    with ExitStack() as stack:

        def make(name: str, boot: int = 1) -> Device:
            device = Device(broker, name, boot)
            stack.callback(device.close)
            return device

        yield make


def test_half_of_twenty_devices_lose_power_and_the_agent_is_killed_meanwhile(
    make_site: Any, switch_on: Callable[..., Device], until: Any
) -> None:
    site = make_site()
    with site.part() as agent:
        first = switch_on("d01")
        until(lambda: _seen(site, first), "the backlog is over")
        devices = {"d01": first} | {name: switch_on(name) for name in NAMES[1:]}
        until(lambda: site.status()["classes"].get("handheld", {}).get("online") == 20, "all on")
        seen = site.devices()
        assert all(seen[name]["last_seen"] for name in NAMES)

        for name in NAMES[:10]:
            devices[name].kill()
        until(lambda: site.status()["classes"]["handheld"]["offline"] == 10, "wills arrive")
        after = site.devices()
        for name in NAMES[:10]:
            assert after[name]["state"] == "offline"
            assert after[name]["last_seen"] == seen[name]["last_seen"], "a will is no sign of life"
            assert after[name]["boot"] == 1
        assert {after[name]["state"] for name in NAMES[10:]} == {"online"}

        for seq in (1, 2, 5, 6, 9):
            devices["d20"].scan(seq)
        until(lambda: site.devices()["d20"]["gaps"] == [[3, 4], [7, 8]], "its gaps are named")
        assert site.devices()["d20"]["missing"] == 4
        assert site.status()["counters"]["devices.handheld.missing"] == 4

        switch_on("d01", boot=2)
        until(lambda: site.devices()["d01"]["state"] == "online", "it is back")
        assert site.devices()["d01"]["boot"] == 2
        agent.kill()

    with site.part():
        until(lambda: site.status()["classes"]["handheld"]["online"] == 11, "the broker knows")
        after = site.devices()
        assert after["d20"]["gaps"] == [[3, 4], [7, 8]], "what is missing stays missing"
        assert after["d01"]["boot"] == 2
        assert after["d02"]["state"] == "offline"
        assert after["d02"]["last_seen"] == seen["d02"]["last_seen"]

        devices["d20"].scan(4)
        devices["d20"].scan(11)
        until(lambda: site.devices()["d20"]["gaps"] == [[3, 3], [7, 8], [10, 10]], "it goes on")
        shown = _command(site, "status").splitlines()
        (late,) = (line for line in shown if line.strip().startswith("d20"))
        assert "4: 3, 7..8, 10" in late
        (dead,) = (line for line in shown if line.strip().startswith("d02"))
        assert "offline, boot 1" in dead
        told = json.loads(_command(site, "status", "--json"))
        assert told["classes"]["handheld"]["devices"] == 20


def _seen(site: Any, device: Device) -> bool:
    """What comes before the first silence may have waited, and shows no life."""
    if time.monotonic() - device.said > 0.4:
        device.hello()
    return bool(site.devices().get(device.name, {}).get("last_seen"))


def _command(site: Any, *words: str) -> str:
    done = subprocess.run(
        [sys.executable, "-m", "edge_agent", *words, "--config", str(site.config)],
        capture_output=True,
        text=True,
        timeout=30,
        check=True,
        env={"COLUMNS": "200", "PATH": "/usr/bin:/bin"},
    )
    return done.stdout
