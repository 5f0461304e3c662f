"""Wakes long polls and appliers of this process when something came."""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import Iterable


class LocalWatch:
    """See :class:`cloud_relay.inbox.port.Watch`."""

    def __init__(self, subject: str, watches: Watches) -> None:
        self._subject = subject
        self._watches = watches
        self._event = asyncio.Event()

    async def changed(self, timeout_s: float) -> bool:
        try:
            async with asyncio.timeout(timeout_s):
                await self._event.wait()
        except TimeoutError:
            return False
        self._event.clear()
        return True

    def close(self) -> None:
        self._watches.forget(self._subject, self)

    def wake(self) -> None:
        self._event.set()


class Watches:
    """Who waits for what. Subjects are ``downlink:{site}`` and ``target:{target}``."""

    def __init__(self) -> None:
        self._open: dict[str, set[LocalWatch]] = defaultdict(set)

    def open(self, subject: str) -> LocalWatch:
        watch = LocalWatch(subject, self)
        self._open[subject].add(watch)
        return watch

    def forget(self, subject: str, watch: LocalWatch) -> None:
        self._open[subject].discard(watch)
        if not self._open[subject]:
            del self._open[subject]

    def wake(self, subjects: Iterable[str]) -> None:
        for subject in subjects:
            for watch in self._open.get(subject, ()):
                watch.wake()
