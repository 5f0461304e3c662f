"""Random shifts: people act, handhelds send, computers die; in the end Odoo holds what is there."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import ClassVar
from uuid import UUID

from hypothesis import strategies as st
from hypothesis.stateful import rule

from cloud_relay.inbox.store import SqliteInbox
from edge_contract.mqtt import Feedback
from tests.model.shift_agent import AgentHost
from tests.model.shift_end import Ending
from tests.model.shift_handheld import Handheld
from tests.model.shift_people import People, devices, picks
from tests.model.shift_process import Crash, WorldClock, dying_at
from tests.model.shift_relay import RelayHost
from tests.model.shift_scene import Floor

SITES = ("north", "south")

hosts = st.integers(0, len(SITES) - 1)

INTAKE_DEATHS = (
    None, None, None, "intake.before_append", "outbox.before_commit", "outbox.after_commit",
    "intake.after_commit",
)  # fmt: skip
UPLINK_FAULTS = (
    None, None, None, None, "cut", "lost", "uplink.before_send", "uplink.after_reply",
    "uplink.after_mark", "intake.before_store", "inbox.before_commit", "inbox.after_commit",
    "intake.after_store",
)  # fmt: skip
APPLIER_FAULTS = (
    None, None, None, None, "lost", "lost", "applier.before_apply", "relay.odoo_answered",
    "applier.after_apply", "inbox.settle_before_commit", "inbox.settle_after_commit",
    "applier.after_settle",
)  # fmt: skip


class Shift(People):
    """One shift. Subclasses name the floor, and may build mistakes in."""

    floor: ClassVar[Floor]
    agent_host: ClassVar[type[AgentHost]] = AgentHost
    inbox: ClassVar[type[SqliteInbox]] = SqliteInbox

    def __init__(self) -> None:
        super().__init__()
        self.scene = self.floor.scene()
        self.clock = WorldClock(datetime.now(UTC).replace(microsecond=0) - timedelta(hours=8))
        self.folder = Path(tempfile.mkdtemp(prefix="shift-"))
        self.relay = RelayHost(
            SITES, self.folder, self.floor.gateway, self.floor.binding, self.clock, self.inbox
        )
        self.hosts = [self.agent_host(site, self.folder, self.relay, self.clock) for site in SITES]
        self.seen_before_closing: set[UUID] | None = None
        """Scans of the shared transfer that the relay had when Odoo closed it."""
        self.floor.wait(self.relay.start())
        for host in self.hosts:
            self.floor.wait(host.start())

    # -- handhelds and agents --------------------------------------------------------------------

    def _hear(self, name: str, feedback: Feedback) -> None:
        self.by_name[name].hear(feedback)

    def take_in(
        self,
        host: AgentHost,
        burst: Sequence[tuple[str, bytes]],
        dies: str | None = None,
        hears: bool = True,
    ) -> None:
        try:
            with dying_at(dies):
                host.take_in(burst, self._hear if hears else lambda *_: None)
        except Crash:
            self.floor.wait(host.crash())

    @rule(
        device=devices, home=hosts, many=st.sampled_from((1, 2, 3, 20)), again=st.booleans(),
        hears=st.sampled_from((True, True, True, False)), dies=st.sampled_from(INTAKE_DEATHS),
    )  # fmt: skip
    def comes_into_reach(
        self, device: int, home: int, many: int, again: bool, hears: bool, dies: str | None
    ) -> None:
        handheld = self.devices[device]
        if home != handheld.home and not handheld.bound(lambda e: self._at_relay(handheld, e)):
            handheld.home = home
        burst = handheld.publish(many, again=again)
        self.take_in(self.hosts[handheld.home], burst, dies, hears)

    @rule(device=devices, pick=picks)
    def an_old_message_comes_again(self, device: int, pick: int) -> None:
        """The broker delivers what it already had delivered to that agent."""
        handheld = self.devices[device]
        if handheld.sent:
            home, event = handheld.sent[pick % len(handheld.sent)]
            burst = [(handheld.name, handheld.payloads[event])]
            self.take_in(self.hosts[home], burst)

    def _at_relay(self, handheld: Handheld, event: UUID) -> bool:
        return self.floor.wait(self.relay.entry(handheld.name, event)) is not None

    @rule(host=hosts, what=st.sampled_from(("agent", "relay", "outbox", "none")))
    def something_happens(self, host: int, what: str) -> None:
        """A process dies between two acts; an outbox is told that it is an old copy, and sends
        again whatever it does not know to be final; or the site just hears what became of it."""
        agent = self.hosts[host]
        if what == "agent":
            self.floor.wait(agent.crash())
        elif what == "relay":
            self.floor.wait(self.relay.crash())
        elif what == "outbox":
            self.floor.wait(agent.outbox.renew_generation("as after a restored copy"))
        else:
            self.floor.wait(agent.listen())

    @rule(host=hosts, batches=st.integers(1, 3), fault=st.sampled_from(UPLINK_FAULTS))
    def syncs(self, host: int, batches: int, fault: str | None) -> None:
        agent = self.hosts[host]
        agent.line.cut = fault == "cut"
        agent.line.lose_answers = int(fault == "lost")
        try:
            with dying_at(fault):
                self.floor.wait(agent.sync(batches))
        except Crash:
            self.floor.wait(agent.crash())
        agent.line.cut = False
        agent.line.lose_answers = 0
        if self.relay.died:
            self.floor.wait(self.relay.crash())

    # -- relay and Odoo --------------------------------------------------------------------------

    @rule(calls=st.integers(1, 2), fault=st.sampled_from(APPLIER_FAULTS))
    def applies(self, calls: int, fault: str | None) -> None:
        self.apply(calls, fault)

    def apply(self, calls: int, fault: str | None = None) -> bool:
        self.relay.odoo.lose_answers = int(fault == "lost")
        idle = False
        try:
            with dying_at(fault):
                idle = self.floor.wait(self.relay.apply(calls))
        except Crash:
            self.floor.wait(self.relay.crash())
        self.relay.odoo.lose_answers = 0
        self._note_closing()
        return idle

    def _note_closing(self) -> None:
        """Remember which scans of the shared transfer were there when it was closed in Odoo."""
        if self.seen_before_closing is not None or self.world.shared_done is None:
            return
        _, who, event = self.world.shared_done
        entry = self.floor.wait(self.relay.entry(who, event))
        if entry is not None and entry.status == "applied":
            self.seen_before_closing = {
                line
                for line, (_, device, _) in self.world.shared_lines.items()
                if self._at_relay(self.by_name[device], line)
            }

    @rule(
        device=devices,
        on_the_way=st.sampled_from(UPLINK_FAULTS),
        in_the_end=st.sampled_from(APPLIER_FAULTS),
        again=st.booleans(),
    )
    def all_goes_through(
        self, device: int, on_the_way: str | None, in_the_end: str | None, again: bool
    ) -> None:
        """What a person did goes all the way to Odoo at once, or nearly."""
        handheld = self.devices[device]
        self.take_in(self.hosts[handheld.home], handheld.publish(20, again=again))
        self.syncs(handheld.home, 3, on_the_way)
        self.apply(1, in_the_end)

    @rule(device=devices, in_the_end=st.sampled_from(APPLIER_FAULTS))
    def nearly_all_goes_through(self, device: int, in_the_end: str | None) -> None:
        self.all_goes_through(device, None, in_the_end, again=False)

    # -- the end ---------------------------------------------------------------------------------

    def teardown(self) -> None:
        try:
            Ending(self).run()
        finally:
            for host in self.hosts:
                self.floor.wait(host.die())
            self.floor.wait(self.relay.die())
            shutil.rmtree(self.folder)
