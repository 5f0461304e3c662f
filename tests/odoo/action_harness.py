"""A warehouse in a real Odoo and events for its server action: what the tests of counts stand on.

Everything goes through Odoo's own API: the administrator makes products, places and opening stock,
the stock user runs the action. Times are seconds into a shift that began two days ago, so that
nothing lies in the future and everything lies after the opening stock.
"""

from __future__ import annotations

import asyncio
import itertools
import random
import secrets
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, Protocol
from uuid import UUID

from cloud_relay.odoo.install import Installer
from cloud_relay.odoo.json2 import Json2
from cloud_relay.odoo.schema import EFFECTS
from cloud_relay.odoo.source import action_source, digest

#: Makes a scene in one call: a call for each record would cost more than the test.
MAKER = """
wanted = env.context["wanted"]
env = env(context={"inventory_mode": True, "tracking_disable": True})
bins = {}
for name, label, parent in wanted["bins"]:
    bins[name] = env["stock.location"].create({
        "name": label, "barcode": label, "usage": "internal",
        "location_id": bins[parent] if parent else wanted["within"],
    }).id
goods = {}
for name, label, values in wanted["goods"]:
    common = {"name": label, "barcode": label, "type": "consu", "is_storable": True}
    common.update(wanted["product"])
    goods[name] = env["product.product"].create(dict(common, **values)).id
lots = {}
for good, name in wanted["lots"]:
    lots[(good, name)] = env["stock.lot"].create({
        "product_id": goods[good], "name": name, "company_id": wanted["company"],
    }).id
pallets = {}
for name, label in wanted["pallets"]:
    pallets[name] = env["stock.package"].create({"name": label}).id
quants = env["stock.quant"]
for place, good, quantity, lot, pallet in wanted["stock"]:
    quants |= quants.create({
        "location_id": bins[place], "product_id": goods[good], "inventory_quantity": quantity,
        "lot_id": lot and lots[(good, lot)], "package_id": pallet and pallets[pallet],
    })
if quants:
    quants.action_apply_inventory()
    moves = env["stock.move"].search([("product_id", "in", list(goods.values()))])
    moves.write({"date": wanted["opening"]})
found = []
for good, name in lots:
    found.append([good, name, lots[(good, name)]])
action = {"bins": bins, "goods": goods, "pallets": pallets, "lots": found}
"""


class Odoo(Protocol):
    """What the harness asks of a database; ``OdooDatabase`` of the sandbox is one."""

    url: str
    name: str
    key: str

    def call(self, model: str, method: str, **named: Any) -> Any: ...


Event = dict[str, Any]
Result = dict[str, Any]
#: (place, product, lot, package), as a scene names them; the last two may be empty.
Place = tuple[str, str, str, str]

# In the morning, so that no shift crosses midnight, whenever the tests run.
SHIFT = datetime.combine(
    (datetime.now(UTC) - timedelta(days=2)).date(), datetime.min.time()
) + timedelta(hours=8)
#: The opening stock is older than any event.
OPENING = (SHIFT - timedelta(days=30)).isoformat(sep=" ")


def at(time: float) -> str:
    """UTC text as the relay sends it, ``time`` seconds into the shift."""
    return (SHIFT + timedelta(seconds=time)).isoformat(sep=" ", timespec="microseconds")


def odoo_time(time: float) -> str:
    """The same as Odoo keeps it: to the second."""
    return at(time)[:19]


