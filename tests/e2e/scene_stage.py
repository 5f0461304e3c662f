"""What the scenes share: goods on shelves, events of handhelds, a device that publishes anything,
and what Odoo and the relay say afterwards."""

from __future__ import annotations

import sys
import textwrap
import threading
from collections.abc import Collection, Iterable
from datetime import datetime
from types import TracebackType
from typing import Any
from uuid import UUID

from paho.mqtt.client import Client, MQTTMessage, MQTTv5
from paho.mqtt.enums import CallbackAPIVersion

from cloud_relay.odoo.schema import CLAIMS
from edge_agent.devices.simulate.handheld import Handheld
from edge_contract.mqtt import Feedback, event_topic, feedback_topic
from edge_contract.scalars import instant_text
from edge_sandbox.broker import Broker
from edge_sandbox.odoo import OdooDatabase
from edge_sandbox.odoo_floor import RELAY_LOGIN, Floor
from edge_sandbox.rig import Agent, OdooTarget, Relay, until

#: For a relay that nothing is on its way to by another road: want of stock is held at once.
STRICT = "straggler_grace_s = 0\nstraggler_limit_s = 0\ntimeout_s = 20\n"
#: Tests ask for hundreds of ladders with the monitor's token.
MUCH_ASKED = "[limits]\nrequests_per_second = 2000\nrequests_at_once = 2000\n"
#: Seconds; generous because two cores may serve many.
LONG = 90.0


def target_of(database: OdooDatabase, floor: Floor) -> OdooTarget:
    """What the relay must know of the floor."""
    key = database.stock_key
    return OdooTarget(database, key, RELAY_LOGIN, floor.company, (floor.warehouse,))


def patched(program: str, patch: str) -> list[str]:
    """A command that runs ``program``'s main after ``patch``: a deliberately broken variant."""
    module = {"edge-agent": "edge_agent.cli", "cloud-relay": "cloud_relay.cli"}[program]
    lines = textwrap.dedent(patch)
    return [sys.executable, "-c", f"{lines}\nfrom {module} import main\nmain()\n"]


class Shelf:
    """A product of its own, a place it is taken from and one it is put at."""

    def __init__(self, floor: Floor, quantity: float = 500) -> None:
        self.floor = floor
        self.barcode = floor.product()
        self.a, self.b = floor.place("A"), floor.place("B")
        if quantity:
            floor.stock(self.barcode, quantity, self.a)
            floor.date_back(self.barcode)

    def at(self, place: str) -> float:
        found = self.floor.on_hand(self.barcode)
        return sum(quantity for name, quantity in found.items() if name.endswith(place))

    @property
    def moved(self) -> float:
        """How many arrived at ``b``."""
        return self.at(self.b)

    def move(self, quantity: float | str = 1, **fields: Any) -> dict[str, Any]:
        """``quantity`` from ``a`` to ``b``; ``to`` and ``source`` may be said otherwise."""
        data = {
            "barcode": self.barcode,
            "quantity": str(quantity),
            "from": fields.pop("source", self.a),
            "to": fields.pop("to", self.b),
        }
        return {"kind": "stock.moved", "data": data | fields}

    def count(self, quantity: float | str, place: str | None = None) -> dict[str, Any]:
        data = {"location": place or self.a, "barcode": self.barcode, "quantity": str(quantity)}
        return {"kind": "count.recorded", "data": data}

    def line(self, document: str, quantity: float | str = 1, **fields: Any) -> dict[str, Any]:
        data = {"document": document, "barcode": self.barcode, "quantity": str(quantity)}
        return {"kind": "transfer.line", "data": data | fields}


def done(document: str, backorder: str = "create") -> dict[str, Any]:
    return {"kind": "transfer.done", "data": {"document": document, "backorder": backorder}}


def at(moment: datetime, event: dict[str, Any]) -> dict[str, Any]:
    """The event, happening at ``moment`` by the device's own clock."""
    return {**event, "time": instant_text(moment)}


def handheld(broker: Broker, device: str, **options: Any) -> Handheld:
    options.setdefault("resend_after_s", 2.0)
    return Handheld(device, broker.host, broker.port, password=broker.password(device), **options)


class Voice:
    """A device that publishes whatever bytes it likes and writes down what it is told."""

    def __init__(self, broker: Broker, device: str) -> None:
        self.device = device
        self.feedback: list[Feedback] = []
        self.reasons: dict[int, str] = {}
        """The broker's answer to each publish, by packet id."""
        self._ready = threading.Event()
        self._broker = broker
        self._client = Client(CallbackAPIVersion.VERSION2, f"voice-{device}", protocol=MQTTv5)
        self._client.username_pw_set(device, broker.password(device))
        self._client.max_inflight_messages_set(0)
        self._client.on_publish = self._on_publish
        self._client.on_message = self._on_message
        self._client.on_subscribe = lambda *_: self._ready.set()

    def __enter__(self) -> Voice:
        self._client.connect(self._broker.host, self._broker.port)
        self._client.loop_start()
        until(self._client.is_connected, 15, "connection")
        self._client.subscribe(feedback_topic(self.device), 1)
        assert self._ready.wait(15)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._client.disconnect()
        self._client.loop_stop()

    def publish(self, payload: bytes, topic: str | None = None) -> int:
        """QoS 1, on its own topic unless told otherwise; returns the packet id."""
        return self._client.publish(topic or event_topic(self.device), payload, qos=1).mid

    def _on_publish(self, client: Any, data: Any, mid: int, reason: Any, properties: Any) -> None:
        self.reasons[mid] = reason.getName()

    def _on_message(self, client: Any, data: Any, message: MQTTMessage) -> None:
        self.feedback.append(Feedback.model_validate_json(message.payload))


def status(relay: Relay, device: str, event: UUID) -> str:
    found = relay.event(device, str(event))
    return "unknown" if found is None else str(found["status"])


def statuses(relay: Relay, device: str, events: Iterable[UUID]) -> set[str]:
    return {status(relay, device, event) for event in events}


def settled(relay: Relay, device: str, events: Collection[UUID], wanted: str = "applied") -> None:
    """Wait until the relay says ``wanted`` of each of the events."""
    for event in events:
        until(lambda: status(relay, device, event) == wanted, LONG, f"{wanted} {event}")  # noqa: B023


def claims(floor: Floor, device: str, events: Collection[UUID]) -> list[str]:
    """The ids among ``events`` that Odoo has claims of, one for each claim."""
    keys = [f"{device}|{event}" for event in events]
    found = floor.call(
        CLAIMS.model, "search_read", domain=[["x_key", "in", keys]], fields=["x_key"]
    )
    return sorted(str(row["x_key"].partition("|")[2]) for row in found)


def claimed_once(floor: Floor, device: str, events: Collection[UUID]) -> None:
    """Odoo claimed each of the events, and none twice."""
    assert claims(floor, device, events) == sorted(str(event) for event in events)


def drained(agent: Agent) -> None:
    """Wait until the agent has nothing left to relay."""
    until(lambda: agent.status()["outbox"]["unrelayed"] == 0, LONG, "drained outbox")


def alarms(relay: Relay) -> dict[str, str]:
    """What the operator sees: message by key."""
    return {alarm["key"]: alarm["message"] for alarm in relay.command("alarms", "list")}


def state_of(relay: Relay, target: str = "main") -> dict[str, Any]:
    """What the operator sees of a target."""
    return next(row for row in relay.command("targets", "list") if row["target"] == target)
