"""transfer.line and transfer.done on a real Odoo: receipts, moves, picks, deliveries."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest

from cloud_relay.odoo.port import OdooResult
from edge_sandbox.odoo_floor import Floor, done, event, line

if TYPE_CHECKING:
    from edge_sandbox.odoo import OdooDatabase


@pytest.fixture(scope="module")
def floor(odoo_db: OdooDatabase) -> Iterator[Floor]:
    floor = Floor(odoo_db.url, odoo_db.name, odoo_db.key, odoo_db.stock_key)
    floor.install()
    yield floor
    floor.close()


def statuses(results: list[OdooResult]) -> list[str]:
    return [" ".join(filter(None, (r.status, r.code, r.message))) for r in results]


def test_scans_of_a_receipt_add_up_from_zero_into_one_line(floor: Floor) -> None:
    screw = floor.product()
    receipt = floor.transfer("incoming", [(screw, 10)])

    results = floor.apply(*[line(receipt, screw, quantity) for quantity in (1, 2, 3)])

    assert statuses(results) == ["applied"] * 3
    assert results[0].record
    assert results[0].record.name == receipt
    recorded = [row for row in floor.lines(receipt) if row[2]]
    assert [(row[1], row[4]) for row in recorded] == [(6, floor.stock_name)]
    reserved = [row for row in floor.lines(receipt) if not row[2]]
    assert [row[1] for row in reserved] == [4]


def test_a_partial_receipt_makes_a_backorder_of_the_rest(floor: Floor) -> None:
    screw, nut = floor.product("Screw"), floor.product("Nut")
    receipt = floor.transfer("incoming", [(screw, 10), (nut, 5)])

    [_, closed] = floor.apply(line(receipt, screw, 6), done(receipt))

    assert closed.status == "applied"
    assert floor.on_hand(screw) == {floor.stock_name: 6}
    assert floor.on_hand(nut) == {}
    document = floor.document(receipt)
    assert document["state"] == "done"
    [backorder] = floor.call(
        "stock.picking", "read", ids=document["backorder_ids"], fields=["name", "state"]
    )
    assert f"backorder {backorder['name']}" in closed.notes
    assert sorted((row[0], row[1]) for row in floor.lines(backorder["name"])) == sorted(
        [(screw, 4), (nut, 5)]
    )


def test_a_partial_receipt_can_cancel_the_rest(floor: Floor) -> None:
    screw, nut = floor.product("Screw"), floor.product("Nut")
    receipt = floor.transfer("incoming", [(screw, 10), (nut, 5)])

    results = floor.apply(line(receipt, screw, 6), done(receipt, "cancel"))

    assert statuses(results) == ["applied"] * 2
    assert floor.on_hand(screw) == {floor.stock_name: 6}
    assert floor.document(receipt)["backorder_ids"] == []
    assert floor.document(receipt)["state"] == "done"


def test_a_receipt_of_lots_makes_each_lot_once(floor: Floor) -> None:
    paint = floor.product("Paint", tracking="lot")
    receipt = floor.transfer("incoming", [(paint, 10)])

    results = floor.apply(
        line(receipt, paint, 2, lot="L1"),
        line(receipt, paint, 3, lot="L2"),
        line(receipt, paint, 4, lot="L1"),
        done(receipt, "cancel"),
    )

    assert statuses(results) == ["applied"] * 4
    assert floor.on_hand(paint) == {f"{floor.stock_name} L1": 6, f"{floor.stock_name} L2": 3}
    lots = floor.call("stock.lot", "search", domain=[["product_id", "=", floor.product_id(paint)]])
    assert len(lots) == 2


def test_a_receipt_of_serials(floor: Floor) -> None:
    pump = floor.product("Pump", tracking="serial")
    receipt = floor.transfer("incoming", [(pump, 3)])

    results = floor.apply(*[line(receipt, pump, 1, lot=f"S{i}") for i in range(3)], done(receipt))

    assert statuses(results) == ["applied"] * 4
    assert floor.on_hand(pump) == {f"{floor.stock_name} S{i}": 1 for i in range(3)}


def test_a_receipt_can_be_put_away_and_packed_at_once(floor: Floor) -> None:
    screw = floor.product()
    shelf = floor.place("shelf")
    receipt = floor.transfer("incoming", [(screw, 10)])

    results = floor.apply(
        line(receipt, screw, 4, destination=shelf, package="PAL-1"),
        line(receipt, screw, 6, destination=shelf),
        done(receipt),
    )

    assert statuses(results) == ["applied"] * 3
    name = f"{floor.stock_name}/{shelf}"
    assert floor.on_hand(screw) == {name: 6, f"{name} PAL-1": 4}


def test_a_delivery_takes_what_was_reserved(floor: Floor) -> None:
    screw = floor.product()
    shelf = floor.place("shelf")
    floor.stock(screw, 10, shelf)
    delivery = floor.transfer("outgoing", [(screw, 10)])

    results = floor.apply(line(delivery, screw, 4), done(delivery, "cancel"))

    assert statuses(results) == ["applied"] * 2
    assert floor.on_hand(screw)[f"{floor.stock_name}/{shelf}"] == 6


def test_a_pick_from_another_bin_than_the_reserved_one(floor: Floor) -> None:
    screw = floor.product()
    reserved, other = floor.place("bin-a"), floor.place("bin-b")
    floor.stock(screw, 5, reserved)
    delivery = floor.transfer("outgoing", [(screw, 5)])
    floor.stock(screw, 5, other)

    results = floor.apply(line(delivery, screw, 3, source=other), done(delivery, "create"))

    assert statuses(results) == ["applied"] * 2
    hand = floor.on_hand(screw)
    assert hand[f"{floor.stock_name}/{reserved}"] == 5
    assert hand[f"{floor.stock_name}/{other}"] == 2


def test_lots_picked_differ_from_the_lots_reserved(floor: Floor) -> None:
    paint = floor.product("Paint", tracking="lot")
    floor.stock(paint, 5, lot="P1")
    floor.stock(paint, 5, lot="P2")
    delivery = floor.transfer("outgoing", [(paint, 4)])

    results = floor.apply(line(delivery, paint, 4, lot="P2"), done(delivery))

    assert statuses(results) == ["applied"] * 2
    hand = floor.on_hand(paint)
    assert hand[f"{floor.stock_name} P1"] == 5
    assert hand[f"{floor.stock_name} P2"] == 1


def test_an_internal_move_between_shelves(floor: Floor) -> None:
    screw = floor.product()
    here, there = floor.place("here"), floor.place("there")
    floor.stock(screw, 8, here)
    move = floor.transfer("internal", [(screw, 8)])

    results = floor.apply(
        line(move, screw, 3, source=here, destination=there),
        line(move, screw, 5, source=here, destination=there),
        done(move),
    )

    assert statuses(results) == ["applied"] * 3
    assert floor.on_hand(screw) == {f"{floor.stock_name}/{there}": 8}


def test_goods_are_taken_out_of_the_named_pallet(floor: Floor) -> None:
    screw = floor.product()
    shelf = floor.place("shelf")
    floor.stock(screw, 5, shelf, package="PAL-OUT")
    floor.stock(screw, 5, shelf)
    delivery = floor.transfer("outgoing", [(screw, 4)])

    results = floor.apply(line(delivery, screw, 4, source=shelf, package="PAL-OUT"), done(delivery))

    assert statuses(results) == ["applied"] * 2
    hand = floor.on_hand(screw)
    assert hand[f"{floor.stock_name}/{shelf}"] == 5
    assert hand[f"{floor.stock_name}/{shelf} PAL-OUT"] == 1


def test_goods_taken_out_of_a_pallet_leave_it_behind_though_odoo_sees_all_of_it_go(
    floor: Floor,
) -> None:
    screw = floor.product()
    shelf = floor.place("shelf")
    floor.stock(screw, 3, shelf, package="PAL-EMPTIED")
    delivery = floor.transfer("outgoing", [(screw, 5)])

    [recorded] = floor.apply(line(delivery, screw, 3, source=shelf, package="PAL-EMPTIED"))
    floor.stock(screw, 2, shelf)
    floor.call("stock.picking", "action_assign", ids=[floor.document(delivery)["id"]])
    [closed] = floor.apply(done(delivery, "cancel"))

    assert statuses([recorded, closed]) == ["applied"] * 2
    assert floor.on_hand(screw) == {"Customers": 3, f"{floor.stock_name}/{shelf}": 2}


def test_a_named_pallet_says_where_the_goods_were(floor: Floor) -> None:
    screw = floor.product()
    shelf = floor.place("shelf")
    floor.stock(screw, 5)
    delivery = floor.transfer("outgoing", [(screw, 4)])
    floor.stock(screw, 5, shelf, package="PAL-PLACE")

    results = floor.apply(line(delivery, screw, 4, package="PAL-PLACE"), done(delivery))

    assert statuses(results) == ["applied"] * 2
    assert floor.on_hand(screw)[f"{floor.stock_name}/{shelf} PAL-PLACE"] == 1


def test_a_scan_without_a_package_is_of_what_lies_loose_though_odoo_reserved_the_pallet(
    floor: Floor,
) -> None:
    screw = floor.product()
    shelf = floor.place("shelf")
    floor.stock(screw, 6, shelf, package="PAL-BESIDE")
    delivery = floor.transfer("outgoing", [(screw, 6)])
    floor.stock(screw, 5, shelf)

    results = floor.apply(line(delivery, screw, 5, source=shelf), done(delivery, "cancel"))

    assert statuses(results) == ["applied"] * 2
    assert floor.on_hand(screw) == {"Customers": 5, f"{floor.stock_name}/{shelf} PAL-BESIDE": 6}


def test_what_is_missing_loose_and_lies_on_a_pallet_is_said(floor: Floor) -> None:
    screw = floor.product()
    shelf = floor.place("shelf")
    floor.stock(screw, 6, shelf, package="PAL-UNNAMED")
    delivery = floor.transfer("outgoing", [(screw, 6)])

    [recorded, closed] = floor.apply(line(delivery, screw, 5, source=shelf), done(delivery))

    assert recorded.status == "applied"
    assert closed.code == "insufficient_stock"
    assert "6 Units in package PAL-UNNAMED" in (closed.message or "")
    assert floor.on_hand(screw) == {f"{floor.stock_name}/{shelf} PAL-UNNAMED": 6}


def test_as_reserved_moves_what_odoo_reserved(floor: Floor) -> None:
    screw = floor.product()
    floor.stock(screw, 7)
    delivery = floor.transfer("outgoing", [(screw, 5)])

    [result] = floor.apply(done(delivery, lines="as_reserved"))

    assert result.status == "applied"
    assert floor.on_hand(screw)[floor.stock_name] == 2


def test_what_a_user_picked_by_hand_goes_too(floor: Floor) -> None:
    screw, nut = floor.product("Screw"), floor.product("Nut")
    receipt = floor.transfer("incoming", [(screw, 5), (nut, 5)])
    document = floor.document(receipt)
    by_hand = [
        row
        for row in floor.call(
            "stock.move.line", "read", ids=document["move_line_ids"], fields=["product_id"]
        )
        if row["product_id"][0] == floor.product_id(nut)
    ]
    floor.call(
        "stock.move.line",
        "write",
        ids=[row["id"] for row in by_hand],
        vals={"quantity": 4, "picked": True},
    )

    results = floor.apply(line(receipt, screw, 5), done(receipt, "cancel"))

    assert statuses(results) == ["applied"] * 2
    assert floor.on_hand(screw) == {floor.stock_name: 5}
    assert floor.on_hand(nut) == {floor.stock_name: 4}


def test_dozens_and_kilograms_are_counted_in_the_products_unit(floor: Floor) -> None:
    egg = floor.product("Egg")
    kilogram, gram = (
        floor.call("ir.model.data", "search_read", domain=[["name", "=", name]], fields=["res_id"])[
            0
        ]["res_id"]
        for name in ("product_uom_kgm", "product_uom_gram")
    )
    flour = floor.product("Flour", uom_id=kilogram)
    assert gram
    receipt = floor.transfer("incoming", [(egg, 36), (flour, 5)])

    results = floor.apply(
        line(receipt, egg, 2, uom="DZN"),
        line(receipt, flour, "0.750", uom="KGM"),
        line(receipt, flour, 250, uom="GRM"),
        done(receipt, "cancel"),
    )

    assert statuses(results) == ["applied"] * 4
    assert floor.on_hand(egg) == {floor.stock_name: 24}
    assert floor.on_hand(flour) == {floor.stock_name: 1}


def test_a_transfer_in_dozens_is_scanned_in_pieces(floor: Floor) -> None:
    egg = floor.product("Egg")
    [dozen] = floor.call(
        "ir.model.data",
        "search_read",
        domain=[["module", "=", "uom"], ["name", "=", "product_uom_dozen"]],
        fields=["res_id"],
    )
    receipt = floor.transfer("incoming", [(egg, 2)], uom=dozen["res_id"])

    results = floor.apply(line(receipt, egg, 17), done(receipt))

    assert statuses(results) == ["applied"] * 2
    assert floor.on_hand(egg) == {floor.stock_name: 17}
    [backorder] = floor.call(
        "stock.picking",
        "read",
        ids=floor.document(receipt)["backorder_ids"],
        fields=["name"],
    )
    rest = floor.lines(backorder["name"])
    assert [row[1] for row in rest] == [6.96], "what Odoo makes of seven twelfths"

    results = floor.apply(line(backorder["name"], egg, 7), done(backorder["name"]))

    assert statuses(results) == ["applied"] * 2
    assert floor.on_hand(egg) == {floor.stock_name: 24}
    assert floor.document(backorder["name"])["backorder_ids"] == []


def test_a_packaging_barcode_counts_what_it_holds(floor: Floor) -> None:
    screw = floor.product()
    case = floor.number()
    [six] = floor.call(
        "uom.uom",
        "create",
        vals_list=[
            {
                "name": "Case of 6",
                "relative_factor": 6,
                "relative_uom_id": floor.call(
                    "product.product", "read", ids=[floor.product_id(screw)], fields=["uom_id"]
                )[0]["uom_id"][0],
            }
        ],
    )
    floor.call(
        "product.uom",
        "create",
        vals_list=[{"product_id": floor.product_id(screw), "uom_id": six, "barcode": case}],
    )
    receipt = floor.transfer("incoming", [(screw, 12)])

    results = floor.apply(line(receipt, case, 2), done(receipt))

    assert statuses(results) == ["applied"] * 2
    assert floor.on_hand(screw) == {floor.stock_name: 12}


def test_a_gs1_symbol_brings_its_lot_and_any_spelling_of_its_number(floor: Floor) -> None:
    paint = floor.product("Paint", tracking="lot", barcode="4006381333931")
    receipt = floor.transfer("incoming", [(paint, 5)])
    symbol = "]C1010400638133393110LOT7"

    results = floor.apply(
        line(receipt, symbol, 5, gs1={"gtin": "04006381333931", "lot": "LOT7"}), done(receipt)
    )

    assert statuses(results) == ["applied"] * 2
    assert floor.on_hand(paint) == {f"{floor.stock_name} LOT7": 5}


def test_stock_that_arrives_meanwhile_is_not_taken_for_scanned(floor: Floor) -> None:
    screw = floor.product()
    floor.stock(screw, 3)
    delivery = floor.transfer("outgoing", [(screw, 10)])
    receipt = floor.transfer("incoming", [(screw, 7)])
    assert statuses(floor.apply(line(delivery, screw, 3))) == ["applied"]
    assert statuses(floor.apply(line(receipt, screw, 7), done(receipt))) == ["applied"] * 2

    results = floor.apply(done(delivery))

    assert statuses(results) == ["applied"]
    assert floor.on_hand(screw)[floor.stock_name] == 7


def test_a_pick_names_the_delivery_that_follows_it(floor: Floor) -> None:
    [warehouse] = floor.call(
        "stock.warehouse",
        "create",
        vals_list=[{"name": "Two steps", "code": "TWO", "delivery_steps": "pick_ship"}],
    )
    [row] = floor.call(
        "stock.warehouse",
        "read",
        ids=[warehouse],
        fields=["lot_stock_id", "pick_type_id", "out_type_id", "wh_output_stock_loc_id"],
    )
    screw = floor.product()
    [quant] = floor.call(
        "stock.quant",
        "create",
        vals_list=[
            {
                "product_id": floor.product_id(screw),
                "location_id": row["lot_stock_id"][0],
                "inventory_quantity": 5,
            }
        ],
        context={"inventory_mode": True},
    )
    floor.call("stock.quant", "action_apply_inventory", ids=[quant])
    [customers] = floor.call("stock.location", "search", domain=[["usage", "=", "customer"]])
    pick = floor.transfer(
        "internal",
        [(screw, 5)],
        source=row["lot_stock_id"][0],
        destination=row["wh_output_stock_loc_id"][0],
        picking_type_id=row["pick_type_id"][0],
    )
    moves = floor.document(pick)["move_ids"]
    floor.call("stock.move", "write", ids=moves, vals={"location_final_id": customers})
    binding = floor.binding.model_copy(update={"warehouses": (warehouse,)})

    [_, closed] = floor.apply(line(pick, screw, 5), done(pick), binding=binding)

    assert closed.status == "applied"
    [next_name] = [note for note in closed.notes if note.startswith("next transfer ")]
    delivery = next_name.removeprefix("next transfer ")
    assert floor.document(delivery)["state"] == "assigned"
    results = floor.apply(line(delivery, screw, 5), done(delivery), binding=binding)
    assert statuses(results) == ["applied"] * 2


def test_a_carrier_tracking_number_is_kept(floor: Floor) -> None:
    screw = floor.product()
    floor.stock(screw, 5)
    delivery = floor.transfer("outgoing", [(screw, 5)])

    [_, closed] = floor.apply(line(delivery, screw, 5), done(delivery, carrier_tracking="1Z999"))

    assert closed.status == "applied"
    fields = floor.call("stock.picking", "fields_get", allfields=["carrier_tracking_ref"])
    if fields:
        domain = [["name", "=", delivery], ["carrier_tracking_ref", "=", "1Z999"]]
        assert floor.call("stock.picking", "search_count", domain=domain) == 1
    else:
        assert "carrier tracking 1Z999 noted in the chatter" in closed.notes


def test_a_label_leaves_a_note_on_its_document(floor: Floor) -> None:
    screw = floor.product()
    receipt = floor.transfer("incoming", [(screw, 1)])

    [result] = floor.apply(
        event("label.printed", {"document": receipt, "printer": "p1", "copies": 2, "proof": 2})
    )

    assert result.status == "applied"
    assert result.record
    notes = floor.call(
        "mail.message",
        "search_read",
        domain=[["model", "=", "stock.picking"], ["res_id", "=", result.record.id]],
        fields=["body"],
    )
    assert any("2 copies on p1" in note["body"] for note in notes)
