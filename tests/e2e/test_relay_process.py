"""The real relay process between an agent's requests and a real Odoo, with its faults."""

from __future__ import annotations

import gzip
import signal
import threading
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import httpx
import pytest

from edge_contract.batch import AGENT_HEADER, BATCH_MEDIA_TYPE, GENERATION_HEADER
from edge_contract.event import CloudEvent, DeviceEvent, cloud_event
from edge_contract.killpoint import VARIABLE
from edge_sandbox.odoo_floor import RELAY_LOGIN, Floor
from edge_sandbox.process import Part
from edge_sandbox.rig import OdooTarget, Relay, until

SITE = "hamburg"
QUICK = "timeout_s = 4\nstraggler_grace_s = 0\nstraggler_limit_s = 0\n"


@pytest.fixture(scope="module")
def floor(odoo_db: Any) -> Iterator[Floor]:
    made = Floor(odoo_db.url, odoo_db.name, odoo_db.key, odoo_db.stock_key)
    made.install()
    yield made
    made.close()


@pytest.fixture
def target(odoo_db: Any, floor: Floor) -> OdooTarget:
    return OdooTarget(odoo_db, odoo_db.stock_key, RELAY_LOGIN, floor.company, (floor.warehouse,))


class Site:
    """What an agent does over HTTP, by hand."""

    def __init__(self, relay: Relay) -> None:
        self.relay = relay
        self.generation = uuid4()
        self.position = 0
        self.cursor = 0
        self._headers = {"Authorization": f"Bearer {relay.tokens[SITE]}"}

    def event(self, kind: str, at: datetime | None = None, **data: Any) -> CloudEvent:
        self.position += 1
        event_id, now = uuid4(), datetime.now(UTC)
        given = {name.removesuffix("_"): value for name, value in data.items()}
        said = {"id": event_id, "kind": kind, "time": at or now, "data": given}
        return cloud_event(
            DeviceEvent.model_validate(said),
            event_id=event_id,
            site=SITE,
            device="scanner-1",
            position=self.position,
            recorded=now,
        )

    def moved(self, barcode: str, source: str, to: str, quantity: int = 1) -> CloudEvent:
        return self.event(
            "stock.moved", barcode=barcode, quantity=str(quantity), from_=source, to=to
        )

    def send(self, *events: CloudEvent) -> httpx.Response:
        body = "[" + ",".join(e.model_dump_json(exclude_none=True) for e in events) + "]"
        headers = {
            **self._headers,
            "Content-Type": BATCH_MEDIA_TYPE,
            "Content-Encoding": "gzip",
            AGENT_HEADER: "agent-1",
            GENERATION_HEADER: str(self.generation),
        }
        return httpx.post(
            f"{self.relay.url}/v1/batches",
            content=gzip.compress(body.encode()),
            headers=headers,
            timeout=20,
        )

    def deliver(self, *events: CloudEvent) -> None:
        """Send until it is confirmed, as an agent does."""

        def confirmed() -> bool:
            try:
                return self.send(*events).status_code == 200
            except httpx.TransportError:
                return False

        until(confirmed, 20, "confirmation")

    def outcomes(self, wait: int = 0) -> dict[UUID, str]:
        reply = httpx.get(
            f"{self.relay.url}/v1/downlink?after={self.cursor}&wait={wait}",
            headers=self._headers,
            timeout=40,
        ).json()
        self.cursor = reply["cursor"]
        return {UUID(i["outcome"]["event"]): i["outcome"]["stage"] for i in reply["items"]}

    def status(self, event: CloudEvent) -> str:
        found = self.relay.event("scanner-1", str(event.id))
        return "unknown" if found is None else str(found["status"])

    def settled(self, *events: CloudEvent, status: str = "applied") -> None:
        until(lambda: {self.status(e) for e in events} == {status}, 60, status)

    def state(self) -> dict[str, Any]:
        (found,) = self.relay.get("/v1/sites")["targets"]
        return dict(found)


@pytest.fixture
def relay(tmp_path: Path, target: OdooTarget) -> Iterator[Relay]:
    with Relay(tmp_path, {"main": target}, {SITE: "main"}, target_options=QUICK) as made:
        yield made


@pytest.fixture
def site(relay: Relay) -> Site:
    return Site(relay)


class Shelf:
    """A product with two places of its own."""

    def __init__(self, floor: Floor, quantity: int = 100) -> None:
        self.floor = floor
        self.barcode = floor.product()
        self.a, self.b = floor.place("A"), floor.place("B")
        floor.stock(self.barcode, quantity, self.a)
        floor.date_back(self.barcode)

    def at(self, place: str) -> float:
        found = self.floor.on_hand(self.barcode)
        return sum(quantity for name, quantity in found.items() if name.endswith(place))


@pytest.fixture
def shelf(floor: Floor) -> Shelf:
    return Shelf(floor)


