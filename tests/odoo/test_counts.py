"""A count says what was there at its instant, and the stock stays true whatever comes late."""

from __future__ import annotations

import pytest

from tests.odoo.action_harness import Warehouse


@pytest.fixture(scope="module")
def house(odoo_db) -> Warehouse:
    return Warehouse(odoo_db, odoo_db.stock_user)


def test_a_count_makes_the_stock_what_was_counted(house: Warehouse) -> None:
    scene = house.scene("A", stock=[("A", "P", 10)])
    count = scene.count(100, "A", "P", 7)
    [result] = house.applied(count)
    assert scene.loose("A") == 7
    assert result["record"]["model"] == "stock.move"
    assert scene.history() == [(100, 3, True)]
    assert scene.effects(count)[0] | {"id": 0} == {
        "id": 0,
        "x_kind": "count",
        "x_qty": 3,
        "x_counted": 7,
        "x_time": scene.effects(count)[0]["x_time"],
        "x_state": "done",
    }


def test_a_count_that_agrees_moves_nothing_and_is_an_anchor_all_the_same(house: Warehouse) -> None:
    scene = house.scene("A", "B", stock=[("A", "P", 10)])
    [result] = house.applied(scene.count(100, "A", "P", 10))
    assert result["record"] is None
    assert scene.history() == []
    house.applied(scene.move(50, "A", "B", "P", 4))
    assert scene.stock() == {("A", "P", "", ""): 10, ("B", "P", "", ""): 4}


def test_a_place_that_odoo_thinks_empty_can_be_counted_and_counted_empty(house: Warehouse) -> None:
    scene = house.scene("A")
    house.applied(scene.count(100, "A", "P", 5))
    assert scene.loose("A") == 5
    house.applied(scene.count(200, "A", "P", 0))
    assert scene.stock() == {}


def test_a_late_count_keeps_what_moved_since(house: Warehouse) -> None:
    scene = house.scene("A", "B", stock=[("A", "P", 10)])
    house.applied(scene.move(200, "A", "B", "P", 3))
    house.applied(scene.count(100, "A", "P", 9))
    assert scene.loose("A") == 6
    assert scene.stock_at(150)["A", "P", "", ""] == 9


def test_a_late_movement_is_inside_the_count_that_followed_it(house: Warehouse) -> None:
    scene = house.scene("A", "B", stock=[("A", "P", 10), ("B", "P", 1)])
    house.applied(scene.count(100, "A", "P", 6))
    late = scene.move(50, "A", "B", "P", 4)
    [result] = house.applied(late)
    assert scene.stock() == {("A", "P", "", ""): 6, ("B", "P", "", ""): 5}
    assert "counted since" in result["notes"][0]
    assert scene.stock_at(75) == {("A", "P", "", ""): 6, ("B", "P", "", ""): 5}
    assert scene.stock_at(100)["A", "P", "", ""] == 6
    assert {row["x_kind"] for row in scene.effects(late)} == {"move", "repair"}


def test_both_ends_of_a_late_movement_may_have_been_counted_since(house: Warehouse) -> None:
    scene = house.scene("A", "B", stock=[("A", "P", 10)])
    house.applied(scene.count(100, "A", "P", 6), scene.count(200, "B", "P", 3))
    house.applied(scene.move(50, "A", "B", "P", 4))
    assert scene.stock() == {("A", "P", "", ""): 6, ("B", "P", "", ""): 3}
    assert scene.stock_at(150) == {("A", "P", "", ""): 6, ("B", "P", "", ""): 4}


def test_a_late_movement_may_take_what_a_later_count_no_longer_found(house: Warehouse) -> None:
    scene = house.scene("A", "B", stock=[("A", "P", 10)])
    house.applied(scene.count(100, "A", "P", 0))
    house.applied(scene.move(50, "A", "B", "P", 10))
    assert scene.stock() == {("B", "P", "", ""): 10}


