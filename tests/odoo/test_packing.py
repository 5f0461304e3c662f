"""package.packed and its weight, on a real Odoo."""

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


def packed(document: str, package: str, **fields: Any) -> OdooEvent:
    return event("package.packed", {"document": document, "package": package} | fields)


def codes(results: list[OdooResult]) -> list[str]:
    return [" ".join(filter(None, (r.status, r.code, r.message))) for r in results]


def delivery_of(floor: Floor, barcode: str, quantity: float) -> str:
    floor.stock(barcode, quantity)
    return floor.transfer("outgoing", [(barcode, quantity)])


def customers(floor: Floor, barcode: str) -> dict[str, float]:
    hand = floor.on_hand(barcode)
    return {name.partition(" ")[2]: n for name, n in hand.items() if "Customers" in name}


def test_everything_loose_goes_into_the_package_with_its_weight(floor: Floor) -> None:
    screw = floor.product()
    delivery = delivery_of(floor, screw, 5)

    results = floor.apply(
        line(delivery, screw, 3),
        packed(delivery, "BOX-1", weight="2500", weight_uom="GRM"),
        line(delivery, screw, 2),
        packed(delivery, "BOX-2", weight="1.25", weight_uom="KGM"),
        done(delivery),
    )

    assert codes(results) == ["applied"] * 5
    assert customers(floor, screw) == {"BOX-1": 3, "BOX-2": 2}
    weights = floor.call(
        "stock.package",
        "search_read",
        domain=[["name", "in", ["BOX-1", "BOX-2"]]],
        fields=["name", "shipping_weight"],
        order="name",
    )
    assert [row["shipping_weight"] for row in weights] == [2.5, 1.25]
    assert results[1].notes == ("package BOX-1",)


def shipping_weight(floor: Floor, package: str) -> float:
    found = floor.call(
        "stock.package",
        "search_read",
        domain=[["name", "=", package]],
        fields=["shipping_weight"],
    )
    return float(found[0]["shipping_weight"])


def weighed(weight: str, uom: str) -> dict[str, Any]:
    time = "2026-11-24T09:59:00.000000Z"
    return {"weight": weight, "uom": uom, "device": "scale-1", "time": time, "net": False}


@pytest.mark.parametrize(
    ("fields", "kilograms", "note"),
    [
        ({"weighed": weighed("2750", "GRM")}, 2.75, "weighed 2750 GRM on scale-1"),
        ({"weighed": weighed("10", "LBR")}, 4.53592, "weighed 10 LBR on scale-1"),
        ({"weighed": weighed("9", "KGM"), "weight": "2", "weight_uom": "KGM"}, 2.0, ""),
        ({"weighed": weighed("9", "CTM")}, 0.0, "its weight of 9 CTM is not kept"),
        ({"weighed": weighed("9", "MTR")}, 0.0, "its weight of 9 MTR is not kept"),
        ({"weighed": {"reason": "Nothing lay there."}}, 0.0, "no weight: Nothing lay there."),
    ],
)
def test_the_stations_weight_counts_where_the_device_says_none(
    floor: Floor, fields: dict[str, Any], kilograms: float, note: str
) -> None:
    screw = floor.product()
    delivery = delivery_of(floor, screw, 1)
    box = f"BOX-W{delivery[-5:]}"

    results = floor.apply(line(delivery, screw, 1), packed(delivery, box, **fields))

    assert codes(results) == ["applied"] * 2
    assert shipping_weight(floor, box) == pytest.approx(kilograms, abs=1e-4)
    assert " ".join(results[1].notes).startswith(f"package {box} {note}".strip())


def test_part_of_a_line_is_packed(floor: Floor) -> None:
    screw = floor.product()
    delivery = delivery_of(floor, screw, 5)

    results = floor.apply(
        line(delivery, screw, 2),
        line(delivery, screw, 3),
        packed(delivery, "BOX-3", lines=[{"barcode": screw, "quantity": "4"}]),
        done(delivery),
    )

    assert codes(results) == ["applied"] * 4
    assert customers(floor, screw) == {"BOX-3": 4, "": 1}


