"""What becomes of each reading of a scale: shown, told as a fault, or stored as a weight."""

from __future__ import annotations

from typing import Any

from pydantic import ValidationError

from edge_agent.devices.holding import Holding, reading_of
from edge_agent.devices.links import Clock, Tally
from edge_agent.devices.presence.standing import Standing
from edge_agent.devices.scales.profile import ScaleProfile
from edge_agent.devices.scales.reading import ScaleReading, StableWeights

#: So many frames in a row that make no sense are a fault; fewer are noise on the line.
_GARBAGE_FRAMES = 3
#: Details of frames that may be noise: nothing the scale itself reports.
_GARBAGE = ("not_understood", "checksum", "no_status", "unknown_unit", "no_response")
_NO_UNIT = (
    "The scale names no unit: set override.scale.unit to what it weighs in (kg, g, lb), or its "
    "weights cannot be told."
)


class Watching:
    """Judges one scale's readings. Belongs to the link's thread."""

    def __init__(
        self,
        device: str,
        settings: ScaleProfile,
        tally: Tally,
        standing: Standing,
        holding: Holding,
        clock: Clock,
    ) -> None:
        self._device = device
        self._tally, self._standing, self._holding = tally, standing, holding
        self._clock = clock
        self._weights = StableWeights(settings.min_change, settings.settle)
        self._garbage = 0
        self._steady: ScaleReading | None = None
        """The stable weight that lies there, is told, and is no news when it comes again."""
        self._quiet = True
        """If a fault is told, it is silence or a port that failed: any answer ends it."""

    def forget(self) -> None:
        """The scale was away: the same weight is news again."""
        self._weights.forget()
        self._steady = None
        self._garbage = 0
        self._quiet = True

    def silent(self, detail: str) -> None:
        self._standing.tell("fault", detail)
        self._tally.blank()
        self._steady = None
        self._quiet = True

    def take(self, reading: ScaleReading) -> None:
        """One reading. Returns when what it means is stored, or the link stops."""
        if reading is self._steady:
            self._tally.seen(counted="stable")
            return
        self._steady = None
        news = self._weights.is_news(reading)
        if reading.status == "error" and reading.detail.startswith(_GARBAGE):
            self._noise(reading)
            return
        self._garbage = 0
        self._tally.seen(shown(reading), counted="stable" if reading.stable else reading.status)
        if reading.status in {"overload", "underload"}:
            self._fault(f"The scale reports {reading.status}.")
        elif reading.status == "error":
            what = reading.detail.replace("_", " ") or reading.said
            self._fault(f"The scale reports an error: {what}.")
        elif reading.status != "ok":
            # It is there. Whether a fault is over only a weight tells.
            if self._standing.status != "fault" or self._quiet:
                self._well()
        elif reading.unece is None:
            self._fault(_NO_UNIT)
        else:
            self._well()
            if news:
                self._store(reading)
            if reading.stable:
                self._steady = reading

    def _noise(self, reading: ScaleReading) -> None:
        self._tally.count("not_understood")
        self._garbage += 1
        if self._garbage >= _GARBAGE_FRAMES:
            detail = f"The scale says what its profile does not understand ({reading.detail[:40]})"
            remedy = "check the profile and the line settings."
            self._fault(f"{detail}: {remedy}", f"{detail}, last {reading.said[:60]!r}: {remedy}")

    def _fault(self, detail: str, shown: str | None = None) -> None:
        self._quiet = False
        self._standing.tell("fault", detail, shown)

    def _well(self) -> None:
        self._quiet = False
        self._standing.tell("online")

    def _store(self, reading: ScaleReading) -> None:
        data: dict[str, Any] = {
            "weight": reading.value,
            "uom": reading.unece,
            "net": reading.mode == "net",
            "said": reading.said,
        }
        if reading.tare is not None:
            data["tare"] = reading.tare
        try:
            event = reading_of(self._device, "weight.measured", self._clock(), data)
        except ValidationError:
            self._tally.count("unusable")  # more digits than the contract takes
            return
        self._holding.store(event)
        self._tally.set("up")


def shown(reading: ScaleReading) -> str:
    """A reading in a few words, as ``12.340 kg net``, ``12.34 kg, moving`` or ``overload``."""
    if reading.value is None:
        return f"{reading.status} {reading.detail}".strip().replace("_", " ")
    words = f"{reading.value} {reading.unit or ''} {reading.mode or ''}".split()
    moving = ", moving" if reading.stable is False else ""
    return " ".join(words) + moving
