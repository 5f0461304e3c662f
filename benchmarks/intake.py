"""Durable MQTT intake: draining a queue of QoS 1 messages, beside bare paho that stores nothing.

Method. Four persistent sessions subscribe at one real Mosquitto; then N scans (see
:mod:`benchmarks.scans`) are published once, so that the broker holds the same messages for each.
Then each side connects and drains its queue, one after the other, in another order each
repetition:

- **bare paho**: the library's own client and a select loop, acknowledging, storing nothing;
- **ours**: the agent's link with the outbox on disk (``synchronous=FULL``), confirming each event
  to its device. Ended when the broker has acknowledged the last confirmation;
- ours without the confirmations, and ours with neither confirmations nor storage, which show what
  each costs.

Time runs from opening the socket until the client has left in order. Nobody listens to the
confirmations, and the broker does not write its store meanwhile: both would be the broker's cost.
"""

from __future__ import annotations

import asyncio
import random
import select
import threading
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from paho.mqtt.client import Client, MQTTv5
from paho.mqtt.enums import CallbackAPIVersion
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties

from benchmarks.figures import Aim, Figure, paired
from benchmarks.scans import DEVICES, device_of, payload
from benchmarks.stage import Stage, now, opened
from edge_agent.devices.gs1.reading import _predefined
from edge_agent.devices.intake import _resolved
from edge_agent.devices.links import AppendBlocking
from edge_agent.devices.mqtt.link import MqttLink
from edge_agent.devices.presence.presence import Presence
from edge_agent.devices.settings import MqttSettings
from edge_agent.outbox.port import Appended, Reading, Unreadable
from edge_contract.mqtt import EVENT_FILTER, event_topic
from edge_sandbox.broker import AGENT_USER, Broker

#: Seconds that anything here may take at most.
PATIENCE = 120.0
#: What is left to drain: far more than is ever queued, so that the broker drops nothing.
MANY = 1_000_000

Burst = Sequence[Reading | Unreadable]


def run(stage: Stage) -> list[Figure]:
    messages, repetitions = stage.size((20_000, 3), (2_000, 1))
    rates: dict[str, list[float]] = {}
    with Broker(DEVICES, max_queued=MANY, autosave_changes=MANY) as broker:
        sides: dict[str, Callable[[Path, int], float]] = {
            "bare": lambda _, count: drain_bare(broker, count),
            "ours": lambda folder, count: drain_stored(broker, "ours", _Link, folder, count),
            "unconfirmed": lambda folder, count: drain_stored(
                broker, "unconfirmed", _SilentLink, folder, count
            ),
            "unstored": lambda _, count: drain_unstored(broker, "unstored", count),
        }
        for repetition in range(repetitions):
            subscribe(broker, list(sides))
            stage.say(f"intake: {messages:,} messages are published")
            publish(broker, messages)
            turn = repetition % len(sides)
            for name in [*sides][turn:] + [*sides][:turn]:
                stage.say(f"intake: repetition {repetition + 1} of {repetitions}, {name}")
                folder = stage.folder(f"intake-{repetition}-{name}")
                seconds = sides[name](folder, messages)
                rates.setdefault(name, []).append(messages / seconds)
    aim = Aim("ratio", "≥", 0.9)
    what = {
        "ours": ("durable MQTT intake, confirmed to the device", aim),
        "unconfirmed": ("… without the confirmations", None),
        "unstored": ("… without confirmations and storage", None),
    }
    return [
        paired(words, "messages/s", rates[name], rates["bare"], "bare paho, nothing stored", goal)
        for name, (words, goal) in what.items()
    ]


# The broker's queues


def subscribe(broker: Broker, clients: Sequence[str]) -> None:
    """Let the broker keep a session for each of the clients."""
    for name in clients:
        client = _client(broker, name, AGENT_USER)
        ready = threading.Event()
        client.on_subscribe = lambda *_, ready=ready: ready.set()
        client.on_connect = lambda c, *_: c.subscribe(EVENT_FILTER, 1)
        _connect(broker, client)
        client.loop_start()
        if not ready.wait(PATIENCE):
            raise TimeoutError("the broker did not take a subscription")
        client.disconnect()
        client.loop_stop()


