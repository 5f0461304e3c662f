"""What is refused on a real Odoo, with its sentence, and that nothing of it is half applied."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any
from uuid import uuid4

import pytest

from cloud_relay.odoo.port import OdooEvent, OdooResult
from edge_contract.outcome import REFUSALS
from edge_sandbox.odoo_floor import Floor, done, event, line

if TYPE_CHECKING:
    from edge_sandbox.odoo import OdooDatabase


@pytest.fixture(scope="module")
def floor(odoo_db: OdooDatabase) -> Iterator[Floor]:
    floor = Floor(odoo_db.url, odoo_db.name, odoo_db.key, odoo_db.stock_key)
    floor.install()
    yield floor
    floor.close()


def traces(floor: Floor) -> dict[str, Any]:
    """Everything an event could have left behind."""
    models = ["stock.move.line", "stock.lot", "stock.package", "stock.quant", "x_edge_event"]
    found: dict[str, Any] = {m: floor.call(m, "search_count", domain=[]) for m in models}
    found["effects"] = floor.call("x_edge_effect", "search_count", domain=[])
    return found


def refusal(floor: Floor, *events: OdooEvent, **values: Any) -> OdooResult:
    """Apply; the last event must be refused and leave nothing, the others be applied."""
    [*before, last] = events
    assert [result.status for result in floor.apply(*before)] == ["applied"] * len(before)
    was = traces(floor)
    [result] = floor.apply(last, **values)
    assert result.status == "refused", result
    assert result.code in REFUSALS
    assert traces(floor) == was
    return result


def test_a_barcode_nobody_knows(floor: Floor) -> None:
    receipt = floor.transfer("incoming", [(floor.product(), 5)])

    result = refusal(floor, line(receipt, "9999", 1))

    assert result.code == "unknown_barcode"
    assert result.message == "No product or packaging in Odoo has the barcode 9999."


def test_a_barcode_on_two_products(floor: Floor) -> None:
    # Odoo keeps barcodes unique within a company; two spellings of one number are two to it.
    first = floor.product("First", barcode="0012345678905")
    floor.product("Second", barcode="012345678905")
    receipt = floor.transfer("incoming", [(first, 5)])

    result = refusal(floor, line(receipt, "012345678905", 1))

    assert result.code == "ambiguous_barcode"
    assert "First" in result.message
    assert "Second" in result.message


def test_a_document_nobody_knows(floor: Floor) -> None:
    result = refusal(floor, line("WH/IN/99999", floor.product(), 1))

    assert result.code == "unknown_document"
    assert "WH/IN/99999" in result.message


def test_a_product_that_is_not_on_the_document(floor: Floor) -> None:
    receipt = floor.transfer("incoming", [(floor.product(), 5)])
    other = floor.product("Nail")

    result = refusal(floor, line(receipt, other, 1))

    assert result.code == "not_on_document"
    assert result.message == f"Nail is not on {receipt}."


def test_more_than_the_document_asks_for(floor: Floor) -> None:
    screw = floor.product()
    receipt = floor.transfer("incoming", [(screw, 2)])

    result = refusal(floor, line(receipt, screw, 1), line(receipt, screw, 4))

    assert result.code == "over_quantity"
    assert result.message == (
        f"{receipt} asks for 2 Units of Screw and 1 are recorded: 4 more are too many."
    )


def test_a_place_that_does_not_exist(floor: Floor) -> None:
    screw = floor.product()
    receipt = floor.transfer("incoming", [(screw, 2)])

    result = refusal(floor, line(receipt, screw, 1, destination="NOWHERE"))

    assert result.code == "unknown_location"


def test_a_place_outside_the_document(floor: Floor) -> None:
    screw = floor.product()
    shelf, other = floor.place("shelf"), floor.place("other")
    floor.stock(screw, 5, shelf)
    move = floor.transfer(
        "internal", [(screw, 5)], source=floor.place_id(shelf), destination=floor.place_id(other)
    )

    result = refusal(floor, line(move, screw, 1, source=other))

    assert result.code == "wrong_location"
    assert other in result.message
    assert move in result.message


def test_a_document_that_is_done_or_cancelled(floor: Floor) -> None:
    screw = floor.product()
    closed, cancelled = (floor.transfer("incoming", [(screw, 2)]) for _ in range(2))
    floor.apply(line(closed, screw, 2), done(closed))
    [row] = floor.call("stock.picking", "search", domain=[["name", "=", cancelled]])
    floor.call("stock.picking", "action_cancel", ids=[row])

    results = [refusal(floor, line(name, screw, 1)) for name in (closed, cancelled)]

    assert [result.code for result in results] == ["document_closed"] * 2
    assert results[0].message == f"{closed} is done."
    assert results[1].message == f"{cancelled} is cancelled."
    assert refusal(floor, done(closed)).code == "document_closed"


def test_a_draft(floor: Floor) -> None:
    screw = floor.product()
    kind = floor.type_of("incoming")
    ids = floor.call("stock.picking", "create", vals_list=[{"picking_type_id": kind["id"]}])
    [row] = floor.call("stock.picking", "read", ids=ids, fields=["name"])

    result = refusal(floor, line(row["name"], screw, 1))

    assert result.code == "document_not_ready"


def test_a_lot_that_is_missing_or_unknown(floor: Floor) -> None:
    paint = floor.product("Paint", tracking="lot")
    floor.stock(paint, 5, lot="K1")
    receipt = floor.transfer("incoming", [(paint, 2)])
    delivery = floor.transfer("outgoing", [(paint, 2)])

    assert refusal(floor, line(receipt, paint, 1)).code == "missing_lot"
    assert refusal(floor, line(delivery, paint, 1)).code == "missing_lot"
    assert refusal(floor, line(delivery, paint, 1, lot="K2")).code == "unknown_lot"


def test_a_serial_number_twice(floor: Floor) -> None:
    pump = floor.product("Pump", tracking="serial")
    receipt, again = (floor.transfer("incoming", [(pump, 3)]) for _ in range(2))
    serial = "S-" + floor.number()

    twice = refusal(floor, line(receipt, pump, 1, lot=serial), line(receipt, pump, 1, lot=serial))
    floor.apply(done(receipt))
    in_stock = refusal(floor, line(again, pump, 1, lot=serial))

    assert twice.code == in_stock.code == "duplicate_serial"
    assert receipt in twice.message
    assert floor.stock_name in in_stock.message
    assert refusal(floor, line(again, pump, 2, lot="S-NEW")).code == "bad_quantity"


def test_a_fraction_of_a_piece_and_a_unit_of_another_kind(floor: Floor) -> None:
    screw = floor.product()
    receipt = floor.transfer("incoming", [(screw, 2)])

    assert refusal(floor, line(receipt, screw, "0.5")).code == "bad_quantity"
    assert refusal(floor, line(receipt, screw, "0.5", uom="KGM")).code == "unknown_unit"
    assert refusal(floor, line(receipt, screw, 1, uom="XYZ")).code == "unknown_unit"


def test_a_field_that_contradicts_its_barcode(floor: Floor) -> None:
    paint = floor.product("Paint", tracking="lot")
    receipt = floor.transfer("incoming", [(paint, 2)])

    assert (
        refusal(floor, line(receipt, paint, 1, lot="A", gs1={"lot": "B"})).code == "contradiction"
    )
    assert (
        refusal(floor, line(receipt, paint, 1, lot="A", gs1={"count": "2"})).code == "contradiction"
    )


def test_closing_with_nothing_recorded(floor: Floor) -> None:
    screw = floor.product()
    floor.stock(screw, 5)
    delivery = floor.transfer("outgoing", [(screw, 5)])

    result = refusal(floor, done(delivery))

    assert result.code == "nothing_recorded"
    assert floor.on_hand(screw) == {floor.stock_name: 5}
    assert floor.document(delivery)["state"] == "assigned"


def test_closing_what_is_not_there(floor: Floor) -> None:
    screw = floor.product()
    delivery = floor.transfer("outgoing", [(screw, 5)])

    result = refusal(floor, line(delivery, screw, 5), done(delivery))

    assert result.code == "insufficient_stock"
    assert floor.on_hand(screw) == {}


def test_two_closings_together_want_more_than_is_there(floor: Floor) -> None:
    screw = floor.product()
    floor.stock(screw, 5)
    first = floor.transfer("outgoing", [(screw, 4)])
    second = floor.transfer("outgoing", [(screw, 4)])

    results = floor.apply(
        line(first, screw, 4, source=floor.stock_name),
        done(first),
        line(second, screw, 4, source=floor.stock_name),
        done(second),
    )

    assert [r.code or r.status for r in results] == [
        "applied",
        "applied",
        "applied",
        "insufficient_stock",
    ]
    assert floor.on_hand(screw)[floor.stock_name] == 1


def test_a_user_changed_a_scanned_line(floor: Floor) -> None:
    screw = floor.product()
    receipt = floor.transfer("incoming", [(screw, 5)])
    floor.apply(line(receipt, screw, 3))
    [scanned] = floor.call(
        "stock.move.line",
        "search",
        domain=[["picking_id.name", "=", receipt], ["picked", "=", True]],
    )
    floor.call("stock.move.line", "write", ids=[scanned], vals={"quantity": 4})

    more = refusal(floor, line(receipt, screw, 1))
    closing = refusal(floor, done(receipt))

    assert more.code == closing.code == "edited_in_odoo"
    assert more.message == (
        f"On {receipt} a user changed Screw at Vendors: 3 Units were scanned, Odoo now says "
        "4 Units."
    )
    floor.call("stock.move.line", "write", ids=[scanned], vals={"quantity": 3})
    assert [r.status for r in floor.apply(done(receipt))] == ["applied"]


def test_a_user_removed_a_scanned_line(floor: Floor) -> None:
    screw = floor.product()
    receipt = floor.transfer("incoming", [(screw, 5)])
    floor.apply(line(receipt, screw, 3))
    floor.call(
        "stock.move.line",
        "unlink",
        ids=floor.call(
            "stock.move.line",
            "search",
            domain=[["picking_id.name", "=", receipt], ["picked", "=", True]],
        ),
    )

    assert refusal(floor, done(receipt)).code == "edited_in_odoo"


def test_what_this_version_does_not_support(floor: Floor) -> None:
    screw = floor.product()
    receipt = floor.transfer("incoming", [(screw, 2)])
    after: Any = {"after": receipt, "step": "Pick"}

    chained = refusal(floor, line(after, screw, 1))
    expecting = refusal(floor, line(receipt, screw, 1), done(receipt, expect={"last": {"h": 4}}))

    assert chained.code == expecting.code == "not_supported_yet"
    assert receipt in chained.message
    assert "expect" in expecting.message


def test_two_companies_with_the_same_document_name(floor: Floor) -> None:
    [other] = floor.call("res.company", "create", vals_list=[{"name": "Other Company"}])
    floor.call("res.users", "write", ids=[2], vals={"company_ids": [[4, other]]})
    inside: dict[str, Any] = {"context": {"allowed_company_ids": [other]}}
    theirs = {"name": "Other", "code": "OTH", "company_id": other}
    ids = floor.call("stock.warehouse", "create", vals_list=[theirs], **inside)
    [warehouse] = floor.call(
        "stock.warehouse", "read", ids=ids, fields=["in_type_id", "lot_stock_id"], **inside
    )
    screw = floor.product()
    mine = floor.transfer("incoming", [(screw, 5)])
    [vendors] = floor.call("stock.location", "search", domain=[["usage", "=", "supplier"]])
    places = {"location_id": vendors, "location_dest_id": warehouse["lot_stock_id"][0]}
    move = {"product_id": floor.product_id(screw), "product_uom_qty": 5} | places
    ids = floor.call(
        "stock.picking",
        "create",
        vals_list=[
            {"picking_type_id": warehouse["in_type_id"][0], "move_ids": [[0, 0, move]]} | places
        ],
        **inside,
    )
    floor.call("stock.picking", "action_confirm", ids=ids, **inside)
    floor.call("stock.picking", "write", ids=ids, vals={"name": mine}, **inside)
    theirs_only = "OTHER/IN/" + floor.number()

    results = floor.apply(line(mine, screw, 2))
    assert [(r.status, r.record and r.record.id not in ids) for r in results] == [("applied", True)]

    floor.call("stock.picking", "write", ids=ids, vals={"name": theirs_only}, **inside)
    assert refusal(floor, line(theirs_only, screw, 1)).code == "unknown_document"


def test_a_warehouse_outside_the_binding(floor: Floor) -> None:
    [warehouse] = floor.call(
        "stock.warehouse", "create", vals_list=[{"name": "Foreign", "code": "FOR"}]
    )
    screw = floor.product()
    receipt = floor.transfer("incoming", [(screw, 5)])
    [row] = floor.call(
        "stock.warehouse", "read", ids=[warehouse], fields=["lot_stock_id", "in_type_id"]
    )
    foreign = floor.place("foreign", parent=row["lot_stock_id"][0])

    there = refusal(floor, line(receipt, screw, 1, destination=foreign))
    elsewhere = floor.binding.model_copy(update={"warehouses": (warehouse,)})
    document = refusal(floor, line(receipt, screw, 1), binding=elsewhere)

    assert there.code == document.code == "outside_binding"


def test_a_time_in_the_future_holds_only_what_follows_it(floor: Floor) -> None:
    screw = floor.product()
    receipt = floor.transfer("incoming", [(screw, 5)])
    tomorrow = datetime.now(UTC) + timedelta(days=1)

    results = floor.apply(
        line(receipt, screw, 1), line(receipt, screw, 1, at=tomorrow), done(receipt)
    )

    assert [r.code or r.status for r in results] == ["applied", "future_time", "skipped"]


def test_events_older_than_the_horizon(floor: Floor) -> None:
    screw = floor.product()
    receipt = floor.transfer("incoming", [(screw, 5)])
    horizon = (datetime.now(UTC) - timedelta(days=30)).strftime("%Y-%m-%d %H:%M:%S")
    parameter = {"key": "warehouse_edge.horizon", "value": horizon}
    ids = floor.call("ir.config_parameter", "create", vals_list=[parameter])

    old = refusal(floor, line(receipt, screw, 1, at=datetime.now(UTC) - timedelta(days=31)))
    young = floor.apply(line(receipt, screw, 1, at=datetime.now(UTC) - timedelta(days=29)))

    floor.call("ir.config_parameter", "unlink", ids=ids)
    assert old.code == "older_than_horizon"
    assert young[0].status == "applied"


def test_one_bad_scan_holds_its_document_and_nobody_elses(floor: Floor) -> None:
    screw, nut = floor.product("Screw"), floor.product("Nut")
    first = floor.transfer("incoming", [(screw, 50)])
    second = floor.transfer("incoming", [(nut, 50)])
    events = [line(first, screw, 1) for _ in range(7)]
    events += [line(first, "8888", 1), line(first, screw, 1), done(first)]
    events += [line(second, nut, 2), done(second)]

    results = floor.apply(*events)

    assert [r.code or r.status for r in results] == (
        ["applied"] * 7 + ["unknown_barcode", "skipped", "skipped"] + ["applied"] * 2
    )
    assert sum(row[1] for row in floor.lines(first) if row[2]) == 7
    assert floor.on_hand(nut) == {floor.stock_name: 2}


# -- taking back ---------------------------------------------------------------------------------


def taken_back(of: OdooEvent) -> OdooEvent:
    device, _, uid = of.key.partition("|")
    return event("event.reversed", {"event": uid, "reason": "wrong shelf"}, device=device)


def test_a_scan_is_taken_back_and_its_place_reserved_again(floor: Floor) -> None:
    screw = floor.product()
    floor.stock(screw, 10)
    delivery = floor.transfer("outgoing", [(screw, 5)])
    wrong, right = line(delivery, screw, 2), line(delivery, screw, 1)

    results = floor.apply(wrong, right, taken_back(wrong))

    assert [r.code or r.status for r in results] == ["applied"] * 3
    assert sorted((row[1], row[2]) for row in floor.lines(delivery)) == [(1, True), (4, False)]
    assert refusal(floor, taken_back(wrong)).code == "already_reversed"
    assert [r.status for r in floor.apply(done(delivery, "cancel"))] == ["applied"]
    assert floor.on_hand(screw)[floor.stock_name] == 9


def test_a_lot_taken_back_leaves_a_receipt_as_it_was(floor: Floor) -> None:
    paint = floor.product("Paint", tracking="lot")
    receipt = floor.transfer("incoming", [(paint, 5)])
    wrong = line(receipt, paint, 5, lot="WRONG", package="PAL-WRONG")

    results = floor.apply(wrong, taken_back(wrong), line(receipt, paint, 5, lot="RIGHT"))
    floor.apply(done(receipt))

    assert [r.status for r in results] == ["applied"] * 3
    assert floor.on_hand(paint) == {f"{floor.stock_name} RIGHT": 5}


def test_what_cannot_be_taken_back(floor: Floor) -> None:
    screw = floor.product()
    receipt = floor.transfer("incoming", [(screw, 5)])
    scan, closing = line(receipt, screw, 2), done(receipt)
    floor.apply(scan, closing)
    foreign = taken_back(scan).model_copy(update={"device": "other", "key": f"other|{uuid4()}"})

    assert refusal(floor, taken_back(line(receipt, screw, 1))).code == "unknown_event"
    assert refusal(floor, foreign).code == "unknown_event"
    assert refusal(floor, taken_back(scan)).code == "too_late"
    assert refusal(floor, taken_back(closing)).code == "too_late"
