"""The relay of the site: its application without a socket, its inbox on disk, its applier."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from pathlib import Path
from uuid import UUID

from cloud_relay.config import Limits
from cloud_relay.inbox.port import Entry
from cloud_relay.inbox.store import SqliteInbox
from cloud_relay.intake.endpoints import Intake
from cloud_relay.intake.identity import BearerTokens
from cloud_relay.intake.server import build
from cloud_relay.odoo.applier import TargetApplier
from cloud_relay.odoo.port import Binding, OdooApplier, OdooBatch, OdooReply
from edge_contract.errors import Retryable
from tests.model.shift_process import WorldClock

TARGET = "main"
#: Seconds that an event may lack stock before it is held: longer than any shift.
PATIENT = 10.0**9
#: Deliberately few in a batch, so that a shift takes many.
APPLIER_EVENTS = 6


class LossyOdoo:
    """Odoo as the applier sees it; an answer may be lost after the commit."""

    def __init__(self, odoo: OdooApplier) -> None:
        self._odoo = odoo
        self.lose_answers = 0
        self.calls = 0

    async def apply(self, batch: OdooBatch) -> OdooReply:
        self.calls += 1
        reply = await self._odoo.apply(batch)
        if self.lose_answers and batch.events:
            self.lose_answers -= 1
            raise Retryable("The answer is lost.")
        return reply


class _Idle:
    """A watch on which nothing ever comes; remembers that somebody waited."""

    def __init__(self) -> None:
        self.waited = False

    async def changed(self, timeout_s: float) -> bool:
        self.waited = True
        return False

    def close(self) -> None:
        return


class RelayHost:
    """The relay with its inbox and the applier of its one target."""

    def __init__(
        self,
        sites: Sequence[str],
        folder: Path,
        odoo: OdooApplier,
        binding: Binding,
        clock: WorldClock,
        inbox: type[SqliteInbox] = SqliteInbox,
    ) -> None:
        self.odoo = LossyOdoo(odoo)
        self.died = False
        self._inbox_type = inbox
        self._sites = dict.fromkeys(sites, TARGET)
        self._path = folder / "inbox.db"
        self._binding = binding
        self._clock = clock

    async def start(self) -> None:
        self.died = False
        self.inbox = await self._inbox_type.open(self._path)
        self._applier = TargetApplier(
            TARGET,
            self.inbox,
            lambda: NotImplemented,
            self._binding,
            batch=APPLIER_EVENTS,
            grace_s=PATIENT,
            limit_s=PATIENT,
            clock=self._clock,
            seconds=self._clock.seconds,
            share=lambda: 0.0,
        )
        await self._applier.recall()
        tokens = {site: hashlib.sha256(site.encode()).digest() for site in self._sites}
        limits = Limits(requests_per_second=1e6, requests_at_once=10**6)
        intake = Intake(
            self.inbox, BearerTokens(tokens), self._sites, limits, _NoTargets(),
            self._clock, self._clock.seconds,
        )  # fmt: skip
        self.app = build(intake)

    async def die(self) -> None:
        await self.inbox.close()

    async def crash(self) -> None:
        await self.die()
        await self.start()

    async def apply(self, calls: int) -> bool:
        """At most so many calls of Odoo; True when nothing is left that is due."""
        watch = _Idle()
        last = self.odoo.calls + calls
        while self.odoo.calls < last and not watch.waited:
            await self._applier.step(self.odoo, watch)
        return watch.waited

    async def entry(self, device: str, event: UUID) -> Entry | None:
        return await self.inbox.entry(device, event)


class _NoTargets:
    def status(self, target: str) -> None:
        return None
