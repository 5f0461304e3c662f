"""How fast reads are cut and understood in one process, and what GS1 costs.

A stream of labels, as a serial device server hands it over in pieces, goes through the framing of
the generic serial profile. The baseline splits the same bytes at their ends and decodes them, which
is all that a script without framing, identifiers and no-reads would do. GS1 is read from element
strings that all differ (a lot each), so that nothing comes out of a cache.
"""

from __future__ import annotations

import time
from collections.abc import Callable

from benchmarks.figures import Aim, Figure, paired
from benchmarks.stage import Stage
from edge_agent.devices.gs1.reading import read_gs1
from edge_agent.devices.profiles.library import ProfileLibrary
from edge_agent.devices.scanners.profile import ScannerProfile
from edge_agent.devices.scanners.serial_frames import SerialFrames

REPETITIONS = 5
#: Bytes that one read of a port gives under load.
PIECE = 4096


def run(stage: Stage) -> list[Figure]:
    labels = stage.size(100_000, 5_000)
    profile = ProfileLibrary().get("serial-scanner").scanner
    if profile is None:
        raise ValueError("the profile serial-scanner has no [scanner]")
    stream = b"".join(b"4006381%06d\r" % number for number in range(labels))
    gs1 = [
        f"]C1010950600013435210LOT{number:06d}\x1d37{number % 99 + 1}" for number in range(labels)
    ]
    stage.say(f"decode: {labels:,} labels")
    ours, bare, with_gs1 = [], [], []
    for _ in range(REPETITIONS):
        ours.append(labels / _spent(lambda: _framed(profile, stream, labels)))
        bare.append(labels / _spent(lambda: _split(stream, labels)))
        few = gs1[: labels // 10]
        with_gs1.append(len(few) / _spent(lambda few=few: [read_gs1(label) for label in few]))
    return [
        paired(
            "reads of a serial scanner, cut and decoded",
            "reads/s", ours, bare, "splitting the bytes", Aim("ours", "≥", 20_000),
        ),
        paired(
            "element strings of GS1, none seen before",
            "reads/s", with_gs1, ours, "the same without GS1",
        ),
    ]  # fmt: skip


def _framed(profile: ScannerProfile, stream: bytes, expected: int) -> None:
    frames, found = SerialFrames(profile), 0
    for start in range(0, len(stream), PIECE):
        found += len(frames.feed(stream[start : start + PIECE]))
    if found != expected:
        raise ValueError(f"{expected} labels became {found} reads")


def _split(stream: bytes, expected: int) -> None:
    if len([part.decode() for part in stream.split(b"\r") if part]) != expected:
        raise ValueError("the baseline lost a label")


def _spent(work: Callable[[], object]) -> float:
    begin = time.perf_counter()
    work()
    return time.perf_counter() - begin
