"""The real agent and the real relay over HTTP; Odoo is away, so that events wait in the inbox."""

from __future__ import annotations

import json
import shutil
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest

from edge_agent.devices.simulate.handheld import Handheld
from edge_agent.status import ask
from edge_contract.errors import EdgeError
from edge_sandbox.broker import Broker
from edge_sandbox.process import Part
from edge_sandbox.proxy import FaultProxy

TOKEN = "the-token-of-site-dc1-for-tests"
SCAN = {
    "kind": "count.recorded",
    "data": {"location": "A1", "barcode": "4006381333931", "quantity": "3"},
}


def until(test: Callable[[], object], what: str, seconds: float = 30.0) -> None:
    deadline = time.monotonic() + seconds
    while not test():
        assert time.monotonic() < deadline, f"not within {seconds:.0f} s: {what}"
        time.sleep(0.02)


def private(path: Path, text: str) -> Path:
    path.touch(mode=0o600)
    path.write_text(text + "\n")
    return path


class Relay:
    """The relay's process; its address is known once it runs."""

    def __init__(self, directory: Path) -> None:
        directory.mkdir()
        private(directory / "token", TOKEN)
        private(directory / "odoo.key", "no-odoo-is-there-to-take-it")
        self._directory = directory
        self.port = 0
        self.part = Part(
            "relay",
            [sys.executable, "-m", "cloud_relay.cli", "run", "--config", f"{directory}/relay.toml"],
            directory / "relay.log",
            ready=self._ready,
        )
        self._write(0)

    def start(self) -> None:
        self.part.start()
        self._write(self.port)  # it comes back where the agent looks for it

    def knows(self, event: UUID, device: str = "h1") -> bool:
        request = urllib.request.Request(
            f"http://127.0.0.1:{self.port}/v1/devices/{device}/events/{event}",
            headers={"Authorization": f"Bearer {TOKEN}"},
        )
        try:
            with urllib.request.urlopen(request, timeout=10) as answer:
                return bool(json.load(answer))
        except urllib.error.HTTPError as error:
            with error:
                if error.code == 404:
                    return False
                if error.code == 429:
                    time.sleep(float(error.headers["Retry-After"]))
                    return self.knows(event, device)
                raise

    def _write(self, port: int) -> None:
        directory = self._directory
        (directory / "relay.toml").write_text(
            f"""
[listen]
port = {port}
[inbox]
path = "{directory}/inbox.db"
[control]
socket = "{directory}/relay.sock"
[targets.main]
odoo_url = "http://127.0.0.1:9"
database = "none"
key_file = "{directory}/odoo.key"
company = 1
warehouses = [1]
[sites.dc1]
token_file = "{directory}/token"
target = "main"
"""
        )

    def _ready(self) -> bool:
        for line in reversed(self.part.log.read_text().splitlines()):
            if "listens on http://127.0.0.1:" in line:
                self.port = int(line.rpartition(":")[2])
                return self._healthy()
        return False

    def _healthy(self) -> bool:
        with urllib.request.urlopen(f"http://127.0.0.1:{self.port}/v1/health", timeout=5) as answer:
            return bool(answer.status == 200)


