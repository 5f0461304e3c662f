"""Work that comes round: APScheduler with the agent's rule for failures and for clocks."""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta

from apscheduler.schedulers.asyncio import AsyncIOScheduler

from edge_contract.errors import Retryable

log = logging.getLogger(__name__)


class Jobs:
    """What may pass by itself is put off to the next round; anything else goes to ``fail``."""

    def __init__(self, fail: Callable[[BaseException], None], count: Callable[[str], None]) -> None:
        self._fail = fail
        self._count = count
        self._scheduler = AsyncIOScheduler(timezone=UTC)

    def every(
        self,
        seconds: float,
        name: str,
        work: Callable[[], Awaitable[None]],
        first_s: float | None = None,
    ) -> None:
        """Do ``work`` every so many seconds, the first time after ``first_s``."""

        async def guarded() -> None:
            try:
                await work()
            except Retryable as error:
                self._count(f"{name}.put_off")
                log.warning("%s is put off: %s", name, error)
            except Exception as error:  # noqa: BLE001 - APScheduler would log it and live on
                self._fail(error)

        first = datetime.now(UTC) + timedelta(seconds=seconds if first_s is None else first_s)
        self._scheduler.add_job(
            guarded,
            "interval",
            seconds=seconds,
            id=name,
            next_run_time=first,
            coalesce=True,
            max_instances=1,
            misfire_grace_time=None,
        )

    def start(self) -> None:
        self._scheduler.start()

    def stop(self) -> None:
        if self._scheduler.running:
            self._scheduler.shutdown(wait=False)

    def run_now(self) -> None:
        """Do every job now and count its interval from now.

        APScheduler goes by the time of day: after a clock was set back by a day it would stand
        still for a day.
        """
        for job in self._scheduler.get_jobs():
            job.modify(next_run_time=datetime.now(UTC))
