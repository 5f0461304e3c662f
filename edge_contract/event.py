"""One event: as a device publishes it, and as it travels to the relay (CloudEvents 1.0)."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Collection
from datetime import datetime, timedelta
from typing import Annotated, Any, Literal
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field, model_validator

from edge_contract.kind_names import RAW_KINDS
from edge_contract.kind_names import Kind as Kind
from edge_contract.kinds import ADDED_BY_AGENT, KINDS, document_of
from edge_contract.scalars import IDENTIFIER_PATTERN as IDENTIFIER_PATTERN
from edge_contract.scalars import Instant, NulFree, instant_text

#: Bytes of one event as a device may publish it. A larger payload is quarantined (its head kept).
MAX_EVENT_BYTES = 64 * 1024

Identifier = Annotated[str, Field(pattern=IDENTIFIER_PATTERN)]

_SOURCE = re.compile(
    r"/sites/(?P<site>[a-z0-9][a-z0-9._-]{0,62})/devices/(?P<device>[a-z0-9][a-z0-9._-]{0,62})"
)
_TYPE = re.compile(r"warehouse\.(?P<kind>[a-z]+\.[a-z]+)\.v1")


class DeviceEvent(BaseModel):
    """An event as a handheld publishes it on ``wh/v1/{device}/event``.

    The device's name is not in it: it comes from the topic, which the broker ties to the
    authenticated user.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    id: UUID | None = None
    """Idempotency key. Required for every kind with an effect in Odoo."""
    kind: Kind
    time: Instant
    """When it happened, by the device's own clock."""
    seq: Annotated[int, Field(ge=0, lt=10**15, strict=True)] | None = None
    """The device's own counter: gaps are named and counted."""
    data: dict[str, Any]

    @model_validator(mode="after")
    def _check_data(self) -> DeviceEvent:
        KINDS[self.kind].model_validate(self.data)
        if self.id is None and self.kind not in RAW_KINDS:
            raise ValueError(
                f"{self.kind} has an effect in Odoo and needs an id (a UUID made by the device "
                "when the event happened, and kept when it is sent again)"
            )
        return self

    def parsed(self) -> BaseModel:
        """``data`` as the model of its kind."""
        return KINDS[self.kind].model_validate(self.data)


def without(data: Any, names: Collection[str]) -> Any:
    """A copy of JSON in which no object has a member of one of these names."""
    if isinstance(data, dict):
        return {key: without(item, names) for key, item in data.items() if key not in names}
    if isinstance(data, list | tuple):
        return [without(item, names) for item in data]
    return data


def content_digest(kind: str, time: datetime, seq: int | None, data: dict[str, Any]) -> str:
    """SHA-256 (hex) of what the device said, by which a resend is told from a forgery.

    What the agent adds (``gs1``, ``weighed``) is left out: two agents may read one barcode
    differently, and the second one of a site has not seen the scale that the first one reads.
    """
    text = json.dumps(
        [kind, instant_text(time), seq, without(data, ADDED_BY_AGENT)],
        ensure_ascii=False,
        separators=(",", ":"),
        sort_keys=True,
    )
    return hashlib.sha256(text.encode()).hexdigest()


class CloudEvent(BaseModel):
    """An event on the wire between agent and relay: CloudEvents 1.0, structured JSON.

    ``position`` is the agent's gapless outbox position and drives resume; ``sequence`` is the
    device's own counter, zero-padded so that it sorts as text. Extension names have no
    underscores, as CloudEvents wants.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    specversion: Literal["1.0"] = "1.0"
    id: UUID
    source: str = Field(pattern=f"^{_SOURCE.pattern}$")
    type: str = Field(pattern=f"^{_TYPE.pattern}$")
    time: Instant
    """When it happened, by the device's clock."""
    recordedtime: Instant
    """When the agent stored it, by the agent's clock."""
    datacontenttype: Literal["application/json"] = "application/json"
    subject: Annotated[NulFree, Field(max_length=512)] | None = None
    sequence: Annotated[str, Field(pattern=r"^[0-9]{15}$")] | None = None
    position: Annotated[str, Field(pattern=r"^[0-9]{15}$")]
    clockoffset: int | None = None
    """Device clock minus agent clock in milliseconds, as last measured; absent: never measured."""
    clockuncertainty: Annotated[int, Field(ge=0)] | None = None
    """Half-width of ``clockoffset`` in milliseconds."""
    data: dict[str, Any]

    @model_validator(mode="after")
    def _check_kind(self) -> CloudEvent:
        if self.kind not in KINDS:
            raise ValueError(f"type {self.type!r} names no kind of version 1")
        KINDS[self.kind].model_validate(self.data)
        return self

    @property
    def kind(self) -> str:
        match = _TYPE.fullmatch(self.type)
        return match["kind"] if match else ""

    @property
    def site(self) -> str:
        match = _SOURCE.fullmatch(self.source)
        return match["site"] if match else ""

    @property
    def device(self) -> str:
        match = _SOURCE.fullmatch(self.source)
        return match["device"] if match else ""

    @property
    def seq(self) -> int | None:
        return None if self.sequence is None else int(self.sequence)

    @property
    def occurred(self) -> datetime:
        """``time`` corrected by the device's clock offset: what counts and dates use."""
        if self.clockoffset is None:
            return self.time
        try:
            return self.time - timedelta(milliseconds=self.clockoffset)
        except OverflowError:
            return self.time

    @property
    def document(self) -> str | None:
        """The document whose lane the event belongs to."""
        return document_of(self.kind, self.parsed())

    def parsed(self) -> BaseModel:
        """``data`` as the model of its kind."""
        return KINDS[self.kind].model_validate(self.data)

    def digest(self) -> str:
        """See :func:`content_digest`."""
        return content_digest(self.kind, self.time, self.seq, self.data)


def cloud_event(
    event: DeviceEvent,
    *,
    event_id: UUID,
    site: str,
    device: str,
    position: int,
    recorded: datetime,
    clock_offset_ms: int | None = None,
    clock_uncertainty_ms: int | None = None,
) -> CloudEvent:
    """Wrap a device's event for the way up."""
    subject = document_of(event.kind, event.parsed())
    if subject is None:
        location = event.data.get("location")
        subject = location if isinstance(location, str) else None
    return CloudEvent(
        id=event_id,
        source=f"/sites/{site}/devices/{device}",
        type=f"warehouse.{event.kind}.v1",
        time=event.time,
        recordedtime=recorded,
        subject=subject,
        sequence=None if event.seq is None else f"{event.seq:015d}",
        position=f"{position:015d}",
        clockoffset=clock_offset_ms,
        clockuncertainty=clock_uncertainty_ms,
        data=event.data,
    )
