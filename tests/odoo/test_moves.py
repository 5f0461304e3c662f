"""Ad-hoc moves: done at once, at the time they happened, never taking what was not there."""

from __future__ import annotations

import pytest

from tests.odoo.action_harness import Scene, Warehouse, odoo_time


@pytest.fixture(scope="module")
def house(odoo_db) -> Warehouse:
    return Warehouse(odoo_db, odoo_db.stock_user)


def lines_of(scene: Scene, picking: int) -> list[dict]:
    return scene.house.admin.call(
        "stock.move.line",
        "search_read",
        domain=[["picking_id", "=", picking]],
        fields=[
            "date",
            "quantity",
            "location_id",
            "location_dest_id",
            "state",
            "result_package_id",
        ],
    )


def test_a_move_is_one_done_transfer_at_its_own_time(house: Warehouse) -> None:
    scene = house.scene("A", "B", stock=[("A", "P", 10)])
    [result] = house.applied(scene.move(100.25, "A", "B", "P", 4, reason="aisle is full"))
    record = result["record"]
    assert record["model"] == "stock.picking"
    [picking] = house.admin.call(
        "stock.picking",
        "read",
        ids=[record["id"]],
        fields=["name", "state", "date_done", "origin", "picking_type_id"],
    )
    assert picking["name"] == record["name"]
    assert picking["state"] == "done"
    assert picking["date_done"] == odoo_time(100)
    assert picking["origin"] == "hand-1: aisle is full"
    assert picking["picking_type_id"][0] == house.internal_type
    [line] = lines_of(scene, record["id"])
    assert (line["date"], line["quantity"], line["state"]) == (odoo_time(100), 4, "done")
    assert scene.stock() == {("A", "P", "", ""): 6, ("B", "P", "", ""): 4}
    assert scene.history() == [(100, 4, False)]


def test_moves_of_a_batch_have_a_transfer_each(house: Warehouse) -> None:
    scene = house.scene("A", "B", "C", stock=[("A", "P", 10)])
    results = house.applied(
        scene.move(200, "A", "B", "P", 4), scene.move(300, "B", "C", "P", 3),
        scene.move(100, "A", "C", "P", 2, device="hand-2"),
    )  # fmt: skip
    assert len({row["record"]["id"] for row in results}) == 3
    assert scene.history() == [(100, 2, False), (200, 4, False), (300, 3, False)]
    assert scene.stock() == {("A", "P", "", ""): 4, ("B", "P", "", ""): 1, ("C", "P", "", ""): 5}


def test_goods_come_from_the_named_bin_and_not_from_one_inside_it(house: Warehouse) -> None:
    scene = house.scene(
        "A", "A/1", "B", nested={"A/1": "A"}, stock=[("A", "P", 5), ("A/1", "P", 5)]
    )
    house.applied(scene.move(100, "A", "B", "P", 3))
    assert scene.stock() == {("A", "P", "", ""): 2, ("A/1", "P", "", ""): 5, ("B", "P", "", ""): 3}
    assert house.refused(scene.move(200, "A", "B", "P", 3)) == "insufficient_stock"


def test_goods_are_taken_from_the_named_lot(house: Warehouse) -> None:
    scene = house.scene(
        "A", "B", tracking="lot", lots=[("P", "L1"), ("P", "L2")],
        stock=[("A", "P", 5, "L1"), ("A", "P", 5, "L2")],
    )  # fmt: skip
    house.applied(scene.move(100, "A", "B", "P", 3, "L2"))
    assert scene.stock() == {
        ("A", "P", "L1", ""): 5,
        ("A", "P", "L2", ""): 2,
        ("B", "P", "L2", ""): 3,
    }
    assert house.refused(scene.move(200, "A", "B", "P", 3, "L2")) == "insufficient_stock"
    assert house.refused(scene.move(200, "A", "B", "P", 1)) == "missing_lot"
    assert house.refused(scene.move(200, "A", "B", "P", 1, "L9")) == "unknown_lot"


