"""Puts the weight of a package into its events, on their way into the outbox. Pure, one lock.

Everything that is stored passes here, whichever link it came by: weights of the scales tell the
stations what lies where, scans of labels say whose it is, and ``package.packed`` takes it from
there. An event that comes again gets the same answer and uses no other weighing up. What a device
itself says about ``weighed`` never passes.
"""

from __future__ import annotations

import logging
import re
import threading
from collections import Counter, OrderedDict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID

from edge_agent.devices.scales.reading import ScaleReading
from edge_agent.devices.stations.stations import Station, Verdict
from edge_agent.devices.stations.weighings import Weight
from edge_agent.outbox.port import Appended, Reading, Unreadable
from edge_contract.scalars import instant_text

_log = logging.getLogger(__name__)

Item = Reading | Unreadable
Append = Callable[[Sequence[Item]], list[Appended]]

#: Answers that are remembered for events that come again.
_ANSWERS = 10_000
#: Units of a scale that counts pieces: no weight.
_PIECES = frozenset({"H87", "C62", "EA"})
#: How an SSCC is written: bare, with its application identifier, with a symbology identifier.
_SSCC = re.compile(r"(?:\][A-Za-z][0-9A-Za-z])?(?:00|\(00\))?([0-9]{18})")


@dataclass(frozen=True, slots=True)
class Bench:
    """A station as configured."""

    name: str
    devices: frozenset[str]
    window: timedelta = timedelta(seconds=10)
    empty_up_to: Decimal = Decimal(0)
    labels: re.Pattern[str] = re.compile("PACK[0-9]+")
    """Labels of packages besides SSCCs."""


class Pairing:
    """The stations of a site. Called from the threads of all links."""

    def __init__(self, benches: Sequence[Bench]) -> None:
        self._at: dict[str, tuple[Bench, Station]] = {}
        for bench in benches:
            station = Station(bench.name, bench.window, bench.empty_up_to)
            self._at.update((device, (bench, station)) for device in bench.devices)
        self._answers: OrderedDict[tuple[str, UUID | None], dict[str, Any] | None] = OrderedDict()
        self._lock = threading.Lock()
        self._counters: Counter[str] = Counter()

    def counters(self) -> dict[str, int]:
        with self._lock:
            return dict(self._counters)

    def observe(self, device: str, reading: ScaleReading, at: datetime) -> None:
        """See every reading of a scale, so that a weight that is lifted lies there no longer."""
        place = self._at.get(device)
        if place is None or reading.stable is None:
            return
        with self._lock:
            if reading.status == "overload":
                place[1].unsteady(at, overload=True)
            elif reading.status == "motion" or (reading.status == "ok" and not reading.stable):
                place[1].unsteady(at)
            elif reading.status == "ok" and reading.value and reading.unece:
                place[1].steady(reading.value, reading.unece)

    def storing(self, append: Append) -> Append:
        """``append`` with weights put into what passes."""

        def store(burst: Sequence[Item]) -> list[Appended]:
            return append([self._safely(one) if isinstance(one, Reading) else one for one in burst])

        return store

    def _safely(self, reading: Reading) -> Reading:
        try:
            return self.take(reading)
        except Exception:  # noqa: BLE001 - a weight is worth less than its event
            _log.exception("The stations failed; event %s goes without", reading.event.id)
            return reading

    def take(self, reading: Reading) -> Reading:
        """The reading as it is to be stored."""
        event, place = reading.event, self._at.get(reading.device)
        weighed = None
        if place is not None and event.kind in ("weight.measured", "scan.read", "package.packed"):
            key = (reading.device, event.id)
            with self._lock:
                if event.id is not None and key in self._answers:
                    weighed = self._answers[key]
                else:
                    weighed = self._answers[key] = self._judge(*place, reading)
                    while len(self._answers) > _ANSWERS:
                        self._answers.popitem(last=False)
        if weighed is None and "weighed" not in event.data:
            return reading
        data = {name: value for name, value in event.data.items() if name != "weighed"}
        if weighed is not None:
            data["weighed"] = weighed
        return replace(reading, event=event.model_copy(update={"data": data}))

    def _judge(self, bench: Bench, station: Station, reading: Reading) -> dict[str, Any] | None:
        kind, data = reading.event.kind, reading.event.data
        package = None
        if kind == "package.packed":
            package = package_name(data["package"])
        elif kind == "scan.read":
            package = _package_scanned(data, bench.labels)
        if package is None and kind != "weight.measured":
            return None
        at, trouble = _moment(reading, bench.window)
        if kind == "weight.measured":
            if at is not None and data["uom"] not in _PIECES:
                station.weigh(_weight(reading.device, data, at))
            return None
        if package is None or at is None:
            return self._counted(Verdict(None, trouble)) if kind == "package.packed" else None
        verdict = station.scan(package, at) if kind == "scan.read" else station.pack(package, at)
        return None if data.get("weight") is not None else self._counted(verdict)

    def _counted(self, verdict: Verdict) -> dict[str, Any] | None:
        if verdict.weight is not None:
            self._counters["paired"] += 1
            return _json(verdict.weight)
        if not verdict.reason:
            return None
        self._counters["unpaired"] += 1
        return {"reason": verdict.reason}


