"""The terminal of a forklift: an app of another maker, which the agent knows by a profile only.

It publishes JSON of its own on topics of its own and hears nothing but that the broker has it. The
profile makes ``stock.moved`` of it; the app's own id is the event's, so nothing is booked twice.
"""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path
from types import TracebackType
from typing import Any

from paho.mqtt.client import MQTTMessageInfo

from edge_agent.devices.simulate.publisher import MqttPublisher

SECTION, PROFILE = "forklifts", "acme-forklift"
#: Additions to the broker's access list.
ACL = "pattern write acme/%u/jobs\nuser agent\ntopic read acme/+/jobs\n"
#: The whole of what the agent is told about these devices.
PROFILE_TEXT = """\
title = "Forklift terminals with the Acme app"
notes = "Made by warehouse-demo: each job that is done is a move of stock."

[mqtt]
topic = "acme/{device}/jobs"

[scanner]
format = "glued-json"

[scanner.read]
id = "/job/uid"
sequence = "/job/no"
time = "/job/done"
time_format = "epoch-ms"
only."/state" = ["DONE"]

[scanner.event]
kind = "stock.moved"

[scanner.event.data]
barcode = "/load/code"
lot = "/load/batch"
quantity = "/load/amount"
from = "/pickup"
to = "/drop"
"""


class ForkliftTerminal:
    """A context manager that is connected from the start."""

    def __init__(self, device: str, host: str, port: int, password: str) -> None:
        self.device = device
        self._publisher = MqttPublisher(
            f"forklift-{device}", host, port, username=device, password=password
        )
        self._jobs: dict[str, MQTTMessageInfo] = {}

    def __enter__(self) -> ForkliftTerminal:
        self._publisher.__enter__()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._publisher.__exit__(kind, error, trace)

    def scan(self, event: dict[str, Any]) -> None:
        """A job is done."""
        said = payload(event, datetime.now(UTC))
        self._jobs[event["id"]] = self._publisher.publish(f"acme/{self.device}/jobs", said)

    @property
    def taken(self) -> set[str]:
        """Ids of the events that the broker has taken: all that such a device ever learns."""
        return {event for event, info in self._jobs.items() if self._publisher.taken(info)}

    def wait_taken(self, timeout: float) -> None:
        """Wait until the broker has everything. Raises TimeoutError."""
        self._publisher.wait_taken(timeout)


def payload(event: dict[str, Any], now: datetime) -> bytes:
    """The app's words for a move of stock: two messages glued together, of which the first one
    says that the job began and moves nothing."""
    data = event["data"]
    load: dict[str, Any] = {"code": data["barcode"], "amount": int(data["quantity"])}
    if "lot" in data:
        load["batch"] = data["lot"]
    number = {"uid": event["id"], "no": event["seq"], "done": int(now.timestamp() * 1000)}
    begun = {"state": "BEGUN", "job": number}
    done = {"load": load, "pickup": data["from"], "drop": data["to"], **begun, "state": "DONE"}
    return (json.dumps(begun) + json.dumps(done)).encode()


def write_profile(folder: Path) -> None:
    """Put the profile into the ``profiles`` folder beside ``agent.toml``."""
    profiles = folder / "profiles"
    profiles.mkdir(parents=True, exist_ok=True)
    (profiles / f"{PROFILE}.toml").write_text(PROFILE_TEXT, encoding="utf-8")
