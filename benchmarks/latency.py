"""From a scan to Odoo and back to the scanner's beep, at five events a second.

Method. The whole real path on one machine: simulated handhelds, Mosquitto, agent, relay, Odoo 19,
no faults. Four of five scans are lines of reserved deliveries, one is a count; they come at a
steady pace, whatever became of the ones before. Per event, from the moment the scan is made:

- **scan to feedback**: until the handheld hears ``stored`` (the same process, one clock);
- **scan to Odoo**: until the relay has written down that Odoo committed the effect, by the time
  ``applied`` of the event's ladder (all processes share the machine's clock).

In turns with it, in blocks, the same scans are made as direct JSON-2 calls at the same pace, ids
known, one after the other: what a handheld would wait for if it talked to Odoo itself.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime
from functools import partial
from itertools import cycle, islice
from typing import Any
from uuid import UUID

from paho.mqtt.client import MQTTMessage

from benchmarks.apply import count_directly, pick_directly
from benchmarks.figures import Figure, percentile
from benchmarks.shop import Shelf, Shop, opened_shop
from benchmarks.stage import Stage
from edge_agent.devices.simulate.handheld import Handheld
from edge_contract.mqtt import Feedback, feedback_topic
from edge_sandbox.odoo_floor import RELAY_LOGIN
from edge_sandbox.rig import OdooTarget, Rig, until

PACE = 5.0
DEVICES = ("hh-1", "hh-2", "hh-3")
#: The ladders are asked for at the end, all at once.
MUCH_ASKED = "[limits]\nrequests_per_second = 1e6\nrequests_at_once = 1000000\n"
#: Lines of a delivery.
LINES = 10

Act = Callable[[], object]


class Scanner(Handheld):
    """A handheld that notes when it scanned and when it heard ``stored``."""

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self.scanned: dict[UUID, datetime] = {}
        self.heard: dict[UUID, datetime] = {}

    def scan(self, event: dict[str, Any]) -> UUID:
        at = datetime.now(UTC)
        identity = super().scan(event)
        self.scanned[identity] = at
        return identity

    def _on_message(self, client: Any, data: Any, message: MQTTMessage) -> None:
        at = datetime.now(UTC)
        if message.topic == feedback_topic(self.device):
            feedback = Feedback.model_validate_json(message.payload)
            if feedback.event is not None and feedback.stage == "stored":
                self.heard.setdefault(feedback.event, at)
        super()._on_message(client, data, message)


def run(stage: Stage) -> list[Figure]:
    blocks, events, calls = stage.size((3, 100, 50), (1, 25, 10))
    with opened_shop(stage, "latency") as shop:
        stage.say("latency: deliveries and shelves are made")
        scans = _scans(shop, blocks * events)
        direct = _direct(shop, blocks * calls)
        database = shop.floor
        admin = stage.odoo[1].database(database.database)
        target = OdooTarget(
            admin, admin.stock_key, RELAY_LOGIN, database.company, (database.warehouse,)
        )
        with Rig(stage.folder("latency"), target, DEVICES, relay_options=MUCH_ASKED) as rig:
            broker = rig.agent.broker
            made = [
                Scanner(name, broker.host, broker.port, password=broker.password(name))
                for name in DEVICES
            ]
            with made[0], made[1], made[2]:
                alone: list[float] = []
                for block in range(blocks):
                    stage.say(f"latency: block {block + 1} of {blocks}, {events} scans")
                    paced([partial(device.scan, next(scans)) for device in turns(made, events)])
                    _settled(rig, made)
                    stage.say(f"latency: block {block + 1} of {blocks}, {calls} direct calls")
                    alone += paced([next(direct) for _ in range(calls)])
                applied = [found for device in made for found in _applied(rig, device)]
                heard = [
                    (device.heard[identity] - at).total_seconds() * 1000
                    for device in made
                    for identity, at in device.scanned.items()
                ]
        admin.close()
    return [
        _figure("scan to Odoo's commit", 0.5, applied, alone),
        _figure("scan to Odoo's commit", 0.99, applied, alone),
        _figure("scan to feedback", 0.5, heard, alone),
        _figure("scan to feedback", 0.99, heard, alone),
    ]


def turns(devices: Sequence[Scanner], scans: int) -> Iterator[Scanner]:
    return islice(cycle(devices), scans)


def paced(acts: Sequence[Act]) -> list[float]:
    """Do one after the other, each at its time; milliseconds from that time to its end."""
    begin, taken = time.perf_counter(), []
    for number, act in enumerate(acts):
        due = begin + number / PACE
        time.sleep(max(0.0, due - time.perf_counter()))
        act()
        taken.append((time.perf_counter() - due) * 1000)
    return taken


def _scans(shop: Shop, count: int) -> Iterator[dict[str, Any]]:
    shelves, goods = shop.shelves(count // 5, 100), shop.goods(LINES)
    shop.stocked(goods, 10_000)
    deliveries = shop.transfers("outgoing", count // LINES + 1, goods, 2)
    lines = ((one.name, line) for one in deliveries for line in one.lines)
    return _as_events(iter(shelves), lines)


def _as_events(shelves: Iterator[Shelf], lines: Iterator[Any]) -> Iterator[dict[str, Any]]:
    while True:
        for _ in range(4):
            document, line = next(lines)
            data = {"document": document, "barcode": line.barcode, "quantity": "2"}
            yield {"kind": "transfer.line", "data": data}
        shelf = next(shelves)
        data = {"location": shelf.place, "barcode": shelf.barcode, "quantity": "98"}
        yield {"kind": "count.recorded", "data": data}


def _direct(shop: Shop, count: int) -> Iterator[Act]:
    shelves, goods = shop.shelves(count // 5, 100), shop.goods(LINES)
    shop.stocked(goods, 10_000)
    deliveries = shop.transfers("outgoing", count // LINES + 1, goods, 2)
    lines = (line for one in deliveries for line in one.lines)
    for shelf in shelves:
        for _ in range(4):
            yield partial(pick_directly, shop, next(lines).id, 2)
        yield partial(count_directly, shop, shelf, 98)


def _settled(rig: Rig, devices: Sequence[Scanner]) -> None:
    for device in devices:
        device.wait_confirmed(60)
    until(lambda: rig.agent.status()["outbox"]["unrelayed"] == 0, 60, "drained outbox")
    until(lambda: rig.relay.site(rig.site)["waiting"] == 0, 120, "drained relay")


def _applied(rig: Rig, device: Scanner) -> list[float]:
    """Milliseconds from each scan until the relay knew that Odoo had it."""
    found = []
    for identity, at in device.scanned.items():
        event = rig.relay.event(device.device, str(identity))
        if event is None or event["status"] != "applied":
            raise RuntimeError(f"a scan was to be applied: {event}")
        found.append((datetime.fromisoformat(event["applied"]) - at).total_seconds() * 1000)
    return found


def _figure(what: str, share: float, ours: Sequence[float], alone: Sequence[float]) -> Figure:
    value, other = percentile(ours, share), percentile(alone, share)
    name = f"{what}, p{share * 100:g} of {len(ours)} at {PACE:g}/s"
    return Figure(name, "ms", value, other, "a direct call to Odoo", value / other)