class Warehouse:
    """One company's warehouse in a database of its own, with the action installed."""

    def __init__(self, admin: Odoo, stock: Odoo) -> None:
        self.admin = admin
        self.stock = stock
        self.allow_negative = False
        self._watermark: dict[str, str] = {}
        self._scenes = itertools.count(1)
        self._tag = secrets.token_hex(2)
        row = admin.call(
            "stock.warehouse",
            "search_read",
            domain=[],
            fields=["company_id", "lot_stock_id", "int_type_id", "out_type_id", "in_type_id"],
            limit=1,
        )[0]
        self.id = int(row["id"])
        self.company = int(row["company_id"][0])
        self.stock_location = int(row["lot_stock_id"][0])
        self.internal_type = int(row["int_type_id"][0])
        self.delivery_type = int(row["out_type_id"][0])
        self.receipt_type = int(row["in_type_id"][0])
        self.action = asyncio.run(self._install())
        self.digest = digest(action_source())
        self._maker = self._server_action(MAKER)

    def _server_action(self, code: str) -> int:
        [model] = self.admin.call("ir.model", "search", domain=[["model", "=", "stock.quant"]])
        values = {"name": "for a test", "model_id": model, "state": "code", "code": code}
        return int(self.admin.call("ir.actions.server", "create", vals_list=[values])[0])

    def run(self, code: str) -> Any:
        """Run code in Odoo as an administrator; answers what it puts into ``action``."""
        return self.admin.call("ir.actions.server", "run", ids=[self._server_action(code)])

    async def _install(self) -> int:
        uid = self.stock.call("res.users", "context_get")["uid"]
        user = self.admin.call("res.users", "read", ids=[uid], fields=["login"])[0]
        async with Json2(self.admin.url, self.admin.name, self.admin.key) as odoo:
            return (await Installer(odoo).install(user["login"])).action

    def install(self, *mistakes: tuple[str, str]) -> None:
        """Put the action's text in place, with deliberate mistakes when some are given."""
        text = action_source()
        for right, wrong in mistakes:
            assert text.count(right) == 1, f"{right!r} occurs {text.count(right)} times"
            text = text.replace(right, wrong)
        self.admin.call("ir.actions.server", "write", ids=[self.action], vals={"code": text})
        self.digest = digest(text)

    def apply(self, *events: Event) -> list[Result]:
        """One batch, as the stock user; one answer an event, in order."""
        batch = {
            "database_uuid": "",
            "watermark": self._watermark,
            "binding": {
                "company": self.company,
                "warehouses": [self.id],
                "allow_negative": self.allow_negative,
            },
            "action": self.action,
            "action_digest": self.digest,
            "events": list(events),
        }
        reply = self.stock.call(
            "ir.actions.server", "run", ids=[self.action], context={"relay_batch": batch}
        )
        assert "results" in reply, reply
        self._watermark = reply["watermark"]
        results: list[Result] = reply["results"]
        assert [row["key"] for row in results] == [event["key"] for event in events]
        return results

    def applied(self, *events: Event) -> list[Result]:
        """The same, when all of them are expected to take effect."""
        results = self.apply(*events)
        assert [row for row in results if row["status"] != "applied"] == []
        return results

    def refused(self, event: Event) -> str:
        """Apply one event that is expected to be refused; answers the code."""
        [result] = self.apply(event)
        assert result["status"] == "refused", result
        assert result["message"]
        return str(result["code"])

    def scene(
        self,
        *bins: str,
        nested: Mapping[str, str] | None = None,
        goods: Sequence[str] = ("P",),
        tracked: Sequence[str] = (),
        lots: Sequence[tuple[str, str]] = (),
        pallets: Sequence[str] = (),
        stock: Sequence[Sequence[Any]] = (),
        seed: int = 1,
        **product: Any,
    ) -> Scene:
        """Places and goods of a test's own, made in one call.

        ``nested`` puts a bin into another, ``tracked`` goods have lots, ``lots`` are (good, name),
        ``stock`` is what was there long ago: rows of (bin, good, quantity[, lot[, pallet]]);
        ``product`` is said of all goods.
        """
        scene = Scene(self, f"{self._tag}{next(self._scenes)}", seed)
        wanted = {
            "bins": [[name, scene.label(name), (nested or {}).get(name)] for name in bins],
            "goods": [[name, scene.label(name), {}] for name in goods]
            + [[name, scene.label(name), {"tracking": "lot"}] for name in tracked],
            "lots": [list(lot) for lot in lots],
            "pallets": [[name, scene.label(name)] for name in pallets],
            "stock": [[*row, None, None][:5] for row in stock],
            "product": product,
            "within": self.stock_location,
            "company": self.company,
            "opening": OPENING,
        }
        made = self.admin.call(
            "ir.actions.server", "run", ids=[self._maker], context={"wanted": wanted}
        )
        scene.bins, scene.goods, scene.pallets = made["bins"], made["goods"], made["pallets"]
        scene.lots = {(good, name): identity for good, name, identity in made["lots"]}
        return scene


