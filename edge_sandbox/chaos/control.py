"""A page of memory by which the campaign tells a running process where to die.

It is shared through a file, so it outlives the process: what it wrote last is where it died. A
process is armed while it runs and idles, so that every point lies on the path of the events that
come next, and starts do not have to be counted.
"""

from __future__ import annotations

import mmap
import os
from pathlib import Path

_WORDS, _WORD = 3, 8
_AT, _SEEN, _LEFT = range(_WORDS)
_NAME = slice(64, 1024)
_DIED = slice(1024, 2048)
_SIZE = 2048

#: A callback that never comes: count, and do not die.
NEVER = 1 << 62


class Control:
    """Both ends: the campaign arms, the process counts. One process at a time looks at it."""

    def __init__(self, path: Path) -> None:
        """Opens ``path``, and makes it when it is not there."""
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
        try:
            os.ftruncate(descriptor, _SIZE)
            self._page = mmap.mmap(descriptor, _SIZE)
        finally:
            os.close(descriptor)
        self._words = memoryview(self._page)[: _WORDS * _WORD].cast("q")

    # The campaign's end

    def arm_callback(self, number: int) -> None:
        """Die instead of the ``number``-th callback of the event loop from now on."""
        self.disarm()
        self._words[_SEEN] = 0
        self._words[_AT] = number

    def arm_place(self, name: str, passing: int = 1) -> None:
        """Die when the place is reached for the ``passing``-th time from now on: a name of
        :mod:`edge_contract.killpoint`, or an ``await:`` that :mod:`edge_sandbox.chaos.dying`
        makes."""
        self.disarm()
        self._write(_NAME, name)
        self._words[_LEFT] = passing

    def disarm(self) -> None:
        """Live on."""
        self._words[_AT] = self._words[_LEFT] = 0
        self._write(_NAME, "")
        self._write(_DIED, "")

    @property
    def callbacks(self) -> int:
        """How many callbacks ran since :meth:`arm_callback`."""
        return self._words[_SEEN]

    @property
    def died_at(self) -> str:
        """Where the process said it would die."""
        return self._read(_DIED)

    # The process's end

    def counted(self) -> bool:
        """Count a callback; true when it is the one to die at."""
        at = self._words[_AT]
        if not at:
            return False
        self._words[_SEEN] += 1
        return self._words[_SEEN] >= at

    @property
    def counting(self) -> bool:
        return self._words[_AT] != 0

    @property
    def waits_for_await(self) -> bool:
        """Armed with a place where a task waits."""
        return self._words[_LEFT] > 0 and self._page[_NAME.start : _NAME.start + 6] == b"await:"

    def passed(self, name: str) -> bool:
        """A place is passed; true when it is the one to die at."""
        if not self._words[_LEFT] or self._read(_NAME) != name:
            return False
        self._words[_LEFT] -= 1
        return self._words[_LEFT] == 0

    def dying(self, place: str) -> None:
        self._write(_DIED, place)

    def _write(self, where: slice, text: str) -> None:
        size = where.stop - where.start
        self._page[where] = text.encode()[: size - 1].ljust(size, b"\0")

    def _read(self, where: slice) -> str:
        return bytes(self._page[where]).rstrip(b"\0").decode(errors="replace")
