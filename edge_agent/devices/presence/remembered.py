"""What is known of the devices, kept over a restart of the agent.

After ``kill -9`` the broker delivers at once what it kept, long before any device says the time
again: those events need the offset that was measured before. And a number that is missing stays
missing: numbers are written down before the events that bear them are acknowledged, so what was
not written comes again. A file that is missing, old or broken costs what it held and no more, so
it is written without syncing and read without complaint.
"""

from __future__ import annotations

import contextlib
import json
import logging
import os
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from edge_agent.devices.presence.presence import Presence

_log = logging.getLogger(__name__)

_UNUSABLE = (OSError, ValueError, KeyError, TypeError, AttributeError)
#: Seconds between two writes of everything, for each thousand devices begun.
_PAUSE_S = 1.0
#: As long may the time of the last sign of life be unwritten.
_LAZY_S = 30.0
#: Lines of numbers after which everything is written anew.
_LINES = 2_000
#: Most topics of earlier configurations that are remembered.
_FORMER = 100


class RememberedDevices:
    """Two small files beside the outbox: everything, and the numbers that came since."""

    def __init__(
        self,
        path: Path,
        presence: Presence,
        topics: Mapping[str, str] | None = None,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        """Reads ``path`` into ``presence`` if it can. ``topics``: what is subscribed to besides the
        contract's, each with the section of ``[devices]`` that wants it."""
        self.former: tuple[str, ...] = ()
        """What was subscribed to by earlier configurations; the broker may remember it."""
        self._topics = dict(topics or {})
        self._path = path
        self._lines_path = path.with_name(f"{path.name}.numbers")
        self._presence = presence
        self._monotonic = monotonic
        self._written = -1
        self._write_at = self._lazy_at = 0.0
        self._mark = 0
        """Number of the newest line; a line that is not beyond the one in the file is in it."""
        self._whole = 0
        self._lines: int | None = None
        self._restore()

    def numbered(self) -> None:
        """Before events are acknowledged: write down their numbers. Never raises."""
        numbers = self._presence.numbers_since()
        if not numbers:
            return
        self._mark += 1
        line = json.dumps([self._mark, numbers], separators=(",", ":")).encode() + b"\n"
        with contextlib.suppress(OSError):  # a full disk: a gap may be named that is none
            if self._lines is None:
                flags = os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC
                self._lines = os.open(self._lines_path, flags, 0o640)
            os.write(self._lines, line)

    def save(self) -> None:
        """Write everything, if there is news and it was not done just now. Never raises."""
        now = self._monotonic()
        if now < self._write_at:
            return
        measured = self._presence.measured
        if measured == self._written and now < self._lazy_at and self._mark - self._whole < _LINES:
            return
        self._write(measured)
        self._write_at = now + _PAUSE_S * (1 + self._presence.followed // 1000)
        self._lazy_at = now + _LAZY_S

    def _write(self, measured: int) -> None:
        self._written = measured
        everything = {
            "mark": self._mark,
            "topics": [*self._topics, *self.former],
            "devices": self._presence.dump(),
        }
        draft = self._path.with_name(f"{self._path.name}.new")
        with contextlib.suppress(OSError):  # a full disk: the next life measures anew
            draft.write_text(json.dumps(everything))
            draft.replace(self._path)
            self._whole = self._mark
            if self._lines is not None:
                os.ftruncate(self._lines, 0)

    def _restore(self) -> None:
        try:
            told: dict[str, Any] = json.loads(self._path.read_text())
            self._mark = self._whole = int(told["mark"])
            topics = map(str, told["topics"][:_FORMER])
            self.former = tuple(one for one in topics if one not in self._topics)
            self._presence.restore(told["devices"], set(self._topics.values()))
        except FileNotFoundError:
            pass
        except _UNUSABLE as error:
            _log.warning("What %s knew of the devices is learnt anew: %s", self._path, error)
        with contextlib.suppress(OSError):
            for line in self._lines_path.read_bytes().splitlines():
                self._restore_line(line)

    def _restore_line(self, line: bytes) -> None:
        with contextlib.suppress(*_UNUSABLE):  # the last one may be half a line
            mark, numbers = json.loads(line)
            if mark > self._mark:
                self._presence.restore(numbers)
                self._mark = mark