def test_two_counts_of_one_place_out_of_order(house: Warehouse) -> None:
    scene = house.scene("A", "B", stock=[("A", "P", 10)])
    house.applied(scene.count(200, "A", "P", 4))
    house.applied(scene.count(100, "A", "P", 8))
    assert scene.loose("A") == 4
    assert scene.stock_at(150)["A", "P", "", ""] == 8
    house.applied(scene.move(150, "A", "B", "P", 5))
    house.applied(scene.move(50, "A", "B", "P", 1))
    assert scene.stock() == {("A", "P", "", ""): 4, ("B", "P", "", ""): 6}
    assert scene.stock_at(100)["A", "P", "", ""] == 8


def test_counts_of_one_place_are_each_an_anchor(house: Warehouse) -> None:
    scene = house.scene("A", "B", stock=[("A", "P", 10)])
    house.applied(scene.count(100, "A", "P", 8), scene.count(200, "A", "P", 4))
    house.applied(scene.move(50, "A", "B", "P", 1))
    assert scene.stock() == {("A", "P", "", ""): 4, ("B", "P", "", ""): 1}
    assert scene.stock_at(150)["A", "P", "", ""] == 8


def test_counts_of_one_place_in_one_batch_need_no_order(house: Warehouse) -> None:
    scene = house.scene("A", stock=[("A", "P", 10)])
    house.applied(scene.count(200, "A", "P", 4), scene.count(100, "A", "P", 8))
    assert scene.loose("A") == 4
    assert scene.stock_at(150)["A", "P", "", ""] == 8


def test_microseconds_decide(house: Warehouse) -> None:
    scene = house.scene("A", "B", stock=[("A", "P", 10)])
    house.applied(scene.count(100.500_001, "A", "P", 7))
    house.applied(scene.move(100.500_000, "A", "B", "P", 2))
    assert scene.loose("A") == 7
    house.applied(scene.move(100.500_002, "A", "B", "P", 2))
    assert scene.loose("A") == 5


def test_of_one_device_the_order_of_arrival_decides_within_a_microsecond(house: Warehouse) -> None:
    scene = house.scene("A", "B", stock=[("A", "P", 10)])
    house.applied(scene.count(100, "A", "P", 7), scene.move(100, "A", "B", "P", 2))
    assert scene.loose("A") == 5
    house.applied(scene.count(100, "A", "P", 4))
    assert scene.loose("A") == 4


def test_two_devices_that_meet_in_a_microsecond_end_alike_in_any_order(house: Warehouse) -> None:
    found = []
    for order in (1, -1):
        scene = house.scene("A", "B", stock=[("A", "P", 10)])
        events = [
            scene.count(100, "A", "P", 7, device="hand-1"),
            scene.move(100, "A", "B", "P", 2, device="hand-2"),
        ]
        for event in events[::order]:
            house.applied(event)
        found.append(scene.stock())
    assert found[0] == found[1] == {("A", "P", "", ""): 5, ("B", "P", "", ""): 2}


def test_two_lots_in_one_bin_are_counted_apart(house: Warehouse) -> None:
    scene = house.scene(
        "A",
        "B",
        tracking="lot",
        lots=[("P", "L1"), ("P", "L2")],
        stock=[("A", "P", 10, "L1"), ("A", "P", 20, "L2")],
    )
    house.applied(scene.move(200, "A", "B", "P", 3, "L1"))
    house.applied(scene.count(100, "A", "P", 19, "L2"), scene.count(100, "A", "P", 11, "L1"))
    assert scene.stock() == {
        ("A", "P", "L1", ""): 8,
        ("A", "P", "L2", ""): 19,
        ("B", "P", "L1", ""): 3,
    }
    assert house.refused(scene.count(300, "A", "P", 1)) == "missing_lot"
    assert house.refused(scene.count(300, "A", "P", 1, "L3")) == "unknown_lot"


def test_nested_places_are_counted_apart(house: Warehouse) -> None:
    scene = house.scene(
        "A", "A/1", "B", nested={"A/1": "A"}, stock=[("A", "P", 7), ("A/1", "P", 100)]
    )
    house.applied(scene.move(200, "A/1", "B", "P", 1))
    house.applied(scene.count(100, "A", "P", 6))
    house.applied(scene.count(150, "A/1", "P", 99))
    assert scene.stock() == {
        ("A", "P", "", ""): 6,
        ("A/1", "P", "", ""): 98,
        ("B", "P", "", ""): 1,
    }


