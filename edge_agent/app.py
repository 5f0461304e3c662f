"""The agent as a process: real parts from the configuration, signals, and an orderly end."""

from __future__ import annotations

import asyncio
import logging
import random
import signal
from importlib.metadata import version
from typing import TYPE_CHECKING

from edge_agent import clock
from edge_agent.agent import Agent, Identity, Patience
from edge_agent.answers import Answers
from edge_agent.config import AgentConfig, UplinkSettings
from edge_agent.devices.mqtt.session import tls_context
from edge_agent.floor import Floor
from edge_agent.outbox.store import SqliteOutbox
from edge_agent.secret import read_secret
from edge_agent.status import StatusServer
from edge_agent.sync.actions import Limits
from edge_agent.sync.client import HttpRelay, Timeouts, trust
from edge_contract.errors import NeedsOperator, Retryable

if TYPE_CHECKING:
    from edge_agent.devices.discovery.advertise import BrokerAdvert

log = logging.getLogger(__name__)


def serve(config: AgentConfig) -> int:
    """Run until SIGTERM or SIGINT; the exit status is 0 then. Raises what ended it otherwise."""
    _log_to_stderr(config)
    check_secrets(config)
    asyncio.run(_serve(config))
    return 0


def check_secrets(config: AgentConfig) -> None:
    """Read every secret and certificate the configuration names; raises ``NeedsOperator``."""
    if config.uplink is not None:
        read_secret(config.uplink.token_file, "uplink.token_file")
        trust(config.uplink.ca_file)
    if config.mqtt is not None and config.mqtt.password_file is not None:
        read_secret(config.mqtt.password_file, "mqtt.password_file")
    if config.mqtt is not None and config.mqtt.tls is not None:
        tls_context(config.mqtt.tls)


async def _serve(config: AgentConfig) -> None:
    socket = StatusServer(config.status.socket, int(config.status.mode, 8))
    try:
        outbox = await SqliteOutbox.open(config.outbox, site=config.site.name, clock=clock.now)
        try:
            await _run(config, outbox, socket)
        finally:
            await outbox.close()
    finally:
        socket.close()


async def _run(config: AgentConfig, outbox: SqliteOutbox, socket: StatusServer) -> None:
    uplink = config.uplink
    agent = Agent(
        Identity(config.site.name, config.site.agent, version("warehouse-edge")),
        outbox,
        None if uplink is None else _relay(uplink, config.site.agent),
        clock=clock.now,
        monotonic=clock.monotonic,
        draw=random.random,
        limits=None if uplink is None else _limits(uplink),
        patience=None if uplink is None else _patience(uplink),
    )
    await agent.prepare()
    floor = Floor(config, agent, clock=clock.now)
    answers = Answers(
        agent,
        config.outbox,
        "" if uplink is None else uplink.url,
        clock=clock.now,
        monotonic=clock.monotonic,
        broker=floor.broker_findings,
        live=floor.live,
    )
    await socket.start(answers.all())
    advert = await _announced(config)
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    log.info(
        "Agent %s of site %s runs; outbox %s, generation %s.",
        config.site.agent,
        config.site.name,
        config.outbox.path,
        outbox.generation,
    )
    try:
        await agent.run(stop)
    except NeedsOperator:
        raise
    except Exception:
        log.exception("The agent ends because a part of it failed.")
        raise
    finally:
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.remove_signal_handler(number)
        if advert is not None:
            await asyncio.to_thread(advert.stop)
    log.info("The agent stops as asked.")


async def _announced(config: AgentConfig) -> BrokerAdvert | None:
    """Tell the network of the broker, where that is wanted. Events do not wait for it to work."""
    if config.mqtt is None or not config.discovery.advertise:
        return None
    from edge_agent.devices.discovery.advertise import Advert, BrokerAdvert

    advert = BrokerAdvert(
        Advert(
            config.site.name,
            config.site.agent,
            version("warehouse-edge"),
            config.mqtt.host,
            config.mqtt.port,
            config.mqtt.tls is not None,
            config.discovery.interfaces,
        )
    )
    try:
        await asyncio.to_thread(advert.start)
    except Retryable as error:
        log.warning("%s", error)
        return None
    return advert


def _relay(settings: UplinkSettings, agent: str) -> HttpRelay:
    return HttpRelay(
        settings.url,
        agent,
        lambda: read_secret(settings.token_file, "uplink.token_file"),
        ca_file=settings.ca_file,
        timeouts=Timeouts(settings.connect_timeout_s, settings.answer_timeout_s, settings.poll_s),
    )


def _limits(settings: UplinkSettings) -> Limits:
    return Limits(settings.batch_events, settings.batch_bytes, settings.linger_ms / 1000)


def _patience(settings: UplinkSettings) -> Patience:
    return Patience(settings.heartbeat_s, settings.retry_first_s, settings.retry_max_s)


def _log_to_stderr(config: AgentConfig) -> None:
    line = "%(levelname)s %(name)s: %(message)s"
    logging.basicConfig(
        level=config.log.level.upper(),
        format=f"%(asctime)s {line}" if config.log.time else line,
        force=True,
    )
    for noisy in ("httpx", "httpcore", "apscheduler"):
        logging.getLogger(noisy).setLevel(logging.WARNING)