class Host:
    """One agent in a directory of its own."""

    def __init__(self, directory: Path, broker: Broker, relay_port: int, client: str) -> None:
        directory.mkdir()
        self.directory = directory
        self.socket = directory / "agent.sock"
        private(directory / "token", TOKEN)
        private(directory / "password", broker.password("agent"))
        (directory / "agent.toml").write_text(
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
client_id = "{client}"
username = "agent"
password_file = "password"
reconnect_max_s = 0.2
[uplink]
url = "http://127.0.0.1:{relay_port}"
token_file = "token"
heartbeat_s = 1
answer_timeout_s = 1.5
retry_first_s = 0.05
retry_max_s = 0.3
[status]
socket = "agent.sock"
"""
        )
        self.part = Part(
            f"agent-{directory.name}",
            [sys.executable, "-m", "edge_agent", "run", "-c", str(directory / "agent.toml")],
            directory / "agent.log",
            ready=self._ready,
        )

    def status(self) -> dict[str, Any]:
        (report,) = ask(self.socket, "status")
        return dict(report)

    def unrelayed(self) -> int:
        return int(self.status()["outbox"]["unrelayed"])

    def _ready(self) -> bool:
        try:
            return bool(self.status()["links"][0]["health"] == "up")
        except EdgeError:
            return False


@pytest.fixture
def broker() -> Iterator[Broker]:
    with Broker(["h1"]) as running:
        yield running


@pytest.fixture
def relay(tmp_path: Path) -> Iterator[Relay]:
    made = Relay(tmp_path / "relay")
    try:
        made.start()
        yield made
    finally:
        made.part.stop()


def handheld(broker: Broker) -> Handheld:
    return Handheld(
        "h1", broker.host, broker.port, password=broker.password("h1"), resend_after_s=0.5
    )


def test_what_is_confirmed_is_at_the_relay_however_often_either_is_killed(
    tmp_path: Path, broker: Broker, relay: Relay
) -> None:
    with FaultProxy("127.0.0.1", relay.port) as link:
        host = Host(tmp_path / "a", broker, link.port, "edge-agent")
        with host.part, handheld(broker) as device:
            ids = []
            for round_ in range(6):
                ids += [device.scan(dict(SCAN)) for _ in range(60)]
                enough = len(ids) - 30
                until(lambda: len(device.confirmed) > enough, "half of them confirmed")  # noqa: B023
                if round_ % 3 == 0:
                    host.part.kill()
                    host.part.start()
                elif round_ % 3 == 1:
                    relay.part.kill()
                    relay.part.start()
                else:
                    link.set("swallow_reply")
                    until(lambda: host.status()["uplink"]["link"] == "down", "cut", 40)
                    link.set("cut")
                    link.set("pass")
            device.wait_confirmed()
            until(lambda: host.unrelayed() == 0, "drained")
            # a heartbeat under way when the line was cut may fail after the events are through
            until(lambda: host.status()["uplink"]["trouble"] is None, "no trouble", 40)
            missing = [event for event in ids if not relay.knows(event)]
            assert missing == []
            counters = host.status()["counters"]
            assert counters.get("uplink.generations_renewed", 0) == 0
            assert counters.get("uplink.set_aside", 0) == 0


def test_yesterdays_copy_of_the_outbox_loses_none_of_todays_scans(
    tmp_path: Path, broker: Broker, relay: Relay
) -> None:
    host = Host(tmp_path / "a", broker, relay.port, "edge-agent")
    database, home = host.directory / "outbox.db", host.directory / "outbox.db.home"
    with handheld(broker) as device:
        with host.part:
            ids = [device.scan(dict(SCAN)) for _ in range(40)]
            device.wait_confirmed()
            until(lambda: host.unrelayed() == 0, "drained")
        copies = [(path, path.with_suffix(".copy")) for path in (database, home)]
        for original, copy in copies:
            shutil.copy2(original, copy)
        with host.part:
            ids += [device.scan(dict(SCAN)) for _ in range(40)]
            device.wait_confirmed()
            until(lambda: host.unrelayed() == 0, "drained")
            before = host.status()["outbox"]["generation"]
        # Bytes are put back into the same files, so that nothing on this host gives it away.
        for original, copy in copies:
            original.write_bytes(copy.read_bytes())
        with host.part:
            ids += [device.scan(dict(SCAN)) for _ in range(60)]
            device.wait_confirmed()
            until(lambda: host.unrelayed() == 0, "drained")
            assert host.status()["outbox"]["generation"] != before
        assert [event for event in ids if not relay.knows(event)] == []


def test_a_cloned_host_is_stopped_and_its_floor_works_on(
    tmp_path: Path, broker: Broker, relay: Relay
) -> None:
    first = Host(tmp_path / "a", broker, relay.port, "agent-one")
    with first.part, handheld(broker) as device:
        event = device.scan(dict(SCAN))
        until(lambda: relay.knows(event), "at the relay")
        clone = Host(tmp_path / "b", broker, relay.port, "agent-two")
        with clone.part:
            until(
                lambda: first.status()["uplink"]["stopped"] or clone.status()["uplink"]["stopped"],
                "one of them told to stop",
            )
            stopped = first if first.status()["uplink"]["stopped"] else clone
            assert stopped.status()["intake"]["state"] == "open"
            held_back = device.scan(dict(SCAN))
            until(lambda: held_back in device.confirmed, "stored by whoever heard it")
