"""``edge-agent devices test``: what one device says now, and nothing of it is stored.

A running agent holds the device's line, so it is asked to show what its link hears; without one the
same link opens the line here. Devices on the broker are listened to beside the agent.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from typing import Any

from edge_agent import clock
from edge_agent.config import AgentConfig
from edge_agent.devices.live import Live
from edge_agent.devices.profiles.library import ProfileLibrary, meant
from edge_agent.devices.profiles.parts import SerialLine
from edge_agent.devices.profiles.resolve import ConfiguredDevice, configured_devices
from edge_agent.lines import line_link
from edge_agent.looking import Watcher, is_wrong
from edge_agent.outbox.port import Appended, Reading, Unreadable
from edge_agent.status import ask
from edge_contract.errors import NeedsOperator, Rejected

_STEP_S = 0.05

Item = dict[str, Any]


def configured_device(config: AgentConfig, name: str) -> ConfiguredDevice:
    """The device of that name. Raises ``Rejected`` (``misuse``) naming the one that was meant."""
    devices = configured_devices(config.devices, ProfileLibrary(config.profiles))
    for device in devices:
        if device.name == name:
            return device
    known = [device.name for device in devices]
    there = f"Configured are {', '.join(known)}." if known else "No device is configured."
    raise Rejected(
        "misuse", f"There is no [devices.{name}] in the configuration{meant(name, known)} {there}"
    )


def trial(config: AgentConfig, device: ConfiguredDevice, seconds: float) -> Iterator[Item]:
    """Items as of :mod:`edge_agent.looking`; the first is ``begin`` and says who listens.

    Raises ``NeedsOperator`` or ``Retryable`` when it cannot be listened to at all.
    """
    if device.transport == "mqtt":
        from edge_agent.trial_mqtt import listened

        yield _begin(device, "here")
        yield from listened(config, device, seconds)
        return
    try:
        items = ask(config.status.socket, "devices.live", name=device.name, seconds=int(seconds))
        first = next(items, None)
    except NeedsOperator:
        yield _begin(device, "here")
        yield from _alone(device, seconds)
        return
    if first is None or first["what"] == "unknown":
        # It runs with a configuration from before this device, whose line is free then.
        yield _begin(device, "here")
        yield {"what": "note", "text": "The running agent does not know it yet: restart it after."}
        yield from _alone(device, seconds)
        return
    yield _begin(device, "agent")
    yield first
    yield from items


def _alone(device: ConfiguredDevice, seconds: float) -> Iterator[Item]:
    live = Live(clock.now)
    link = line_link(device, _forgotten, clock.now, live)
    assert link is not None  # only devices on the broker have none
    with live.look(device.name) as look:
        watcher = Watcher(link, look, clock.now)
        link.start()
        try:
            deadline = time.monotonic() + seconds
            while time.monotonic() < deadline:
                yield from watcher.items()
                time.sleep(_STEP_S)
            yield from watcher.items()
        finally:
            link.stop()


def _forgotten(burst: Sequence[Reading | Unreadable]) -> list[Appended]:
    return [
        Appended("new", item.event.id if isinstance(item, Reading) else None, None)
        for item in burst
    ]


def _begin(device: ConfiguredDevice, by: str) -> Item:
    return {
        "what": "begin",
        "device": device.name,
        "class": device.device_class,
        "profile": device.profile_name,
        "address": device.address,
        "by": by,
    }


class Verdict:
    """Sums a trial up: what came, and what to check when it was not enough."""

    def __init__(self, device: ConfiguredDevice) -> None:
        self._device = device
        self.bytes = 0
        self.understood = 0
        self.misunderstood = 0
        self.trouble = ""

    def take(self, item: Item) -> None:
        what = item["what"]
        if what == "received":
            self.bytes += item["size"]
        elif what == "decoded":
            if is_wrong(item):
                self.misunderstood += 1
            else:
                self.understood += 1
        elif what == "state":
            self.trouble = item["detail"] if item["health"] in ("down", "fault") else ""

    @property
    def good(self) -> bool:
        return self.understood > 0

    def sentence(self, seconds: float) -> str:
        """What to tell a person at the end."""
        name = self._device.name
        if self.understood and not self.trouble:
            more = f", {self.misunderstood} not understood" if self.misunderstood else ""
            return f"{name} works: {self.understood} understood{more}."
        if self.understood:
            return f"{name} was understood {self.understood} times. At the end: {self.trouble}"
        if self.bytes:
            return (
                f"{name} sent {self.bytes} bytes and none of it was understood: check "
                f"{self._settings()}, and that it speaks what the profile "
                f"{self._device.profile_name} says (edge-agent profiles show "
                f"{self._device.profile_name})."
            )
        if self.trouble:
            return f"Nothing came from {name}. {self.trouble}"
        return f"Nothing came from {name} in {seconds:g} s. {self._advice()}"

    def _settings(self) -> str:
        device = self._device
        if device.transport == "mqtt":
            return "the format of its messages"
        if device.transport == "tcp" or "://" in device.address:
            return "the line settings of its device server"
        line = device.profile.serial or SerialLine()
        return (
            f"that it is set to {line.baudrate} baud "
            f"{line.bytesize}{line.parity}{line.stopbits} as the profile says"
        )

    def _advice(self) -> str:
        device = self._device
        doing = {
            "scanner": "Scan a label while the test runs",
            "scale": "Put something on it while the test runs",
            "printer": "Check that it is switched on",
        }[device.device_class]
        if device.transport == "mqtt":
            return (
                f"{doing}. Check that it publishes to the site's broker on {device.address}, and "
                "that the broker lets the agent's user read that topic."
            )
        return f"{doing}. Check its power and cable, {self._settings()}, and that it sends here."