def package_name(text: str) -> str:
    """A package's name as labels and handhelds write it: an SSCC is its eighteen digits."""
    sscc = _SSCC.fullmatch(text)
    return sscc[1] if sscc else text


def bare_label(barcode: str) -> str:
    """What stands on a label, without the identifier of its symbology."""
    return re.sub(r"^\][A-Za-z][0-9A-Za-z]", "", barcode)


def _package_scanned(data: Mapping[str, Any], labels: re.Pattern[str]) -> str | None:
    """The package whose label was scanned; ``None``: it is another label."""
    sscc = (data.get("gs1") or {}).get("sscc")
    if sscc is not None:
        return str(sscc)
    barcode = str(data["barcode"])
    if _SSCC.fullmatch(barcode):
        return package_name(barcode)
    bare = bare_label(barcode)
    return bare if labels.fullmatch(bare) else None


def _moment(reading: Reading, window: timedelta) -> tuple[datetime | None, str]:
    """When it happened by the agent's clock; ``None`` and a sentence when that is not known."""
    told, offset = reading.event.time, reading.clock_offset_ms
    if offset is None:
        if abs(reading.recorded - told) <= window:
            return told, ""
        return None, (
            f"The clock of {reading.device} was never measured, and what it says came "
            f"{abs(reading.recorded - told).total_seconds():.0f} s from its time: no weight can be "
            "told to be its. Let it publish its time in its status."
        )
    if timedelta(milliseconds=reading.clock_uncertainty_ms or 0) > window:
        return None, (
            f"The clock of {reading.device} is known to "
            f"{(reading.clock_uncertainty_ms or 0) / 1000:.0f} s only: no weight can be told to be "
            "its. Let it publish its time in its status."
        )
    try:
        return told - timedelta(milliseconds=offset), ""
    except OverflowError:
        return None, f"The time of {reading.device} makes no sense: set its clock."


def _weight(device: str, data: Mapping[str, Any], at: datetime) -> Weight:
    return Weight(
        weight=data["weight"],
        uom=data["uom"],
        device=device,
        time=at,
        net=bool(data.get("net")),
        tare=data.get("tare"),
    )


def _json(weight: Weight) -> dict[str, Any]:
    """``data.weighed`` of the contract."""
    weighed = {
        "weight": weight.weight,
        "uom": weight.uom,
        "device": weight.device,
        "time": instant_text(weight.time),
        "net": weight.net,
    }
    return weighed if weight.tare is None else {**weighed, "tare": weight.tare}
