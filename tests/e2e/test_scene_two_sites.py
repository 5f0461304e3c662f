"""Sites that share an Odoo: a handheld that roams between two of one company, and a neighbour in
another company that can touch neither."""

from __future__ import annotations

import gzip
import threading
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from types import TracebackType
from typing import Any
from uuid import UUID, uuid4

import httpx
import pytest

from edge_contract.batch import AGENT_HEADER, BATCH_MEDIA_TYPE, GENERATION_HEADER
from edge_contract.event import DeviceEvent, cloud_event
from edge_contract.scalars import instant_text
from edge_sandbox.odoo_floor import RELAY_LOGIN, Floor
from edge_sandbox.rig import Agent, OdooTarget, Relay, until
from tests.e2e.scene_stage import (
    LONG,
    STRICT,
    Shelf,
    alarms,
    claimed_once,
    claims,
    done,
    drained,
    handheld,
    settled,
    status,
    target_of,
)

#: So much of one site is a flood; the monitor that the tests ask with must not be one.
LIMITS = (
    "[limits]\nrequests_per_second = 500\nrequests_at_once = 500\n"
    "events_per_second = 20\nevents_at_once = 1000\n"
)


class SecondHouse(Floor):
    """The floor of another company in the same database."""

    def __init__(self, first: Floor) -> None:
        super().__init__(first.url, first.database, first.admin_key, first.stock_key)
        [company] = self.call("res.company", "create", vals_list=[{"name": "Second House"}])
        users = self.call("res.users", "search", domain=[["login", "in", ["admin", RELAY_LOGIN]]])
        self.call("res.users", "write", ids=users, vals={"company_ids": [[4, company]]})
        values = {"name": "Second", "code": "SEC", "company_id": company}
        [self.warehouse] = self.call("stock.warehouse", "create", vals_list=[values])
        self.company = company
        [row] = self.call("stock.warehouse", "read", ids=[self.warehouse], fields=["lot_stock_id"])
        self.stock_place, self.stock_name = row["lot_stock_id"]

    def place(self, name: str, parent: int | None = None, **values: Any) -> str:
        return super().place(name, parent, company_id=self.company, **values)


@dataclass(frozen=True, slots=True)
class Houses:
    """Hamburg and Bremen work for one company, Munich for another; one relay serves all."""

    relay: Relay
    hamburg: Agent
    bremen: Agent
    munich: Agent
    floor: Floor
    second: Floor


@pytest.fixture(scope="module")
def houses(odoo_db: Any, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Houses]:
    folder: Path = tmp_path_factory.mktemp("houses")
    first = Floor(odoo_db.url, odoo_db.name, odoo_db.key, odoo_db.stock_key)
    first.install()
    second = SecondHouse(first)
    targets: dict[str, OdooTarget] = {
        "north": target_of(odoo_db, first),
        "south": target_of(odoo_db, second),
    }
    sites = {"hamburg": "north", "bremen": "north", "munich": "south"}
    with ExitStack() as stack:
        stack.callback(first.close)
        stack.callback(second.close)
        relay = stack.enter_context(
            Relay(folder / "relay", targets, sites, options=LIMITS, target_options=STRICT)
        )
        hamburg, bremen, munich = (
            stack.enter_context(
                Agent(folder / site, relay, site, f"agent-{site}", ["roams", "h1", "m1"])
            )
            for site in sites
        )
        yield Houses(relay, hamburg, bremen, munich, first, second)