def publish(broker: Broker, messages: int) -> None:
    """As many handhelds as there are, in turns; returns when the broker has everything."""
    rng = random.Random(7)
    clients: dict[str, Client] = {}
    left = threading.Semaphore(0)
    for device in DEVICES:
        client = clients[device] = _client(broker, f"pub-{device}", device)
        client.max_inflight_messages_set(100)
        client.on_publish = lambda *_: left.release()
        _connect(broker, client)
        client.loop_start()
    for number in range(messages):
        device = device_of(number)
        clients[device].publish(event_topic(device), payload(number, rng), qos=1)
    for _ in range(messages):
        if not left.acquire(timeout=PATIENCE):
            raise TimeoutError("the broker did not take every message")
    for client in clients.values():
        client.disconnect()
        client.loop_stop()


def _client(broker: Broker, name: str, user: str) -> Client:
    client = Client(CallbackAPIVersion.VERSION2, f"bench-{name}", protocol=MQTTv5)
    client.username_pw_set(user, broker.password(user))
    return client


def _connect(broker: Broker, client: Client) -> None:
    properties = Properties(PacketTypes.CONNECT)  # type: ignore[no-untyped-call]  # paho
    properties.SessionExpiryInterval = 3600
    client.connect(broker.host, broker.port, clean_start=False, properties=properties)


# The two sides


def drain_bare(broker: Broker, messages: int) -> float:
    """Seconds. paho acknowledges each message after its callback, as it does by itself."""
    client = _client(broker, "bare", AGENT_USER)
    arrived = 0

    def count(*_: Any) -> None:
        nonlocal arrived
        arrived += 1

    client.on_message = count
    begin = time.perf_counter()
    _connect(broker, client)
    while arrived < messages:
        sock = client.socket()
        if sock is None or time.perf_counter() - begin > PATIENCE:
            raise TimeoutError(f"bare paho got {arrived} of {messages} messages")
        readable, _, _ = select.select([sock], [sock] if client.want_write() else [], [], 1.0)
        if readable:
            client.loop_read()
        if client.want_write():
            client.loop_write()
        client.loop_misc()
    client.disconnect()
    client.loop_write()
    return time.perf_counter() - begin


class _Link(MqttLink):
    """The agent's link, which also tells what is on its way to devices."""

    @property
    def unconfirmed(self) -> int:
        session = self._session
        return len(self._outgoing) + (len(session.unconfirmed()) if session else 0)


class _SilentLink(_Link):
    """The same, and devices hear nothing."""

    def _tell(self, device: str, payload: bytes) -> None:
        pass


def drain_stored(
    broker: Broker, client_id: str, kind: type[_Link], folder: Path, messages: int
) -> float:
    async def work() -> float:
        outbox = await opened(folder / "outbox.db")
        try:
            return await asyncio.to_thread(
                _drain, broker, client_id, kind, outbox.append_blocking, messages
            )
        finally:
            if (await outbox.lag()).newest_position != messages:
                raise RuntimeError(f"not all of the {messages} messages were stored")
            await outbox.close()

    return asyncio.run(work())


def drain_unstored(broker: Broker, client_id: str, messages: int) -> float:
    def forget(burst: Burst) -> list[Appended]:
        return [Appended("new", None, 1)] * len(burst)

    return _drain(broker, client_id, _SilentLink, forget, messages)


def _drain(
    broker: Broker, client_id: str, kind: type[_Link], append: AppendBlocking, messages: int
) -> float:
    """Seconds of a link from its start until it has left with everything acknowledged."""
    arrived = 0
    complete = threading.Event()

    def counted(burst: Burst) -> list[Appended]:
        nonlocal arrived
        results = append(burst)
        arrived += len(burst)
        if arrived >= messages:
            complete.set()
        return results

    for labels in (_resolved, _predefined):
        labels.cache_clear()  # each side reads the labels for the first time
    settings = MqttSettings(
        host=broker.host,
        port=broker.port,
        client_id=f"bench-{client_id}",
        username=AGENT_USER,
        password=broker.password(AGENT_USER),  # type: ignore[arg-type]  # pydantic wraps it
        feedback_queue=MANY,
    )
    link = kind(settings, counted, Presence(), now)
    begin = time.perf_counter()
    link.start()
    if not complete.wait(PATIENCE):
        raise TimeoutError(f"the link stored {arrived} of {messages} messages: {link.state()}")
    while link.unconfirmed and time.perf_counter() - begin < PATIENCE:
        time.sleep(0.002)
    link.stop()
    return time.perf_counter() - begin
