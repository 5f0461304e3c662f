"""The way down: long polls for outcomes, noted with their cursor before any device is told."""

from __future__ import annotations

import asyncio
import logging

from edge_agent.clock import Monotonic
from edge_agent.sync.actions import Trouble
from edge_agent.sync.backoff import Backoff
from edge_agent.sync.outcomes import Count, Outcomes, OutcomeStore
from edge_agent.sync.port import Busy, Relay
from edge_agent.sync.uplink_driver import pause
from edge_contract import killpoint
from edge_contract.errors import NeedsOperator, Rejected, Retryable

log = logging.getLogger(__name__)

#: Least seconds between two polls that brought nothing.
_PAUSE_S = 0.5


class Downlink:
    """Runs until cancelled; what fails is tried again with the uplink's kind of patience."""

    def __init__(
        self,
        relay: Relay,
        store: OutcomeStore,
        outcomes: Outcomes,
        backoff: Backoff,
        *,
        monotonic: Monotonic,
        count: Count,
    ) -> None:
        self._relay = relay
        self._store = store
        self._outcomes = outcomes
        self._backoff = backoff
        self._monotonic = monotonic
        self._count = count
        self._hurry = asyncio.Event()
        self.trouble: Trouble | None = None

    def hurry(self) -> None:
        """The uplink got through: what was put off is tried now."""
        self._hurry.set()

    async def run(self) -> None:
        while True:
            delay = await self.step()
            if delay:
                self._hurry.clear()
                await pause(self._hurry, delay)

    async def step(self) -> float:
        """One poll; returns the seconds to wait before the next one."""
        try:
            pause = await self._poll()
        except Busy as error:
            return self._failed("busy", error, self._backoff.delay(error.retry_after))
        except Retryable as error:
            return self._failed("unreachable", error, self._backoff.delay())
        except Rejected as error:
            return self._failed(error.code, error, self._backoff.slow())
        except NeedsOperator as error:
            if error.code.startswith(("outbox_", "database_")):
                raise
            return self._failed(error.code, error, self._backoff.slow())
        if self.trouble is not None:
            log.info("The downlink is up.")
        self.trouble = None
        self._backoff.reset()
        return pause

    async def _poll(self) -> float:
        after = await self._store.downlink_cursor()
        asked = self._monotonic()
        reply = await self._relay.downlink(after)
        killpoint.reached("downlink.after_reply")
        self._count("downlink.polls", 1)
        if reply.cursor < after and reply.items:
            raise Retryable(
                "The relay's downlink tells what lies behind its own cursor; it is asked "
                "again later."
            )
        if reply.cursor < after:
            log.warning(
                "The relay's downlink went back from %d to %d: it was restored from a copy.",
                after,
                reply.cursor,
            )
            self._count("downlink.went_back", 1)
            # Before the cursor is noted: what the copy does not have must reach it again.
            await self._store.renew_generation("the relay was restored from an older copy")
        if reply.items or reply.cursor != after:
            if reply.cursor == after:
                raise Retryable("The relay repeats its downlink; it is asked again later.")
            await self._outcomes.from_relay([item.outcome for item in reply.items], reply.cursor)
            return 0.0
        # A relay (or a proxy before it) that does not wait must not be asked without pause.
        return 0.0 if self._monotonic() - asked > _PAUSE_S else _PAUSE_S

    def _failed(self, code: str, error: Exception, delay: float) -> float:
        self._count("downlink.failures", 1)
        trouble = Trouble(code, str(error))
        if trouble != self.trouble:
            log.warning("The downlink waits: %s", error)
        self.trouble = trouble
        return delay
