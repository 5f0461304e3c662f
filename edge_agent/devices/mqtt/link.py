"""The MQTT link: from a device's publish to its acknowledgement, on one thread.

The way of a burst, measured to be both the safest and the fastest (facts on durability):

1. read what the socket has, up to a bound;
2. hand it to the outbox and wait for the one commit (all reads of a reader's payload are in one);
3. publish the feedback (``stored``), then acknowledge to the broker, in order of arrival.

Invariants: nothing is acknowledged before its commit, nothing on another connection than its own,
and nothing after an error; what is not acknowledged the broker sends again, and what a device
does not hear confirmed it sends again, so every failure here ends in a duplicate, never in a loss.
"""

from __future__ import annotations

import contextlib
import logging
import random
import select
import socket
import threading
import time
from collections import deque
from collections.abc import Callable, Iterable
from datetime import UTC, datetime, timedelta
from typing import Literal

from edge_agent.devices.complaints import claimed_id
from edge_agent.devices.links import AppendBlocking, Clock, LinkState, Tally, full_jitter
from edge_agent.devices.mqtt.feedback import Outgoing, answer, refusal
from edge_agent.devices.mqtt.profiles import FleetReader
from edge_agent.devices.mqtt.reading import Items, MessageReader, is_event
from edge_agent.devices.mqtt.session import Packet, Session
from edge_agent.devices.presence.presence import Presence
from edge_agent.devices.settings import MqttSettings
from edge_agent.outbox.port import Appended, Reading, Unreadable
from edge_contract import killpoint
from edge_contract.errors import EdgeError
from edge_contract.mqtt import AGENT_STATUS_TOPIC, AgentStatus, Feedback

_log = logging.getLogger(__name__)

Uplink = Literal["up", "down", "unknown"]

#: So long without a message, with everything acknowledged, means that no backlog is left.
_QUIET_MS = 100
#: A connection that ended sooner counts as a failed attempt: two agents with one client id would
#: otherwise throw each other out as fast as they can connect.
_LASTING_S = 5.0
#: A device that needs our time gets it at once, but all of them together this often, in seconds.
_TELL_AGAIN_S = 0.25
#: The agent's clock was set when it moved by more than this against the monotonic one.
_STEP = timedelta(seconds=0.5)
_SUSPICIOUS = 3

#: Items that are held while intake is refused; about 2 KiB each.
_MOST_HELD = 50_000
#: Messages that were read, each with what is to be stored of it.
Burst = list[tuple[Packet, Items]]


