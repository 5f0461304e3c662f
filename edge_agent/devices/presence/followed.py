"""One device as presence knows it: as of now, and for the agent's next life. Pure."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Literal

from edge_agent.devices.presence.clock import ClockReading, DeviceClock
from edge_agent.devices.presence.numbers import Numbers
from edge_contract.scalars import instant_text

#: ``seen``: it was heard on this connection and says nothing of itself.
State = Literal["online", "offline", "seen", "unknown"]


@dataclass(frozen=True, slots=True)
class DevicePresence:
    """One device, as of now."""

    device: str
    state: State
    boot: int | None
    last_seen: datetime | None
    at_risk: bool
    """It forgets events without our acknowledgement."""
    clock: ClockReading | None
    clock_steps: int
    missing: int
    """Numbers of its own counter that never arrived."""
    gaps: tuple[tuple[int, int], ...]
    """First and last of each run of missing numbers, oldest first."""
    fleet: str | None
    """The section of ``[devices]`` that took it in; ``None``: it publishes on ``wh/v1`` itself."""


@dataclass(slots=True)
class Followed:
    """One device. Whoever changes it holds the lock of presence."""

    state: State = "unknown"
    boot: int | None = None
    last_seen: datetime | None = None
    at_risk: bool = False
    clock: DeviceClock = field(default_factory=DeviceClock)
    numbers: Numbers = field(default_factory=Numbers)
    owner: tuple[str, str] | None = None
    """Section and name in the topic of the reader that this is."""
    direct: bool = False
    """It publishes on ``wh/v1`` itself."""

    def heard(self, arrived: datetime) -> None:
        self.last_seen = arrived
        if self.state == "unknown":
            self.state = "seen"

    def view(self, name: str, now: datetime, oldest: timedelta) -> DevicePresence:
        return DevicePresence(
            device=name,
            state=self.state,
            boot=self.boot,
            last_seen=self.last_seen,
            at_risk=self.at_risk,
            clock=self.clock.reading(now, now, oldest),
            clock_steps=self.clock.steps,
            missing=self.numbers.missing,
            gaps=tuple(self.numbers.gaps),
            fleet=None if self.owner is None or self.direct else self.owner[0],
        )

    def dump(self) -> dict[str, Any]:
        """As JSON."""
        told = {
            "clock": self.clock.dump(),
            "numbers": self.numbers.dump(),
            "boot": self.boot,
            "seen": None if self.last_seen is None else instant_text(self.last_seen),
            "owner": self.owner,
        }
        return {key: value for key, value in told.items() if value}

    def restore(self, told: dict[str, Any], sections: Collection[str] | None) -> None:
        """Take over what :meth:`dump` wrote; raises ValueError, KeyError or TypeError. A name that
        belongs to none of ``sections`` is free again."""
        if "clock" in told:
            self.clock.restore(told["clock"])
        if "numbers" in told:
            self.numbers.restore(told["numbers"])
        if "boot" in told:
            self.boot = int(told["boot"])
        if "seen" in told:
            self.last_seen = datetime.fromisoformat(told["seen"])
        if "owner" in told:
            section, name = told["owner"]
            if sections is None or section in sections:
                self.owner, self.at_risk = (str(section), str(name)), True
