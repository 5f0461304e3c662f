"""Walks over the points: arms one, lets the shift run into it, starts the dead again, and judges.

Judged is what the project promises: an event that its device heard ``stored`` of has exactly one
effect, in order, and both sides can say so. A run that breaks it is a finding, whatever the point.
"""

from __future__ import annotations

import signal
import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from uuid import UUID

from edge_agent.status import ask
from edge_contract.errors import EdgeError
from edge_sandbox.chaos.books import Books
from edge_sandbox.chaos.control import NEVER
from edge_sandbox.chaos.shift import World, shift_with
from edge_sandbox.chaos.site import DEVICE, Process, Site

#: The armed process has done its part when it had no more callbacks than so many in so many
#: seconds: a server that idles looks around ten times a second.
_QUIET_S, _QUIET = 0.15, 6
#: Seconds that a place which comes round (a heartbeat) is waited for when all is done.
_ROUND_S = 1.2
_HOPELESS_S = 1.0


@dataclass(frozen=True, slots=True)
class Point:
    """Where to die: the ``callback``-th callback of the event loop, or a place.

    Counted is from when the process idles; with ``starting`` from its start after a first death,
    with events waiting for it: it dies while it recovers.
    """

    process: Process
    callback: int = 0
    place: str = ""
    passing: int = 1
    starting: bool = False

    def __str__(self) -> str:
        what = f"{self.place}:{self.passing}" if self.place else f"callback {self.callback}"
        return f"{self.process} {'starting ' if self.starting else ''}{what}"


@dataclass(slots=True)
class Run:
    """What became of one run."""

    point: Point
    died: bool = False
    died_at: str = ""
    confirmed: int = 0
    lost: list[UUID] = field(default_factory=list)
    """Confirmed, and without an effect."""
    doubled: list[UUID] = field(default_factory=list)
    disorder: int = 0
    """Events that overtook an earlier one of their device (on the way up) or document (applied)."""
    incomplete: list[str] = field(default_factory=list)
    """What does not stand where it should: ladders, unconfirmed events, a process's end."""
    recovery_s: float = 0.0
    """From the death until everything was where it belongs."""
    seconds: float = 0.0

    @property
    def ok(self) -> bool:
        return not (self.lost or self.doubled or self.disorder or self.incomplete)


