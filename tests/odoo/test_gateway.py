"""Exactly once through the gateway, against a real Odoo; and that broken actions are found out."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest

from cloud_relay.odoo.gateway import Json2Gateway
from cloud_relay.odoo.port import OdooEvent, OdooReply
from cloud_relay.odoo.source import action_source
from edge_contract.errors import EdgeError, NeedsOperator, Retryable
from edge_sandbox.odoo_floor import Floor, done, line

if TYPE_CHECKING:
    from edge_sandbox.odoo import OdooDatabase


@pytest.fixture(scope="module")
def floor(odoo_db: OdooDatabase) -> Iterator[Floor]:
    floor = Floor(odoo_db.url, odoo_db.name, odoo_db.key, odoo_db.stock_key)
    floor.install()
    yield floor
    floor.close()


def gateway_of(floor: Floor, source: str | None = None, timeout: float = 60.0) -> Json2Gateway:
    return Json2Gateway(
        floor.url, floor.database, floor.stock_key, source=source or floor.source, timeout=timeout
    )


def at_once(
    floor: Floor, batches: list[list[OdooEvent]], source: str | None = None
) -> list[OdooReply | BaseException]:
    """Several relays send at the same time."""

    async def work() -> list[OdooReply | BaseException]:
        gateways = [gateway_of(floor, source) for _ in batches]
        try:
            return await asyncio.gather(
                *(g.apply(floor.batch(b)) for g, b in zip(gateways, batches, strict=True)),
                return_exceptions=True,
            )
        finally:
            for gateway in gateways:
                await gateway.aclose()

    return list(asyncio.run(work()))


def scanned(floor: Floor, document: str) -> float:
    return sum(row[1] for row in floor.lines(document) if row[2])


def test_the_same_batch_again_has_no_second_effect(floor: Floor) -> None:
    screw = floor.product()
    receipt = floor.transfer("incoming", [(screw, 10)])
    events = [line(receipt, screw, 2), line(receipt, screw, 1), done(receipt)]

    first, second = floor.apply(*events), floor.apply(*events)

    assert [r.status for r in first] == ["applied"] * 3
    assert [r.status for r in second] == ["duplicate"] * 3
    assert [(r.record, r.notes) for r in first] == [(r.record, r.notes) for r in second]
    assert floor.on_hand(screw) == {floor.stock_name: 3}
    assert len(floor.document(receipt)["backorder_ids"]) == 1


def test_one_event_sent_by_five_relays_at_once_has_one_effect(floor: Floor) -> None:
    screw = floor.product()
    receipt = floor.transfer("incoming", [(screw, 100)])
    events = [line(receipt, screw, 1) for _ in range(5)]

    replies = at_once(floor, [events] * 5)

    answered = [reply for reply in replies if isinstance(reply, OdooReply)]
    assert len(answered) + sum(isinstance(r, Retryable) for r in replies) == 5
    statuses = [tuple(r.status for r in reply.results) for reply in answered]
    assert statuses.count(("applied",) * 5) <= 1
    again = floor.apply(*events)
    assert {r.status for r in again} == {"duplicate"}
    assert scanned(floor, receipt) == 5


def test_a_lot_made_by_two_relays_at_once_is_one_lot(floor: Floor) -> None:
    paint = floor.product("Paint", tracking="lot")
    receipts = [floor.transfer("incoming", [(paint, 5)]) for _ in range(3)]
    batches = [[line(receipt, paint, 1, lot="TWIN")] for receipt in receipts]

    replies = at_once(floor, batches)

    for batch, reply in zip(batches, replies, strict=True):
        if isinstance(reply, BaseException):
            assert isinstance(reply, Retryable)
            assert floor.apply(*batch)[0].status in ("applied", "duplicate")
        else:
            assert reply.results[0].status == "applied", reply
    assert len(floor.call("stock.lot", "search", domain=[["name", "=", "TWIN"]])) == 1


def test_an_answer_that_came_too_late_is_no_second_effect(floor: Floor) -> None:
    screw = floor.product()
    receipt = floor.transfer("incoming", [(screw, 100)])
    events = [line(receipt, screw, 1) for _ in range(20)]
    floor.apply()

    async def impatient() -> None:
        gateway = gateway_of(floor, timeout=60.0)
        await gateway.call("res.users", "context_get")
        await gateway.aclose()
        hasty = gateway_of(floor, timeout=0.05)
        hasty._action = floor.gateway._action
        try:
            await hasty.apply(floor.batch(events))
        finally:
            await hasty.aclose()

    with pytest.raises(Retryable, match="outcome is unknown"):
        asyncio.run(impatient())
    results = floor.apply(*events)

    assert {r.status for r in results} <= {"applied", "duplicate"}
    assert scanned(floor, receipt) == 20


def test_a_copy_within_one_batch_is_answered_as_the_first(floor: Floor) -> None:
    screw = floor.product()
    receipt = floor.transfer("incoming", [(screw, 10)])
    good, bad = line(receipt, screw, 2), line(receipt, "7777", 1)

    results = floor.apply(good, good, bad, bad)

    assert [r.code or r.status for r in results] == ["applied"] * 2 + ["unknown_barcode"] * 2
    assert scanned(floor, receipt) == 2
    assert [r.code or r.status for r in floor.apply(good, bad)] == ["duplicate", "unknown_barcode"]


def test_the_same_id_with_other_content_is_refused(floor: Floor) -> None:
    screw = floor.product()
    receipt = floor.transfer("incoming", [(screw, 10)])
    first = line(receipt, screw, 2)
    other = line(receipt, screw, 3, uid=first.key.partition("|")[2])
    floor.apply(first)

    [result] = floor.apply(other)
    together = floor.apply(*[line(receipt, screw, n, uid="twice") for n in (1, 2)])

    assert result.code == "content_conflict"
    assert [r.code or r.status for r in together] == ["applied", "content_conflict"]
    assert scanned(floor, receipt) == 3


def test_what_was_refused_can_be_sent_again_when_it_is_put_right(floor: Floor) -> None:
    barcode = floor.number()
    screw = floor.product()
    receipt = floor.transfer("incoming", [(screw, 10)])
    scan = line(receipt, barcode, 2)
    assert floor.apply(scan)[0].code == "unknown_barcode"

    floor.call("product.product", "write", ids=[floor.product_id(screw)], vals={"barcode": barcode})

    assert floor.apply(scan)[0].status == "applied"


def test_a_staging_copy_is_refused(floor: Floor, odoo_db: OdooDatabase) -> None:
    screw = floor.product()
    receipt = floor.transfer("incoming", [(screw, 10)])
    scan = line(receipt, screw, 1)

    with pytest.raises(NeedsOperator) as stopped:
        floor.apply(scan, database_uuid="the-production-database")

    assert stopped.value.code == "uuid_changed"
    assert scanned(floor, receipt) == 0
    assert floor.apply(scan, database_uuid=odoo_db.uuid)[0].status == "applied"


def test_a_database_that_went_back_is_noticed(floor: Floor) -> None:
    screw = floor.product()
    receipt = floor.transfer("incoming", [(screw, 10)])
    reply = floor.wait(floor.gateway.apply(floor.batch([line(receipt, screw, 1)])))
    mark = reply.watermark
    assert mark.keys() == {"uuid", "claim", "key"}
    assert floor.apply(line(receipt, screw, 1), watermark=mark)[0].status == "applied"

    ahead = mark | {"claim": str(int(mark["claim"]) + 1000)}
    other = mark | {"key": "handheld-1|of-another-time"}
    for gone in (ahead, other):
        with pytest.raises(NeedsOperator) as stopped:
            floor.apply(line(receipt, screw, 1), watermark=gone)
        assert stopped.value.code == "went_back"
    assert scanned(floor, receipt) == 2


def test_an_action_that_was_edited_is_not_run(floor: Floor) -> None:
    screw = floor.product()
    receipt = floor.transfer("incoming", [(screw, 10)])

    async def old_relay() -> None:
        async with gateway_of(floor, source=action_source() + "# of another version") as gateway:
            await gateway.apply(floor.batch([line(receipt, screw, 1)]))

    with pytest.raises(NeedsOperator) as stopped:
        asyncio.run(old_relay())

    assert stopped.value.code == "action_changed"
    assert scanned(floor, receipt) == 0


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"key": "0" * 40}, "bad_key"),
        ({"database": "no-such-database"}, "not_odoo"),
    ],
)
def test_what_is_wrong_with_the_way_in(floor: Floor, change: dict[str, str], code: str) -> None:
    given = {
        "url": floor.url,
        "database": change.get("database", floor.database),
        "key": change.get("key", floor.stock_key),
    }

    async def work() -> None:
        async with Json2Gateway(**given) as gateway:
            await gateway.apply(floor.batch([]))

    with pytest.raises(EdgeError) as stopped:
        asyncio.run(work())
    assert isinstance(stopped.value, NeedsOperator), stopped.value
    assert stopped.value.code == code


# -- broken actions, each caught -------------------------------------------------------------------

BROKEN = {
    "every event counts as new": (
        'return set([row["x_key"] for row in env.cr.dictfetchall()])',
        'return set([e["key"] for e in events])',
    ),
    "what is refused keeps its claim": ("    release(released)\n", ""),
    "a refused event does not hold its document": (
        '        state["blocked"].add(lane_of(event))',
        "        pass",
    ),
    "a failed group is not rolled back": (
        "        point.close(rollback=True)",
        "        point.close(rollback=False)",
    ),
    "scans do not add up": ('target["quantity"] += quantity', 'target["quantity"] = quantity'),
    "documents of every warehouse are found": (
        'return picking.picking_type_id.warehouse_id in state["warehouses"]',
        "return True",
    ),
}


def story(floor: Floor) -> list[str]:
    """What a sound action makes of duplicates, bad scans and foreign warehouses; in words."""
    said = []
    screw, paint = floor.product("Screw"), floor.product("Paint", tracking="lot")
    receipt = floor.transfer("incoming", [(screw, 10), (paint, 10)])
    events = [line(receipt, screw, 2), line(receipt, screw, 3)]
    floor.apply(*events)
    floor.apply(*events)
    said.append(f"scanned {scanned(floor, receipt):g}")
    bad = line(receipt, paint, 99, lot="NEW-" + screw)
    results = floor.apply(bad, line(receipt, screw, 1))
    said += [result.code or result.status for result in results]
    said.append(floor.apply(bad)[0].code)
    lots = floor.call("stock.lot", "search", domain=[["name", "=", "NEW-" + screw]])
    said.append(f"lots {len(lots)}")
    foreign = floor.binding.model_copy(update={"warehouses": (999,)})
    said.append(floor.apply(line(receipt, screw, 1), binding=foreign)[0].code)
    return said


SOUND = [
    "scanned 5",
    "over_quantity",
    "skipped",
    "over_quantity",
    "lots 0",
    "outside_binding",
]


def test_the_story_with_a_sound_action(floor: Floor) -> None:
    assert story(floor) == SOUND


@pytest.mark.parametrize("name", BROKEN)
def test_a_broken_action_is_found_out(floor: Floor, name: str) -> None:
    sound, broken = BROKEN[name]
    source = action_source()
    assert source.count(sound) == 1
    floor.replace_action(source.replace(sound, broken))
    try:
        found = story(floor)
    except EdgeError as error:
        found = [str(error)]
    assert found != SOUND
