"""Events on their way into the outbox, and what the stations add to them."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

import pytest
from hypothesis import Phase, find, given, settings
from hypothesis import strategies as st

from edge_agent.devices.intake import read_event
from edge_agent.devices.presence.clock import ClockReading
from edge_agent.devices.scales.reading import ScaleReading, Status
from edge_agent.devices.stations.pairing import Bench, Pairing, package_name
from edge_agent.devices.stations.stations import Station
from edge_agent.devices.stations.weighings import Weight
from edge_agent.outbox.port import Appended, Reading, Unreadable
from edge_contract.event import CloudEvent, DeviceEvent, content_digest

START = datetime(2026, 11, 24, 10, 0, tzinfo=UTC)
SSCC = "106141412345678908"
BENCH = Bench("bench-1", frozenset({"scale-1", "scanner-1", "pack-1"}))


def at(seconds: float) -> datetime:
    return START + timedelta(seconds=seconds)


@dataclass
class Floor:
    """One bench with a scale that was seen empty, a scanner and a packer's handheld."""

    pairing: Pairing = field(default_factory=lambda: Pairing([BENCH]))

    def __post_init__(self) -> None:
        self.weigh("0.000", -100)

    def take(
        self,
        device: str,
        kind: str,
        second: float,
        data: dict[str, Any],
        event_id: UUID | None = None,
        **clock: int,
    ) -> dict[str, Any]:
        said = {"id": event_id or uuid4(), "kind": kind, "time": at(second), "data": data}
        event = DeviceEvent.model_validate(said)
        clock = clock or {"clock_offset_ms": 0, "clock_uncertainty_ms": 0}
        reading = self.pairing.take(Reading(device, event, at(second), **clock))
        again = DeviceEvent.model_validate(reading.event.model_dump())
        assert content_digest(kind, event.time, None, again.data) == content_digest(
            kind, event.time, None, data
        )
        return reading.event.data

    def weigh(self, weight: str, second: float, device: str = "scale-1", **more: Any) -> None:
        data = {"weight": weight, "uom": "KGM", "net": False, "said": "ST", **more}
        self.take(device, "weight.measured", second, data)

    def scan(self, barcode: str, second: float, **more: Any) -> dict[str, Any]:
        return self.take("scanner-1", "scan.read", second, {"barcode": barcode, **more})

    def pack(self, package: str, second: float, **more: Any) -> Any:
        return self.take("pack-1", "package.packed", second, packed(package), **more).get("weighed")


def packed(package: str, **more: Any) -> dict[str, Any]:
    return {"document": "WH/OUT/00012", "package": package, **more}


@pytest.fixture
def floor() -> Floor:
    return Floor()


def test_a_package_has_the_weight_of_its_scan_with_all_that_the_scale_said(floor: Floor) -> None:
    floor.weigh("2.500", 0, tare="0.120", net=True)
    expected = {
        "weight": "2.500",
        "uom": "KGM",
        "device": "scale-1",
        "time": "2026-11-24T10:00:00.000000Z",
        "net": True,
        "tare": "0.120",
    }
    assert floor.scan("PACK1", 2)["weighed"] == expected
    floor.weigh("0.000", 3)
    assert floor.pack("PACK1", 30) == expected
    assert floor.pairing.counters() == {"paired": 2}


@pytest.mark.parametrize(
    "label",
    [SSCC, f"00{SSCC}", f"(00){SSCC}", f"]C100{SSCC}", f"]C1{SSCC}"],
)
@pytest.mark.parametrize("packed_as", [SSCC, f"00{SSCC}", f"(00){SSCC}"])
def test_an_sscc_is_one_package_however_it_is_written(
    floor: Floor, label: str, packed_as: str
) -> None:
    floor.scan(label, 0)
    floor.weigh("2.500", 2)
    floor.weigh("0.000", 4)
    assert floor.pack(packed_as, 9)["weight"] == "2.500"


