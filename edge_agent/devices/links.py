"""What every link to a device has in common, as the app sees it."""

from __future__ import annotations

import logging
import threading
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Literal, Protocol, TypeVar

from edge_agent.outbox.port import Appended, Reading, Unreadable

_log = logging.getLogger(__name__)

T = TypeVar("T")

Clock = Callable[[], datetime]
#: Stores a burst and returns after its commit. Called from a link's own thread only.
#: Raises :class:`edge_agent.outbox.port.IntakeRefused` when nothing of it was stored.
AppendBlocking = Callable[[Sequence[Reading | Unreadable]], list[Appended]]

Health = Literal["starting", "up", "down", "fault", "refused", "stopped"]
LinkKind = Literal["mqtt", "scale", "scanner", "printer"]


@dataclass(frozen=True, slots=True)
class LinkState:
    """How a link is, for status and metrics."""

    name: str
    kind: LinkKind
    health: Health
    detail: str = ""
    """A sentence when something is wrong."""
    since: datetime | None = None
    counters: dict[str, int] = field(default_factory=dict)
    last_seen: datetime | None = None
    """When the device last said anything that we understand; ``None``: not in this life."""
    showing: str = ""
    """What it shows right now, for people: a weight that moves, say. Never stored."""


class Link(Protocol):
    """One connection with a thread of its own."""

    @property
    def name(self) -> str: ...

    def start(self) -> None: ...

    def stop(self, timeout: float = 5.0) -> None:
        """Ask the thread to end and wait for it."""
        ...

    def state(self) -> LinkState: ...


def full_jitter(attempt: int, chance: float, *, base: float, cap: float) -> float:
    """Seconds to wait before attempt ``attempt`` (from 0), ``chance`` being random in [0, 1).

    Full jitter: uniform below an exponentially growing bound, so that a hundred agents do not come
    back at the same moment.
    """
    return chance * min(cap, base * 2.0 ** min(attempt, 20))


def spectator(name: str, observe: Callable[[str, T], None] | None) -> Callable[[T], None]:
    """``observe`` as a link calls it: one that fails is not asked again, and stops nothing."""
    watching = observe

    def watch(what: T) -> None:
        nonlocal watching
        if watching is None:
            return
        try:
            watching(name, what)
        except Exception:  # noqa: BLE001
            watching = None
            _log.exception("Whoever watches %s failed and is not asked again", name)

    return watch


class Tally:
    """Health and counters of a link: written by its thread, read by any."""

    def __init__(self, name: str, kind: LinkKind, clock: Clock) -> None:
        self._name = name
        self._kind = kind
        self._clock = clock
        self._lock = threading.Lock()
        self._health: Health = "starting"
        self._detail = ""
        self._since = clock()
        self._counters: Counter[str] = Counter()
        self._last_seen: datetime | None = None
        self._showing = ""

    def count(self, name: str, by: int = 1) -> None:
        with self._lock:
            self._counters[name] += by

    def count_if(self, name: str, by: int) -> None:
        """Count ``by``, and leave no counter that says nothing."""
        if by:
            self.count(name, by)

    def set(self, health: Health, detail: str = "") -> None:
        with self._lock:
            if health != self._health:
                self._since = self._clock()
            self._health, self._detail = health, detail

    def seen(self, showing: str | None = None, *, counted: str = "") -> None:
        """The device said something sensible just now, and shows ``showing`` if it tells."""
        now = self._clock()
        with self._lock:
            self._last_seen = now
            if counted:
                self._counters[counted] += 1
            if showing is not None:
                self._showing = showing

    def blank(self) -> None:
        """The device shows nothing that is known: it is away."""
        with self._lock:
            self._showing = ""

    @property
    def health(self) -> Health:
        return self._health

    def state(self) -> LinkState:
        with self._lock:
            return LinkState(
                self._name,
                self._kind,
                self._health,
                self._detail,
                self._since,
                dict(self._counters),
                self._last_seen,
                self._showing,
            )
