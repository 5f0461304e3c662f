"""The real Odoo's books: its claims say which events had an effect, its stock how often."""

from __future__ import annotations

from collections.abc import Collection
from uuid import UUID

from cloud_relay.odoo.schema import CLAIMS
from edge_sandbox.chaos.shift import LAST_COUNT, LINES, MOVES, Goods
from edge_sandbox.odoo_floor import Floor

_STOCK = 100_000.0


class OdooBooks:
    """Books and world in one: goods of its own, a new receipt for every run."""

    def __init__(self, floor: Floor) -> None:
        self._floor = floor
        self._documents: list[str] = []
        self._barcode = floor.product("Chaos")
        self._a, self._b, self._counted = (floor.place(name) for name in "ABC")
        floor.stock(self._barcode, _STOCK, self._a)

    def goods(self) -> Goods:
        document = self._floor.transfer("incoming", [(self._barcode, LINES)])
        self._documents.append(document)
        return Goods(document, self._barcode, self._a, self._b, self._counted)

    def effects(self, device: str, events: Collection[UUID]) -> list[UUID]:
        """By the claims, in the order asked for: claims of one call have no order among them.
        What is doubled or out of order shows in the stock and the receipts."""
        rows = self._floor.call(
            CLAIMS.model,
            "search_read",
            domain=[["x_key", "in", [f"{device}|{event}" for event in events]]],
            fields=["x_key"],
        )
        claimed = [UUID(str(row["x_key"]).partition("|")[2]) for row in rows]
        return sorted(claimed, key=list(events).index)

    def miscounted(self) -> str:
        runs = len(self._documents)
        wanted = {
            self._a: _STOCK - MOVES * runs,
            self._b: float(MOVES * runs),
            self._counted: float(LAST_COUNT if runs else 0),
            self._floor.stock_name: float(LINES * runs),
        }
        found = self._floor.on_hand(self._barcode)
        wrong = []
        for place, quantity in wanted.items():
            there = sum(q for name, q in found.items() if name.rpartition("/")[2] == place)
            if place == self._floor.stock_name:
                there = found.get(place, 0.0)
            if there != quantity:
                wrong.append(f"{place} has {there:g} and not {quantity:g}")
        states = self._floor.call(
            "stock.picking",
            "search_read",
            domain=[["name", "in", self._documents], ["company_id", "=", self._floor.company]],
            fields=["name", "state"],
        )
        wrong += [f"{row['name']} is {row['state']}" for row in states if row["state"] != "done"]
        return "; ".join(wrong)
