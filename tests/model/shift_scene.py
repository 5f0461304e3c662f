"""Goods, places and transfers in a real Odoo, fresh for every shift, and what it holds of them."""

from __future__ import annotations

import asyncio
import itertools
import secrets
from collections.abc import Coroutine
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, TypeVar

from cloud_relay.odoo.gateway import Json2Gateway
from cloud_relay.odoo.install import Installer
from cloud_relay.odoo.json2 import Json2
from cloud_relay.odoo.port import Binding
from cloud_relay.odoo.source import action_source
from edge_sandbox.odoo import OdooDatabase
from edge_sandbox.odoo_floor import RELAY_LOGIN
from tests.model.shift_world import (
    BINS,
    DOCUMENTS,
    LOTS,
    OPENING,
    LedgerKey,
    Place,
    ledger_key,
)

T = TypeVar("T")

#: Makes a scene in one call of Odoo: a call for each record would cost more than the shift.
MAKER = """
wanted = env.context["wanted"]
env = env(context={"tracking_disable": True})
warehouse = env["stock.warehouse"].browse(wanted["warehouse"])
bins, goods, lots, documents = {}, {}, {}, {}
for name, parent in wanted["bins"]:
    bins[name] = env["stock.location"].create({
        "name": name + wanted["tag"], "barcode": name + wanted["tag"], "usage": "internal",
        "location_id": bins[parent].id if parent else warehouse.lot_stock_id.id,
    })
for name, tracking in wanted["goods"]:
    goods[name] = env["product.product"].create({
        "name": name + wanted["tag"], "barcode": name + wanted["tag"], "type": "consu",
        "is_storable": True, "tracking": tracking,
    })
for good, name in wanted["lots"]:
    lots[(good, name)] = env["stock.lot"].create({
        "product_id": goods[good].id, "name": name, "company_id": warehouse.company_id.id,
    })
pallet = env["stock.package"].create({"name": "T" + wanted["tag"]})
quants = env["stock.quant"].with_context(inventory_mode=True)
for place, good, lot, package, quantity in wanted["opening"]:
    quants |= quants.create({
        "location_id": bins[place].id, "product_id": goods[good].id,
        "inventory_quantity": quantity, "lot_id": lot and lots[(good, lot)].id,
        "package_id": pallet.id if package else False,
    })
quants.action_apply_inventory()
ids = [good.id for good in goods.values()]
moves = env["stock.move"].search([("product_id", "in", ids)])
moves.write({"date": wanted["date"]})
for name, kind, demand in wanted["documents"]:
    types = {"receipt": warehouse.in_type_id, "delivery": warehouse.out_type_id}
    type = types.get(kind) or warehouse.int_type_id
    stock, outside = warehouse.lot_stock_id, {
        "receipt": env.ref("stock.stock_location_suppliers"),
        "delivery": env.ref("stock.stock_location_customers"),
    }
    source = outside["receipt"] if kind == "receipt" else stock
    to = outside["delivery"] if kind == "delivery" else stock if kind == "receipt" else bins["OUT"]
    ends = {"location_id": source.id, "location_dest_id": to.id}
    picking = env["stock.picking"].create(dict(ends, picking_type_id=type.id, move_ids=[
        Command.create(dict(ends, product_id=goods[good].id, product_uom_qty=quantity))
        for good, quantity in demand
    ]))
    picking.action_confirm()
    picking.action_assign()
    documents[name] = picking.name
action = {
    "bins": {name: bins[name].id for name in bins},
    "goods": {name: goods[name].id for name in goods},
    "documents": documents,
}
"""

#: (place, product, lot, package) with its quantity; the last two may be empty.
Stock = dict[Place, float]
Ledger = dict[LedgerKey, float]

_STOCK = """
SELECT q.location_id, q.product_id, coalesce(l.name, ''), q.package_id IS NOT NULL, sum(q.quantity)
FROM stock_quant q LEFT JOIN stock_lot l ON l.id = q.lot_id
WHERE q.product_id = ANY(%s) AND q.location_id = ANY(%s) GROUP BY 1, 2, 3, 4
"""
_MOVED = """
SELECT m.is_inventory, l.date, l.product_id, coalesce(t.name, ''), l.quantity,
       l.location_id, f.usage, l.package_id IS NOT NULL,
       l.location_dest_id, d.usage, l.result_package_id IS NOT NULL
FROM stock_move_line l JOIN stock_move m ON m.id = l.move_id
LEFT JOIN stock_lot t ON t.id = l.lot_id
JOIN stock_location f ON f.id = l.location_id JOIN stock_location d ON d.id = l.location_dest_id
WHERE l.state = 'done' AND l.product_id = ANY(%s)
"""