def test_an_sscc_that_intake_read_out_of_a_longer_symbol_names_the_package(floor: Floor) -> None:
    floor.scan(f"]C100{SSCC}10LOT7", 0, gs1={"sscc": SSCC, "lot": "LOT7"})
    floor.weigh("2.500", 2)
    floor.weigh("0.000", 4)
    assert floor.pack(SSCC, 9)["weight"] == "2.500"


@pytest.mark.parametrize("label", ["4006381333931", "]E04006381333931", "WH-STOCK-A1", "]C1PACK"])
def test_labels_of_products_and_places_take_no_weight(floor: Floor, label: str) -> None:
    floor.weigh("2.500", 0)
    assert "weighed" not in floor.scan(label, 1)
    assert floor.pack("PACK1", 2)["weight"] == "2.500"


def test_the_devices_own_weight_is_left_alone(floor: Floor) -> None:
    floor.weigh("2.500", 0)
    data = packed("PACK1", weight="7", weight_uom="KGM")
    assert floor.take("pack-1", "package.packed", 1, data) == data
    assert "is the weight of PACK1" in floor.pack("PACK2", 2)["reason"], "it is used all the same"


def test_devices_of_no_station_get_nothing_and_those_of_another_nothing_of_this_one() -> None:
    other = Bench("bench-2", frozenset({"pack-2"}))
    floor = Floor(Pairing([BENCH, other]))
    floor.weigh("2.500", 0)
    assert "weighed" not in floor.take("pack-9", "package.packed", 1, packed("PACK1"))
    assert "reason" in floor.take("pack-2", "package.packed", 1, packed("PACK1"))["weighed"]
    assert floor.pack("PACK1", 1)["weight"] == "2.500"


def test_a_scale_that_counts_pieces_weighs_nothing(floor: Floor) -> None:
    floor.weigh("12", 0, uom="H87")
    assert "Nothing lay" in floor.pack("PACK1", 1)["reason"]


@pytest.mark.parametrize(
    ("status", "stable", "lies"),
    [
        ("ok", True, True),
        ("ok", False, False),
        ("motion", False, False),
        ("overload", False, False),
        ("busy", False, True),
        ("error", False, True),
        ("ok", None, True),
    ],
)
def test_readings_between_the_weights_say_whether_one_still_lies_there(
    floor: Floor, status: Status, stable: bool | None, lies: bool
) -> None:
    floor.weigh("2.500", 0)
    value = "2.500" if status == "ok" and stable else "1.111" if status == "ok" else None
    reading = ScaleReading(status, "", value, "kg", "KGM", stable)
    floor.pairing.observe("scale-1", reading, at(1))
    floor.pairing.observe("scale-of-no-station", reading, at(1))
    assert ("weight" in floor.pack("PACK1", 2)) is lies


def test_an_event_that_comes_again_gets_the_same_answer_and_uses_nothing_up(floor: Floor) -> None:
    first = uuid4()
    floor.weigh("2.500", 0)
    assert floor.pack("PACK1", 1, event_id=first)["weight"] == "2.500"
    floor.weigh("0.000", 3)
    floor.weigh("1.500", 5)
    assert floor.pack("PACK1", 1, event_id=first)["weight"] == "2.500"
    assert floor.pack("PACK2", 6)["weight"] == "1.500"


def test_a_resend_to_an_agent_that_forgot_it_takes_no_weight_of_now(floor: Floor) -> None:
    floor.weigh("1.500", 300)
    late = Reading(
        "pack-1",
        DeviceEvent(id=uuid4(), kind="package.packed", time=at(1), data=packed("PACK1")),
        at(301),
        0,
        0,
    )
    assert "Nothing lay" in floor.pairing.take(late).event.data["weighed"]["reason"]
    assert floor.pack("PACK2", 302)["weight"] == "1.500"