class Scene:
    """Names of a test's own for places, goods, lots and pallets, and events that use them."""

    def __init__(self, house: Warehouse, number: str, seed: int) -> None:
        self.house = house
        self._number = number
        self._random = random.Random(f"{number} {seed}")
        self.bins: dict[str, int] = {}
        self.goods: dict[str, int] = {}
        self.lots: dict[tuple[str, str], int] = {}
        self.pallets: dict[str, int] = {}

    def label(self, name: str) -> str:
        """What stands on the label of a place, good or pallet."""
        return f"{name}-{self._number}"

    # -- what users do in Odoo -------------------------------------------------------------------

    def _create(self, model: str, **values: Any) -> int:
        return int(self.house.admin.call(model, "create", vals_list=[values])[0])

    def _done_moves(self) -> list[int]:
        domain = [["product_id", "in", list(self.goods.values())], ["state", "=", "done"]]
        found: list[int] = self.house.admin.call("stock.move", "search", domain=domain)
        return found

    def _date_moves(self, known: list[int], date: str) -> None:
        moves = [move for move in self._done_moves() if move not in known]
        assert moves
        self.house.admin.call("stock.move", "write", ids=moves, vals={"date": date})

    def user_counts(self, bin_: str, good: str, quantity: float, time: float) -> None:
        """A user counts in Odoo itself, at ``time``."""
        call, mode, known = self.house.admin.call, {"inventory_mode": True}, self._done_moves()
        values = {
            "location_id": self.bins[bin_],
            "product_id": self.goods[good],
            "inventory_quantity": quantity,
        }
        quants = call("stock.quant", "create", vals_list=[values], context=mode)
        call("stock.quant", "action_apply_inventory", ids=quants, context=mode)
        self._date_moves(known, odoo_time(time))

    def user_moves(self, source: str, to: str, good: str, quantity: float, time: float) -> None:
        """A user moves goods in Odoo itself, at ``time``."""
        call, known = self.house.admin.call, self._done_moves()
        name = self.transfer(source, to, {good: quantity})
        [picking] = call("stock.picking", "search", domain=[["name", "=", name]])
        lines = call("stock.move.line", "search", domain=[["picking_id", "=", picking]])
        call("stock.move.line", "write", ids=lines, vals={"picked": True})
        call("stock.picking", "button_validate", ids=[picking])
        self._date_moves(known, odoo_time(time))

    def transfer(self, source: str, to: str, goods: Mapping[str, float]) -> str:
        """A confirmed and reserved internal transfer; answers its name."""
        call = self.house.admin.call
        ends = {"location_id": self.bins[source], "location_dest_id": self.bins[to]}
        moves = [
            [0, 0, {"product_id": self.goods[good], "product_uom_qty": quantity, **ends}]
            for good, quantity in goods.items()
        ]
        picking = self._create(
            "stock.picking", picking_type_id=self.house.internal_type, move_ids=moves, **ends
        )
        call("stock.picking", "action_confirm", ids=[picking])
        call("stock.picking", "action_assign", ids=[picking])
        [row] = call("stock.picking", "read", ids=[picking], fields=["name"])
        return str(row["name"])

    # -- events ----------------------------------------------------------------------------------

    def event(self, kind: str, time: float, data: Mapping[str, Any], device: str) -> Event:
        identity = UUID(int=self._random.getrandbits(128), version=4)
        return {
            "key": f"{device}|{identity}",
            "digest": identity.hex * 2,
            "kind": kind,
            "device": device,
            "site": "site-1",
            "occurred": at(time),
            "recorded": at(time + 1),
            "data": {name: value for name, value in data.items() if value is not None},
        }

    def _goods(
        self, good: str | None, quantity: float | None, lot: str | None, pallet: str | None
    ) -> dict[str, Any]:
        return {
            "barcode": self.label(good) if good else None,
            "quantity": None if quantity is None else str(quantity),
            "lot": lot or None,
            "package": self.label(pallet) if pallet else None,
        }

    def count(
        self,
        time: float,
        bin_: str,
        good: str,
        quantity: float,
        lot: str | None = None,
        pallet: str | None = None,
        *,
        device: str = "hand-1",
    ) -> Event:
        data = {"location": self.label(bin_), **self._goods(good, quantity, lot, pallet)}
        return self.event("count.recorded", time, data, device)

    def move(
        self,
        time: float,
        source: str,
        to: str,
        good: str | None = None,
        quantity: float | None = None,
        lot: str | None = None,
        pallet: str | None = None,
        *,
        reason: str | None = None,
        device: str = "hand-1",
    ) -> Event:
        ends = {"from": self.label(source), "to": self.label(to), "reason": reason}
        data = {**ends, **self._goods(good, quantity, lot, pallet)}
        return self.event("stock.moved", time, data, device)

    def scrap(
        self,
        time: float,
        bin_: str,
        good: str,
        quantity: float,
        lot: str | None = None,
        pallet: str | None = None,
        *,
        document: str | None = None,
        reason: str | None = None,
        device: str = "hand-1",
    ) -> Event:
        place = {"location": self.label(bin_), "document": document, "reason": reason}
        data = {**place, **self._goods(good, quantity, lot, pallet)}
        return self.event("scrap.recorded", time, data, device)

    def line(
        self,
        time: float,
        document: str,
        good: str,
        quantity: float,
        *,
        source: str | None = None,
        device: str = "hand-1",
    ) -> Event:
        data = {
            "document": document,
            "from": self.label(source) if source else None,
            **self._goods(good, quantity, None, None),
        }
        return self.event("transfer.line", time, data, device)

    def done(
        self, time: float, document: str, *, lines: str | None = None, device: str = "hand-1"
    ) -> Event:
        data = {"document": document, "backorder": "cancel", "lines": lines}
        return self.event("transfer.done", time, data, device)

    # -- what came of them -----------------------------------------------------------------------

    def stock(self) -> dict[Place, float]:
        """What Odoo holds now, without zeros."""
        return self._named(
            self.house.admin.call(
                "stock.quant",
                "search_read",
                domain=[
                    ["location_id", "in", list(self.bins.values())],
                    ["product_id", "in", list(self.goods.values())],
                ],
                fields=["location_id", "product_id", "lot_id", "package_id", "quantity"],
            )
        )

    def _named(self, rows: list[dict[str, Any]]) -> dict[Place, float]:
        bins = {identity: name for name, identity in self.bins.items()}
        goods = {identity: name for name, identity in self.goods.items()}
        lots = {identity: name for (_, name), identity in self.lots.items()}
        pallets = {identity: name for name, identity in self.pallets.items()}
        found: dict[Place, float] = {}
        for row in rows:
            place = (
                bins[row["location_id"][0]],
                goods[row["product_id"][0]],
                lots[row["lot_id"][0]] if row["lot_id"] else "",
                pallets[row["package_id"][0]] if row["package_id"] else "",
            )
            found[place] = round(found.get(place, 0.0) + row["quantity"], 6)
        return {place: quantity for place, quantity in found.items() if quantity}

    def loose(self, bin_: str, good: str = "P", lot: str = "", pallet: str = "") -> float:
        """What Odoo holds now at one exact place."""
        return self.stock().get((bin_, good, lot, pallet), 0.0)

    def stock_at(self, time: float) -> dict[Place, float]:
        """What Odoo's dated move lines say was there after ``time``."""
        rows: list[dict[str, Any]] = []
        bins = set(self.bins.values())
        ends = ["location_id", "location_dest_id", "package_id", "result_package_id"]
        domain = [
            ["product_id", "in", list(self.goods.values())],
            ["state", "=", "done"],
            ["date", "<=", odoo_time(time)],
        ]
        for line in self.house.admin.call(
            "stock.move.line",
            "search_read",
            domain=domain,
            fields=[*ends, "product_id", "lot_id", "quantity"],
        ):
            arrived = {
                "location_id": line["location_dest_id"],
                "package_id": line["result_package_id"],
            }
            if line["location_dest_id"][0] in bins:
                rows.append(line | arrived)
            if line["location_id"][0] in bins:
                rows.append(line | {"quantity": -line["quantity"]})
        return self._named(rows)

    def history(self, good: str = "P") -> list[tuple[float, float, bool]]:
        """(seconds into the shift, quantity, adjustment?) of the done moves since the opening."""
        moves = self.house.admin.call(
            "stock.move",
            "search_read",
            domain=[
                ["product_id", "=", self.goods[good]],
                ["state", "=", "done"],
                ["date", ">", OPENING],
            ],
            fields=["date", "quantity", "is_inventory"],
            order="date, id",
        )
        return [
            (
                (datetime.fromisoformat(move["date"]) - SHIFT).total_seconds(),
                move["quantity"],
                move["is_inventory"],
            )
            for move in moves
        ]

    def effects(self, event: Event) -> list[dict[str, Any]]:
        """What Odoo's effects table says that an event did."""
        rows: list[dict[str, Any]] = self.house.admin.call(
            EFFECTS.model,
            "search_read",
            domain=[["x_key", "=", event["key"]]],
            fields=["x_kind", "x_qty", "x_counted", "x_time", "x_state"],
            order="id",
        )
        return rows
