"""A warehouse in a real Odoo, made in bulk, and the ways into it: our action and direct calls."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from benchmarks.stage import Stage
from cloud_relay.odoo.port import OdooEvent
from edge_sandbox.odoo_floor import Floor

#: Makes Odoo close a transfer without asking.
NO_QUESTIONS = {"skip_sms": True, "skip_backorder": True}


@dataclass(frozen=True, slots=True)
class Line:
    """A move line of a transfer, as Odoo reserved or filled it in."""

    id: int
    barcode: str
    quantity: float


@dataclass(frozen=True, slots=True)
class Transfer:
    name: str
    id: int
    lines: tuple[Line, ...]


@dataclass(frozen=True, slots=True)
class Shelf:
    """One product at one place."""

    quant: int
    place: str
    barcode: str


class Shop:
    """Goods, places and transfers; what an office does goes through the administrator's key."""

    def __init__(self, floor: Floor) -> None:
        self.floor = floor

    def goods(self, count: int) -> list[str]:
        """Barcodes of new products."""
        barcodes = [self.floor.number() for _ in range(count)]
        self.floor.call(
            "product.product",
            "create",
            vals_list=[
                {"name": f"Article {code}", "is_storable": True, "barcode": code}
                for code in barcodes
            ],
        )
        return barcodes

    def places(self, count: int) -> list[str]:
        names = [f"B-{self.floor.number()}" for _ in range(count)]
        values = [
            {"name": name, "barcode": name, "location_id": self.floor.stock_place} for name in names
        ]
        self.floor.call("stock.location", "create", vals_list=values)
        return names

    def shelves(self, count: int, quantity: float) -> list[Shelf]:
        """As many new products, ten to a place, so many of each."""
        goods, places = self.goods(count), self.places((count + 9) // 10)
        where = [places[number // 10] for number in range(count)]
        products = self._ids("product.product", goods)
        locations = self._ids("stock.location", places)
        quants = self._put(
            [
                (products[barcode], locations[place], quantity)
                for barcode, place in zip(goods, where, strict=True)
            ]
        )
        return [Shelf(*row) for row in zip(quants, where, goods, strict=True)]

    def stocked(self, barcodes: Sequence[str], quantity: float) -> None:
        """Put so many of each into the stock location itself."""
        products = self._ids("product.product", barcodes)
        self._put([(products[code], self.floor.stock_place, quantity) for code in barcodes])

    def transfers(
        self, code: str, count: int, goods: Sequence[str], quantity: float
    ) -> list[Transfer]:
        """Confirmed and reserved transfers of all the goods, so many of each."""
        kind = self.floor.type_of(code)
        ends = {
            "location_id": kind["default_location_src_id"][0],
            "location_dest_id": kind["default_location_dest_id"][0],
        }
        products = self._ids("product.product", goods)
        moves = [
            [0, 0, {"product_id": products[barcode], "product_uom_qty": quantity, **ends}]
            for barcode in goods
        ]
        values = [{"picking_type_id": kind["id"], "move_ids": moves, **ends}] * count
        ids = self.floor.call("stock.picking", "create", vals_list=values)
        self.floor.call("stock.picking", "action_confirm", ids=ids)
        self.floor.call("stock.picking", "action_assign", ids=ids)
        return self._read(ids, {number: barcode for barcode, number in products.items()})

    def move_values(self, shelf: Shelf, place: str, quantity: float) -> dict[str, Any]:
        """What a direct integration writes to move goods from a shelf to a place."""
        ends = {
            "location_id": self._ids("stock.location", [shelf.place])[shelf.place],
            "location_dest_id": self._ids("stock.location", [place])[place],
        }
        product = self._ids("product.product", [shelf.barcode])[shelf.barcode]
        line = {"product_id": product, "quantity": quantity, "picked": True, **ends}
        kind = self.floor.type_of("internal")["id"]
        return {"picking_type_id": kind, "move_line_ids": [[0, 0, line]], **ends}

    # The two ways in

    def direct(self, model: str, method: str, **named: Any) -> Any:
        """One JSON-2 call with the stock user's key, over a connection that is kept open."""
        return self.floor.wait(self.floor.gateway.call(model, method, **named))

    def validate(self, transfer: int) -> None:
        said = self.direct("stock.picking", "button_validate", ids=[transfer], context=NO_QUESTIONS)
        if said is not True:
            raise RuntimeError(f"Odoo did not close a transfer: {said}")

    def apply(self, events: Sequence[OdooEvent]) -> None:
        """One batch through the server action; all of it must be applied."""
        for result in self.floor.apply(*events):
            if result.status != "applied":
                raise RuntimeError(f"Odoo was to apply {result.key}: {result}")

    # Odoo's ids

    def _ids(self, model: str, barcodes: Sequence[str]) -> dict[str, int]:
        rows = self.floor.call(
            model,
            "search_read",
            domain=[["barcode", "in", list(barcodes)]],
            fields=["barcode"],
        )
        return {row["barcode"]: row["id"] for row in rows}

    def _put(self, rows: Sequence[tuple[int, int, float]]) -> list[int]:
        values = [
            {"product_id": product, "location_id": location, "inventory_quantity": quantity}
            for product, location, quantity in rows
        ]
        mode = {"inventory_mode": True}
        quants = self.floor.call("stock.quant", "create", vals_list=values, context=mode)
        self.floor.call("stock.quant", "action_apply_inventory", ids=quants)
        return [int(quant) for quant in quants]

    def _read(self, ids: Sequence[int], barcodes: dict[int, str]) -> list[Transfer]:
        names = {
            row["id"]: row["name"]
            for row in self.floor.call("stock.picking", "read", ids=list(ids), fields=["name"])
        }
        lines: dict[int, list[Line]] = {number: [] for number in ids}
        for row in self.floor.call(
            "stock.move.line",
            "search_read",
            domain=[["picking_id", "in", list(ids)]],
            fields=["picking_id", "product_id", "quantity"],
            order="id",
        ):
            line = Line(row["id"], barcodes[row["product_id"][0]], row["quantity"])
            lines[row["picking_id"][0]].append(line)
        return [Transfer(names[number], number, tuple(lines[number])) for number in ids]


@contextmanager
def opened_shop(stage: Stage, label: str) -> Iterator[Shop]:
    """A database of its own with the server action installed."""
    sandbox, server = stage.odoo
    database = server.clone(label=label)
    floor = Floor(server.url, database.name, database.key, database.stock_key)
    try:
        floor.install()
        yield Shop(floor)
    finally:
        floor.close()
        database.close()
        sandbox.drop(database.name)
