"""An entry of the inbox as the server action takes it. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime

from cloud_relay.inbox.port import Entry
from cloud_relay.odoo.port import Binding, OdooBatch, OdooEvent


def odoo_time(at: datetime) -> str:
    """Odoo's spelling of an instant in UTC: no zone, always microseconds."""
    return at.replace(tzinfo=None).isoformat(sep=" ", timespec="microseconds")


def odoo_key(entry: Entry) -> str:
    """The claim of an event: it has its effect once, whichever way it arrives."""
    return f"{entry.event.device}|{entry.event.id}"


def odoo_event(entry: Entry) -> OdooEvent:
    event = entry.event
    return OdooEvent(
        key=odoo_key(entry),
        digest=event.digest(),
        kind=event.kind,
        device=event.device,
        site=entry.site,
        occurred=odoo_time(event.occurred),
        recorded=odoo_time(event.recordedtime),
        data=event.data,
    )


def odoo_batch(
    entries: Sequence[Entry], binding: Binding, watermark: Mapping[str, str]
) -> OdooBatch:
    """A batch in the order of the entries; ``watermark`` as the inbox keeps it."""
    return OdooBatch(
        database_uuid=watermark.get("uuid", ""),
        watermark={key: watermark[key] for key in ("claim", "key") if key in watermark},
        binding=binding,
        events=[odoo_event(entry) for entry in entries],
    )
