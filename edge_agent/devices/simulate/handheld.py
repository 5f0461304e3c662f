"""A handheld that forgets an event only when it hears ``stored``.

It keeps what it scanned, publishes a window of it in order, sends again what it did not hear
confirmed, and can walk out of the Wi-Fi and back. One thread drives its connection; every public
method may be called from any thread.
"""

from __future__ import annotations

import contextlib
import json
import math
import select
import socket
import threading
import time
from collections.abc import Callable
from datetime import UTC, datetime
from itertools import islice
from types import TracebackType
from typing import Any
from uuid import UUID, uuid4

from paho.mqtt.client import MQTTMessage, MQTTv5
from paho.mqtt.enums import CallbackAPIVersion
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties

from edge_agent.devices.mqtt.buffered import BufferedClient
from edge_contract.mqtt import (
    AGENT_STATUS_TOPIC,
    AgentStatus,
    DeviceStatus,
    Feedback,
    event_topic,
    feedback_topic,
    status_topic,
)
from edge_contract.scalars import instant_text

#: Reason of a PUBACK: nobody is subscribed, so the broker threw the message away.
_NOBODY_SUBSCRIBED = 0x10


def _system_clock() -> datetime:
    return datetime.now(UTC)


class Handheld:
    """One simulated handheld; a context manager that is in the Wi-Fi from the start.

    ``clock`` is the device's own clock and may be wrong. ``window`` is how many events may be
    published and unconfirmed at once; ``resend_after_s`` is when it first loses patience: the
    wait doubles with each repeat, because a crowd that repeats in step keeps a slow site slow.
    """

    def __init__(
        self,
        device: str,
        host: str,
        port: int,
        *,
        password: str | None = None,
        clock: Callable[[], datetime] = _system_clock,
        boot: int = 1,
        window: int = 200,
        resend_after_s: float = 5.0,
        waits_for_feedback: bool = True,
        tells_time: bool = True,
    ) -> None:
        self.device = device
        self.boot = boot
        self.feedback: list[Feedback] = []
        """Everything it heard, in order."""
        self.sent = 0
        """Publishes of events so far, repeats included."""
        self._address = (host, port)
        self._password = password
        self._clock = clock
        self._window = window
        self._resend_after_s = resend_after_s
        self._waits = waits_for_feedback
        self._tells_time = tells_time
        self._lock = threading.Condition()
        self._waiting: dict[UUID, bytes] = {}
        """Scanned and not confirmed, in order."""
        self._repeat_at: dict[UUID, float] = {}
        """When an event that was sent is sent again; infinite until the broker has taken it."""
        self._patience: dict[UUID, float] = {}
        self._taken: dict[int, UUID] = {}
        """Packet ids of events that the broker has not acknowledged yet."""
        self._confirmed: dict[UUID, None] = {}
        self._refused: dict[UUID, Feedback] = {}
        self._seq = 0
        self._probing = True
        """Nobody may listen yet: one event at a time, until the broker had somebody to give it."""
        self._knock_at = 0.0
        self._agent: AgentStatus | None = None
        self._heard: datetime | None = None
        self._answered: datetime | None = None
        self._in_range = True
        self._online = False
        self._closing = False
        self._client: BufferedClient | None = None
        self._awake, self._waker = socket.socketpair()
        for end in (self._awake, self._waker):
            end.setblocking(False)
        self._thread = threading.Thread(target=self._run, name=f"handheld-{device}", daemon=True)

    def __enter__(self) -> Handheld:
        self._thread.start()
        self._await(lambda: self._online, 15, "connected to the broker")
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._closing = True
        self._wake()
        self._thread.join(10)
        self._awake.close()
        self._waker.close()

    # What its user does

    def scan(self, event: dict[str, Any]) -> UUID:
        """Record an event and send it when it can. ``id``, ``time`` and ``seq`` are filled in
        when absent; returns the id."""
        with self._lock:
            self._seq = max(self._seq + 1, event.get("seq") or 0)
            event = {"id": str(uuid4()), "seq": self._seq, **event}
            event.setdefault("time", instant_text(self._clock()))
            identity = UUID(str(event["id"]))
            self._waiting[identity] = json.dumps(event, default=str).encode()
        self._wake()
        return identity

    def leave(self) -> None:
        """Walk out of the Wi-Fi: the connection is cut without a word."""
        self._in_range = False
        self._wake()
        self._await(lambda: not self._online, 10, "gone from the broker")

    def rejoin(self, timeout: float = 30.0) -> None:
        """Walk back in and wait until it is connected; it then sends what waits."""
        self._in_range = True
        self._wake()
        self._await(lambda: self._online, timeout, "connected to the broker")

    def wait_confirmed(self, timeout: float = 30.0) -> None:
        """Wait until nothing is unconfirmed; raises TimeoutError."""
        self._await(lambda: not self._waiting, timeout, "confirmed in everything")

    # What it knows

    @property
    def online(self) -> bool:
        return self._online

    @property
    def unconfirmed(self) -> list[UUID]:
        """Ids it still keeps, oldest first."""
        with self._lock:
            return list(self._waiting)

    @property
    def confirmed(self) -> list[UUID]:
        """Ids it heard ``stored`` for, in the order it heard."""
        with self._lock:
            return list(self._confirmed)

    @property
    def quarantined(self) -> dict[UUID, Feedback]:
        """Ids the agent could not make sense of, with what it said."""
        with self._lock:
            return dict(self._refused)

    @property
    def agent(self) -> AgentStatus | None:
        """The agent's status as it heard it last."""
        return self._agent

    # Its thread

    def _run(self) -> None:
        while not self._closing:
            if self._in_range:
                with contextlib.suppress(OSError):
                    self._stay_connected()
                self._set_online(False)
            select.select([self._awake], [], [], 0.1)
            self._drain_wakes()

    def _stay_connected(self) -> None:
        client = self._client = BufferedClient(
            CallbackAPIVersion.VERSION2, f"handheld-{self.device}", protocol=MQTTv5
        )
        client.max_inflight_messages_set(0)
        client.username_pw_set(self.device, self._password)
        client.on_connect = self._on_connect
        client.on_message = self._on_message
        client.on_publish = self._on_publish
        client.on_socket_register_write = lambda *_: None
        client.will_set(status_topic(self.device), self._status("offline"), qos=1, retain=True)
        properties = Properties(PacketTypes.CONNECT)  # type: ignore[no-untyped-call]  # paho
        properties.SessionExpiryInterval = 24 * 3600
        client.connect(*self._address, keepalive=20, clean_start=False, properties=properties)
        sock = client.buffered
        while sock is not None and client.socket() is not None:
            if not self._in_range:
                sock.discard()
                return
            if self._closing:
                if self._online:
                    client.publish(status_topic(self.device), self._status("offline"), 1, True)
                client.disconnect()
                client.loop_write()
                sock.close()
                return
            if not sock.readable():
                inputs = [sock.fileno(), self._awake.fileno()]
                outputs = inputs[:1] if sock.unsent or client.want_write() else []
                select.select(inputs, outputs, [], 0.1)
            self._drain_wakes()
            for _ in range(500):
                if client.socket() is None or not sock.readable():
                    break
                client.loop_read()
            if self._online:
                self._send_due(client)
            client.loop_write()
            if client.socket() is not None:
                sock.flush()
            client.loop_misc()

    def _send_due(self, client: BufferedClient) -> None:
        """Publish what is due, in order: once one is due, so is everything after it, because an
        event that overtook an older one could not be called back."""
        if self._probing and self._taken:
            return
        refused = self._agent is not None and self._agent.intake == "refused"
        now = time.monotonic()
        due: list[tuple[UUID, bytes]] = []
        with self._lock:
            for identity, payload in islice(self._waiting.items(), self._window):
                repeat_at = self._repeat_at.get(identity)
                if not due and repeat_at is not None and now < repeat_at:
                    if self._probing:
                        break
                    continue
                if refused and now < self._knock_at:
                    break
                due.append((identity, payload))
                self._repeat_at[identity] = math.inf
                if refused or self._probing:
                    self._knock_at = now + self._resend_after_s
                    break
        for identity, payload in due:
            info = client.publish(event_topic(self.device), payload, qos=1)
            self._taken[info.mid] = identity
            self.sent += 1

    def _on_publish(self, client: Any, data: Any, mid: int, reason: Any, properties: Any) -> None:
        """The broker has it: from now on it is the agent that it waits for, ever more patiently."""
        identity = self._taken.pop(mid, None)
        if identity is None:
            return
        nobody = reason.value == _NOBODY_SUBSCRIBED
        self._probing = nobody
        with self._lock:
            if identity in self._waiting:
                patience = self._patience.get(identity, self._resend_after_s)
                self._patience[identity] = min(patience * 2, 60.0)
                wait = min(patience, 0.2) if nobody else patience
                self._repeat_at[identity] = time.monotonic() + wait

    def _on_connect(self, client: Any, data: Any, flags: Any, reason: Any, properties: Any) -> None:
        if reason.is_failure:
            return
        client.subscribe([(feedback_topic(self.device), 1), (AGENT_STATUS_TOPIC, 1)])
        with self._lock:
            self._repeat_at.clear()
            self._patience.clear()
        self._taken.clear()
        self._probing = True
        self._publish_status(client)
        self._set_online(True)

    def _on_message(self, client: Any, data: Any, message: MQTTMessage) -> None:
        if message.topic == AGENT_STATUS_TOPIC:
            self._hear_agent(client, AgentStatus.model_validate_json(message.payload), message)
            return
        feedback = Feedback.model_validate_json(message.payload)
        with self._lock:
            self.feedback.append(feedback)
            identity = feedback.event
            if identity is not None and feedback.stage != "refused":
                self._waiting.pop(identity, None)
                self._repeat_at.pop(identity, None)
                self._patience.pop(identity, None)
                if feedback.stage == "quarantined":
                    self._refused[identity] = feedback
                elif feedback.stage == "stored":
                    self._confirmed[identity] = None
            self._lock.notify_all()

    def _hear_agent(self, client: Any, status: AgentStatus, message: MQTTMessage) -> None:
        before, self._agent = self._agent, status
        if before is not None and before.intake == "refused" and status.intake == "open":
            with self._lock:  # what was refused and what was never sent, in order
                self._repeat_at.clear()
        if status.time is None or message.retain:
            return  # a kept status tells nothing about the time that is now
        self._heard = status.time
        came_back = before is None or before.state == "offline"
        if came_back or self._answered is None or (status.time - self._answered).seconds >= 60:
            self._answered = status.time
            self._publish_status(client)

    def _publish_status(self, client: Any) -> None:
        client.publish(status_topic(self.device), self._status("online"), qos=1, retain=True)

    def _status(self, state: str) -> bytes:
        online = state == "online"
        status = DeviceStatus.model_validate(
            {
                "state": state,
                "boot": self.boot,
                "time": self._clock() if online and self._tells_time else None,
                "heard": self._heard if online and self._tells_time else None,
                "waits_for_feedback": self._waits,
            }
        )
        return status.model_dump_json(exclude_none=True).encode()

    def _set_online(self, value: bool) -> None:
        with self._lock:
            self._online = value
            self._lock.notify_all()

    def _await(self, test: Callable[[], bool], timeout: float, what: str) -> None:
        with self._lock:
            if not self._lock.wait_for(test, timeout):
                raise TimeoutError(
                    f"{self.device} was not {what} within {timeout:g} s; "
                    f"{len(self._waiting)} events are unconfirmed"
                )

    def _wake(self) -> None:
        with contextlib.suppress(OSError):
            self._waker.send(b"\0")

    def _drain_wakes(self) -> None:
        with contextlib.suppress(BlockingIOError):
            while self._awake.recv(4096):
                pass