def test_an_event_climbs_the_ladder_and_its_outcome_comes_down(site: Site, shelf: Shelf) -> None:
    event = site.moved(shelf.barcode, shelf.a, shelf.b, 3)
    assert site.send(event).json()["new"] == 1
    assert site.outcomes(wait=20) == {event.id: "applied"}
    ladder = site.relay.event("scanner-1", str(event.id))
    assert ladder is not None
    assert [step["stage"] for step in ladder["ladder"]][-1] == "applied"
    assert ladder["record"]["model"] == "stock.picking"
    assert (shelf.at(shelf.a), shelf.at(shelf.b)) == (97, 3)


def test_a_repeated_batch_has_one_effect(site: Site, shelf: Shelf) -> None:
    event = site.moved(shelf.barcode, shelf.a, shelf.b)
    for _ in range(3):
        site.deliver(event)
    site.settled(event)
    site.deliver(event)
    assert shelf.at(shelf.b) == 1


def answers(relay: Relay) -> bool:
    try:
        return httpx.get(f"{relay.url}/v1/health").is_success
    except httpx.TransportError:
        return False


KILL_POINTS = [
    "intake.before_store",
    "inbox.before_commit",
    "inbox.after_commit",
    "intake.after_store",
    "applier.before_apply",
    "relay.odoo_answered:2",  # the first answer is that to the first sign of life
    "applier.after_apply",
    "inbox.settle_before_commit:2",
    "inbox.settle_after_commit:2",
    "applier.after_settle",
]


@pytest.mark.parametrize("place", KILL_POINTS)
def test_killed_anywhere_on_the_way_an_event_has_one_effect(
    place: str, tmp_path: Path, target: OdooTarget, shelf: Shelf
) -> None:
    relay = Relay(
        tmp_path,
        {"main": target},
        {SITE: "main"},
        target_options=QUICK,
        environment={VARIABLE: place},
    )
    with relay:
        site = Site(relay)
        events = [site.moved(shelf.barcode, shelf.a, shelf.b) for _ in range(5)]
        sender = threading.Thread(target=site.deliver, args=events)
        sender.start()
        assert relay.part.wait_exit(30) == -signal.SIGKILL
        again = Part(
            "relay again",
            relay.part.command,
            relay.part.log,
            ready=lambda: answers(relay),
        )
        with again:
            sender.join(30)
            site.settled(*events)
            assert shelf.at(shelf.b) == 5


def test_an_answer_that_is_lost_after_the_commit_has_one_effect(site: Site, shelf: Shelf) -> None:
    until(lambda: site.state()["state"] == "ok", 20, "sign of life")
    site.relay.odoo_link.set("swallow_reply")
    events = [site.moved(shelf.barcode, shelf.a, shelf.b) for _ in range(5)]
    site.deliver(*events)
    until(lambda: shelf.at(shelf.b) == 5, 20, "effect in Odoo")
    until(lambda: site.state()["unsure"] == 5, 20, "unknown outcome")
    site.relay.odoo_link.set("pass")
    site.settled(*events)
    assert shelf.at(shelf.b) == 5
    assert site.state()["counters"]["duplicate"] == 5


@pytest.mark.parametrize("fault", ["cut", "silent"])
def test_an_odoo_out_of_reach_is_shown_and_found_again(
    fault: Any, site: Site, shelf: Shelf
) -> None:
    until(lambda: site.state()["state"] == "ok", 20, "sign of life")
    site.relay.odoo_link.set(fault)
    event = site.moved(shelf.barcode, shelf.a, shelf.b)
    site.deliver(event)
    until(lambda: site.state()["state"] == "unreachable", 40, "open circuit")
    assert site.status(event) == "waiting"
    site.relay.odoo_link.set("pass")
    site.settled(event)
    assert site.state()["state"] == "ok"


def test_a_relay_starts_while_odoo_is_down(
    tmp_path: Path, target: OdooTarget, shelf: Shelf
) -> None:
    relay = Relay(tmp_path, {"main": target}, {SITE: "main"}, target_options=QUICK)
    with relay:
        relay.part.stop()
        relay.odoo_link.set("cut")
        relay.part.start()
        site = Site(relay)
        event = site.moved(shelf.barcode, shelf.a, shelf.b)
        site.deliver(event)
        until(lambda: site.state()["failures"] >= 3, 20, "failures")
        relay.odoo_link.set("pass")
        site.settled(event)


def test_a_refusal_is_held_replayed_and_discarded_by_command(
    site: Site, floor: Floor, shelf: Shelf
) -> None:
    nowhere = f"NEW-{shelf.a}"
    event = site.moved(shelf.barcode, shelf.a, nowhere)
    wrong = site.moved("0000000000000", shelf.a, shelf.b)
    site.deliver(event, wrong)
    site.settled(event, wrong, status="held")
    held = {row["event"]: row for row in site.relay.command("held", "list")}
    assert held[str(event.id)]["code"] == "unknown_location"
    assert held[str(wrong.id)]["code"] == "unknown_barcode"
    values = {"name": nowhere, "barcode": nowhere, "location_id": floor.stock_place}
    floor.call("stock.location", "create", vals_list=[values])
    site.relay.command("held", "replay", str(held[str(event.id)]["number"]))
    site.settled(event)
    assert shelf.at(nowhere) == 1
    number = str(held[str(wrong.id)]["number"])
    site.relay.command("held", "discard", number, "--reason", "no such thing")
    assert site.status(wrong) == "discarded"
    assert site.outcomes()[wrong.id] == "discarded"


