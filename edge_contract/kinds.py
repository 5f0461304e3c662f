"""The kinds of event, version 1: what each carries in ``data``.

Each model says what a handheld may claim and nothing about how Odoo books it. Unknown fields are
refused: a misspelt ``qantity`` that was silently ignored would become a stock difference.
"""

from __future__ import annotations

from typing import Annotated, Literal
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field, model_validator

from edge_contract.gs1 import Gs1
from edge_contract.kind_names import RAW_KINDS as RAW_KINDS
from edge_contract.scalars import (
    CountedQuantity,
    Instant,
    NulFree,
    Quantity,
    SignedDecimal,
    UnitCode,
)

#: A name as people and labels write it. Bounded, because it ends in messages and in Odoo; control
#: characters other than the GS1 group separator are refused where barcodes are concerned.
Name = Annotated[str, Field(min_length=1, max_length=200, pattern=r"^[^\x00-\x1f\x7f]+$")]
#: A barcode as scanned: product, packaging or GS1 element string (with its group separators).
Barcode = Annotated[
    str, Field(min_length=1, max_length=300, pattern=r"^[^\x00-\x1c\x1e\x1f\x7f]+$")
]
Text = Annotated[NulFree, Field(max_length=1000)]


class _Data(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, populate_by_name=True)


class DocumentAfter(_Data):
    """The next transfer of a chain that Odoo has not made yet (refused in this version)."""

    after: Name
    step: Name


Document = Name | DocumentAfter


class _Goods(_Data):
    """What a barcode names and how many of it."""

    barcode: Barcode
    lot: Name | None = None
    """Lot or serial number. The barcode's own is used when this is absent."""
    uom: UnitCode | None = None
    """Unit of ``quantity``. Absent: what the barcode names (a case is one case)."""
    gs1: Gs1 | None = None
    """What the agent read out of ``barcode``; whatever a device puts here is replaced."""


class TransferLine(_Goods):
    """So many moved on a receipt, putaway, pick or delivery. Lines add up, from zero."""

    document: Document
    quantity: Quantity
    source: Name | None = Field(default=None, alias="from")
    destination: Name | None = Field(default=None, alias="to")
    package: Name | None = None


class Expect(_Data):
    """What a document should have gathered before it is closed (refused in this version)."""

    totals: dict[NulFree, Quantity] | None = None
    last: dict[NulFree, int] | None = None


class TransferDone(_Data):
    """Validate the document, moving only what was recorded on it."""

    document: Document
    backorder: Literal["create", "cancel"]
    expect: Expect | None = None
    lines: Literal["as_reserved"] | None = None
    carrier_tracking: Name | None = None


class EventReversed(_Data):
    """A scan taken back. Undone while its document is open, held afterwards."""

    event: UUID
    reason: Text


class Weighed(_Data):
    """The weight of a package, from the scale of the station at which the event was made.

    The agent puts it there; what a device puts there is removed.
    """

    weight: Quantity
    uom: UnitCode
    device: NulFree
    """The scale."""
    time: Instant
    """When it became stable."""
    net: bool
    tare: SignedDecimal | None = None


class NotWeighed(_Data):
    """Why the station's scale has no weight for the package, in a sentence for people."""

    reason: Text


class _Contents(_Goods):
    quantity: Quantity


class StockMoved(_Data):
    """An ad-hoc move with no document: putaway, replenishment, hold."""

    barcode: Barcode | None = None
    quantity: Quantity | None = None
    source: Name = Field(alias="from")
    destination: Name = Field(alias="to")
    uom: UnitCode | None = None
    lot: Name | None = None
    package: Name | None = None
    """With a barcode: the pallet the goods are taken from. Alone: the whole pallet moves."""
    reason: Text | None = None
    gs1: Gs1 | None = None

    @model_validator(mode="after")
    def _goods_or_pallet(self) -> StockMoved:
        if self.barcode is None and self.package is None:
            raise ValueError("needs a barcode with a quantity, or a package to move whole")
        if (self.barcode is None) != (self.quantity is None):
            raise ValueError("barcode and quantity go together")
        return self


