"""Listening to devices on the broker beside the agent: a client of its own that keeps nothing."""

from __future__ import annotations

import contextlib
import os
import queue
import time
from collections.abc import Iterator
from typing import Any

from paho.mqtt.client import Client, MQTTMessage, MQTTv5
from paho.mqtt.enums import CallbackAPIVersion

from edge_agent import clock
from edge_agent.config import AgentConfig
from edge_agent.devices.live import Seen
from edge_agent.devices.mqtt.fleets import fleet_of
from edge_agent.devices.mqtt.session import tls_context
from edge_agent.devices.profiles.resolve import ConfiguredDevice
from edge_agent.devices.scanners.payloads import read_payload
from edge_contract.errors import NeedsOperator, Retryable

#: Messages that wait to be shown; more than this nobody reads.
_MOST = 1000


def listened(
    config: AgentConfig, device: ConfiguredDevice, seconds: float
) -> Iterator[dict[str, Any]]:
    """Items as of :mod:`edge_agent.looking`, ``received`` with the topic.

    Raises ``NeedsOperator`` without a broker, ``Retryable`` when it does not let us listen.
    """
    if config.mqtt is None:
        raise NeedsOperator(
            "configuration", f"{device.name} publishes to a broker, and no [mqtt] is configured."
        )
    fleet = fleet_of(device)
    inbox: queue.Queue[MQTTMessage | str] = queue.Queue(_MOST)
    client = _connected(config, fleet.topics.mqtt_filter, inbox)
    try:
        yield {"what": "state", "time": clock.now().isoformat(), "health": "up"} | _NO_DETAIL
        deadline = time.monotonic() + seconds
        while (left := deadline - time.monotonic()) > 0:
            try:
                said = inbox.get(timeout=min(left, 1.0))
            except queue.Empty:
                yield {"what": "quiet"}
                continue
            if isinstance(said, str):
                raise Retryable(said)
            payload = bytes(said.payload)
            seen = Seen(clock.now(), "received", payload).document()
            yield {**seen, "topic": said.topic, "retained": said.retain}
            captures = fleet.topics.match(said.topic)
            for result in read_payload(fleet.profile, payload, captures):
                yield Seen(clock.now(), "decoded", decoded=result).document()
    finally:
        client.disconnect()
        client.loop_stop()


_NO_DETAIL = {"detail": "", "showing": ""}


def _connected(config: AgentConfig, topics: str, inbox: queue.Queue[MQTTMessage | str]) -> Client:
    settings = config.mqtt
    assert settings is not None
    client = Client(
        CallbackAPIVersion.VERSION2, f"{settings.client_id}-test-{os.getpid()}", protocol=MQTTv5
    )
    client.connect_timeout = settings.connect_timeout_s
    where = f"The broker {settings.host}:{settings.port}"

    def put(said: MQTTMessage | str) -> None:
        # What comes faster than it is shown is left out: enough is shown to see how it speaks.
        with contextlib.suppress(queue.Full):
            inbox.put_nowait(said)

    def connected(_client: Client, _data: Any, _flags: Any, reason: Any, _more: Any) -> None:
        if reason.is_failure:
            put(f"{where} refuses the agent's user: {reason}. Check username and password_file.")
        else:
            client.subscribe(topics, qos=0)

    def subscribed(_client: Client, _data: Any, _mid: int, reasons: Any, _more: Any) -> None:
        for reason in reasons:
            if reason.is_failure:
                put(f"{where} does not let the agent's user read {topics}: {reason}. See its ACL.")

    client.on_connect = connected
    client.on_subscribe = subscribed
    client.on_message = lambda _client, _data, message: put(message)
    if settings.username is not None:
        client.username_pw_set(settings.username, settings.password_text())
    if settings.tls is not None:
        client.tls_set_context(tls_context(settings.tls))
    try:
        client.connect(settings.host, settings.port, settings.keepalive_s, clean_start=True)
    except (OSError, ValueError) as error:
        raise Retryable(
            f"{where} cannot be reached: {getattr(error, 'strerror', None) or error}. "
            "Check [mqtt], the network, and whether it runs."
        ) from error
    client.loop_start()
    return client
