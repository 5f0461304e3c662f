"""The demo's warehouse as the office sets it up in Odoo: shelves, goods and the shift's transfers.

Everything goes through Odoo's public API with an administrator's key, as a user would do it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from decimal import Decimal
from itertools import pairwise
from typing import Any

from edge_sandbox.demo.plan import BINS, DOCK, STAGING, Plan, PlannedDocument
from edge_sandbox.demo.world import CUSTOMER, GONE, SUPPLIER, Goods, Product
from edge_sandbox.odoo import OdooDatabase

#: (place, goods) → quantity
Figures = dict[tuple[str, Goods], Decimal]
#: (product, lot, from, to) → quantity
Ledger = dict[tuple[str, str, str, str], Decimal]


@dataclass(slots=True)
class Warehouse:
    """Odoo's ids of what the demo made, and the names its documents got."""

    odoo: OdooDatabase
    company: int
    id: int
    locations: dict[str, int]
    products: dict[str, int]
    documents: dict[str, str]
    """planned key → name of the transfer in Odoo."""
    transfers: dict[str, int]
    """planned key → id of the transfer in Odoo."""


def build(
    odoo: OdooDatabase,
    catalogue: Iterable[Product],
    plan: Plan,
    progress: Callable[[str], None],
) -> Warehouse:
    """Make shelves, goods and transfers. ``progress`` is told each step in words."""
    warehouse = odoo.call(
        "stock.warehouse", "search_read", domain=[["code", "=", "WH"]],
        fields=["company_id", "view_location_id", "lot_stock_id"], limit=1,
    )[0]  # fmt: skip
    made = Warehouse(odoo, warehouse["company_id"][0], warehouse["id"], {}, {}, {}, {})
    progress("shelves")
    made.locations = _locations(odoo, warehouse)
    progress("products")
    made.products = _products(odoo, catalogue)
    progress("opening stock")
    _opening_stock(made, plan)
    progress(f"{len(plan.documents)} transfers")
    _transfers(made, plan)
    return made


def _locations(odoo: OdooDatabase, warehouse: dict[str, Any]) -> dict[str, int]:
    stock, view = warehouse["lot_stock_id"][0], warehouse["view_location_id"][0]
    parents = dict.fromkeys((DOCK, *BINS), stock) | {STAGING: view}
    ids = odoo.call(
        "stock.location", "create",
        vals_list=[
            {"name": place.rsplit("/", 1)[1], "location_id": parent, "usage": "internal",
             "barcode": place.rsplit("/", 1)[1].upper()}
            for place, parent in parents.items()
        ],
    )  # fmt: skip
    return {**dict(zip(parents, ids, strict=True)), "WH/Stock": stock}


def _products(odoo: OdooDatabase, catalogue: Iterable[Product]) -> dict[str, int]:
    kilogram = odoo.call("uom.uom", "search", domain=[["name", "=", "kg"]], limit=1)[0]
    products = list(catalogue)
    ids = odoo.call(
        "product.product", "create",
        vals_list=[
            {"name": product.name, "barcode": product.barcode, "type": "consu",
             "is_storable": True, "tracking": product.tracking, "list_price": 10.0,
             "standard_price": 4.0, **({"uom_id": kilogram} if product.weighed else {})}
            for product in products
        ],
    )  # fmt: skip
    return {product.key: number for product, number in zip(products, ids, strict=True)}


def _opening_stock(made: Warehouse, plan: Plan) -> None:
    lots = sorted({(g.product, g.lot) for _, g in plan.initial if g.lot})
    lot_ids = made.odoo.call(
        "stock.lot", "create",
        vals_list=[
            {"name": lot, "product_id": made.products[product], "company_id": made.company}
            for product, lot in lots
        ],
    )  # fmt: skip
    lot_of = dict(zip(lots, lot_ids, strict=True))
    quants = made.odoo.call(
        "stock.quant", "create", context={"inventory_mode": True},
        vals_list=[
            {"location_id": made.locations[place], "product_id": made.products[goods.product],
             "lot_id": lot_of.get((goods.product, goods.lot), False),
             "inventory_quantity": float(quantity)}
            for (place, goods), quantity in plan.initial.items()
        ],
    )  # fmt: skip
    made.odoo.call(
        "stock.quant", "action_apply_inventory", ids=quants, context={"inventory_mode": True}
    )


def _transfers(made: Warehouse, plan: Plan) -> None:
    partner = made.odoo.call("res.partner", "create", vals_list=[{"name": "Demo partner"}])[0]
    by_kind: dict[str, list[PlannedDocument]] = {}
    for document in plan.documents.values():
        by_kind.setdefault(document.kind, []).append(document)
    _purchases(made, by_kind.get("receipt", []), partner)
    _sales(made, by_kind.get("delivery", []), partner)
    _internal(made, by_kind.get("pick", []), "internal", "WH/Stock", STAGING)
    _internal(made, by_kind.get("ship", []), "outgoing", STAGING, CUSTOMER)


def _purchases(made: Warehouse, documents: list[PlannedDocument], partner: int) -> None:
    lines = [
        [
            [0, 0, {"product_id": made.products[p], "product_qty": float(q), "price_unit": 4.0}]
            for p, q in document.demand.items()
        ]
        for document in documents
    ]
    orders = made.odoo.call(
        "purchase.order", "create",
        vals_list=[{"partner_id": partner, "order_line": line} for line in lines],
    )  # fmt: skip
    made.odoo.call("purchase.order", "button_confirm", ids=orders)
    _remember(made, "purchase.order", orders, documents)


