"""The relay put together: HTTP intake, one applier a target, control socket, housekeeping."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import socket
from collections.abc import AsyncIterator, Callable, Coroutine, Iterator, Mapping
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager
from datetime import UTC, datetime, timedelta
from importlib.metadata import PackageNotFoundError
from importlib.metadata import version as version_of
from typing import Any

import uvicorn

from cloud_relay.config import Listen, Settings, Target, read_secret, read_tokens
from cloud_relay.control import Control
from cloud_relay.inbox.port import Inbox, Retention
from cloud_relay.inbox.store import SqliteInbox
from cloud_relay.intake.endpoints import Intake
from cloud_relay.intake.identity import BearerTokens
from cloud_relay.intake.server import build
from cloud_relay.local_socket import serve as serve_control
from cloud_relay.odoo.applier import Connect, TargetApplier
from cloud_relay.odoo.gateway import Json2Gateway
from cloud_relay.odoo.port import Binding, OdooApplier
from cloud_relay.odoo.status import TargetStatus
from edge_contract.errors import EdgeError, NeedsOperator

log = logging.getLogger(__name__)

#: Seconds a stop waits for the calls of Odoo under way; after that they are left to be repeated.
GRACE_S = 20.0
#: Seconds for HTTP requests under way.
HTTP_GRACE_S = 5
#: Longer than agents keep idle connections, so that it is they who close them.
KEEP_ALIVE_S = 75
MOST_CONNECTIONS = 2_000
PRUNE_EVERY_S = 600.0
#: Seconds between two bounded deletions, so that intake is never kept waiting for long.
PRUNE_PAUSE_S = 0.2

#: Makes the way into Odoo of a target; replaced in tests.
ConnectTo = Callable[[str, Target], Connect]


def relay_version() -> str:
    try:
        return version_of("warehouse-edge")
    except PackageNotFoundError:
        return "unknown"


def gateway_of(name: str, target: Target) -> Connect:
    """A gateway that reads the key each time it is opened, so that a new one needs no restart."""

    @asynccontextmanager
    async def opened() -> AsyncIterator[OdooApplier]:
        key = read_secret(target.key_file, f"targets.{name}.key_file")
        async with Json2Gateway(
            target.odoo_url, target.database, key, timeout=target.timeout_s
        ) as gateway:
            yield gateway

    def connect() -> AbstractAsyncContextManager[OdooApplier]:
        return opened()

    return connect


class Appliers:
    """The appliers of all targets, running while the context is open."""

    def __init__(self, settings: Settings, inbox: Inbox, connect_to: ConnectTo) -> None:
        self.by_target: Mapping[str, TargetApplier] = {
            name: TargetApplier(
                name,
                inbox,
                connect_to(name, target),
                Binding(
                    company=target.company,
                    warehouses=target.warehouses,
                    allow_negative=target.allow_negative,
                ),
                batch=target.batch,
                grace_s=target.straggler_grace_s,
                limit_s=target.straggler_limit_s,
            )
            for name, target in settings.targets.items()
        }

    def status(self, target: str) -> TargetStatus | None:
        applier = self.by_target.get(target)
        return None if applier is None else applier.status()

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        tasks = [asyncio.create_task(applier.run()) for applier in self.by_target.values()]
        try:
            yield
        finally:
            for applier in self.by_target.values():
                applier.stop()
            _, late = await asyncio.wait(tasks, timeout=GRACE_S)
            for task in late:
                log.warning("a call of Odoo is left unfinished; it is repeated after the start")
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)


class _Server(uvicorn.Server):
    """uvicorn without its own signal handlers: the relay stops in its own order."""

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


async def run_relay(
    settings: Settings,
    *,
    ready: asyncio.Event | None = None,
    stop: asyncio.Event | None = None,
    connect_to: ConnectTo = gateway_of,
) -> None:
    """Run until ``stop`` is set; ``ready`` is set when requests are taken.

    Raises ``NeedsOperator`` when it cannot start. An Odoo that is down is no reason not to.
    """
    stop = stop or asyncio.Event()
    tokens = read_tokens(settings)
    sites = {name: site.target for name, site in settings.sites.items()}
    async with AsyncExitStack() as stack:
        listener = stack.enter_context(_listen(settings.listen))
        inbox = await SqliteInbox.open(
            settings.inbox.path,
            retention=Retention(
                events=timedelta(days=settings.inbox.keep_days),
                trace=timedelta(days=settings.inbox.keep_readings_days),
            ),
        )
        stack.push_async_callback(inbox.close)
        appliers = Appliers(settings, inbox, connect_to)
        control = Control(inbox, appliers.by_target, sites, relay_version())
        await stack.enter_async_context(
            serve_control(
                settings.control.socket, int(settings.control.mode, 8), control.commands()
            )
        )
        await stack.enter_async_context(appliers.running())
        await stack.enter_async_context(_background(_prune(inbox)))
        identity = BearerTokens(tokens.sites, tokens.monitor)
        intake = Intake(inbox, identity, sites, settings.limits, appliers)
        await stack.enter_async_context(_background(_at(stop, intake.stop)))
        host, port = listener.getsockname()[:2]
        log.info("relay %s listens on http://%s:%d", relay_version(), host, port)
        if ready is not None:
            ready.set()
        await _serve_http(intake, listener, stop)
        log.info("relay stops")


async def _serve_http(intake: Intake, listener: socket.socket, stop: asyncio.Event) -> None:
    config = uvicorn.Config(
        build(intake),
        log_config=None,
        access_log=False,
        lifespan="off",
        server_header=False,
        timeout_keep_alive=KEEP_ALIVE_S,
        timeout_graceful_shutdown=HTTP_GRACE_S,
        limit_concurrency=MOST_CONNECTIONS,
    )
    server = _Server(config)

    def leave() -> None:
        server.should_exit = True

    async with _background(_at(stop, leave)):
        await server.serve(sockets=[listener])


async def _at(stop: asyncio.Event, act: Callable[[], None]) -> None:
    await stop.wait()
    act()


@asynccontextmanager
async def _background(work: Coroutine[Any, Any, None]) -> AsyncIterator[None]:
    task: asyncio.Task[None] = asyncio.create_task(work)
    try:
        yield
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


async def _prune(inbox: Inbox) -> None:
    while True:
        deleted = 0
        try:
            deleted = await inbox.prune(datetime.now(UTC))
        except EdgeError as error:
            log.warning("old events could not be deleted: %s", error)
        await asyncio.sleep(PRUNE_PAUSE_S if deleted else PRUNE_EVERY_S)


@contextlib.contextmanager
def _listen(listen: Listen) -> Iterator[socket.socket]:
    family = socket.AF_INET6 if ":" in listen.host else socket.AF_INET
    try:
        listener = socket.create_server((listen.host, listen.port), family=family, backlog=512)
    except OSError as error:
        raise NeedsOperator(
            "listen",
            f"The relay cannot listen on {listen.host}:{listen.port}: {error.strerror or error}.",
            "Stop what uses that address, or set [listen] host and port.",
        ) from None
    with listener:
        yield listener