def full(events: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The events with all that a handheld adds, so that any agent is told the same."""
    now = instant_text(datetime.now(UTC))
    return [
        {"id": str(uuid4()), "seq": seq, "time": now, **event}
        for seq, event in enumerate(events, 1)
    ]


def scan_at(agent: Agent, device: str, events: list[dict[str, Any]]) -> list[UUID]:
    """Scan them there and stay until each is confirmed; the ids."""
    with handheld(agent.broker, device) as present:
        ids = [present.scan(event) for event in events]
        present.wait_confirmed(LONG)
        assert present.confirmed == ids
    return ids


def test_a_handheld_that_resends_at_two_agents_has_one_effect_a_scan(houses: Houses) -> None:
    shelf, relay = Shelf(houses.floor), houses.relay
    receipt = houses.floor.transfer("incoming", [(shelf.barcode, 10)])
    lines = [shelf.line(receipt, 2) for _ in range(5)]
    events = full([*(shelf.move() for _ in range(15)), *lines, done(receipt)])
    # Hamburg stores them and is cut off; the handheld did not hear it and walks over to Bremen.
    houses.hamburg.uplink.set("cut")
    scans = scan_at(houses.hamburg, "roams", events)
    assert scan_at(houses.bremen, "roams", events) == scans
    settled(relay, "roams", scans)
    houses.hamburg.uplink.set("pass")
    drained(houses.hamburg)

    assert shelf.moved == 15
    assert shelf.at(houses.floor.stock_name) == 10
    assert houses.floor.document(receipt)["state"] == "done"
    claimed_once(houses.floor, "roams", scans)
    assert relay.site("hamburg")["counters"]["duplicates"] >= len(scans)

    # Each agent learns what became of them, whoever brought them first.
    for agent in (houses.hamburg, houses.bremen):

        def applied(agent: Agent = agent) -> bool:
            rows = agent.command("outbox", "list", "--stage", "applied", "--limit", "1000")
            return {str(event) for event in scans} <= {row["event"]["id"] for row in rows}

        until(applied, LONG, f"outcomes at {agent.site}")


def test_a_handheld_that_makes_a_new_id_when_it_resends_is_counted_twice(houses: Houses) -> None:
    """What the scene above would show of a broken device, agent or relay."""
    shelf = Shelf(houses.floor)
    events = [shelf.move() for _ in range(2)]
    for agent in (houses.hamburg, houses.bremen):
        settled(houses.relay, "roams", scan_at(agent, "roams", full(events)))
    assert shelf.moved == 4


def test_a_site_cannot_touch_the_documents_and_places_of_another_company(houses: Houses) -> None:
    theirs, ours = Shelf(houses.floor, 50), Shelf(houses.second, 50)
    receipt = houses.floor.transfer("incoming", [(theirs.barcode, 5)])
    with handheld(houses.munich.broker, "m1") as device:
        line = device.scan(theirs.line(receipt, 5))
        taken = device.scan(theirs.move(10))
        given = device.scan(ours.move(10, to=theirs.b))
        fine = device.scan(ours.move(3))
        device.wait_confirmed(LONG)
        settled(houses.relay, "m1", [fine])
        settled(houses.relay, "m1", [line, taken, given], "held")

        def heard() -> dict[UUID | None, str]:
            said = {one.event: one.code for one in device.feedback if one.tone == "bad"}
            return said if {line, taken, given} <= said.keys() else {}

        said = until(heard, LONG, "bad tones")
    assert said[line] == "unknown_document"
    assert {said[taken], said[given]} <= {"unknown_location", "outside_binding"}
    assert houses.floor.document(receipt)["state"] == "assigned"
    assert (theirs.at(theirs.a), theirs.moved, ours.moved) == (50, 0, 3)
    assert claims(houses.floor, "m1", [line, taken, given]) == []
    held = houses.relay.command("held", "list", "--site", "munich")
    assert {row["event"] for row in held} == {str(line), str(taken), str(given)}
    assert houses.relay.command("held", "list", "--site", "hamburg") == []


class Thief:
    """Someone with the token of one site."""

    def __init__(self, relay: Relay, site: str) -> None:
        headers = {
            "Authorization": f"Bearer {relay.tokens[site]}",
            "Content-Type": BATCH_MEDIA_TYPE,
            "Content-Encoding": "gzip",
            AGENT_HEADER: "agent-stolen",
            GENERATION_HEADER: str(uuid4()),
        }
        self._client = httpx.Client(base_url=relay.url, headers=headers, timeout=30)
        self._position = 0

    def __enter__(self) -> Thief:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._client.close()

    def send(self, site: str, device: str, *events: dict[str, Any]) -> httpx.Response:
        now, texts = datetime.now(UTC), []
        for said in full(list(events)):
            self._position += 1
            event = DeviceEvent.model_validate(said)
            assert event.id is not None
            texts.append(
                cloud_event(
                    event,
                    event_id=event.id,
                    site=site,
                    device=device,
                    position=self._position,
                    recorded=now,
                ).model_dump_json(exclude_none=True, by_alias=True)
            )
        body = gzip.compress(f"[{','.join(texts)}]".encode())
        return self._client.post("/v1/batches", content=body)


def test_an_id_that_was_stolen_for_another_site_still_works_where_it_belongs(
    houses: Houses,
) -> None:
    shelf, relay = Shelf(houses.floor), houses.relay
    scan_at(houses.hamburg, "h1", full([shelf.move()]))  # from now on it is known at home
    (event,) = full([shelf.move(5)])
    stolen = scan_at(houses.munich, "h1", [event])

    def noticed() -> bool:
        return any(key.startswith("foreign_device:h1:munich") for key in alarms(relay))

    until(noticed, LONG, "alarm of a device in the wrong house")
    assert scan_at(houses.hamburg, "h1", [event]) == stolen
    settled(relay, "h1", stolen)
    assert shelf.moved == 6
    assert status(relay, "h1", stolen[0]) == "applied"
    codes = {row["code"] for row in relay.command("held", "list", "--site", "munich")}
    assert "foreign_device" in codes


def test_a_stolen_token_floods_and_forges_and_the_other_site_does_not_notice(
    houses: Houses,
) -> None:
    shelf, relay = Shelf(houses.floor), houses.relay
    noise = {"kind": "scan.read", "data": {"barcode": "flood"}}
    answers: list[httpx.Response] = []
    enough = threading.Event()
    with Thief(relay, "munich") as thief:
        # Under another site's name nothing is taken; under its own, not another site's device.
        forged = thief.send("hamburg", "h1", shelf.move(100))
        assert (forged.status_code, forged.json()["type"]) == (403, "/problems/forbidden")
        assert thief.send("munich", "h1", shelf.move(100)).status_code == 200

        def flood() -> None:
            while not enough.is_set():
                answers.append(thief.send("munich", "m1", *[noise] * 500))
                enough.wait(0.05)

        flooding = threading.Thread(target=flood)
        flooding.start()
        try:
            until(lambda: answers and answers[-1].status_code == 429, LONG, "refused flood")
            scans = scan_at(houses.hamburg, "h1", full([shelf.move() for _ in range(20)]))
            settled(relay, "h1", scans)
        finally:
            enough.set()
            flooding.join(60)
    assert {answer.status_code for answer in answers} == {200, 429}
    assert int(answers[-1].headers["Retry-After"]) > 0
    assert shelf.moved == 20
    claimed_once(houses.floor, "h1", scans)
    assert houses.hamburg.status()["uplink"]["trouble"] is None
    assert relay.site("munich")["waiting"] == 0
