"""What fifty devices cost that do nothing: scales that are asked on and on, scanners that wait.

Method. A process of its own holds the links, as the agent makes them: half of the devices are
scales, of every polled protocol that is shipped, asked as often as their profiles say; the others
are scanners that read nothing. They hang on pseudo-terminals, whose other ends a thread of this
process answers, so only the links are measured. The figure is the processor time of that process
over the time that went by, in percent of one core. ``python -m benchmarks.idle_devices SECONDS
PROFILE=PORT …`` is that process.
"""

from __future__ import annotations

import contextlib
import json
import os
import select
import subprocess
import sys
import threading
import time
import tty
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from typing import Any

from benchmarks.figures import Aim, Figure
from benchmarks.stage import Stage
from edge_agent.devices.links import Link
from edge_agent.devices.live import Live
from edge_agent.devices.profiles.library import ProfileLibrary
from edge_agent.devices.profiles.resolve import configured_devices
from edge_agent.devices.scales.encoding import encode
from edge_agent.devices.settings import DeviceSettings
from edge_agent.lines import line_link

DEVICES = 50
SCALES = (
    "mt-sics",
    "toledo-8217",
    "nci-scp01",
    "sma",
    "and-standard",
    "sartorius-sbi",
    "ohaus",
    "adam",
)
SCANNER = "serial-scanner"
#: So long the links may take until all of them are up.
SETTLE_S = 15.0


def run(stage: Stage) -> list[Figure]:
    seconds = stage.size(60.0, 5.0)
    stage.say(f"idle: {DEVICES} devices for {seconds:.0f} s")
    profiles = [SCALES[number % len(SCALES)] for number in range(DEVICES // 2)]
    profiles += [SCANNER] * (DEVICES - len(profiles))
    with _answered(profiles) as ports:
        arguments = [f"{profile}={port}" for profile, port in zip(profiles, ports, strict=True)]
        command = [sys.executable, "-m", "benchmarks.idle_devices", str(seconds), *arguments]
        done = subprocess.run(
            command, check=True, capture_output=True, text=True, timeout=seconds + 60
        )
    told = json.loads(done.stdout)
    return [
        Figure(
            f"processor, {DEVICES} idle devices asked {told['asked']:.0f} times a second",
            "% of a core",
            told["share"] * 100,
            aim=Aim("ours", "≤", 2),
        )
    ]


@contextlib.contextmanager
def _answered(profiles: Sequence[str]) -> Iterator[list[str]]:
    """A pseudo-terminal for each profile; a scale answers whatever it hears with one weight."""
    library = ProfileLibrary()
    answers: dict[int, bytes] = {}
    ends: list[tuple[int, int]] = []
    poll = select.poll()
    for name in profiles:
        master, slave = os.openpty()
        tty.setraw(slave)
        ends.append((master, slave))
        scale = library.get(name).scale
        if scale is not None:
            answers[master] = encode(scale, value="1.25")
            poll.register(master, select.POLLIN)
    closing = threading.Event()

    def answer() -> None:
        while not closing.is_set():
            for master, _ in poll.poll(100):
                os.read(master, 4096)
                os.write(master, answers[master])

    thread = threading.Thread(target=answer, name="scales", daemon=True)
    thread.start()
    try:
        yield [os.ttyname(slave) for _, slave in ends]
    finally:
        closing.set()
        thread.join(5)
        for master, slave in ends:
            os.close(master)
            os.close(slave)


def _measured(seconds: float, arguments: Sequence[str]) -> dict[str, float]:
    """Share of a core that the links take, and how often the scales are asked a second."""
    live = Live(_now)
    links = [_link(number, argument, live) for number, argument in enumerate(arguments)]
    for link in links:
        link.start()
    deadline = time.monotonic() + SETTLE_S
    while any(link.state().health != "up" for link in links):
        if time.monotonic() > deadline:
            states = [link.state() for link in links]
            raise TimeoutError(f"not up: {[one for one in states if one.health != 'up'][:3]}")
        time.sleep(0.1)
    time.sleep(1.0)  # the first weights are stored
    asked = _frames(links)
    cpu, begin = time.process_time(), time.monotonic()
    time.sleep(seconds)
    cpu, took = time.process_time() - cpu, time.monotonic() - begin
    asked = _frames(links) - asked
    for link in links:
        link.stop()
    return {"share": cpu / took, "asked": asked / took}


def _link(number: int, argument: str, live: Live) -> Link:
    profile, _, port = argument.partition("=")
    override: dict[str, Any] = {}
    if profile != SCANNER:
        override = {"scale": {"unit": "kg"}}  # some protocols name none
    settings = DeviceSettings(name=f"d{number}", profile=profile, port=port, override=override)
    [device] = configured_devices({settings.name: settings}, ProfileLibrary())
    link = line_link(device, lambda _: [], _now, live)
    if link is None:
        raise ValueError(f"the profile {profile} has no line")
    return link


def _now() -> datetime:
    return datetime.now(UTC)


def _frames(links: Sequence[Link]) -> int:
    """Weights that were heard so far."""
    counters = [link.state().counters for link in links]
    return sum(one.get("stable", 0) + one.get("ok", 0) for one in counters)


if __name__ == "__main__":
    print(json.dumps(_measured(float(sys.argv[1]), sys.argv[2:])))