def _sales(made: Warehouse, documents: list[PlannedDocument], partner: int) -> None:
    lines = [
        [
            [0, 0, {"product_id": made.products[p], "product_uom_qty": float(q)}]
            for p, q in document.demand.items()
        ]
        for document in documents
    ]
    orders = made.odoo.call(
        "sale.order", "create",
        vals_list=[{"partner_id": partner, "order_line": line} for line in lines],
    )  # fmt: skip
    made.odoo.call("sale.order", "action_confirm", ids=orders)
    _remember(made, "sale.order", orders, documents)


def _remember(
    made: Warehouse, model: str, orders: list[int], documents: list[PlannedDocument]
) -> None:
    rows = made.odoo.call(model, "read", ids=orders, fields=["picking_ids"])
    transfers = {row["id"]: row["picking_ids"][0] for row in rows}
    names = made.odoo.call(
        "stock.picking", "read", ids=list(transfers.values()), fields=["name"]
    )  # fmt: skip
    name_of = {row["id"]: row["name"] for row in names}
    for order, document in zip(orders, documents, strict=True):
        made.transfers[document.key] = transfers[order]
        made.documents[document.key] = name_of[transfers[order]]


def _internal(
    made: Warehouse, documents: list[PlannedDocument], code: str, source: str, destination: str
) -> None:
    if not documents:
        return
    kind = made.odoo.call(
        "stock.picking.type", "search",
        domain=[["code", "=", code], ["warehouse_id", "=", made.id]], limit=1,
    )[0]  # fmt: skip
    start = made.locations[source]
    end = (
        made.locations.get(destination)
        or made.odoo.call("stock.location", "search", domain=[["usage", "=", "customer"]], limit=1)[
            0
        ]
    )
    ids = made.odoo.call(
        "stock.picking", "create",
        vals_list=[
            {"picking_type_id": kind, "location_id": start, "location_dest_id": end,
             "move_ids": [
                 [0, 0, {"product_id": made.products[p], "product_uom_qty": float(q),
                         "location_id": start, "location_dest_id": end}]
                 for p, q in document.demand.items()]}
            for document in documents
        ],
    )  # fmt: skip
    made.odoo.call("stock.picking", "action_confirm", ids=ids)
    made.odoo.call("stock.picking", "action_assign", ids=ids)
    names = made.odoo.call("stock.picking", "read", ids=ids, fields=["name"])
    name_of = {row["id"]: row["name"] for row in names}
    for number, document in zip(ids, documents, strict=True):
        made.transfers[document.key] = number
        made.documents[document.key] = name_of[number]


def figures(made: Warehouse) -> Figures:
    """What Odoo believes lies where, inside the demo's places."""
    rows = made.odoo.call(
        "stock.quant", "search_read",
        domain=[["location_id", "in", list(made.locations.values())]],
        fields=["location_id", "product_id", "lot_id", "package_id", "quantity"],
    )  # fmt: skip
    place_of = {number: place for place, number in made.locations.items()}
    product_of = {number: key for key, number in made.products.items()}
    found: Figures = {}
    for row in rows:
        goods = Goods(
            product_of[row["product_id"][0]], _name(row["lot_id"]), _name(row["package_id"])
        )
        key = (place_of[row["location_id"][0]], goods)
        found[key] = found.get(key, Decimal(0)) + _decimal(row["quantity"])
    return {key: quantity for key, quantity in found.items() if quantity}


def ledger(made: Warehouse) -> Ledger:
    """Every movement Odoo has booked as done since the opening stock, without count adjustments."""
    rows = made.odoo.call(
        "stock.move.line", "search_read",
        domain=[["state", "=", "done"], ["product_id", "in", list(made.products.values())],
                ["move_id.is_inventory", "=", False]],
        fields=["product_id", "lot_id", "quantity_product_uom", "location_id", "location_dest_id"],
    )  # fmt: skip
    ends = {row[end][0] for row in rows for end in ("location_id", "location_dest_id")}
    usages = made.odoo.call("stock.location", "read", ids=sorted(ends), fields=["usage"])
    place_of = {number: place for place, number in made.locations.items()}
    outside = {"supplier": SUPPLIER, "customer": CUSTOMER, "inventory": GONE}
    for row in usages:
        place_of.setdefault(row["id"], outside.get(row["usage"], f"location {row['id']}"))
    product_of = {number: key for key, number in made.products.items()}
    booked: Ledger = {}
    for row in rows:
        key = (
            product_of[row["product_id"][0]],
            _name(row["lot_id"]),
            place_of[row["location_id"][0]],
            place_of[row["location_dest_id"][0]],
        )
        booked[key] = booked.get(key, Decimal(0)) + _decimal(row["quantity_product_uom"])
    return booked


def _name(reference: Any) -> str:
    return str(reference[1]) if reference else ""


def _decimal(value: float) -> Decimal:
    """Odoo keeps floats: compare at the contract's six digits after the point."""
    return Decimal(str(round(value, 6))).normalize() + 0


def inversions(made: Warehouse, plan: Plan) -> list[int]:
    """Per transfer and device, how often a scan was booked before an earlier one."""
    rows = made.odoo.call(
        "x_edge_effect", "search_read", domain=[["x_picking_id", "!=", False]],
        fields=["x_key", "x_picking_id"], order="id",
    )  # fmt: skip
    place = {f"{step.device}|{step.event}": n for n, step in enumerate(plan.steps)}
    booked: dict[tuple[int, str], list[int]] = {}
    seen: set[str] = set()
    for row in rows:
        key = row["x_key"]
        # A line that is packed in part is split, and its effect with it: the first one counts.
        if key in place and key not in seen:
            seen.add(key)
            booked.setdefault((row["x_picking_id"][0], key.split("|")[0]), []).append(place[key])
    return [
        sum(1 for left, right in pairwise(numbers) if left > right) for numbers in booked.values()
    ]