class CountRecorded(_Goods):
    """What was there at the time of the count, of one product (and lot, and pallet)."""

    location: Name
    quantity: CountedQuantity
    package: Name | None = None


class ScrapRecorded(_Goods):
    """Goods that left the stock for good."""

    location: Name
    quantity: Quantity
    package: Name | None = None
    document: Document | None = None
    reason: Text | None = None


class PackageLine(_Contents):
    """One product (and lot) put into the package."""


class PackagePacked(_Data):
    """A package with its lines and, when weighed, its shipping weight."""

    document: Document
    package: Name
    lines: Annotated[tuple[PackageLine, ...], Field(max_length=500)] | None = None
    """Absent: everything recorded on the document that is in no package yet."""
    weight: Quantity | None = None
    """As the device says it: it counts before ``weighed``."""
    weight_uom: UnitCode | None = None
    weighed: Weighed | NotWeighed | None = None
    """Added by the agent when the device says no ``weight``."""

    @model_validator(mode="after")
    def _weight_has_unit(self) -> PackagePacked:
        if self.weight is not None and self.weight_uom is None:
            raise ValueError("a weight needs weight_uom, for example KGM")
        return self


class LabelPrinted(_Data):
    """A label left the printer. ``proof`` says how far that is known, 0 to 4."""

    document: Document | None = None
    package: Name | None = None
    printer: Name
    copies: Annotated[int, Field(ge=1, le=10_000, strict=True)]
    proof: Annotated[int, Field(ge=0, le=4, strict=True)]


class ScanRead(_Data):
    """A raw read of a scanner."""

    barcode: Barcode
    symbology: Annotated[NulFree, Field(max_length=8)] | None = None
    gs1: Gs1 | None = None
    weighed: Weighed | NotWeighed | None = None
    """Added by the agent when the label is a package's that lay on the scale."""


class WeightMeasured(_Data):
    """A stable weight. Faults, motion and overload never become one."""

    weight: SignedDecimal
    uom: UnitCode
    net: bool
    tare: SignedDecimal | None = None
    said: Text
    """What the scale sent, as text."""


class PrinterState(_Data):
    """The state a printer entered."""

    status: Literal["ok", "busy", "paused", "attention", "error", "offline"]
    conditions: tuple[Annotated[NulFree, Field(max_length=64)], ...] = ()
    said: Text = ""


class DeviceState(_Data):
    """The presence of a device changed."""

    status: Literal["online", "offline", "fault"]
    boot: Annotated[int, Field(ge=0)] | None = None
    detail: Text = ""


#: Fields anywhere in ``data`` that the agent adds to what a device said. No device is believed on
#: them, and they are outside the digest by which a resend is told from a forgery.
ADDED_BY_AGENT = frozenset({"gs1", "weighed"})

#: Every kind with the model of its ``data``. The order is the order of the documentation.
KINDS: dict[str, type[BaseModel]] = {
    "transfer.line": TransferLine,
    "transfer.done": TransferDone,
    "event.reversed": EventReversed,
    "stock.moved": StockMoved,
    "count.recorded": CountRecorded,
    "scrap.recorded": ScrapRecorded,
    "package.packed": PackagePacked,
    "label.printed": LabelPrinted,
    "scan.read": ScanRead,
    "weight.measured": WeightMeasured,
    "printer.state": PrinterState,
    "device.state": DeviceState,
}

#: Kinds that change something in Odoo. They must carry an id made by whoever created them.
EFFECT_KINDS = frozenset(KINDS) - RAW_KINDS


def document_of(kind: str, data: BaseModel) -> str | None:
    """The document whose lane an event belongs to; ``None`` for events that commute.

    ``scrap.recorded`` names a document for the record only. ``event.reversed`` joins the lane of
    the event it takes back, which only the relay can know.
    """
    if kind in {"transfer.line", "transfer.done", "package.packed", "label.printed"}:
        document = getattr(data, "document", None)
        if isinstance(document, DocumentAfter):
            return f"after {document.after}: {document.step}"
        return document
    return None