def test_lots_are_packed_by_name(floor: Floor) -> None:
    paint = floor.product("Paint", tracking="lot")
    for lot in ("A", "B"):
        floor.stock(paint, 3, lot=lot)
    delivery = floor.transfer("outgoing", [(paint, 6)])

    results = floor.apply(
        line(delivery, paint, 3, lot="A"),
        line(delivery, paint, 3, lot="B"),
        packed(delivery, "BOX-4", lines=[{"barcode": paint, "quantity": "3", "lot": "B"}]),
        done(delivery),
    )

    assert codes(results) == ["applied"] * 4
    assert customers(floor, paint) == {"A": 3, "B BOX-4": 3}


def test_more_than_is_recorded_cannot_be_packed(floor: Floor) -> None:
    screw = floor.product()
    delivery = delivery_of(floor, screw, 5)

    results = floor.apply(
        line(delivery, screw, 2),
        packed(delivery, "BOX-5", lines=[{"barcode": screw, "quantity": "3"}]),
    )

    assert results[1].code == "over_quantity"
    assert floor.call("stock.package", "search", domain=[["name", "=", "BOX-5"]]) == []


def test_an_empty_document_cannot_be_packed(floor: Floor) -> None:
    delivery = delivery_of(floor, floor.product(), 5)

    [result] = floor.apply(packed(delivery, "BOX-6"))

    assert result.code == "nothing_recorded"


def test_a_package_that_holds_something_is_not_filled_again(floor: Floor) -> None:
    screw, nut = floor.product("Screw"), floor.product("Nut")
    floor.stock(nut, 4, package="BOX-7")
    delivery = delivery_of(floor, screw, 5)

    results = floor.apply(line(delivery, screw, 5), packed(delivery, "BOX-7"))

    assert results[1].code == "contradiction"
    assert "already holds Nut" in results[1].message


def test_a_weight_must_be_a_weight(floor: Floor) -> None:
    screw = floor.product()
    delivery = delivery_of(floor, screw, 5)

    results = floor.apply(
        line(delivery, screw, 5), packed(delivery, "BOX-8", weight="2", weight_uom="MTR")
    )

    assert results[1].code == "unknown_unit"


def test_packing_is_taken_back_and_the_goods_stay_recorded(floor: Floor) -> None:
    screw = floor.product()
    delivery = delivery_of(floor, screw, 5)
    wrong = packed(delivery, "BOX-9")
    device, _, uid = wrong.key.partition("|")
    back = event("event.reversed", {"event": uid, "reason": "wrong box"}, device=device)

    results = floor.apply(
        line(delivery, screw, 5), wrong, back, packed(delivery, "BOX-10"), done(delivery)
    )

    assert codes(results) == ["applied"] * 5
    assert customers(floor, screw) == {"BOX-10": 5}


def test_scans_after_packing_start_a_line_of_their_own(floor: Floor) -> None:
    screw = floor.product()
    delivery = delivery_of(floor, screw, 5)

    results = floor.apply(line(delivery, screw, 2), packed(delivery, "BOX-11"))
    results += floor.apply(line(delivery, screw, 3), done(delivery))

    assert codes(results) == ["applied"] * 4
    assert customers(floor, screw) == {"BOX-11": 2, "": 3}


def test_a_label_of_a_package_is_noted_on_its_document(floor: Floor) -> None:
    screw = floor.product()
    delivery = delivery_of(floor, screw, 5)
    label = event("label.printed", {"package": "BOX-12", "printer": "p1", "copies": 1, "proof": 1})

    results = floor.apply(line(delivery, screw, 5), packed(delivery, "BOX-12"), label)

    assert codes(results) == ["applied"] * 3
    assert results[2].record
    assert results[2].record.name == delivery
