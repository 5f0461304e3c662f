"""A bench with a simulated scale on a line, a handheld on a real broker, and the agent's links."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import pytest

from edge_agent.devices.profiles.library import ProfileLibrary
from edge_agent.devices.profiles.resolve import configured_devices
from edge_agent.devices.scales.link import ScaleLink
from edge_agent.devices.settings import DeviceSettings
from edge_agent.devices.simulate.scale import SimulatedScale
from edge_agent.devices.stations.pairing import Bench, Pairing


@dataclass
class Station:
    """The bench, its scale, and the packer ``h1``."""

    scale: SimulatedScale
    pairing: Pairing
    handheld: Any
    careless: Any
    outbox: Any
    until: Any

    def weigh(self, weight: str) -> None:
        """Put so much on the scale, and wait until the agent knows."""
        before = len(self.events("weight.measured"))
        self.scale.put(weight)
        self.until(lambda: len(self.events("weight.measured")) > before, f"{weight} was weighed")

    def send(self, kind: str, **data: Any) -> dict[str, Any]:
        """Let the handheld tell it; answers what the agent says of the weight."""
        before = len(self.events(kind))
        self.handheld.scan({"kind": kind, "data": data})
        self.until(lambda: len(self.events(kind)) > before, f"{kind} was stored")
        weighed = self.events(kind)[-1].data.get("weighed", {})
        assert isinstance(weighed, dict)
        return weighed

    def pack(self, package: str, **more: Any) -> dict[str, Any]:
        return self.send("package.packed", document="WH/OUT/00012", package=package, **more)

    def again(self, event: dict[str, Any]) -> None:
        """An event comes again, from a device that waits for nothing."""
        before = self.outbox.repeats
        self.careless("h1").publish(json.dumps(event).encode())
        self.until(lambda: self.outbox.repeats > before, "it was heard again")

    def events(self, kind: str) -> list[Any]:
        return [one.event for one in self.outbox.readings if one.event.kind == kind]


@pytest.fixture
def station(
    outbox: Any, make_link: Any, make_handheld: Any, make_careless: Any, now: Any, until: Any
) -> Iterator[Station]:
    bench = Bench("bench-1", frozenset({"scale-1", "h1"}), timedelta(seconds=10))
    pairing = Pairing([bench])
    append = pairing.storing(outbox.append_blocking)
    with SimulatedScale() as scale:
        settings = DeviceSettings(
            name="scale-1",
            profile="mt-sics",
            port=scale.port,
            station="bench-1",
            override={"scale": {"poll_interval_s": 0.02, "reply_timeout_s": 0.2}},
        )
        [device] = configured_devices({"scale-1": settings}, ProfileLibrary())
        link = ScaleLink(
            device, append, now, observe=lambda name, said: pairing.observe(name, said, now())
        )
        link.start()
        make_link(append)
        with make_handheld("h1") as handheld:
            found = Station(scale, pairing, handheld, make_careless, outbox, until)
            until(lambda: found.events("weight.measured"), "the empty scale was seen")
            yield found
        link.stop()


def test_a_shift_at_a_bench_gives_each_package_its_own_weight(station: Station) -> None:
    station.weigh("2.500")
    assert station.send("scan.read", barcode="PACK1")["weight"] == "2.500"
    station.weigh("0.000")
    assert station.pack("PACK1")["weight"] == "2.500"

    sscc = "106141412345678908"
    assert station.send("scan.read", barcode=f"]C100{sscc}") == {}
    station.weigh("1.700")
    weighed = station.pack(f"(00){sscc}")
    assert (weighed["weight"], weighed["uom"], weighed["device"]) == ("1.700", "KGM", "scale-1")
    assert "is the weight of" in station.pack("PACK3")["reason"]

    assert station.outbox.unreadable == []
    assert station.pairing.counters() == {"paired": 3, "unpaired": 1}


def test_what_moves_or_is_too_heavy_is_nobodys(station: Station) -> None:
    station.weigh("2.500")
    station.scale.put("2.480", stable=False)
    asked = station.scale.asked
    station.until(lambda: station.scale.asked > asked + 3, "it was polled on")
    assert "Nothing lay" in station.pack("PACK1")["reason"]
    station.scale.put("2.500")
    asked = station.scale.asked
    station.until(lambda: station.scale.asked > asked + 3, "it was polled on")
    assert station.pack("PACK2")["weight"] == "2.500"

    station.weigh("0.000")
    station.weigh("1.500")
    station.scale.fault("overload")
    station.until(lambda: station.events("device.state")[-1].data["status"] == "fault", "overload")
    assert "reason" in station.pack("PACK4")


def test_a_resend_is_the_same_event_and_uses_nothing_up(station: Station) -> None:
    station.weigh("2.500")
    assert station.pack("PACK1")["weight"] == "2.500"
    first = station.events("package.packed")[-1]
    station.weigh("0.000")
    station.weigh("1.500")
    again = {"id": str(first.id), "kind": first.kind, "time": first.time.isoformat()}
    data = {name: value for name, value in first.data.items() if name != "weighed"}
    forged = {**data, "weighed": {"weight": "99", "uom": "KGM"}}
    station.again({**again, "seq": first.seq, "data": data})
    station.again({**again, "seq": first.seq, "data": forged})
    assert [one.code for one in station.outbox.unreadable] == []
    assert station.pack("PACK2")["weight"] == "1.500"


def test_after_a_replug_the_weight_that_lay_there_is_not_given_twice(station: Station) -> None:
    station.weigh("2.500")
    assert station.pack("PACK1")["weight"] == "2.500"
    station.scale.unplug()
    station.until(
        lambda: station.events("device.state")[-1].data["status"] == "offline", "unplugged"
    )
    before = len(station.events("weight.measured"))
    station.scale.replug()
    station.until(lambda: len(station.events("weight.measured")) > before, "weighed anew")
    assert "is the weight of PACK1" in station.pack("PACK2")["reason"]
