"""Scrap: what was not there is a refusal, never a wizard left open."""

from __future__ import annotations

import pytest

from tests.odoo.action_harness import Warehouse, odoo_time


@pytest.fixture(scope="module")
def house(odoo_db) -> Warehouse:
    return Warehouse(odoo_db, odoo_db.stock_user)


def test_a_scrap_leaves_the_stock_at_its_own_time(house: Warehouse) -> None:
    scene = house.scene("A", "B", stock=[("A", "P", 10)])
    name = scene.transfer("A", "B", {"P": 1})
    event = scene.scrap(100.5, "A", "P", 4, document=name, reason="wet")
    [result] = house.applied(event)
    assert result["record"]["model"] == "stock.scrap"
    [scrap] = house.admin.call(
        "stock.scrap",
        "read",
        ids=[result["record"]["id"]],
        fields=["name", "state", "scrap_qty", "date_done", "origin"],
    )
    assert scrap["name"] == result["record"]["name"]
    assert (scrap["state"], scrap["scrap_qty"]) == ("done", 4)
    assert scrap["date_done"] == odoo_time(100)
    assert scrap["origin"] == f"hand-1: {name}: wet"
    assert scene.stock() == {("A", "P", "", ""): 6}
    assert scene.history() == [(100, 4, False)]
    assert [row["x_kind"] for row in scene.effects(event)] == ["scrap"]


def test_more_than_was_there_is_refused_and_leaves_nothing(house: Warehouse) -> None:
    scene = house.scene("A", "B", stock=[("A", "P", 3)])
    assert house.refused(scene.scrap(100, "A", "P", 4)) == "insufficient_stock"
    assert house.refused(scene.scrap(100, "B", "P", 1)) == "insufficient_stock"
    assert scene.stock() == {("A", "P", "", ""): 3}
    domain = [["product_id", "=", scene.goods["P"]]]
    assert house.admin.call("stock.scrap", "search_count", domain=domain) == 0


def test_one_too_much_of_a_run_is_refused_alone(house: Warehouse) -> None:
    scene = house.scene("A", stock=[("A", "P", 10)])
    events = [scene.scrap(100 + number, "A", "P", quantity) for number, quantity in
              enumerate((3, 3, 9, 4))]  # fmt: skip
    results = house.apply(*events)
    assert [row["status"] for row in results] == ["applied", "applied", "refused", "applied"]
    assert scene.stock() == {}


def test_a_late_scrap_is_inside_the_count_that_followed_it(house: Warehouse) -> None:
    scene = house.scene("A", stock=[("A", "P", 10)])
    house.applied(scene.count(200, "A", "P", 6))
    house.applied(scene.scrap(100, "A", "P", 4))
    assert scene.stock() == {("A", "P", "", ""): 6}
    assert scene.stock_at(150) == {("A", "P", "", ""): 6}
    house.applied(scene.scrap(300, "A", "P", 1))
    assert scene.stock() == {("A", "P", "", ""): 5}


def test_scrap_of_a_lot_and_off_a_pallet(house: Warehouse) -> None:
    scene = house.scene(
        "A", tracking="lot", lots=[("P", "L1"), ("P", "L2")], pallets=["S"],
        stock=[("A", "P", 5, "L1"), ("A", "P", 5, "L2"), ("A", "P", 5, "L2", "S")],
    )  # fmt: skip
    house.applied(scene.scrap(100, "A", "P", 2, "L2"), scene.scrap(110, "A", "P", 3, "L2", "S"))
    assert scene.stock() == {
        ("A", "P", "L1", ""): 5,
        ("A", "P", "L2", ""): 3,
        ("A", "P", "L2", "S"): 2,
    }
    assert house.refused(scene.scrap(120, "A", "P", 4, "L2")) == "insufficient_stock"
    assert house.refused(scene.scrap(120, "A", "P", 1)) == "missing_lot"


def test_a_scrap_sent_again_is_not_scrapped_again(house: Warehouse) -> None:
    scene = house.scene("A", stock=[("A", "P", 10)])
    event = scene.scrap(100, "A", "P", 4)
    [first] = house.applied(event)
    again = house.apply(event, event)
    assert [row["status"] for row in again] == ["duplicate", "duplicate"]
    assert again[0]["record"] == first["record"]
    assert scene.stock() == {("A", "P", "", ""): 6}


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"location": "nowhere"}, "unknown_location"),
        ({"location": "Customers"}, "wrong_location"),
        ({"document": "WH/OUT/99999"}, "unknown_document"),
        ({"document": {"after": "WH/PICK/1", "step": "ship"}}, "not_supported_yet"),
        ({"quantity": "0.5"}, "bad_quantity"),
    ],
)
def test_a_scrap_that_makes_no_sense_is_refused(
    house: Warehouse, change: dict[str, object], code: str
) -> None:
    scene = house.scene("A", stock=[("A", "P", 10)])
    event = scene.scrap(100, "A", "P", 4)
    event["data"] |= change
    assert house.refused(event) == code
    assert scene.stock() == {("A", "P", "", ""): 10}


def test_a_scrap_that_asked_odoo_only_would_be_noticed(house: Warehouse) -> None:
    # Odoo scraps below zero without a word once it is told to.
    house.install(('if state["binding"].get("allow_negative"):', "if True:"))
    try:
        with pytest.raises(AssertionError):
            test_more_than_was_there_is_refused_and_leaves_nothing(house)
    finally:
        house.install()


def test_a_scrap_forgotten_by_the_counts_after_it_would_be_noticed(house: Warehouse) -> None:
    house.install(('    adjust([row for row in repairs if not row["to"]])\n', ""))
    try:
        with pytest.raises(AssertionError):
            test_a_late_scrap_is_inside_the_count_that_followed_it(house)
    finally:
        house.install()