def test_a_pallet_is_counted_apart_from_what_lies_beside_it(house: Warehouse) -> None:
    stock = [("A", "P", 100), ("A", "P", 40, None, "S")]
    scene = house.scene("A", "B", pallets=["S"], stock=stock)
    house.applied(scene.count(100, "A", "P", 39, None, "S"))
    house.applied(scene.count(100, "A", "P", 101))
    assert scene.stock() == {("A", "P", "", ""): 101, ("A", "P", "", "S"): 39}
    house.applied(scene.move(50, "A", "B", "P", 5, None, "S"))
    assert scene.stock() == {
        ("A", "P", "", ""): 101,
        ("A", "P", "", "S"): 39,
        ("B", "P", "", ""): 5,
    }


def test_serial_numbers_are_counted_one_by_one(house: Warehouse) -> None:
    scene = house.scene(
        "A", "B", tracking="serial", lots=[("P", "S1")], stock=[("A", "P", 1, "S1")]
    )
    house.applied(scene.count(100, "A", "P", 0, "S1"), scene.count(100, "B", "P", 1, "S1"))
    assert scene.stock() == {("B", "P", "S1", ""): 1}
    house.applied(scene.move(50, "A", "B", "P", 1, "S1"))
    assert scene.stock() == {("B", "P", "S1", ""): 1}
    assert house.refused(scene.count(200, "B", "P", 2, "S1")) == "bad_quantity"


def test_a_count_of_a_user_in_odoo_is_an_anchor_too(house: Warehouse) -> None:
    scene = house.scene("A", "B", stock=[("A", "P", 13)])
    scene.user_counts("A", "P", 10, 100)
    house.applied(scene.move(50, "A", "B", "P", 3))
    assert scene.stock() == {("A", "P", "", ""): 10, ("B", "P", "", ""): 3}
    scene.user_counts("A", "P", 10, 200)
    house.applied(scene.move(150, "A", "B", "P", 2))
    assert scene.loose("A") == 10
    house.applied(scene.count(75, "A", "P", 12))
    assert scene.loose("A") == 10


def test_a_move_of_a_user_in_odoo_takes_part_at_its_own_date(house: Warehouse) -> None:
    scene = house.scene("A", "B", stock=[("A", "P", 10)])
    scene.user_moves("A", "B", "P", 4, 200)
    house.applied(scene.count(100, "A", "P", 9))
    assert scene.loose("A") == 5
    house.applied(scene.count(300, "A", "P", 6))
    assert scene.loose("A") == 6


def test_a_count_below_what_is_reserved_wins_over_the_reservation(house: Warehouse) -> None:
    scene = house.scene("A", "B", stock=[("A", "P", 10)])
    name = scene.transfer("A", "B", {"P": 8})
    house.applied(scene.count(100, "A", "P", 3))
    assert scene.loose("A") == 3
    results = house.applied(scene.line(200, name, "P", 3), scene.done(210, name))
    assert scene.stock() == {("B", "P", "", ""): 3}
    assert results[1]["record"]["name"] == name


def test_goods_scanned_before_a_count_and_booked_after_it_are_inside_it(house: Warehouse) -> None:
    scene = house.scene("A", "B", stock=[("A", "P", 5)])
    name = scene.transfer("A", "B", {"P": 5})
    house.applied(scene.line(100, name, "P", 5))
    house.applied(scene.count(150, "A", "P", 0))
    [result] = house.applied(scene.done(200, name))
    assert "counted since" in result["notes"][0]
    assert scene.stock() == {("B", "P", "", ""): 5}
    assert scene.history() == [(100, 5, False), (150, 5, True), (150, 5, True)]


def test_a_count_that_leaves_too_little_for_what_went_out_since_is_refused(
    house: Warehouse,
) -> None:
    scene = house.scene("A", "B", stock=[("A", "P", 10), ("B", "P", 3)])
    house.applied(scene.move(200, "A", "B", "P", 8))
    count = scene.count(100, "A", "P", 5)
    assert house.refused(count) == "insufficient_stock"
    assert scene.loose("A") == 2
    house.applied(scene.move(150, "B", "A", "P", 3), count)
    assert scene.loose("A") == 0