@dataclass(frozen=True, slots=True)
class Scene:
    """One shift's own records, by the names of the model."""

    tag: str
    bins: dict[str, int]
    goods: dict[str, int]
    documents: dict[str, str]
    """Odoo's names of the transfers."""

    def label(self, name: str) -> str:
        """What stands on the label of a place, good or pallet."""
        return name + self.tag


@dataclass(frozen=True, slots=True)
class Books:
    """What Odoo says: its stock, what was moved (adjustments aside), and every dated line."""

    stock: Stock
    ledger: Ledger
    dated: tuple[tuple[datetime, Place, float], ...]

    def stock_at(self, moment: datetime, place: Place) -> float:
        """What Odoo's dated move lines say was there after ``moment``."""
        return sum(
            change for date, where, change in self.dated if where == place and date <= moment
        )


class Floor:
    """One database with the action installed as ``source``, used by one shift after the other."""

    def __init__(self, database: OdooDatabase, runner: asyncio.Runner) -> None:
        self._database = database
        self._runner = runner
        self._tag = secrets.token_hex(2)
        self._numbers = itertools.count(1)
        self._gateway: Json2Gateway | None = None
        [warehouse] = database.call(
            "stock.warehouse", "search_read", domain=[], fields=["company_id"], limit=1, order="id"
        )
        self._warehouse = int(warehouse["id"])
        self.binding = Binding(company=warehouse["company_id"][0], warehouses=(self._warehouse,))
        [model] = database.call("ir.model", "search", domain=[["model", "=", "stock.quant"]])
        values = {"name": "a shift's scene", "model_id": model, "state": "code", "code": MAKER}
        [self._maker] = database.call("ir.actions.server", "create", vals_list=[values])
        self.install(action_source())

    def wait(self, work: Coroutine[Any, Any, T]) -> T:
        """Run a coroutine to its end."""
        return self._runner.run(work)

    def install(self, source: str) -> None:
        """Put the action in place, as it is or as a test broke it."""
        self.wait(self._install(source))

    async def _install(self, source: str) -> None:
        database = self._database
        if self._gateway is not None:
            await self._gateway.aclose()
        async with Json2(database.url, database.name, database.key) as admin:
            await Installer(admin).install(RELAY_LOGIN, source=source)
        self._gateway = Json2Gateway(database.url, database.name, database.stock_key, source=source)

    @property
    def gateway(self) -> Json2Gateway:
        assert self._gateway is not None
        return self._gateway

    def close(self) -> None:
        self.wait(self.gateway.aclose())

    def scene(self) -> Scene:
        tag = f"-{self._tag}{next(self._numbers)}"
        wanted = {
            "tag": tag,
            "warehouse": self._warehouse,
            "bins": list(BINS.items()),
            "goods": [["P", "none"], ["Q", "lot"], ["S", "none"]],
            "lots": [["Q", lot] for lot in LOTS],
            "opening": [[*place, quantity] for place, quantity in OPENING.items()],
            "date": (datetime.now(UTC) - timedelta(days=30)).strftime("%Y-%m-%d %H:%M:%S"),
            "documents": [
                [name, kind, list(demand.items())] for name, (kind, demand) in DOCUMENTS.items()
            ],
        }
        made = self._database.call(
            "ir.actions.server", "run", ids=[self._maker], context={"wanted": wanted}
        )
        return Scene(tag, made["bins"], made["goods"], made["documents"])

    def books(self, scene: Scene) -> Books:
        bins = {identity: name for name, identity in scene.bins.items()}
        goods = {identity: name for name, identity in scene.goods.items()}
        stock: Stock = {}
        values = [list(goods), list(bins)]
        for where, good, lot, packed, quantity in self._database.sql(_STOCK, values):
            if round(quantity, 6):
                place = (bins[where], goods[good], lot, "T" if packed else "")
                stock[place] = round(float(quantity), 6)
        ledger: Ledger = {}
        dated: list[tuple[datetime, Place, float]] = []
        for row in self._database.sql(_MOVED, [list(goods)]):
            adjusts, date, good, lot, quantity, *ends = row
            names = []
            for sign, (where, usage, packed) in ((-1, ends[:3]), (1, ends[3:])):
                names.append(bins.get(where, usage))
                if where in bins:
                    place = (bins[where], goods[good], lot, "T" if packed else "")
                    dated.append((date.replace(tzinfo=UTC), place, sign * float(quantity)))
            rides = ends[2] and ends[5]
            if rides or not adjusts:
                key, sign = ledger_key(goods[good], lot, *names, rides=rides)
                ledger[key] = round(ledger.get(key, 0.0) + sign * float(quantity), 6)
        ledger = {key: quantity for key, quantity in ledger.items() if quantity}
        return Books(stock, ledger, tuple(dated))