class Campaign:
    """Runs at one site. Not for threads."""

    def __init__(self, site: Site, books: Books, world: World, *, deadline: float = 30.0) -> None:
        """``deadline``: seconds for a run to come to its end after the last scan."""
        self._site = site
        self._books = books
        self._world = world
        self._deadline = self._patience = deadline
        self._number = 1
        self._run = Run(Point("agent"))
        self._died_at = 0.0

    def calibrate(self, process: Process, trace: Path, *, starting: bool = False) -> list[str]:
        """The places of all callbacks of a run in which nobody dies, in order."""
        part = self._site.parts[process]
        part.trace = trace
        part.stop()
        if not starting:
            part.start()
        run = self._run_armed(Run(Point(process, NEVER, starting=starting)))
        part.trace = None
        part.stop()
        part.start()
        if not run.ok:
            raise RuntimeError(f"a run without a death is not as it should be: {run}")
        return trace.read_text(encoding="utf-8").splitlines()

    def run(self, point: Point) -> Run:
        """One run with one death."""
        return self._run_armed(Run(point))

    def _run_armed(self, run: Run) -> Run:
        point = run.point
        part = self._site.parts[point.process]

        def arm() -> None:
            if point.place:
                part.control.arm_place(point.place, point.passing)
            else:
                part.control.arm_callback(point.callback)

        def done() -> bool:
            if point.place:  # it may come round
                return self._dead_within(point.process, _ROUND_S) or True
            return self._quiet(point.process)

        if not point.starting:
            arm()
            return self._go(run, lambda: None, done)

        def start() -> None:
            arm()
            part.launch_armed()

        part.kill()
        return self._go(run, start, done)

    def miscounted(self) -> str:
        """What the books say of all runs together; empty when all is well."""
        return self._books.miscounted()

    def _go(self, run: Run, when_scanned: Callable[[], None], done: Callable[[], bool]) -> Run:
        self._run, self._died_at, self._patience = run, 0.0, self._deadline
        began = time.monotonic()
        shift = shift_with(self._world.goods(), self._number)
        ids = shift.ids
        self._number += len(ids)
        for burst in (shift.first, shift.second):
            for event in burst:
                self._site.handheld.scan(dict(event))
            if burst is shift.first:
                when_scanned()
            scanned = [UUID(event["id"]) for event in burst]
            if not self._wait(lambda: self._confirmed(scanned) == len(set(scanned))):  # noqa: B023
                run.incomplete.append("not everything was confirmed")
        self._wait(lambda: set(self._effects(ids)) >= set(ids))
        self._wait(lambda: run.died or done())
        for part in self._site.parts.values():
            part.control.disarm()
        self._revive()
        if not self._wait(self._settled):
            run.incomplete.append("the agent does not know what became of everything")
        if run.died:
            run.recovery_s = time.monotonic() - self._died_at
        self._judge(run, ids, shift.of_document)
        run.seconds = time.monotonic() - began
        return run

    # Waiting

    def _wait(self, condition: Callable[[], bool]) -> bool:
        """Wait, and start anew whoever died meanwhile; false when the time is up. After that the
        run is beyond remedy, and nothing is waited for as long again."""
        end = time.monotonic() + self._patience
        while not condition():
            self._revive()
            if time.monotonic() > end:
                self._patience = min(self._patience, _HOPELESS_S)
                return False
            time.sleep(0.01)
        return True

    def _revive(self) -> None:
        for part in self._site.parts.values():
            if part.running:
                continue
            self._died_at = self._died_at or time.monotonic()
            self._run.died = True
            self._run.died_at = self._run.died_at or part.control.died_at
            if part.status != -signal.SIGKILL or not part.control.died_at:
                self._run.incomplete.append(f"{part.name} ended by itself: {part.last_words(5)}")
            part.start()

    def _quiet(self, process: Process) -> bool:
        control = self._site.parts[process].control
        before = control.callbacks
        return self._dead_within(process, _QUIET_S) or control.callbacks - before <= _QUIET

    def _dead_within(self, process: Process, seconds: float) -> bool:
        """Wait so long for the death."""
        end = time.monotonic() + seconds
        while self._site.parts[process].running:
            if time.monotonic() > end:
                return False
            time.sleep(0.01)
        self._revive()
        return True

    def _settled(self) -> bool:
        try:
            outbox = self._site.agent.status()["outbox"]
        except EdgeError:
            return False
        return not (outbox["unrelayed"] or outbox["stored"])

    def _confirmed(self, ids: Sequence[UUID]) -> int:
        return len(set(ids) & set(self._site.handheld.confirmed))

    def _effects(self, ids: Sequence[UUID]) -> list[UUID]:
        return self._books.effects(DEVICE, ids)

    # Judging

    def _judge(self, run: Run, ids: Sequence[UUID], of_document: Sequence[UUID]) -> None:
        effects = self._effects(ids)
        times = Counter(effects)
        confirmed = [event for event in ids if event in set(self._site.handheld.confirmed)]
        run.confirmed = len(confirmed)
        run.lost = [event for event in confirmed if not times[event]]
        run.doubled = [event for event in ids if times[event] > 1]
        run.disorder += _inversions([of_document.index(e) for e in effects if e in of_document])
        numbers = []
        for event in confirmed:
            row = self._site.relay.event(DEVICE, str(event))
            steps = [] if row is None else [step["stage"] for step in row["ladder"]]
            if row is not None:
                numbers.append(row["number"])
            if steps[:2] != ["stored", "relayed"] or steps[-1:] != ["applied"]:
                run.incomplete.append(f"at the relay {event} stands at {steps or 'nothing'}")
            stage = self._stage_at_the_agent(event)
            if stage != "applied":
                run.incomplete.append(f"at the agent {event} stands at {stage}")
        run.disorder += _inversions(numbers)

    def _stage_at_the_agent(self, event: UUID) -> str:
        try:
            (row,) = ask(self._site.agent.socket, "outbox.show", device=DEVICE, event=str(event))
        except EdgeError as error:
            return str(error)
        return str(row["stage"])


def _inversions(numbers: Sequence[int]) -> int:
    """How many come after one that should have come later."""
    highest, found = -1, 0
    for number in numbers:
        found += number < highest
        highest = max(highest, number)
    return found