class MqttLink:
    """Drives the connection to the site's broker from a thread of its own."""

    name = "mqtt"

    def __init__(
        self,
        settings: MqttSettings,
        append: AppendBlocking,
        presence: Presence,
        clock: Clock,
        *,
        fleets: FleetReader | None = None,
        numbered: Callable[[], None] | None = None,
        remember: Callable[[], None] | None = None,
        former: Iterable[str] = (),
        chance: Callable[[], float] = random.random,
    ) -> None:
        """``append`` is called on the link's thread only and returns after the commit.

        ``fleets`` reads devices with topics of their own; ``former`` are such topics of earlier
        configurations. ``numbered`` is called before events are acknowledged and ``remember`` now
        and then, to keep what presence knows over a restart.
        """
        self._settings = settings
        self._append = append
        self._presence = presence
        self._clock = clock
        self._chance = chance
        self._fleets = fleets
        self._numbered = numbered
        self._remember = remember
        self._former = tuple(former)
        self._ahead = self._wall_ahead()
        self._tally = Tally("mqtt", "mqtt", clock)
        self._outgoing = Outgoing(settings.feedback_queue)
        self._session: Session | None = None
        self._last: Session | None = None
        self._held: Burst = []
        """Read and not stored yet, because the outbox refused them; with what they were read as."""
        self._refused = ""
        self._retry_at = 0.0
        self._status_at = 0.0
        self._told_at = 0.0
        self._uplink: Uplink = "unknown"
        self._seen_session = False
        self._untracked = 0
        """Messages so far of devices beyond what presence follows."""
        self._short = 0
        """Connections in a row that ended soon after they began."""
        max_age = timedelta(days=settings.max_event_age_days)
        self._reader = MessageReader(presence, clock, self._tally, max_age, fleets)
        self._stopping = threading.Event()
        self._awake, self._waker = socket.socketpair()
        for end in (self._awake, self._waker):
            end.setblocking(False)
        self._thread = threading.Thread(target=self._run, name="mqtt-link", daemon=True)

    # For the app, from any thread

    def start(self) -> None:
        self._thread.start()

    def stop(self, timeout: float = 5.0) -> None:
        """Say ``offline``, leave the broker in order and end the thread. Stores nothing more."""
        self._stopping.set()
        self._wake()
        if self._thread.is_alive():
            self._thread.join(timeout)
        if not self._thread.is_alive():
            self._awake.close()
            self._waker.close()
            self._tally.set("stopped")

    def state(self) -> LinkState:
        return self._tally.state()

    @property
    def intake(self) -> tuple[Literal["open", "refused"], str]:
        """Whether events are being stored, and if not, why."""
        return ("refused", self._refused) if self._refused else ("open", "")

    def findings(self) -> tuple[str, ...]:
        """What is wrong with the broker's configuration, as far as the connection shows it."""
        session = self._session
        return session.findings if session is not None else ()

    def send_feedback(self, device: str, feedback: Feedback) -> None:
        """Tell a device what became of an event. Never blocks; see :class:`Outgoing` when full."""
        self._tell(device, feedback.model_dump_json().encode())
        self._wake()

    def set_uplink(self, uplink: Uplink) -> None:
        """Shown in the agent's status, at once when it changed."""
        if uplink != self._uplink:
            self._uplink = uplink
            self._status_at = 0.0
            self._wake()

    def _wake(self) -> None:
        # full means that it is about to wake; closed means that it has ended
        with contextlib.suppress(OSError):
            self._waker.send(b"\0")

    # The thread

    def _run(self) -> None:
        attempt = 0
        while not self._stopping.is_set():
            try:
                self._session = Session(
                    self._settings,
                    self._status_payload("offline"),
                    None if self._fleets is None else self._fleets.filters,
                    None if self._fleets is None else self._fleets.status_filters,
                    self._former,
                )
                self._serve(self._session)
            except EdgeError as error:
                self._tally.set("down", str(error))
            except OSError as error:
                where = f"{self._settings.host}:{self._settings.port}"
                self._tally.set(
                    "down",
                    f"The broker at {where} cannot be reached: {error.strerror or error}. Check "
                    "host and port in [mqtt], the network, and whether the broker runs.",
                )
            except Exception as error:  # noqa: BLE001 - an end of this thread would be silent
                _log.exception("The MQTT link failed and connects again")
                self._tally.count("failures")
                self._tally.set("fault", f"The MQTT link failed: {error!r}. Report this defect.")
            attempt = 0 if self._leave() else attempt + 1
            if not self._stopping.is_set():
                cap = self._settings.reconnect_max_s
                self._stopping.wait(full_jitter(attempt, self._chance(), base=0.5, cap=cap))

    def _leave(self) -> bool:
        """Forget the connection; true when it had been up for a while."""
        session, self._session = self._session, None
        if session is None:
            return False
        self._last = session
        session.close("The link gave the connection up.")
        self._outgoing.give_back(session.unconfirmed())
        self._presence.all_offline()
        if session.ended:
            self._tally.set("down", session.ended)
        if not session.connected:
            return False
        self._tally.count("disconnects")
        lasted = time.monotonic() - session.since > _LASTING_S
        self._short = 0 if lasted else self._short + 1
        if self._short >= _SUSPICIOUS:
            hint = (
                f"{session.ended} This happened {self._short} times soon after connecting: is "
                f"another agent using the client_id {self._settings.client_id!r}?"
            )
            self._tally.set("down", hint)
            _log.warning("%s", hint)
        return lasted

    def _serve(self, session: Session) -> None:
        """Drive one connection until it ends or the link stops."""
        give_up = time.monotonic() + self._settings.connect_timeout_s
        poll = select.poll()
        poll.register(self._awake, select.POLLIN)
        welcomed = quiet = more = False
        while session.alive and not self._stopping.is_set():
            most = self._most()
            writing = select.POLLOUT if session.wants_write() else 0
            poll.register(session.fileno(), (select.POLLIN if most else 0) | writing)
            idle = not poll.poll(0 if more else _QUIET_MS)
            if idle and not more and session.subscribed and not self._held:
                quiet = True  # the backlog is over: what comes now was sent now
            self._drain_wakes()
            more = most > 0 and session.read(most)
            if session.connected and not welcomed:
                welcomed = True
                self._welcome(session)
            if not session.connected and time.monotonic() > give_up:
                raise TimeoutError("it accepted the connection and did not answer CONNECT")
            self._take_in(session, fresh=quiet)
            self._announce(session)
            self._keep_books(session)
            session.send(self._outgoing)
            session.service()
        if self._stopping.is_set() and session.connected:
            session.announce(AGENT_STATUS_TOPIC, self._status_payload("offline"))
            session.disconnect()

    def _most(self) -> int:
        """How many messages may be read now. While intake is refused reading goes on, to keep the
        connection: what can come in without our acknowledgement is bounded by the receive maximum.
        Only readers' payloads can be too much for that: then the connection is given up in the end,
        and the broker delivers them again."""
        if not self._held:
            return self._settings.burst
        return self._settings.receive_maximum if self._held_items() < _MOST_HELD else 0

    def _keep_books(self, session: Session) -> None:
        """What is looked after on the way, and never keeps a message waiting."""
        if session.refused:
            self._tally.count("feedback_refused", session.refused)
            session.refused = 0
        untracked, self._untracked = self._untracked, self._presence.ignored
        if self._untracked > untracked:
            self._tally.count("untracked", self._untracked - untracked)
        ahead = self._wall_ahead()
        if abs(ahead - self._ahead) > _STEP:
            self._tally.count("agent_clock_steps")
            self._presence.agent_stepped(ahead - self._ahead)
        self._ahead = ahead
        if self._remember is not None:
            self._remember()

    def _wall_ahead(self) -> timedelta:
        """The agent's time of day less its monotonic clock: it moves when the first is set."""
        elapsed = timedelta(seconds=time.monotonic())
        return self._clock() - datetime(1970, 1, 1, tzinfo=UTC) - elapsed

    def _drain_wakes(self) -> None:
        with contextlib.suppress(BlockingIOError):
            while self._awake.recv(4096):
                pass

    def _welcome(self, session: Session) -> None:
        """The broker answered: note whether it still knew us."""
        self._tally.count("connects")
        self._status_at = 0.0
        if session.session_present:
            # what it had sent us last and we had not acknowledged it sends again
            self._held = [
                (packet, items)
                for packet, items in self._held
                if packet.session is not self._last or not packet.said.qos
            ]
        elif self._seen_session:
            del self._held[: -self._settings.receive_maximum]
            if self._fleets is not None:
                self._fleets.arrivals.forget()
            self._tally.count("sessions_lost")
            _log.warning(
                "The broker lost the agent's session: what it held for the agent may be missing. "
                "Devices that wait for feedback send it again; at risk: %s",
                ", ".join(self._presence.at_risk()) or "none",
            )
        self._seen_session = True
        self._show_health()

    def _show_health(self) -> None:
        if self._refused:
            self._tally.set("refused", self._refused)
        elif self._session is not None and self._session.connected:
            self._tally.set("up")

    # Intake

    def _take_in(self, session: Session, *, fresh: bool) -> None:
        """Read, store, answer and acknowledge what is there."""
        size = self._settings.burst
        if self._refused:
            self._hold(self._read(session, _MOST_HELD - self._held_items(), fresh=fresh))
            if time.monotonic() < self._retry_at:
                return
            held, self._held = deque(self._held), []
            if not held:  # devices may wait for open intake before they send anything
                self._store(session, [])
            while held:
                if not self._store(session, _cut(held, size)):
                    self._hold(list(held))
                    return
        while burst := self._read(session, size, fresh=fresh):
            if not self._store(session, burst):
                return

    def _read(self, session: Session, most: int, *, fresh: bool) -> Burst:
        """Messages that make ``most`` items, the last one whole, because it is acknowledged whole.
        One by one, because a reader's payload may make thousands."""
        read, packets = self._reader.read, session.packets
        burst: Burst = []
        while packets and most > 0:
            packet = packets.popleft()
            items = read(packet.said, fresh=fresh)
            burst.append((packet, items))
            most -= len(items) or 1
        if burst:
            killpoint.reached("intake.after_read")
        return burst

    def _held_items(self) -> int:
        return sum(len(items) for _, items in self._held)

    def _store(self, session: Session, burst: Burst) -> bool:
        """One burst, one commit. False when the outbox would not have it; then it is held."""
        items = [item for _, items in burst for item in items]
        if self._fleets is not None:
            self._fleets.arrivals.write()
        killpoint.reached("intake.before_append")
        try:
            results = self._append(items) if items or self._refused else []
        except EdgeError as refused:
            self._refuse(burst, str(refused))
            return False
        except Exception as error:  # noqa: BLE001 - whatever it is, nothing was acknowledged
            reason = f"The outbox failed: {error}. Look at the agent's log."
            if reason != self._refused:
                _log.exception("The outbox failed; the burst is kept and offered again")
            self._tally.count("append_failures")
            self._refuse(burst, reason)
            return False
        killpoint.reached("intake.after_commit")
        self._reopen()
        self._answer(burst, results)
        if self._numbered is not None:
            self._numbered()
        for packet, _ in burst:
            killpoint.reached("intake.before_ack")
            if not session.acknowledge(packet):
                self._tally.count("late_acks")
        session.service()
        killpoint.reached("intake.after_ack")
        return True

    def _answer(self, burst: Burst, results: list[Appended]) -> None:
        outcome = iter(results)
        for packet, items in burst:
            for item in items:
                appended = next(outcome)
                self._tally.count(appended.result)
                if not is_event(packet.said):
                    continue  # a state that the agent noted, or a reader: nobody waits for it
                claimed = claimed_id(packet.said.payload) if isinstance(item, Unreadable) else None
                self._tell(item.device, answer(item, appended, claimed))

    def _tell(self, device: str, payload: bytes) -> None:
        if not self._outgoing.put(device, payload):
            self._tally.count("feedback_dropped")

    # Refusal

    def _refuse(self, burst: Burst, reason: str) -> None:
        self._retry_at = time.monotonic() + self._settings.retry_s
        if reason != self._refused:
            self._refused = reason
            self._status_at = 0.0
            self._tally.count("refusals")
            _log.warning("Intake is refused: %s", reason)
        self._show_health()
        self._hold(burst)

    def _hold(self, burst: Burst) -> None:
        """Keep what is not stored, unacknowledged, and tell its devices once."""
        for packet, items in burst:
            if not packet.said.qos and len(self._held) >= self._settings.receive_maximum:
                self._tally.count("refused_unkept")  # nothing bounds QoS 0 but this
            else:
                self._held.append((packet, items))
            if packet.told or not is_event(packet.said):
                continue
            for item in items:
                if isinstance(item, Reading):
                    packet.told = True
                    self._tally.count("refused")
                    self._tell(item.device, refusal(item.event.id, self._refused))

    def _reopen(self) -> None:
        if self._refused:
            self._refused = ""
            self._status_at = 0.0
            _log.warning("Intake is open again")
            self._show_health()

    # Status

    def _announce(self, session: Session) -> None:
        now = time.monotonic()
        if self._presence.time_wanted and now >= self._told_at + _TELL_AGAIN_S:
            self._presence.time_wanted = False
            self._status_at = now
        if session.connected and now >= self._status_at:
            payload = self._status_payload("online")
            if session.announce(AGENT_STATUS_TOPIC, payload):
                self._told_at = now
                self._status_at = now + self._settings.status_interval_s

    def _status_payload(self, state: Literal["online", "offline"]) -> bytes:
        intake, reason = self.intake if state == "online" else ("refused", "The agent is offline.")
        status = AgentStatus(
            state=state,
            intake=intake,
            reason=reason,
            uplink=self._uplink,
            time=self._clock() if state == "online" else None,
        )
        return status.model_dump_json().encode()


def _cut(held: deque[tuple[Packet, Items]], size: int) -> Burst:
    """Take one burst from the front."""
    burst: Burst = []
    while held and size > 0:
        burst.append(held.popleft())
        size -= len(burst[-1][1]) or 1
    return burst
