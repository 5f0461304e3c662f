"""The relay's HTTP interface, version 1."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import time
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from datetime import UTC, datetime
from typing import Protocol
from uuid import UUID

from pydantic import BaseModel
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from cloud_relay.config import Limits
from cloud_relay.inbox.port import Arrival, Inbox
from cloud_relay.intake import reports
from cloud_relay.intake.body import read_body
from cloud_relay.intake.identity import Caller, Identity
from cloud_relay.intake.limits import BYTES_AN_EVENT, SiteAllowance, TokenBucket, TooMuch
from cloud_relay.intake.parsing import parse_agent, parse_batch, parse_heartbeat
from cloud_relay.intake.problems import Refusal, refusal_of, refuse
from cloud_relay.odoo.status import TargetStatus
from edge_contract import killpoint
from edge_contract.batch import (
    AGENT_HEADER,
    BATCH_MEDIA_TYPE,
    GENERATION_HEADER,
    DownlinkReply,
    HeartbeatReply,
)
from edge_contract.errors import EdgeError, Rejected

log = logging.getLogger(__name__)

#: The monitor's name among the sites'; no site can be called so.
MONITOR = "(monitor)"
MAX_DOWNLINK_ITEMS = 500
#: Bytes of a heartbeat's body.
MAX_HEARTBEAT_BYTES = 256 * 1024

Clock = Callable[[], datetime]
Seconds = Callable[[], float]
Endpoint = Callable[[Request], Awaitable[Response]]


class Targets(Protocol):
    """What intake knows of the appliers."""

    def status(self, target: str) -> TargetStatus | None: ...


class Intake:
    """Every endpoint. ``sites`` names the target of each site."""

    def __init__(
        self,
        inbox: Inbox,
        identity: Identity,
        sites: Mapping[str, str],
        limits: Limits,
        targets: Targets,
        clock: Clock = lambda: datetime.now(UTC),
        seconds: Seconds = time.monotonic,
    ) -> None:
        self._inbox = inbox
        self._identity = identity
        self._sites = sites
        self._limits = limits
        self._targets = targets
        self._clock = clock
        self._seconds = seconds
        self._stopping = asyncio.Event()
        #: Requests and refusals since the start, by (site or :data:`MONITOR`, what).
        self.counters: Counter[tuple[str, str]] = Counter()
        self._allowances = {site: self._allowance() for site in (*sites, MONITOR)}

    def stop(self) -> None:
        """Let long polls go; new ones are answered at once."""
        self._stopping.set()

    async def batches(self, request: Request) -> Response:
        async with self._admitted(request) as (caller, allowance):
            site = _site_of(caller)
            media = request.headers.get("content-type", "").partition(";")[0].strip().lower()
            if media != BATCH_MEDIA_TYPE:
                raise refuse(
                    "unsupported-media-type",
                    f"Batches are {BATCH_MEDIA_TYPE}; this is {media[:60] or 'nothing'}.",
                )
            agent, generation = parse_agent(
                request.headers.get(AGENT_HEADER), request.headers.get(GENERATION_HEADER)
            )
            body = await read_body(request, self._limits.batch_bytes, self._limits.body_s)
            try:
                events = parse_batch(body, site, self._limits.batch_events)
            except Refusal:
                allowance.events.spend(len(body) / BYTES_AN_EVENT, self._seconds())
                raise
            allowance.events.spend(len(events), self._seconds())
            arrival = Arrival(site, self._sites[site], agent, generation, events, self._clock())
            killpoint.reached("intake.before_store")
            reply = await self._inbox.store(arrival)
            killpoint.reached("intake.after_store")
            self.counters[site, "events"] += len(events)
            return _json(reply)

    async def heartbeats(self, request: Request) -> Response:
        async with self._admitted(request) as (caller, _):
            site = _site_of(caller)
            body = await read_body(request, MAX_HEARTBEAT_BYTES, self._limits.body_s)
            heartbeat = parse_heartbeat(body)
            target, now = self._sites[site], self._clock()
            heard = await self._inbox.heartbeat(site, target, heartbeat, now)
            status = self._targets.status(target)
            return _json(
                HeartbeatReply(
                    stored_through=heard.stored_through,
                    time=now,
                    site=site,
                    odoo="unconfigured" if status is None else status.told(),
                    stop=heard.stop,
                )
            )

    async def downlink(self, request: Request) -> Response:
        async with self._admitted(request) as (caller, _):
            site = _site_of(caller)
            after = int(_number(request, "after", 0, 0, 2**53))
            known = await self._inbox.known_cursor(after)
            if known < after:
                # Restored from a copy: the agent goes back first, and sends what may be lost.
                return _json(DownlinkReply(items=(), cursor=known))
            limit = int(_number(request, "limit", MAX_DOWNLINK_ITEMS, 1, MAX_DOWNLINK_ITEMS))
            wait = _number(request, "wait", 0, 0, 3600)
            deadline = self._seconds() + min(wait, self._limits.long_poll_s)
            # Opened before the first look, so that nothing falls between.
            with contextlib.closing(self._inbox.watch_downlink(site)) as watch:
                items = await self._inbox.downlink(site, after, limit)
                while not items and not self._stopping.is_set():
                    left = deadline - self._seconds()
                    if left <= 0 or await self._gone(request, watch.changed(left)):
                        break
                    items = await self._inbox.downlink(site, after, limit)
            cursor = items[-1].cursor if items else after
            return _json(DownlinkReply(items=tuple(items), cursor=cursor))

    async def sites(self, request: Request) -> Response:
        async with self._admitted(request) as (caller, _):
            lags = [lag for lag in await self._inbox.sites() if caller.may_read(lag.site)]
            known = {lag.site for lag in lags}
            names = [site for site in self._sites if caller.may_read(site)]
            rows = [reports.site(lag, self._sites.get(lag.site, "")) for lag in lags]
            rows += [reports.silent(site, self._sites[site]) for site in names if site not in known]
            for row in rows:
                row["requests"] = self._counted(row["site"])
            targets = dict.fromkeys(self._sites[site] for site in names)
            alarms = [
                reports.alarm(alarm)
                for alarm in await self._inbox.alarms()
                if caller.site is None or alarm.site == caller.site
            ]
            statuses = [self._targets.status(target) for target in targets]
            return JSONResponse(
                {
                    "time": reports.instant(self._clock()),
                    "sites": sorted(rows, key=lambda row: str(row["site"])),
                    "targets": [s.model_dump(mode="json") for s in statuses if s is not None],
                    "alarms": alarms,
                }
            )

    async def event(self, request: Request) -> Response:
        async with self._admitted(request) as (caller, _):
            device = request.path_params["device"]
            try:
                event_id = UUID(request.path_params["event"])
            except ValueError:
                raise refuse("not-found", "An event's id is a UUID.") from None
            entry = await self._inbox.entry(device, event_id)
            if entry is None or not caller.may_read(entry.site):
                raise refuse(
                    "not-found",
                    f"No event {event_id} of device {device} is known here.",
                    "It may still be in its agent's outbox: `edge-agent outbox show`.",
                )
            steps = await self._inbox.ladder(device, event_id)
            return JSONResponse(reports.ladder(entry, steps))

    async def health(self, request: Request) -> Response:
        """Whether the relay can store events. Needs no credentials and tells nothing else."""
        try:
            async with asyncio.timeout(5):
                await self._inbox.alarms()
        except (EdgeError, TimeoutError):
            return JSONResponse({"status": "failing", "contract": 1}, 503)
        return JSONResponse({"status": "ok", "contract": 1})

    @contextlib.asynccontextmanager
    async def _admitted(self, request: Request) -> AsyncIterator[tuple[Caller, SiteAllowance]]:
        caller = self._identity.identify(request)
        name = caller.site or MONITOR
        allowance = self._allowances.setdefault(name, self._allowance())
        self.counters[name, "requests"] += 1
        try:
            with allowance.request(self._seconds()):
                yield caller, allowance
        except TooMuch as much:
            self.counters[name, "rate-limited"] += 1
            who = "The monitor" if caller.site is None else f"Site {name}"
            busy = refuse(
                "rate-limited",
                f"{who} reached its limit of {much.what}.",
                "Send again later; nothing of the request was stored.",
            )
            busy.headers["Retry-After"] = str(int(much.retry_after) + 1)
            raise busy from None
        except Refusal as refusal:
            self.counters[name, refusal.kind] += 1
            raise
        except EdgeError as error:
            told = refusal_of(error)
            self.counters[name, told.kind] += 1
            if not isinstance(error, Rejected):
                log.warning("a request of site %s failed: %s", name, error)
            raise told from error

    async def _gone(self, request: Request, change: Awaitable[bool]) -> bool:
        """Wait for a change; True when nobody waits for the answer any more."""
        waiting = asyncio.ensure_future(change)
        leaving = asyncio.ensure_future(_disconnected(request))
        stopping = asyncio.ensure_future(self._stopping.wait())
        tasks = (waiting, leaving, stopping)
        try:
            await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
            return leaving.done() or stopping.done()
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    def _allowance(self) -> SiteAllowance:
        limits = self._limits
        return SiteAllowance(
            TokenBucket(limits.events_per_second, limits.events_at_once),
            TokenBucket(limits.requests_per_second, limits.requests_at_once),
            limits.open_requests,
        )

    def _counted(self, site: object) -> dict[str, int]:
        return {what: count for (whose, what), count in self.counters.items() if whose == site}


def _site_of(caller: Caller) -> str:
    if caller.site is None:
        raise refuse(
            "forbidden", "The monitor's token reads; it cannot act as a site.", "Use a site's."
        )
    return caller.site


def _number(request: Request, name: str, default: float, least: float, most: float) -> float:
    text = request.query_params.get(name)
    if text is None:
        return default
    try:
        value = float(text)
    except ValueError:
        value = float("nan")
    if not least <= value <= most:
        raise refuse("bad-batch", f"{name}={text[:40]} is not between {least:g} and {most:g}.")
    return value


async def _disconnected(request: Request) -> None:
    while (await request.receive())["type"] != "http.disconnect":
        pass


def _json(model: BaseModel) -> Response:
    return Response(model.model_dump_json(), media_type="application/json")
