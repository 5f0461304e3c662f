"""A live look at a device: its bytes and what they were decoded to, while its link works.

Nobody looks most of the time, and then this costs a look into an empty table. Whoever looks gets
what happens from then on, in order; the memory of a look is bounded, and what it loses is counted.
"""

from __future__ import annotations

import contextlib
import threading
from collections import deque
from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict, dataclass, is_dataclass
from datetime import datetime
from typing import Any, Literal

from edge_agent.devices.escapes import escaped

Clock = Callable[[], datetime]
Direction = Literal["received", "sent"]
#: Hears the bytes of one port, in its link's thread.
Tap = Callable[[Direction, bytes], None]

#: Most things that one look remembers until they are taken.
_MOST = 1000
#: Most looks at one device at a time.
_LOOKS = 8
#: Bytes shown of what came at once.
_SHOWN = 1024
#: What links understand, by the class of what they tell.
_KINDS = {
    "ScaleReading": "weight",
    "ScannerRead": "read",
    "NoRead": "noread",
    "UnreadableFrame": "unreadable",
    "MappedEvent": "event",
    "Seen": "printer",
    "Alert": "alert",
}
#: Properties that say what the fields come to.
_TOLD_TOO = ("state", "answered")
#: Nothing a person looks for.
_INTERNAL = frozenset({"key"})


@dataclass(frozen=True, slots=True)
class Seen:
    """One thing that happened."""

    time: datetime
    what: Literal["received", "sent", "decoded"]
    data: bytes = b""
    decoded: object = None

    def document(self) -> dict[str, Any]:
        """For the socket and for scripts."""
        found: dict[str, Any] = {"what": self.what, "time": self.time.isoformat()}
        if self.what == "decoded":
            kind = _KINDS.get(type(self.decoded).__name__, "other")
            said = _plain(self.decoded)
            for name in _TOLD_TOO:
                if (more := getattr(self.decoded, name, None)) is not None:
                    said[name] = _plain(more)
            return {**found, "kind": kind, "said": said}
        shown = self.data[:_SHOWN]
        return {**found, "size": len(self.data), "hex": shown.hex(" "), "text": escaped(shown)}


class Look:
    """What happened since it was last taken."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._seen: deque[Seen] = deque(maxlen=_MOST)
        self._lost = 0

    def add(self, seen: Seen) -> None:
        with self._lock:
            self._lost += len(self._seen) == _MOST
            self._seen.append(seen)

    def take(self) -> tuple[list[Seen], int]:
        """What happened, and how much more was lost because nobody took it in time."""
        with self._lock:
            seen, lost = list(self._seen), self._lost
            self._seen.clear()
            self._lost = 0
        return seen, lost


class Live:
    """Who looks at which device. Links tell it everything, from their threads."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._looks: dict[str, tuple[Look, ...]] = {}

    @contextlib.contextmanager
    def look(self, device: str) -> Iterator[Look]:
        """A look at ``device``. Raises ValueError when too many look at it already."""
        look = Look()
        with self._lock:
            looks = self._looks.get(device, ())
            if len(looks) >= _LOOKS:
                raise ValueError(f"{_LOOKS} programs look at {device} already: end one of them")
            self._looks[device] = (*looks, look)
        try:
            yield look
        finally:
            with self._lock:
                left = tuple(one for one in self._looks[device] if one is not look)
                if left:
                    self._looks[device] = left
                else:
                    del self._looks[device]

    def tap(self, device: str) -> Tap:
        """What the port of ``device`` tells its bytes to."""

        def told(what: Direction, data: bytes) -> None:
            if looks := self._looks.get(device):
                self._add(looks, Seen(self._clock(), what, data))

        return told

    def decoded(self, device: str, what: object) -> None:
        """The link of ``device`` understood something."""
        if looks := self._looks.get(device):
            self._add(looks, Seen(self._clock(), "decoded", decoded=what))

    def _add(self, looks: tuple[Look, ...], seen: Seen) -> None:
        for look in looks:
            look.add(seen)


def _plain(value: Any) -> Any:
    if is_dataclass(value) and not isinstance(value, type):
        return _plain({k: v for k, v in asdict(value).items() if k not in _INTERNAL})
    if isinstance(value, Mapping):
        return {str(key): _plain(one) for key, one in value.items()}
    if isinstance(value, bytes):
        return escaped(value[:_SHOWN])
    if isinstance(value, datetime):
        return value.isoformat()
    if isinstance(value, list | tuple | set | frozenset):
        return [_plain(one) for one in value]
    return value if isinstance(value, str | int | float | bool | None) else str(value)