def test_one_bad_count_of_a_group_is_refused_alone(house: Warehouse) -> None:
    scene = house.scene(*"ABCDE")
    events = [scene.count(100, place, "P", 4) for place in "ABCDE"]
    events[3]["data"]["barcode"] = "nowhere"
    results = house.apply(*events)
    assert [row["status"] for row in results] == [
        "applied", "applied", "applied", "refused", "applied",
    ]  # fmt: skip
    assert results[3]["code"] == "unknown_barcode"
    assert {place[0] for place in scene.stock()} == set("ABCE")


def test_a_batch_sent_again_has_no_second_effect(house: Warehouse) -> None:
    scene = house.scene("A", "B", stock=[("A", "P", 10)])
    batch = [
        scene.count(100, "A", "P", 8),
        scene.move(200, "A", "B", "P", 2),
        scene.scrap(300, "A", "P", 1),
        scene.count(50, "A", "P", 9),
    ]
    first = house.applied(*batch)
    stock, history = scene.stock(), scene.history()
    again = house.apply(*batch)
    assert [row["status"] for row in again] == ["duplicate"] * 4
    assert [row["record"] for row in again] == [row["record"] for row in first]
    assert (scene.stock(), scene.history()) == (stock, history)
    assert stock == {("A", "P", "", ""): 5, ("B", "P", "", ""): 2}


def test_what_odoo_keeps_no_stock_of_cannot_be_counted(house: Warehouse) -> None:
    scene = house.scene("A", is_storable=False)
    assert house.refused(scene.count(100, "A", "P", 3)) == "odoo_refused"


def test_split_quants_are_merged_before_a_count(house: Warehouse) -> None:
    # Two transactions that met leave such a pair; an administrator makes one here.
    scene = house.scene("A", stock=[("A", "P", 10)])
    house.run(
        "env.cr.execute('INSERT INTO stock_quant (product_id, location_id, company_id, quantity, "
        "reserved_quantity, in_date) SELECT product_id, location_id, company_id, -3, 0, in_date "
        f"FROM stock_quant WHERE location_id = {scene.bins['A']}')"
    )
    domain = [["location_id", "=", scene.bins["A"]]]
    assert len(house.admin.call("stock.quant", "search", domain=domain)) == 2
    house.applied(scene.count(100, "A", "P", 6))
    assert scene.loose("A") == 6
    assert len(house.admin.call("stock.quant", "search", domain=domain)) == 1


#: {what is wrong: (the right text, the wrong one, the test that must notice)}
BROKEN = {
    "a count applied as an absolute figure": (
        'count["delta"] = count["counted"] - figure(book, place, order)',
        'count["delta"] = count["counted"] - book["now"][place]',
        test_a_late_count_keeps_what_moved_since,
    ),
    "late movements forgotten by their anchors": (
        "if anchor > order and (found is None or anchor < found[0]):",
        "if False:",
        test_a_late_movement_is_inside_the_count_that_followed_it,
    ),
    "counts that agree are no anchors": (
        "    note_effects(anchors)\n    for row in adjust(rows):",
        "    for row in adjust(rows):",
        test_a_count_that_agrees_moves_nothing_and_is_an_anchor_all_the_same,
    ),
    "repaired at the last anchor instead of the first": (
        "(found is None or anchor < found[0])",
        "(found is None or anchor > found[0])",
        test_counts_of_one_place_are_each_an_anchor,
    ),
    "lots thrown together": (
        "for record in (lot, package, owner):",
        "for record in (None, package, owner):",
        test_two_lots_in_one_bin_are_counted_apart,
    ),
    "seconds instead of microseconds": (
        'return (moment(event["occurred"]), event["device"], UNHEARD + number)',
        'return (moment(event["occurred"][:19]), event["device"], UNHEARD + number)',
        test_microseconds_decide,
    ),
    "counts of users are no anchors": (
        'if line["is_inventory"] and line["adjusts"] and line["id"] not in parts:',
        "if False:",
        test_a_count_of_a_user_in_odoo_is_an_anchor_too,
    ),
}


@pytest.mark.parametrize("mistake", BROKEN)
def test_a_broken_count_is_noticed(house: Warehouse, mistake: str) -> None:
    right, wrong, scene = BROKEN[mistake]
    house.install((right, wrong))
    try:
        with pytest.raises(AssertionError):
            scene(house)
    finally:
        house.install()
