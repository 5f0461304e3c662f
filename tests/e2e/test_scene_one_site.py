"""One site between its floor and a real Odoo: refusals, cuts, lost answers, thieves, wrong clocks.

Broker, agent, relay and Odoo are real processes; each scene has goods and documents of its own.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator
from contextlib import ExitStack
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

import pytest

from edge_agent.devices.simulate.handheld import Handheld
from edge_agent.status import ask
from edge_contract.event import MAX_EVENT_BYTES
from edge_contract.mqtt import Feedback
from edge_contract.scalars import instant_text
from edge_sandbox.odoo_floor import Floor
from edge_sandbox.rig import Rig, until
from tests.e2e.scene_stage import (
    LONG,
    MUCH_ASKED,
    STRICT,
    Shelf,
    Voice,
    at,
    claimed_once,
    claims,
    done,
    drained,
    handheld,
    settled,
    state_of,
    status,
    statuses,
    target_of,
)

DEVICES = ["h1", "h2", "h3", "h4", "early", "late", "mumbler", "thief"]


@pytest.fixture(scope="module")
def floor(odoo_db: Any) -> Iterator[Floor]:
    made = Floor(odoo_db.url, odoo_db.name, odoo_db.key, odoo_db.stock_key)
    made.install()
    yield made
    made.close()


@pytest.fixture(scope="module")
def rig(odoo_db: Any, floor: Floor, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Rig]:
    folder = tmp_path_factory.mktemp("site")
    target = target_of(odoo_db, floor)
    made = Rig(
        folder,
        target,
        DEVICES,
        uplink_options="batch_events = 50\n",  # so that a backlog of some hundred takes several
        relay_options=MUCH_ASKED,
        target_options=STRICT,
    )
    with made:
        yield made


def told(device: Handheld, event: UUID, stage: str) -> Feedback:
    """Wait until the device hears ``stage`` of the event; what it was told."""

    def heard() -> list[Feedback]:
        return [said for said in device.feedback if (said.event, said.stage) == (event, stage)]

    until(heard, LONG, f"{stage} at {device.device}")
    return heard()[-1]


def test_a_refused_event_holds_its_document_until_a_person_decides_and_nobody_elses(
    rig: Rig, floor: Floor
) -> None:
    shelf, elsewhere, relay = Shelf(floor, 0), Shelf(floor), rig.relay
    mine = floor.transfer("incoming", [(shelf.barcode, 5)])
    other = floor.transfer("incoming", [(shelf.barcode, 5)])
    with handheld(rig.agent.broker, "h1") as h1, handheld(rig.agent.broker, "h2") as h2:
        good, over = h1.scan(shelf.line(mine, 5)), h1.scan(shelf.line(mine, 1))
        closes = h1.scan(done(mine))
        apart = [h1.scan(elsewhere.move())]
        neighbours = [h2.scan(shelf.line(other, 5)), h2.scan(done(other))]
        h1.wait_confirmed(LONG)
        h2.wait_confirmed(LONG)

        # The floor hears it: a bad tone with a sentence, and only for the one at fault.
        said = told(h1, over, "held")
        assert (said.ok, said.tone, said.code) == (False, "bad", "over_quantity")
        assert said.message.endswith(".")
        settled(relay, "h2", neighbours)
        settled(relay, "h1", [good])
        assert status(relay, "h1", closes) == "waiting"
        assert (floor.document(mine)["state"], floor.document(other)["state"]) == (
            "assigned",
            "done",
        )
        settled(relay, "h1", apart)
        until(lambda: rig.agent.status()["outbox"]["held"] == 1, LONG, "held event in the status")

        # The operator sees it, decides nothing without a reason, mends it in Odoo and replays.
        (row,) = [r for r in relay.command("held", "list") if r["event"] == str(over)]
        assert (row["code"], row["behind"], row["lane"]) == ("over_quantity", 1, mine)
        assert row["remedy"]
        number = str(row["number"])
        shown = relay.command("held", "show", number)
        assert shown["data"]["document"] == mine
        assert shown["ladder"][-1]["stage"] == "held"
        with pytest.raises(RuntimeError, match="--reason"):
            relay.command("held", "discard", number)
        moves = floor.document(mine)["move_ids"]
        floor.call("stock.move", "write", ids=moves, vals={"product_uom_qty": 6})
        assert relay.command("held", "replay", number) == {"replayed": 1}
        settled(relay, "h1", [over, closes])
        assert floor.document(mine)["state"] == "done"
        applied = told(h1, over, "applied")
        assert (applied.ok, applied.tone) == (True, "good")
        until(lambda: rig.agent.status()["outbox"]["held"] == 0, LONG, "nothing held any more")
    assert (shelf.at(floor.stock_name), elsewhere.moved) == (5 + 6, 1)
    claimed_once(floor, "h1", [good, over, closes, *apart])
    assert any(
        did["action"] == "replay" and did["subject"] == f"number {number}"
        for did in relay.command("audit")
    )


def test_a_discarded_event_is_told_to_the_floor_and_leaves_no_trace_in_odoo(
    rig: Rig, floor: Floor
) -> None:
    shelf = Shelf(floor)
    with handheld(rig.agent.broker, "h1") as h1:
        wrong = h1.scan(shelf.move(1, to="NO-SUCH-PLACE"))
        assert told(h1, wrong, "held").code == "unknown_location"
        (row,) = [r for r in rig.relay.command("held", "list") if r["event"] == str(wrong)]
        number = str(row["number"])
        rig.relay.command("held", "discard", number, "--reason", "label of another house")
        said = told(h1, wrong, "discarded")
        assert (said.ok, said.tone) == (False, "none")
    assert status(rig.relay, "h1", wrong) == "discarded"
    assert claims(floor, "h1", [wrong]) == []
    assert (shelf.at(shelf.a), shelf.moved) == (500, 0)
    shown = rig.agent.command("outbox", "show", "h1", str(wrong))
    assert shown["stage"] == "discarded"


def test_a_backlog_of_a_cut_arrives_whole_and_in_order_and_a_live_scan_overtakes_it(
    rig: Rig, floor: Floor
) -> None:
    shelf, each = Shelf(floor, 1000), 80
    names = ["h1", "h2", "h3"]
    documents = {name: floor.transfer("incoming", [(shelf.barcode, each)]) for name in names}
    rig.agent.uplink.set("cut")
    with ExitStack() as stack:
        floorwork = {n: stack.enter_context(handheld(rig.agent.broker, n)) for n in names}
        scans = {
            name: [device.scan(shelf.line(documents[name])) for _ in range(each)]
            + [device.scan(done(documents[name]))]
            for name, device in floorwork.items()
        }
        for device in floorwork.values():
            device.wait_confirmed(LONG)
        shown = rig.agent.status()
        assert shown["uplink"]["link"] == "down"
        assert shown["uplink"]["trouble"]["message"]
        assert shown["outbox"]["unrelayed"] >= len(names) * (each + 1)
        heard = floorwork["h1"]
        until(lambda: heard.agent and heard.agent.uplink == "down", LONG, "word to the floor")
        live = stack.enter_context(handheld(rig.agent.broker, "h4"))
        now = live.scan(shelf.move(7))
        live.wait_confirmed(LONG)
        rig.agent.uplink.set("pass")
        drained(rig.agent)
        settled(rig.relay, "h4", [now])
        for name in names:
            settled(rig.relay, name, scans[name][-1:])
    numbers = {}
    for name in names:
        rows = [rig.relay.event(name, str(event)) for event in scans[name]]
        assert {row["status"] for row in rows if row} == {"applied"}
        numbers[name] = [row["number"] for row in rows if row]
        assert len(numbers[name]) == each + 1
        assert numbers[name] == sorted(numbers[name])
        assert floor.document(documents[name])["state"] == "done"
        claimed_once(floor, name, scans[name])
    overtaker = rig.relay.event("h4", str(now))
    assert overtaker is not None
    assert overtaker["number"] < min(row[-1] for row in numbers.values())
    assert (shelf.at(floor.stock_name), shelf.moved) == (len(names) * each, 7)
    assert rig.agent.status()["uplink"]["link"] == "up"


def test_an_answer_of_odoo_that_is_lost_after_the_commit_has_one_effect(
    rig: Rig, floor: Floor
) -> None:
    shelf = Shelf(floor)
    until(lambda: state_of(rig.relay)["state"] == "ok", LONG, "sign of life")
    before = state_of(rig.relay)["counters"].get("duplicate", 0)
    rig.relay.odoo_link.set("swallow_reply")
    with handheld(rig.agent.broker, "h1") as h1:
        scans = [h1.scan(shelf.move()) for _ in range(10)]
        h1.wait_confirmed(LONG)
        until(lambda: shelf.moved >= 1, LONG, "effect in Odoo")
        assert "applied" not in statuses(rig.relay, "h1", scans)
        rig.relay.odoo_link.set("cut")
        until(lambda: state_of(rig.relay)["failures"], LONG, "failure in the target's state")
        rig.relay.odoo_link.set("pass")
        settled(rig.relay, "h1", scans)
    assert shelf.moved == 10
    claimed_once(floor, "h1", scans)
    assert state_of(rig.relay)["counters"]["duplicate"] > before


def test_a_device_that_writes_on_anothers_topic_is_refused_by_the_broker(
    rig: Rig, floor: Floor
) -> None:
    shelf = Shelf(floor)
    with Voice(rig.agent.broker, "thief") as thief, handheld(rig.agent.broker, "h1") as h1:
        forged, event = uuid4(), shelf.move(100)
        payload = {"id": str(forged), "time": instant_text(datetime.now(UTC)), **event}
        stolen = [
            thief.publish(json.dumps(payload).encode(), "wh/v1/h1/event"),
            thief.publish(b'{"state": "offline"}', "wh/v1/h1/status"),
            thief.publish(b'{"state": "offline", "intake": "refused"}', "wh/v1/agent/status"),
        ]
        scan = h1.scan(shelf.move(2))
        h1.wait_confirmed(LONG)
        until(lambda: thief.reasons.keys() >= set(stolen), LONG, "answers of the broker")
        assert {thief.reasons[mid] for mid in stolen} == {"Not authorized"}
        settled(rig.relay, "h1", [scan])
        online = {row["name"]: row["online"] for row in rig.agent.status()["devices"]}
        assert online["h1"]
    assert status(rig.relay, "h1", forged) == status(rig.relay, "thief", forged) == "unknown"
    assert shelf.moved == 2


@pytest.mark.parametrize(("device", "hours"), [("early", -2), ("late", 2)])
def test_a_count_of_a_clock_two_hours_wrong_counts_as_of_the_true_time(
    rig: Rig, floor: Floor, device: str, hours: int
) -> None:
    shelf, wrong = Shelf(floor, 0), timedelta(hours=hours)
    began = datetime.now(UTC) - timedelta(minutes=10)

    def minute(number: int) -> datetime:
        return began + timedelta(minutes=number)

    with handheld(rig.agent.broker, "h1") as right:
        # Ten were there; three left at minute 4, which Odoo knows before it hears of the count.
        known = [
            right.scan(at(minute(0), shelf.count(10))),
            right.scan(at(minute(4), shelf.move(3))),
        ]
        right.wait_confirmed(LONG)
        settled(rig.relay, "h1", known)
        assert shelf.at(shelf.a) == 7
    with handheld(rig.agent.broker, device, clock=lambda: datetime.now(UTC) + wrong) as handheld_:

        def measured() -> bool:
            rows = {row["name"]: row for row in rig.agent.status()["devices"]}
            offset = rows.get(device, {}).get("clock_offset_ms")
            return offset is not None and abs(offset - wrong.total_seconds() * 1000) < 60_000

        until(measured, LONG, "measured clock")
        count = handheld_.scan(at(minute(2) + wrong, shelf.count(12)))
        handheld_.wait_confirmed(LONG)
        settled(rig.relay, device, [count])
    # Twelve at minute 2, less the three of minute 4. As of the device's own time it were 7 or 12.
    assert shelf.at(shelf.a) == 9
    found = rig.relay.event(device, str(count))
    assert found is not None
    off = datetime.fromisoformat(found["occurred"]) - minute(2)
    assert abs(off) < timedelta(seconds=30)


def wire(event: dict[str, Any]) -> bytes:
    said = {"id": str(uuid4()), "time": instant_text(datetime.now(UTC)), **event}
    return json.dumps({name: value for name, value in said.items() if value is not None}).encode()


#: What is wrong, the whole payload or what replaces parts of a good scan, the code, and a word of
#: the sentence that the device hears.
BAD_INPUTS: list[tuple[str, bytes | dict[str, Any], str, str]] = [
    ("half a JSON", b'{"id": "', "malformed_json", "JSON"),
    ("not UTF-8", b'{"id": "\xff\xfe"}', "not_utf8", "UTF-8"),
    ("nested deeply", b'{"data":' * 5000, "too_deep", "deep"),
    ("10 MiB", b'{"id": "' + b"x" * (10 * 1024 * 1024), "too_large", "bytes"),
    ("an unknown kind", {"kind": "stock.lost"}, "unknown_kind", "stock.lost"),
    ("a list for a barcode", {"data": {"barcode": ["1"]}}, "bad_value", "barcode"),
    ("a number for a quantity", {"data": {"quantity": 3}}, "bad_quantity", "quantity"),
    ("a negative quantity", {"data": {"quantity": "-3"}}, "bad_quantity", "greater than zero"),
    ("a huge quantity", {"data": {"quantity": "4006381333931"}}, "bad_quantity", "quantity"),
    ("the year 1970", {"time": "1970-01-01T00:00:09Z"}, "implausible_time", "1970"),
    ("the year 2100", {"time": "2100-01-01T00:00:00Z"}, "implausible_time", "2100"),
]


def test_bad_input_is_kept_with_its_bytes_and_explained_and_its_neighbours_are_applied(
    rig: Rig, floor: Floor
) -> None:
    shelf = Shelf(floor)
    before = rig.agent.command("quarantine", "list", "--limit", "1000")
    sent, good = [], []
    with Voice(rig.agent.broker, "mumbler") as device:
        for _, bad, _, _ in BAD_INPUTS:
            base = shelf.move()
            if isinstance(bad, dict):
                data = base["data"] | bad.get("data", {})
                sent.append(wire({**base, **bad, "data": data}))
            else:
                sent.append(bad)
            device.publish(sent[-1])
            neighbour = wire(shelf.move())
            good.append(UUID(json.loads(neighbour)["id"]))
            device.publish(neighbour)
        wanted = 2 * len(BAD_INPUTS)
        until(lambda: len(device.feedback) >= wanted, LONG, "answer to each")
        said = [one for one in device.feedback if one.stage == "quarantined"]
        stored = [one.event for one in device.feedback if one.stage == "stored"]
    assert stored == good
    for (name, _, code, word), one in zip(BAD_INPUTS, said, strict=True):
        assert (name, one.ok, one.tone, one.code) == (name, False, "bad", code)
        assert word in one.message, (name, one.message)
    rows = rig.agent.command("quarantine", "list", "--limit", "1000")[len(before) :]
    assert [(row["code"], row["size"]) for row in rows] == [
        (code, len(payload)) for (_, _, code, _), payload in zip(BAD_INPUTS, sent, strict=True)
    ]
    for row, payload in zip(rows, sent, strict=True):
        (shown,) = ask(rig.agent.socket, "quarantine.show", number=row["number"])
        assert base64.b64decode(shown["payload_base64"]) == payload[:MAX_EVENT_BYTES]
        assert shown["device"] == "mumbler"
    assert (
        rig.agent.command("quarantine", "show", str(rows[0]["number"]))["code"] == rows[0]["code"]
    )
    settled(rig.relay, "mumbler", good)
    assert shelf.moved == len(good)
    claimed_once(floor, "mumbler", good)
    quarantined = len(before) + len(rows)
    until(
        lambda: rig.relay.site(rig.site)["agents"][0]["quarantined"] == quarantined,
        LONG,
        "word of it at the central team",
    )
