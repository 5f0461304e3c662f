"""What became of an event: the rungs of the ladder and the reasons not to climb it."""

from __future__ import annotations

from typing import Literal
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field

from edge_contract.event import Identifier
from edge_contract.scalars import Instant

#: The ladder. ``held`` waits for a person; ``rejected`` and ``discarded`` are final without an
#: effect; ``reconciled`` is compared with Odoo afterwards.
Stage = Literal["stored", "relayed", "applied", "reconciled", "held", "rejected", "discarded"]


class OdooRecord(BaseModel):
    """The record in Odoo that shows an effect."""

    model_config = ConfigDict(extra="ignore", frozen=True)

    model: str
    id: int
    name: str = ""


class Outcome(BaseModel):
    """One step of one event on the ladder, as the relay tells it to the site. A newer relay may
    say more than this version knows."""

    model_config = ConfigDict(extra="ignore", frozen=True)

    device: Identifier
    event: UUID
    stage: Stage
    code: str = ""
    """A stable word for programs: see :data:`REFUSALS`. Empty when all is well."""
    message: str = ""
    """A sentence for the operator, with what to do."""
    record: OdooRecord | None = None
    at: Instant
    notes: tuple[str, ...] = Field(default=())
    """What was done differently than asked, e.g. dated after a lock date."""


#: Every refusal code with what it means and what to do, for the documentation and the pages.
REFUSALS: dict[str, tuple[str, str]] = {
    "unknown_document": (
        "No transfer of that name exists in the site's company and warehouses.",
        "Check the label; if the transfer was made in another warehouse, discard the event.",
    ),
    "document_closed": (
        "The transfer was done or cancelled before the event arrived.",
        "Decide by hand: correct the stock in Odoo and discard, or discard.",
    ),
    "document_not_ready": (
        "The transfer is still a draft or waits for another one.",
        "Confirm it in Odoo, then replay.",
    ),
    "unknown_barcode": (
        "No product or packaging carries that barcode.",
        "Add the barcode in Odoo, then replay.",
    ),
    "ambiguous_barcode": (
        "More than one product carries that barcode.",
        "Make it unique in Odoo, then replay.",
    ),
    "contradiction": (
        "A field of the event contradicts what its barcode says.",
        "Scan again; discard this one.",
    ),
    "not_on_document": (
        "The product is not on that transfer.",
        "Add it to the transfer in Odoo and replay, or discard.",
    ),
    "over_quantity": (
        "More was scanned than the transfer asks for.",
        "Change the demand in Odoo and replay, or discard the scan.",
    ),
    "unknown_location": (
        "No location with that barcode or name is in the site's warehouses.",
        "Create or label the location in Odoo, then replay.",
    ),
    "wrong_location": (
        "The location is not part of the transfer's source or destination.",
        "Scan the right location; discard this one.",
    ),
    "missing_lot": (
        "The product is tracked and the event names no lot or serial number.",
        "Scan the lot; discard this one.",
    ),
    "unknown_lot": (
        "That lot or serial number does not exist for the product.",
        "Check the label; create the lot in Odoo and replay, or discard.",
    ),
    "duplicate_serial": (
        "That serial number is already in stock or already on the transfer.",
        "Find the item that is labelled twice; discard the event.",
    ),
    "unknown_package": (
        "No package of that name is at that place.",
        "Check the label; discard the event.",
    ),
    "unknown_unit": (
        "The unit is unknown to Odoo or of another category than the product's.",
        "Correct the unit on the device; discard the event.",
    ),
    "bad_quantity": (
        "The quantity does not fit the product's unit (a fraction of a piece, 2 of one serial).",
        "Scan again; discard this one.",
    ),
    "insufficient_stock": (
        "Odoo has less at that place than the event takes away.",
        "Count the place, then replay.",
    ),
    "nothing_recorded": (
        "The transfer was closed with nothing recorded on it.",
        "Scan the lines and replay, or let the device say lines: as_reserved.",
    ),
    "edited_in_odoo": (
        "A user changed the same line in Odoo meanwhile.",
        "Agree on the figure in Odoo; then replay or discard the scans.",
    ),
    "unknown_event": (
        "The event to take back is not known.",
        "Wait for it to arrive and replay, or discard.",
    ),
    "already_reversed": (
        "The event was taken back before.",
        "Discard.",
    ),
    "too_late": (
        "The event's document is closed: it can no longer be taken back.",
        "Correct the stock in Odoo by hand; discard.",
    ),
    "not_supported_yet": (
        "This version of the relay does not support that field.",
        "Leave the field out, or update the relay.",
    ),
    "outside_binding": (
        "The record belongs to a company or warehouse that this site may not touch.",
        "Check the site's binding; discard the event.",
    ),
    "older_than_horizon": (
        "Claims that old were pruned, so a repeat could not be recognised.",
        "Check in Odoo whether it was applied; then discard or enter it by hand.",
    ),
    "future_time": (
        "The event's time lies in the future even after clock correction.",
        "Set the device's clock; replay when the time is right or discard.",
    ),
    "odoo_refused": (
        "Odoo refused for a reason of its own, which the message quotes.",
        "Resolve what Odoo says, then replay.",
    ),
    "content_conflict": (
        "The same id arrived earlier with other content.",
        "Find the device or program that reuses ids; the first one counts.",
    ),
    "foreign_device": (
        "The device is enrolled at another site.",
        "Enrol it centrally for this site.",
    ),
}