def test_a_refused_line_holds_its_document_and_nobody_elses(
    site: Site, floor: Floor, shelf: Shelf
) -> None:
    first = floor.transfer("incoming", [(shelf.barcode, 5)])
    second = floor.transfer("incoming", [(shelf.barcode, 5)])

    def line(document: str, quantity: int) -> CloudEvent:
        return site.event(
            "transfer.line", document=document, barcode=shelf.barcode, quantity=str(quantity)
        )

    good, over = line(first, 5), line(first, 1)
    closes = site.event("transfer.done", document=first, backorder="create")
    others = [line(second, 5), site.event("transfer.done", document=second, backorder="create")]
    site.deliver(good, over, closes, *others)
    site.settled(good, *others)
    site.settled(over, status="held")
    assert site.status(closes) == "waiting"
    assert floor.document(second)["state"] == "done"
    assert floor.document(first)["state"] != "done"
    (row,) = [r for r in site.relay.command("held", "list") if r["event"] == str(over.id)]
    assert (row["code"], row["behind"]) == ("over_quantity", 1)
    site.relay.command("held", "discard", str(row["number"]), "--reason", "scanned twice")
    site.settled(closes)
    assert floor.document(first)["state"] == "done"


def test_want_of_stock_waits_for_what_supplies_it(
    tmp_path: Path, target: OdooTarget, shelf: Shelf
) -> None:
    options = "straggler_grace_s = 60\n"
    with Relay(tmp_path, {"main": target}, {SITE: "main"}, target_options=options) as relay:
        site = Site(relay)
        at = datetime.now(UTC) - timedelta(seconds=2)
        supply = site.moved(shelf.barcode, shelf.a, shelf.b, 4)
        supply = supply.model_copy(update={"time": at})
        takes = site.moved(shelf.barcode, shelf.b, shelf.a, 4)
        site.deliver(takes)
        site.settled(takes, status="short")
        assert site.outcomes() == {}
        site.deliver(supply)
        site.settled(takes, supply)
        assert shelf.at(shelf.b) == 0


def test_sigterm_ends_the_relay_in_order(site: Site, shelf: Shelf) -> None:
    events = [site.moved(shelf.barcode, shelf.a, shelf.b) for _ in range(10)]
    site.deliver(*events)
    site.relay.part.signal(signal.SIGTERM)
    assert site.relay.part.wait_exit(30) == 0
    site.relay.part.start()
    site.settled(*events)
    assert shelf.at(shelf.b) == 10


def test_a_second_relay_on_the_same_files_does_not_start(relay: Relay) -> None:
    second = Part(
        "second relay", relay.part.command, relay.folder / "second.log", ready=lambda: False
    )
    second.launch()
    assert second.wait_exit(20) == 1
    assert "cannot listen" in second.last_words()


def wait_stopped(site: Site, code: str) -> None:
    until(lambda: site.state()["code"] == code, 60, f"stop for {code}")
    assert any(code in alarm["key"] for alarm in site.relay.command("alarms", "list"))


def test_an_odoo_restored_from_a_backup_stops_the_target_and_is_filled_up_again(
    site: Site, shelf: Shelf, odoo_sandbox: Any, odoo_db: Any
) -> None:
    began = datetime.now(UTC)
    kept = site.moved(shelf.barcode, shelf.a, shelf.b, 1)
    site.deliver(kept)
    site.settled(kept)
    backup = odoo_sandbox.backup(odoo_db.name)
    lost = [site.moved(shelf.barcode, shelf.a, shelf.b, 2) for _ in range(3)]
    site.deliver(*lost)
    site.settled(*lost)
    odoo_sandbox.restore(odoo_db.name, backup)
    odoo_sandbox.drop(backup)
    newer = site.moved(shelf.barcode, shelf.a, shelf.b, 4)
    site.deliver(newer)
    wait_stopped(site, "went_back")
    assert shelf.at(shelf.b) == 1
    with pytest.raises(RuntimeError, match="replay-since"):
        site.relay.command("targets", "resume", "main")
    site.relay.command("targets", "resume", "main", "--replay-since", began.isoformat())
    site.settled(kept, newer, *lost)
    assert shelf.at(shelf.b) == 11


def test_a_staging_copy_in_place_of_odoo_gets_nothing(
    site: Site, shelf: Shelf, odoo_sandbox: Any, odoo_db: Any
) -> None:
    first = site.moved(shelf.barcode, shelf.a, shelf.b, 1)
    site.deliver(first)
    site.settled(first)
    odoo_sandbox.replace(odoo_db.name, odoo_db.name)
    second = site.moved(shelf.barcode, shelf.a, shelf.b, 2)
    site.deliver(second)
    wait_stopped(site, "uuid_changed")
    assert (site.status(second), shelf.at(shelf.b)) == ("waiting", 1)
    site.relay.command("targets", "resume", "main", "--new-database")
    site.settled(second)
    assert shelf.at(shelf.b) == 3
