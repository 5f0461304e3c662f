"""Version 1 as published: these files are never edited, or old agents and relays part ways."""

from __future__ import annotations

import json
from datetime import datetime
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from pydantic import ValidationError

from edge_contract.batch import BatchReply
from edge_contract.event import CloudEvent, DeviceEvent, cloud_event, content_digest
from edge_contract.kinds import KINDS

GOLDEN = Path(__file__).parents[2] / "golden" / "v1"


def golden(kind: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((GOLDEN / f"{kind}.json").read_text(encoding="utf-8"))
    return found


def test_every_kind_has_its_golden_file() -> None:
    assert {path.stem for path in GOLDEN.glob("*.json")} == set(KINDS)


@pytest.mark.parametrize("kind", KINDS)
def test_an_event_at_the_site_becomes_the_golden_event_on_the_wire(kind: str) -> None:
    file = golden(kind)
    event = DeviceEvent.model_validate(file["at_the_site"])
    wire = cloud_event(
        event,
        event_id=UUID(file["on_the_wire"]["id"]),
        site="hamburg",
        device="dock-1",
        position=int(file["on_the_wire"]["position"]),
        recorded=datetime.fromisoformat(file["on_the_wire"]["recordedtime"]),
        clock_offset_ms=-1500,
        clock_uncertainty_ms=40,
    )
    assert wire.model_dump(mode="json", exclude_none=True) == file["on_the_wire"]


@pytest.mark.parametrize("kind", KINDS)
def test_a_golden_event_is_read_and_written_as_it_was(kind: str) -> None:
    file = golden(kind)
    wire = CloudEvent.model_validate(file["on_the_wire"])
    assert wire.kind == kind
    assert wire.digest() == file["digest"]
    assert wire.model_dump(mode="json", exclude_none=True) == file["on_the_wire"]


@pytest.mark.parametrize("kind", KINDS)
def test_a_misspelt_field_is_refused_and_never_ignored(kind: str) -> None:
    event = golden(kind)["at_the_site"]
    event["data"]["qantity"] = "3"
    with pytest.raises(ValidationError, match="qantity"):
        DeviceEvent.model_validate(event)


def test_what_the_agent_measures_and_reads_is_outside_the_digest() -> None:
    wire = golden("transfer.line")["on_the_wire"]
    other = json.loads(json.dumps(wire))
    del other["data"]["gs1"], other["clockoffset"]
    other["position"] = "000000000000099"
    assert CloudEvent.model_validate(other).digest() == CloudEvent.model_validate(wire).digest()
    other["data"]["quantity"] = "4"
    assert CloudEvent.model_validate(other).digest() != CloudEvent.model_validate(wire).digest()


@pytest.mark.parametrize("kind", ["package.packed", "scan.read"])
def test_a_weight_of_the_station_rides_along_and_the_event_stays_the_one_the_device_made(
    kind: str,
) -> None:
    file = golden(f"weighed/{kind}")
    wire = CloudEvent.model_validate(file["on_the_wire"])
    assert wire.model_dump(mode="json", exclude_none=True) == file["on_the_wire"]
    assert wire.digest() == file["digest"]
    site = DeviceEvent.model_validate(file["at_the_site"])
    assert content_digest(site.kind, site.time, site.seq, site.data) == file["digest"]


@pytest.mark.parametrize(
    "weighed", [{}, {"weight": "2"}, {"weight": "0", "reason": "x"}, {"reason": "x", "uom": "KGM"}]
)
def test_half_a_weight_is_none(weighed: dict[str, Any]) -> None:
    wire = golden("weighed/package.packed")["on_the_wire"]
    wire["data"]["weighed"] = weighed
    with pytest.raises(ValidationError, match="weighed"):
        CloudEvent.model_validate(wire)


def test_an_event_with_an_effect_needs_an_id() -> None:
    event = golden("transfer.line")["at_the_site"]
    del event["id"]
    with pytest.raises(ValidationError, match="needs an id"):
        DeviceEvent.model_validate(event)
    raw = golden("scan.read")["at_the_site"]
    del raw["id"]
    assert DeviceEvent.model_validate(raw).id is None


def test_the_time_that_counts_is_corrected_by_the_clocks_offset() -> None:
    wire = CloudEvent.model_validate(golden("count.recorded")["on_the_wire"])
    assert (wire.occurred - wire.time).total_seconds() == pytest.approx(1.5)


def test_an_older_agent_reads_what_it_knows_of_a_newer_relays_reply() -> None:
    reply = BatchReply.model_validate(
        {
            "generation": str(UUID(int=1)),
            "stored_through": 7,
            "new": 1,
            "duplicates": 0,
            "mood": "fine",
        }
    )
    assert reply.stored_through == 7