def test_another_agents_copy_and_what_a_device_claims_are_the_same_event(floor: Floor) -> None:
    floor.weigh("2.500", 0)
    payload = {
        "id": str(uuid4()),
        "kind": "package.packed",
        "time": at(1).isoformat(),
        "data": packed("PACK1"),
    }

    def stored(pairing: Pairing, claim: Any = None) -> Reading:
        data = payload["data"] if claim is None else {**packed("PACK1"), "weighed": claim}
        text = json.dumps({**payload, "data": data}).encode()
        item = read_event("wh/v1/pack-1/event", text, at(1), lambda *_: ClockReading(0, 10))
        assert isinstance(item, Reading), item
        return pairing.take(item)

    def digest(reading: Reading) -> str:
        event = reading.event
        return content_digest(event.kind, event.time, event.seq, event.data)

    here, elsewhere = stored(floor.pairing), stored(Pairing([]))
    claims: list[Any] = [{"weight": "9", "uom": "KGM"}, "nonsense", 7, {"reason": "x"}, []]
    forged = [stored(Pairing([]), claim) for claim in claims]
    assert here.event.data["weighed"]["weight"] == "2.500"
    assert all("weighed" not in one.event.data for one in (elsewhere, *forged))
    assert len({digest(one) for one in (here, elsewhere, *forged)}) == 1


def test_what_no_intake_looked_at_passes_without_its_claim() -> None:
    data = packed("PACK1", weighed={"reason": "a profile's mapping says so"})
    event = DeviceEvent(id=uuid4(), kind="package.packed", time=at(0), data=data)
    assert "weighed" not in Pairing([]).take(Reading("h1", event, at(0))).event.data


@pytest.mark.parametrize(
    ("clock", "says"),
    [
        ({"clock_offset_ms": -60_000, "clock_uncertainty_ms": 50}, "2.500"),
        ({"clock_offset_ms": -60_000, "clock_uncertainty_ms": 11_000}, "known to 11 s only"),
        ({}, "never measured"),
    ],
)
def test_times_of_devices_count_as_far_as_their_clocks_are_known(
    floor: Floor, clock: dict[str, int], says: str
) -> None:
    floor.weigh("2.500", 0)
    event = DeviceEvent(id=uuid4(), kind="package.packed", time=at(-57), data=packed("PACK1"))
    data = floor.pairing.take(Reading("pack-1", event, at(3), **clock)).event.data
    assert says in (data["weighed"].get("weight") or data["weighed"]["reason"])


def test_a_clock_that_was_never_measured_and_is_right_is_believed(floor: Floor) -> None:
    floor.weigh("2.500", 0)
    event = DeviceEvent(id=uuid4(), kind="package.packed", time=at(2), data=packed("PACK1"))
    data = floor.pairing.take(Reading("pack-1", event, at(3))).event.data
    assert data["weighed"]["weight"] == "2.500"


def test_a_failure_of_the_stations_costs_the_weight_and_never_the_event(
    caplog: pytest.LogCaptureFixture,
) -> None:
    class Failing(Pairing):
        def take(self, reading: Reading) -> Reading:
            raise RuntimeError("a defect")

    stored: list[Reading | Unreadable] = []

    def append(burst: Sequence[Reading | Unreadable]) -> list[Appended]:
        stored.extend(burst)
        return []

    event = DeviceEvent(id=uuid4(), kind="package.packed", time=at(0), data=packed("PACK1"))
    odd = Unreadable("h1", "t", b"", 0, "empty", "Empty.", at(0))
    Failing([BENCH]).storing(append)([Reading("pack-1", event, at(0)), odd])
    assert [type(one) for one in stored] == [Reading, Unreadable]
    assert "goes without" in caplog.text


def test_the_relay_takes_what_was_added() -> None:
    floor = Floor()
    floor.weigh("2.500", 0)
    data = floor.take("pack-1", "package.packed", 1, packed("PACK1"))
    wire = {
        "id": str(uuid4()),
        "source": "/sites/s/devices/pack-1",
        "type": "warehouse.package.packed.v1",
        "time": at(1).isoformat(),
        "recordedtime": at(1).isoformat(),
        "position": f"{1:015d}",
    }
    for more in (data, {**packed("PACK1"), "weighed": {"reason": "Nothing lay there."}}):
        event = CloudEvent.model_validate({**wire, "data": more})
        assert CloudEvent.model_validate_json(event.model_dump_json()).data == more