def test_a_pallet_moves_whole_and_goods_are_taken_off_it(house: Warehouse) -> None:
    scene = house.scene(
        "A", "B", goods=("P", "R"), pallets=["S"],
        stock=[("A", "P", 9), ("A", "P", 6, None, "S"), ("A", "R", 2, None, "S")],
    )  # fmt: skip
    house.applied(scene.move(100, "A", "B", pallet="S"))
    assert scene.stock() == {
        ("A", "P", "", ""): 9,
        ("B", "P", "", "S"): 6,
        ("B", "R", "", "S"): 2,
    }
    house.applied(scene.move(200, "B", "A", "P", 4, pallet="S"))
    assert scene.stock() == {
        ("A", "P", "", ""): 13,
        ("B", "P", "", "S"): 2,
        ("B", "R", "", "S"): 2,
    }
    assert house.refused(scene.move(300, "A", "B", pallet="S")) == "insufficient_stock"


def test_a_pallet_with_parcels_keeps_them(house: Warehouse) -> None:
    stock = [("A", "P", 6, None, "box"), ("A", "P", 1, None, "S")]
    scene = house.scene("A", "B", pallets=["S", "box"], stock=stock)
    boxes, pallet = [scene.pallets["box"]], scene.pallets["S"]
    house.admin.call("stock.package", "write", ids=boxes, vals={"parent_package_id": pallet})
    house.applied(scene.move(100, "A", "B", pallet="S"))
    assert scene.stock() == {("B", "P", "", "box"): 6, ("B", "P", "", "S"): 1}
    [box] = house.admin.call("stock.package", "read", ids=boxes, fields=["parent_package_id"])
    assert box["parent_package_id"][0] == pallet


def test_what_is_learnt_late_of_a_pallet_goes_where_it_went(house: Warehouse) -> None:
    stock = [("A", "P", 6, None, "S")]
    scene = house.scene("A", "B", "C", pallets=["S"], stock=stock)
    house.applied(scene.move(200, "A", "B", pallet="S"), scene.move(300, "B", "C", pallet="S"))
    [result] = house.applied(scene.move(100, "A", "B", "P", 2, pallet="S"))
    assert "moved with its pallet since" in result["notes"][0]
    assert scene.stock() == {("B", "P", "", ""): 2, ("C", "P", "", "S"): 4}
    assert scene.stock_at(250) == {("B", "P", "", ""): 2, ("B", "P", "", "S"): 4}
    house.applied(scene.count(150, "A", "P", 5, pallet="S"))
    assert scene.stock() == {("B", "P", "", ""): 2, ("C", "P", "", "S"): 5}
    house.applied(scene.scrap(250, "B", "P", 1, pallet="S"))
    assert scene.loose("C", pallet="S") == 4


def test_a_pallet_counted_where_odoo_does_not_see_it_yet_waits_for_its_move(
    house: Warehouse,
) -> None:
    scene = house.scene("A", "B", pallets=["S"], stock=[("A", "P", 6, None, "S")])
    count = scene.count(300, "B", "P", 5, pallet="S")
    assert house.refused(count) == "insufficient_stock"
    house.applied(count, scene.move(100, "A", "B", pallet="S"))
    assert scene.stock() == {("B", "P", "", "S"): 5}
    assert scene.stock_at(200) == {("B", "P", "", "S"): 6}


def test_more_than_was_there_is_refused_and_leaves_nothing(house: Warehouse) -> None:
    scene = house.scene("A", "B", stock=[("A", "P", 10)])
    assert house.refused(scene.move(100, "A", "B", "P", 11)) == "insufficient_stock"
    assert scene.stock() == {("A", "P", "", ""): 10}
    assert scene.history() == []


def test_a_late_move_may_not_take_what_left_later(house: Warehouse) -> None:
    scene = house.scene("A", "B", stock=[("A", "P", 10)])
    house.applied(scene.move(200, "A", "B", "P", 8))
    assert house.refused(scene.move(100, "A", "B", "P", 3)) == "insufficient_stock"
    house.applied(scene.move(100, "A", "B", "P", 2))
    assert scene.stock() == {("B", "P", "", ""): 10}


def test_goods_that_came_later_cannot_have_left_earlier(house: Warehouse) -> None:
    scene = house.scene("A", "B", stock=[("B", "P", 10)])
    house.applied(scene.move(200, "B", "A", "P", 5))
    assert house.refused(scene.move(100, "A", "B", "P", 1)) == "insufficient_stock"


