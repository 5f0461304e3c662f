"""The identifiers a barcode resolved to, as they travel in ``data.gs1``.

A GS1 string is parsed once, at the edge. The relay and Odoo never see the element string's
grammar: Odoo's own nomenclature returns nothing as soon as one application identifier is unknown.
"""

from __future__ import annotations

from datetime import date
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

from edge_contract.scalars import NulFree, SignedDecimal, UnitCode


class Gs1(BaseModel):
    """What one GS1 symbol says. Every field is absent when the symbol does not carry it."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    gtin: Annotated[str, Field(pattern=r"^[0-9]{14}$")] | None = None
    """(01) GTIN in its 14-digit form. Odoo may hold the 8, 12 or 13 digit spelling of it."""
    content: Annotated[str, Field(pattern=r"^[0-9]{14}$")] | None = None
    """(02) GTIN of the trade items contained in a logistic unit."""
    lot: NulFree | None = None
    """(10) batch or lot."""
    serial: NulFree | None = None
    """(21) serial number."""
    sscc: Annotated[str, Field(pattern=r"^[0-9]{18}$")] | None = None
    """(00) serial shipping container code: names a pallet or parcel."""
    count: SignedDecimal | None = None
    """(30) or (37): how many items."""
    weight: SignedDecimal | None = None
    """(310n) net weight, or another measure; its unit is ``weight_uom``."""
    weight_uom: UnitCode | None = None
    expiry: date | None = None
    """(17) expiration date."""
    best_before: date | None = None
    """(15) best before date."""
    ais: dict[NulFree, NulFree] = Field(default_factory=dict)
    """Every application identifier of the symbol with its value as printed."""
    warnings: tuple[NulFree, ...] = ()
    """What is odd but no reason to refuse: a missing associated identifier, a check digit."""
