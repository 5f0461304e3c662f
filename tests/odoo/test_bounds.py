"""What lies outside a site's binding, or would be a guess, stays as it is on a real Odoo."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import pytest

from cloud_relay.odoo.port import OdooEvent, OdooResult
from edge_sandbox.odoo_floor import Floor, done, event, line

if TYPE_CHECKING:
    from edge_sandbox.odoo import OdooDatabase


@pytest.fixture(scope="module")
def floor(odoo_db: OdooDatabase) -> Iterator[Floor]:
    floor = Floor(odoo_db.url, odoo_db.name, odoo_db.key, odoo_db.stock_key)
    floor.install()
    yield floor
    floor.close()


def told(results: list[OdooResult]) -> list[str]:
    return [result.code or result.status for result in results]


def packed(document: str, package: str, **fields: Any) -> OdooEvent:
    return event("package.packed", {"document": document, "package": package} | fields)


def taken_back(other: OdooEvent) -> OdooEvent:
    device, _, uid = other.key.partition("|")
    return event("event.reversed", {"event": uid, "reason": "slip"}, device=device)


def test_goods_on_their_way_between_warehouses_move_with_their_transfer_only(floor: Floor) -> None:
    [transit] = floor.call(
        "stock.location",
        "search_read",
        domain=[["usage", "=", "transit"], ["company_id", "=", floor.company]],
        fields=["complete_name"],
        limit=1,
        context={"active_test": False},
    )
    floor.call("stock.location", "write", ids=[transit["id"]], vals={"active": True})
    screw, here = floor.product(), floor.place("here")
    floor.stock(screw, 5)
    away = floor.transfer("outgoing", [(screw, 3)], destination=transit["id"])
    assert told(floor.apply(line(away, screw, 3), done(away))) == ["applied"] * 2
    goods = {"barcode": screw, "quantity": "1"}
    way = str(transit["complete_name"])

    results = floor.apply(
        event("stock.moved", goods | {"from": way, "to": here}),
        event("stock.moved", goods | {"from": floor.stock_name, "to": way}),
        event("count.recorded", goods | {"location": way}),
        event("scrap.recorded", goods | {"location": way}),
    )

    assert told(results) == ["outside_binding"] * 4
    assert floor.on_hand(screw) == {floor.stock_name: 2, way: 3}
    back = floor.transfer("incoming", [(screw, 3)], source=transit["id"])
    assert told(floor.apply(line(back, screw, 3, source=way), done(back))) == ["applied"] * 2
    assert floor.on_hand(screw) == {floor.stock_name: 5}


def test_a_package_that_another_company_is_packing_is_not_taken_from_it(floor: Floor) -> None:
    [other] = floor.call("res.company", "create", vals_list=[{"name": "Sister"}])
    floor.call("res.users", "write", ids=[2], vals={"company_ids": [[4, other]]})
    inside: dict[str, Any] = {"context": {"allowed_company_ids": [other]}}
    ids = floor.call(
        "stock.warehouse",
        "create",
        vals_list=[{"name": "Sister", "code": "SIS", "company_id": other}],
        **inside,
    )
    [theirs] = floor.call(
        "stock.warehouse", "read", ids=ids, fields=["in_type_id", "lot_stock_id"], **inside
    )
    screw = floor.product()
    [vendors] = floor.call("stock.location", "search", domain=[["usage", "=", "supplier"]])
    box = floor.package("BOX-OF-TWO")
    ends = {"location_id": vendors, "location_dest_id": theirs["lot_stock_id"][0]}
    product = {"product_id": floor.product_id(screw)}
    detail = {"quantity": 5, "picked": True, "result_package_id": box} | product | ends
    move = {"product_uom_qty": 5, "move_line_ids": [[0, 0, detail]]} | product | ends
    receipt = {"picking_type_id": theirs["in_type_id"][0], "move_ids": [[0, 0, move]]} | ends
    floor.call("stock.picking", "create", vals_list=[receipt], **inside)
    floor.stock(screw, 5)
    delivery = floor.transfer("outgoing", [(screw, 5)])

    results = floor.apply(line(delivery, screw, 5), packed(delivery, "BOX-OF-TWO"), done(delivery))

    assert told(results) == ["applied"] * 3
    found = floor.call("stock.package", "search", domain=[["name", "=", "BOX-OF-TWO"]])
    assert len(found) == 2
    [quant] = floor.call(
        "stock.quant",
        "search_read",
        domain=[["product_id", "=", floor.product_id(screw)], ["quantity", ">", 0]],
        fields=["package_id"],
    )
    assert quant["package_id"][0] != box


def test_a_packed_scan_is_taken_back_out_of_its_package(floor: Floor) -> None:
    screw = floor.product()
    floor.stock(screw, 5)
    delivery = floor.transfer("outgoing", [(screw, 5)])
    wrong = line(delivery, screw, 2)

    results = floor.apply(
        line(delivery, screw, 3),
        wrong,
        packed(delivery, "BOUND-1", lines=[{"barcode": screw, "quantity": "4"}]),
        taken_back(wrong),
        done(delivery, "cancel"),
    )

    assert told(results) == ["applied"] * 5
    hand = floor.on_hand(screw)
    assert hand[floor.stock_name] == 2
    assert sum(hand.values()) == 5


def test_packing_that_filled_a_package_further_is_not_taken_back_with_all_of_it(
    floor: Floor,
) -> None:
    screw = floor.product()
    floor.stock(screw, 5)
    delivery = floor.transfer("outgoing", [(screw, 5)])
    more = packed(delivery, "BOUND-2")

    results = floor.apply(
        line(delivery, screw, 3),
        packed(delivery, "BOUND-2"),
        line(delivery, screw, 2),
        more,
        taken_back(more),
    )

    assert told(results) == ["applied"] * 4 + ["contradiction"]
    assert "BOUND-2" in results[-1].message


def test_tenths_of_a_kilogram_add_up_to_the_whole(floor: Floor) -> None:
    [kilogram] = floor.call(
        "ir.model.data", "search_read", domain=[["name", "=", "product_uom_kgm"]], fields=["res_id"]
    )
    flour = floor.product("Flour", uom_id=kilogram["res_id"])
    floor.stock(flour, 0.3)
    delivery = floor.transfer("outgoing", [(flour, 0.3)])
    wrong = line(delivery, flour, "0.1")

    results = floor.apply(
        line(delivery, flour, "0.1"), line(delivery, flour, "0.2"), line(delivery, flour, "0.01")
    )
    assert told(results) == ["applied", "applied", "over_quantity"]
    again = floor.transfer("outgoing", [(flour, 0.3)])
    assert told(floor.apply(done(delivery), line(again, flour, "0.1"), done(again))) == [
        "applied",
        "applied",
        "insufficient_stock",
    ]
    assert wrong.kind == "transfer.line"


def test_one_serial_number_on_two_receipts_comes_in_once(floor: Floor) -> None:
    drill = floor.product("Drill", tracking="serial")
    one = floor.transfer("incoming", [(drill, 1)])
    two = floor.transfer("incoming", [(drill, 1)])

    results = floor.apply(
        line(one, drill, 1, lot="SN-9"), line(two, drill, 1, lot="SN-9"), done(one), done(two)
    )

    assert told(results)[:3] == ["applied"] * 3
    assert results[3].status == "refused"
    assert floor.on_hand(drill) == {f"{floor.stock_name} SN-9": 1}