def test_out_and_back_and_out_again_in_any_order(house: Warehouse) -> None:
    # Neither of the first two is possible without the other once the third was applied.
    scene = house.scene("A", "B", "C", stock=[("A", "P", 5)])
    out, back = scene.move(100, "A", "B", "P", 5), scene.move(200, "B", "A", "P", 5)
    house.applied(scene.move(300, "A", "C", "P", 5))
    assert house.refused(out) == "insufficient_stock"
    assert house.refused(back) == "insufficient_stock"
    count = scene.count(150, "B", "P", 6)
    results = house.apply(back, count, out, scene.move(110, "A", "C", "P", 1))
    assert [row["status"] for row in results] == ["applied", "applied", "applied", "refused"]
    assert scene.stock() == {("B", "P", "", ""): 1, ("C", "P", "", ""): 5}


def test_where_it_is_allowed_stock_goes_below_zero(house: Warehouse) -> None:
    scene = house.scene("A", "B")
    house.allow_negative = True
    try:
        house.applied(scene.move(100, "A", "B", "P", 3))
        assert scene.stock() == {("A", "P", "", ""): -3, ("B", "P", "", ""): 3}
        house.applied(scene.count(200, "A", "P", 1), scene.count(150, "A", "P", 0))
        assert scene.loose("A") == 1
    finally:
        house.allow_negative = False


def test_a_move_takes_what_is_reserved_for_others(house: Warehouse) -> None:
    scene = house.scene("A", "B", "C", stock=[("A", "P", 10)])
    name = scene.transfer("A", "B", {"P": 8})
    house.applied(scene.move(100, "A", "C", "P", 6))
    assert scene.stock() == {("A", "P", "", ""): 4, ("C", "P", "", ""): 6}
    house.applied(scene.line(200, name, "P", 4), scene.done(201, name))
    assert scene.stock() == {("B", "P", "", ""): 4, ("C", "P", "", ""): 6}


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"to": "nowhere"}, "unknown_location"),
        ({"from": "nowhere"}, "unknown_location"),
        ({"barcode": "nothing"}, "unknown_barcode"),
        ({"package": "no such"}, "unknown_package"),
        ({"quantity": "0.5"}, "bad_quantity"),
        ({"to": "Customers"}, "wrong_location"),
        ({"from": "Vendors"}, "wrong_location"),
    ],
)
def test_a_move_that_makes_no_sense_is_refused(
    house: Warehouse, change: dict[str, str], code: str
) -> None:
    scene = house.scene("A", "B", stock=[("A", "P", 10)])
    event = scene.move(100, "A", "B", "P", 4)
    event["data"] |= change
    assert house.refused(event) == code
    assert scene.stock() == {("A", "P", "", ""): 10}


def test_goods_cannot_move_to_where_they_are(house: Warehouse) -> None:
    scene = house.scene("A", stock=[("A", "P", 10)])
    assert house.refused(scene.move(100, "A", "A", "P", 1)) == "contradiction"


BROKEN = {
    "nothing is checked": (
        'if state["binding"].get("allow_negative"):',
        "if True:",
        test_more_than_was_there_is_refused_and_leaves_nothing,
    ),
    "checked against today's figure": (
        "least, when = quantity, at\n        quantity -= together\n",
        "least, when = quantity, at\n",
        test_goods_that_came_later_cannot_have_left_earlier,
    ),
    "checked against the figure of then alone": (
        "if (end is None or at < end) and (least is None or quantity < least):",
        "if False:",
        test_a_late_move_may_not_take_what_left_later,
    ),
    "not dated": (
        "of_move, of_picking = {}, {}\n    for line in times:",
        "of_move, of_picking = {}, {}\n    times = {}\n    for line in times:",
        test_a_move_is_one_done_transfer_at_its_own_time,
    ),
    "never judged together": (
        "    apply_short(new)\n",
        "",
        test_out_and_back_and_out_again_in_any_order,
    ),
    "a pallet's ride is no barrier": (
        "if at[:2] > order[:2] and",
        "if False and",
        test_what_is_learnt_late_of_a_pallet_goes_where_it_went,
    ),
}


@pytest.mark.parametrize("mistake", BROKEN)
def test_a_broken_move_is_noticed(house: Warehouse, mistake: str) -> None:
    right, wrong, scene = BROKEN[mistake]
    house.install((right, wrong))
    try:
        with pytest.raises(AssertionError):
            scene(house)
    finally:
        house.install()
