"""What physically happens in the demo's warehouse: the ground truth, and nothing of Odoo in it.

Goods change place the moment a hand moves them, whatever any computer knows. A count reads what is
there. So the figure this model ends with is what Odoo must end with, however late, often or
disordered the events arrived. It is deliberately naive: a dictionary of quantities and a ledger.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Literal

#: Places outside the warehouse, by the word Odoo uses for their usage.
SUPPLIER, CUSTOMER, GONE = "supplier", "customer", "inventory"
OUTSIDE = frozenset({SUPPLIER, CUSTOMER, GONE})


@dataclass(frozen=True, slots=True)
class Product:
    """An article of the catalogue. ``barcode`` is what Odoo holds and labels carry."""

    key: str
    name: str
    barcode: str
    tracking: Literal["none", "lot", "serial"] = "none"
    weighed: bool = False
    """Stocked in kilograms instead of pieces."""


@dataclass(frozen=True, slots=True, order=True)
class Goods:
    """What is indistinguishable on a shelf: one product, lot and pallet."""

    product: str
    lot: str = ""
    package: str = ""


@dataclass(slots=True)
class World:
    """Where everything is, and what went from where to where."""

    stock: dict[tuple[str, Goods], Decimal] = field(default_factory=lambda: defaultdict(Decimal))
    """(place, goods) → quantity; places inside the warehouse only."""
    ledger: dict[tuple[str, str, str, str], Decimal] = field(
        default_factory=lambda: defaultdict(Decimal)
    )
    """(product, lot, from, to) → quantity moved by hand; finds and losses are not in it."""

    def on(self, place: str, goods: Goods) -> Decimal:
        return self.stock.get((place, goods), Decimal(0))

    def at(self, place: str) -> dict[Goods, Decimal]:
        """Everything that lies at ``place``."""
        return {g: q for (p, g), q in sorted(self.stock.items()) if p == place and q}

    def move(self, goods: Goods, quantity: Decimal, source: str, destination: str) -> None:
        """A hand takes goods from one place to another; loose there unless a pallet moves."""
        if source not in OUTSIDE:
            if self.on(source, goods) < quantity:
                raise ValueError(f"nobody can take {quantity} of {goods} from {source}")
            self.stock[source, goods] -= quantity
        if destination not in OUTSIDE:
            self.stock[destination, goods] += quantity
        self.ledger[goods.product, goods.lot, source, destination] += quantity

    def vanish(self, place: str, goods: Goods, quantity: Decimal) -> None:
        """Shrinkage (or, negative, a find): nobody tells a computer; a count will notice."""
        self.stock[place, goods] -= quantity

    def figures(self) -> dict[tuple[str, Goods], Decimal]:
        """What a perfect inventory of the whole warehouse would find."""
        return {key: quantity for key, quantity in self.stock.items() if quantity}