@given(st.text(max_size=40))
def test_any_name_of_a_package_has_one_spelling(text: str) -> None:
    assert package_name(package_name(text)) == package_name(text)


# One weighing, one package: any order of what can happen at a bench.

Step = tuple[str, int, int]
STEPS = st.lists(
    st.tuples(
        st.sampled_from(
            ["put", "put", "empty", "replug", "moves", "rests", "scan", "scan", "pack", "again"]
        ),
        st.integers(0, 3),  # which package, and which weight
        st.integers(0, 12),  # seconds that pass before it
    ),
    max_size=25,
)
WEIGHTS = ("0.800", "1.500", "2.500", "2.505")


def packages_by_load(steps: Sequence[Step], pairing: Pairing) -> dict[int, set[str]]:
    """Plays the steps; answers who got the weight of each load that was on the scale."""
    floor = Floor(pairing)
    second, load, lying = 0.0, 0, ""
    loads: dict[str, int] = {}
    got: dict[int, set[str]] = {}
    said: list[tuple[str, str, dict[str, Any], float, UUID]] = []
    for what, which, wait in steps:
        second += wait + 0.01
        if what in ("put", "replug"):
            weight = lying if what == "replug" else WEIGHTS[which]
            if not weight:
                continue
            if weight != lying and {weight, lying} != {"2.500", "2.505"}:
                load += 1
            lying = weight
            loads[at(second).isoformat()] = load
            floor.weigh(weight, second)
        elif what in ("moves", "rests"):
            stable, value = what == "rests", lying or "0.000"
            status: Status = "ok" if stable or which else "overload"
            reading = ScaleReading(status, "", value, "kg", "KGM", stable)
            pairing.observe("scale-1", reading, at(second))
        elif what == "empty":
            lying = ""
            floor.weigh("0.000", second)
        else:
            if what == "again" and said:
                device, kind, data, when, uid = said[which % len(said)]
            elif what == "pack":
                device, kind, data = "pack-1", "package.packed", packed(f"PACK{which}")
                when, uid = second, uuid4()
            else:
                device, kind, data = "scanner-1", "scan.read", {"barcode": f"PACK{which}"}
                when, uid = second, uuid4()
            said.append((device, kind, data, when, uid))
            weighed = floor.take(device, kind, when, data, uid).get("weighed", {})
            if "weight" in weighed:
                time = datetime.fromisoformat(weighed["time"]).isoformat()
                name = data.get("package") or data["barcode"]
                got.setdefault(loads[time], set()).add(name)
    return got


@given(STEPS)
@settings(max_examples=300, deadline=None)
def test_no_order_of_events_gives_one_weighing_to_two_packages(steps: list[Step]) -> None:
    got = packages_by_load(steps, Pairing([BENCH]))
    assert all(len(packages) == 1 for packages in got.values()), got


class GivesTwice(Station):
    """Broken on purpose: a weight that lies there is anybody's."""

    def _free_for(self, package: str, weighing: Any) -> bool:
        return not weighing.spent


class BelievesEachWeight(Station):
    """Broken on purpose: a weight that is told again is a new one."""

    def weigh(self, weight: Weight) -> None:
        self._occupied = False
        super().weigh(weight)


@pytest.mark.parametrize("kind", [GivesTwice, BelievesEachWeight])
def test_a_station_that_gives_a_weighing_twice_is_caught(
    kind: type[Station], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("edge_agent.devices.stations.pairing.Station", kind)

    def twice(steps: list[Step]) -> bool:
        got = packages_by_load(steps, Pairing([BENCH]))
        return any(len(packages) > 1 for packages in got.values())

    quick = settings(
        max_examples=2000, deadline=None, database=None, derandomize=True, phases=[Phase.generate]
    )
    assert find(STEPS, twice, settings=quick)
