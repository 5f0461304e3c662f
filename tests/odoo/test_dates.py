"""Nothing is dated into a closed period; what happened then keeps its order all the same."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date, datetime, timedelta

import pytest

from tests.odoo.action_harness import OPENING, SHIFT, Scene, Warehouse, odoo_time

#: The shift of the harness began two days ago; the books are locked up to the day before yesterday.
LOCKED = SHIFT.date()
OPENS = datetime.combine(LOCKED + timedelta(days=1), datetime.min.time())
DAY = 86400


@pytest.fixture(scope="module")
def house(odoo_db) -> Warehouse:
    return Warehouse(odoo_db, odoo_db.stock_user)


def lock(house: Warehouse, field: str, until: date | None) -> None:
    code = f"env.company.sudo().write({{{field!r}: {until.isoformat() if until else False!r}}})"
    house.run(code)


@pytest.fixture
def locked(house: Warehouse) -> Iterator[Scene]:
    scene = house.scene("A", "B", stock=[("A", "P", 10)])
    lock(house, "fiscalyear_lock_date", LOCKED)
    yield scene
    lock(house, "fiscalyear_lock_date", None)


def dates(scene: Scene) -> set[str]:
    found = set()
    for model in ("stock.move", "stock.move.line"):
        rows = scene.house.admin.call(
            model,
            "search_read",
            domain=[
                ["product_id", "=", scene.goods["P"]],
                ["state", "=", "done"],
                ["date", ">", OPENING],
            ],
            fields=["date"],
        )
        found |= {row["date"] for row in rows}
    return found


def test_what_happened_in_a_locked_period_takes_the_first_open_instant(locked: Scene) -> None:
    house, name = locked.house, locked.transfer("A", "B", {"P": 2})
    results = house.applied(
        locked.move(100, "A", "B", "P", 1),
        locked.scrap(200, "A", "P", 1),
        locked.count(300, "A", "P", 9),
        locked.line(400, name, "P", 2),
        locked.done(500, name),
    )
    assert dates(locked) == {str(OPENS)}
    for result in (results[0], results[1], results[2], results[4]):
        assert f"dated {OPENS} UTC" in result["notes"][0]
        assert f"locked up to {LOCKED}" in result["notes"][0]
    [picking] = house.admin.call(
        "stock.picking", "read", ids=[results[4]["record"]["id"]], fields=["date_done"]
    )
    assert picking["date_done"] == str(OPENS)
    assert locked.stock() == {("A", "P", "", ""): 7, ("B", "P", "", ""): 3}


def test_what_happened_in_a_locked_period_keeps_its_order(locked: Scene) -> None:
    house = locked.house
    house.applied(locked.move(300, "A", "B", "P", 4))
    house.applied(locked.count(200, "A", "P", 9))
    assert locked.loose("A") == 5
    house.applied(locked.move(100, "A", "B", "P", 2))
    assert locked.loose("A") == 5
    assert locked.loose("B") == 6


def test_the_claim_keeps_when_it_happened(locked: Scene) -> None:
    event = locked.move(100, "A", "B", "P", 1)
    locked.house.applied(event)
    [claim] = locked.house.admin.call(
        "x_edge_event",
        "search_read",
        domain=[["x_key", "=", event["key"]]],
        fields=["x_occurred", "x_notes"],
    )
    assert claim["x_occurred"] == odoo_time(100)
    assert "locked" in claim["x_notes"]
    [effect] = locked.effects(event)
    assert effect["x_time"] == odoo_time(100)


def test_what_happened_after_the_lock_keeps_its_date(locked: Scene) -> None:
    time = (OPENS - SHIFT).total_seconds() + 60
    [result] = locked.house.applied(locked.move(time, "A", "B", "P", 1))
    assert result["notes"] == []
    assert dates(locked) == {odoo_time(time)}


@pytest.mark.parametrize("field", ["tax_lock_date", "sale_lock_date", "purchase_lock_date"])
def test_every_lock_counts(house: Warehouse, field: str) -> None:
    scene = house.scene("A", stock=[("A", "P", 10)])
    lock(house, field, LOCKED)
    try:
        house.applied(scene.count(100, "A", "P", 9))
        assert dates(scene) == {str(OPENS)}
    finally:
        lock(house, field, None)


def test_nothing_is_dated_before_the_last_closing_of_the_inventory(house: Warehouse) -> None:
    # What a closing leaves behind: a posted entry that the company remembers.
    house.run("""
journal = env["account.journal"].search([("type", "=", "general")], limit=1)
if not journal:
    journal = env["account.journal"].create({"name": "Stock", "code": "STJ", "type": "general"})
one = env["account.account"].create({"name": "a", "code": "991", "account_type": "asset_current"})
two = env["account.account"].create({"name": "b", "code": "992", "account_type": "asset_current"})
entry = env["account.move"].create({
    "journal_id": journal.id,
    "line_ids": [
        Command.create({"account_id": one.id, "debit": 1}),
        Command.create({"account_id": two.id, "credit": 1}),
    ],
})
entry.action_post()
env.company._save_closing_id(entry.id)
""")
    closed = datetime.fromisoformat(house.run("action = str(env.company._get_last_closing_date())"))
    scene = house.scene("A", stock=[("A", "P", 10)])
    try:
        [result] = house.applied(scene.count(100, "A", "P", 9))
        [dated] = dates(scene)
        assert closed < datetime.fromisoformat(dated) <= closed + timedelta(seconds=1)
        assert "inventory was closed" in result["notes"][0]
    finally:
        house.run(
            "env['ir.config_parameter'].set_param("
            "'%s.stock_valuation_closing_ids' % env.company.id, '')"
        )


def test_a_hard_lock_counts_and_cannot_be_taken_back(house: Warehouse) -> None:
    # The last test of this database: Odoo never lets go of a hard lock.
    scene = house.scene("A", stock=[("A", "P", 10)])
    lock(house, "hard_lock_date", LOCKED)
    house.applied(scene.count(100, "A", "P", 9))
    assert dates(scene) == {str(OPENS)}


def test_dating_into_a_locked_period_would_be_noticed(house: Warehouse) -> None:
    scene = house.scene("A", stock=[("A", "P", 10)])
    house.install(("if opening is None or time >= opening:", "if True:"))
    try:
        house.applied(scene.count(100, "A", "P", 9))
        assert dates(scene) == {odoo_time(100)}
    finally:
        house.install()


def test_ordering_by_odoo_dates_would_be_noticed(house: Warehouse) -> None:
    scene = house.scene("A", "B", stock=[("A", "P", 10)])
    right = 'order = (part["x_time"], part["device"], part["id"])\n    if part["x_kind"]'
    house.install((right, right.replace('part["x_time"]', 'dated_at(part["x_time"])[0]', 1)))
    try:
        house.applied(scene.move(100, "A", "B", "P", 2))
        house.applied(scene.count(200, "A", "P", 8))
        assert scene.loose("A") == 6
    finally:
        house.install()
