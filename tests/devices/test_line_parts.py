"""Small parts of the links of lines: what goes on record, and what a reading becomes."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from datetime import UTC, datetime
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge_agent.devices.holding import Holding
from edge_agent.devices.links import Tally, spectator
from edge_agent.devices.presence.standing import BURST, REFILL_S, Standing
from edge_agent.devices.scales.profile import ScaleProfile
from edge_agent.devices.scales.reading import ScaleReading
from edge_agent.devices.scales.watching import Watching
from edge_agent.devices.scanners.line_frames import line_frames
from edge_agent.devices.scanners.profile import Framing, ScannerProfile
from edge_agent.devices.scanners.reads import MappedEvent, ScannerRead
from edge_agent.outbox.port import Appended, Reading, Unreadable

NOW = datetime(2026, 11, 24, 12, 0, tzinfo=UTC)


class Scene:
    """A scale's readings judged, with what was stored of them."""

    def __init__(self, **settings: Any) -> None:
        self.stored: list[Reading] = []
        self.seconds = 0.0
        self.tally = Tally("s1", "scale", lambda: NOW)
        holding = Holding(self._append, self.tally, threading.Event())
        self.standing = Standing(
            "s1", self.tally, holding, lambda: NOW, monotonic=lambda: self.seconds
        )
        profile = ScaleProfile(protocol="mt-sics", **settings)
        self.watching = Watching("s1", profile, self.tally, self.standing, holding, lambda: NOW)

    def _append(self, burst: Sequence[Reading | Unreadable]) -> list[Appended]:
        self.stored += [item for item in burst if isinstance(item, Reading)]
        return []

    def of(self, kind: str) -> list[dict[str, Any]]:
        return [one.event.data for one in self.stored if one.event.kind == kind]


def weight(value: str, *, stable: bool | None = True, **fields: Any) -> ScaleReading:
    return ScaleReading("ok", value, value, "kg", "KGM", stable, **fields)


statuses = st.sampled_from(["motion", "overload", "underload", "busy", "info", "error"])
readings = st.one_of(
    st.builds(
        lambda grams, stable: weight(f"{grams / 1000:.3f}", stable=stable),
        st.integers(0, 3),
        st.booleans(),
    ),
    st.builds(
        lambda status, detail: ScaleReading(status, "x", detail=detail),
        statuses,
        st.one_of(st.sampled_from(["", "not_understood", "scale_error 10"]), st.text(max_size=600)),
    ),
)


@given(st.lists(st.one_of(readings, st.none()), max_size=40))
def test_only_stable_weights_are_stored_each_once_whatever_comes_between(
    said: list[ScaleReading | None],
) -> None:
    """``None`` is silence. A reading that comes again is the same object, as the link has it."""
    scene, expected, memo = Scene(), [], {}
    for reading in said:
        if reading is None:
            scene.watching.silent("It does not answer.")
            continue
        reading = memo.setdefault(repr(reading), reading)
        scene.watching.take(reading)
        if reading.status == "ok" and reading.stable and expected[-1:] != [reading.value]:
            expected.append(reading.value)
    assert [data["weight"] for data in scene.of("weight.measured")] == expected
    told = [(data["status"], data["detail"]) for data in scene.of("device.state")]
    assert all(one != other for one, other in pairwise(told)), "told twice"


def test_a_scale_that_takes_what_moves_for_a_weight_is_caught(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The broken variant of the property above."""
    scene = Scene()
    monkeypatch.setattr(scene.watching._weights, "_is_stable", lambda reading: True)
    scene.watching.take(weight("1.000", stable=False))
    assert scene.of("weight.measured"), "and the property would see it"


def test_what_a_weight_was_taken_with_is_kept() -> None:
    scene = Scene()
    scene.watching.take(weight("1.50", mode="net", tare="0.30"))
    assert scene.of("weight.measured") == [
        {"weight": "1.50", "uom": "KGM", "net": True, "said": "1.50", "tare": "0.30"}
    ]


def test_a_weight_that_the_contract_does_not_take_is_counted_and_stops_nothing() -> None:
    scene = Scene()
    scene.watching.take(weight("1" * 60))
    assert scene.of("weight.measured") == []
    assert scene.tally.state().counters["unusable"] == 1


def test_a_steady_weight_is_seen_and_counted_each_time() -> None:
    scene, steady = Scene(), weight("1.000")
    for _ in range(3):
        scene.watching.take(steady)
    assert scene.tally.state().counters["stable"] == 3
    scene.watching.forget()
    scene.watching.take(steady)
    assert len(scene.of("weight.measured")) == 2, "after it was away it is news again"


def _loose_contact(scene: Scene) -> list[str]:
    """Two hours in which it is off and on each second, and then it stays off."""
    for _ in range(3_600):
        for status in ("offline", "online"):
            scene.seconds += 1
            scene.standing.tell(status)  # type: ignore[arg-type]
    for _ in range(300):
        scene.seconds += 1
        scene.standing.tell("offline", "There is no port.")
    return [data["status"] for data in scene.of("device.state")]


def test_a_loose_contact_does_not_fill_the_outbox_and_what_lasts_is_on_record() -> None:
    scene = Scene()
    told = _loose_contact(scene)
    assert len(told) < BURST + 7_200 / REFILL_S + 5
    assert told[-1] == "offline"
    assert scene.tally.state().counters["changes_not_recorded"] > 3_000


def test_a_standing_that_records_everything_is_caught(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Standing, "_has_room", lambda *_: True)
    assert len(_loose_contact(Scene())) > 7_000


def test_a_spectator_that_fails_is_not_asked_again(caplog: pytest.LogCaptureFixture) -> None:
    asked: list[int] = []

    def fails(name: str, what: int) -> None:
        asked.append(what)
        raise RuntimeError(name)

    watch = spectator("s1", fails)
    watch(1)
    watch(2)
    assert asked == [1]
    assert "not asked again" in caplog.text


@given(st.lists(st.integers(1, 5), max_size=60))
def test_json_on_a_line_is_read_however_it_is_cut(cuts: list[int]) -> None:
    profile = ScannerProfile(
        format="ndjson", frame=Framing(end=("\n",)), encoding=("utf-8",), read={"data": ["/code"]}
    )
    stream = '{"code": "Ä1"}\n{"code": "2"}\nno json\n{"code": "3"}\n'.encode()
    frames, found, at = line_frames(profile), [], 0
    for cut in [*cuts, len(stream)]:
        found += frames.feed(stream[at : at + cut])
        at += cut
    reads = [one.data for one in found if isinstance(one, ScannerRead)]
    assert reads == ["Ä1", "2", "3"]
    assert len(found) == 4, "and what is no JSON is set aside"
    assert not any(isinstance(one, MappedEvent) for one in found)
